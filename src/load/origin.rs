//! Where a value of a scenario comes from.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file itself.
    File,
    /// This profile of the file.
    Profile(String),
    /// This flag.
    Flag(&'static str),
    /// This file given with `--vars-file`.
    VarsFile(PathBuf),
    /// This variable of the environment.
    Environment(String),
    /// It was given nowhere.
    Default,
}

impl Origin {
    /// What to blame for a value that is in no scenario file.
    pub(super) fn outside(&self) -> Option<String> {
        match self {
            Self::File | Self::Profile(_) | Self::Default => None,
            Self::Flag(flag) => Some((*flag).to_string()),
            Self::VarsFile(path) => Some(path.display().to_string()),
            Self::Environment(name) => Some(name.clone()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file"),
            Self::Profile(name) => write!(f, "the profile `{name}`"),
            Self::Flag(flag) => f.write_str(flag),
            Self::VarsFile(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment: {name}"),
            Self::Default => f.write_str("the default"),
        }
    }
}
