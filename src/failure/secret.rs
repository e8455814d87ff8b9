//! A secret: a text that is shown to nobody by accident.

use std::fmt;

/// The replacement for a secret.
pub(super) const HIDDEN: &str = "[hidden]";

/// A text that neither `Debug` nor `Display` shows: only [`Self::expose`] does.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// The fewest bytes of a secret that can be hidden. Shorter ones are words like any other: hiding them would make
    /// messages unreadable.
    pub const SHORTEST: usize = 8;

    /// Whether it is too short to be hidden, so that it must not be used.
    pub fn is_too_short(&self) -> bool {
        self.0.len() < Self::SHORTEST
    }

    /// The text itself, for whoever has to send or compare it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}
