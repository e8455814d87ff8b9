//! Something wrong in a file as YAML. It must not know how it is found.

use std::ops::Range;

/// Something wrong in a file, before it is known what the file means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text at fault.
    pub span: Range<usize>,
    /// Another place that explains it, and what it is.
    pub other: Option<(Range<usize>, &'static str)>,
    /// A stable code, such as `yaml::duplicate_key`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}
