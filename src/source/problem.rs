//! Something wrong in a file as YAML. It must not know how it is found.

use std::ops::Range;

/// A problem in the YAML of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The bytes of the text that are wrong.
    pub span: Range<usize>,
    /// Another place that explains the problem, with its label.
    pub other: Option<(Range<usize>, &'static str)>,
    /// A stable code, such as `yaml::duplicate_key`.
    pub code: &'static str,
    /// The problem, in words.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}
