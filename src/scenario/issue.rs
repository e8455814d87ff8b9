//! A problem in a scenario, addressed by its JSON pointer.

use std::ops::Range;

/// A problem in a scenario: its place (a JSON pointer into the document), a message, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The JSON pointer of the value at fault, such as `/phases/0/sql`.
    pub pointer: String,
    /// Whether the problem is the key rather than its value.
    pub at_key: bool,
    /// The bytes of the value's text (after YAML quotes and folds are resolved) that are wrong; `None` means all of it.
    pub range: Option<Range<usize>>,
    /// A stable code, such as `scenario::unknown_key`.
    pub code: &'static str,
    /// The problem, as a lower-case fragment that names the value.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether this is only a warning, with which the scenario still runs.
    pub warning: bool,
}

impl Issue {
    /// An error about the value at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            at_key: false,
            range: None,
            code,
            message: message.into(),
            help: None,
            warning: false,
        }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to write instead, where that is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Points at the key rather than its value.
    #[must_use]
    pub fn at_key(mut self) -> Self {
        self.at_key = true;
        self
    }

    /// Points at a part of the value's text.
    #[must_use]
    pub fn range(mut self, range: Option<Range<usize>>) -> Self {
        self.range = range;
        self
    }

    /// Makes the problem a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.warning = true;
        self
    }
}
