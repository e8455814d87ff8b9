//! What is wrong with a template, and where.

use std::ops::Range;

/// A problem in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The bytes of the template's text that are wrong, if known.
    pub range: Option<Range<usize>>,
    /// The problem, in words.
    pub message: String,
}

impl TemplateProblem {
    /// What the template language says about `source`, which starts at `offset` of the template's text.
    pub(super) fn of(error: &minijinja::Error, source: &str, offset: usize) -> Self {
        // What is missing at the end of a text has its place behind it.
        let range = error.range().filter(|range| source.get(range.clone()).is_some());
        let range = range.map(|range| range.start + offset..range.end + offset);
        let message = match (error.kind(), error.detail()) {
            (minijinja::ErrorKind::OutOfFuel, _) => "the template takes too many steps to render".to_owned(),
            (_, Some(detail)) => detail.to_owned(),
            (kind, None) => kind.to_string(),
        };
        Self { range, message }
    }
}
