//! Offsets in the text: from the parser's character offsets to bytes, and from its rough spans to exact ones.

use std::ops::Range;

use saphyr_parser::{ScalarStyle, Span};

/// A table from character offsets to byte offsets. ASCII text does not need it.
pub(super) struct ByteTable {
    offsets: Option<Vec<usize>>,
    length: usize,
}

impl ByteTable {
    pub(super) fn new(text: &str) -> Self {
        let offsets = (!text.is_ascii()).then(|| text.char_indices().map(|(offset, _)| offset).collect());
        Self { offsets, length: text.len() }
    }

    /// The byte at which this character starts, or the end of the text.
    pub(super) fn offset(&self, character: usize) -> usize {
        match &self.offsets {
            Some(offsets) => offsets.get(character).copied().unwrap_or(self.length),
            None => character.min(self.length),
        }
    }

    /// The bytes of a span.
    pub(super) fn range(&self, span: &Span) -> Range<usize> {
        let start = self.offset(span.start.index());
        start..self.offset(span.end.index()).max(start)
    }
}

/// The last character boundary at or before `offset`.
pub(super) fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|offset| text.is_char_boundary(*offset)).unwrap_or(0)
}

/// The start of the line that contains `offset`.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    let before = &text[..floor(text, offset)];
    before.rfind('\n').map_or(0, |newline| newline + 1)
}

/// The end of the line that contains `offset`, without trailing whitespace.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    let offset = floor(text, offset);
    let line = text[offset..].split('\n').next().unwrap_or_default();
    offset + line.trim_end().len()
}

/// The span without `&anchor` and `!tag` before the value.
pub(super) fn skip_properties(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start;
    while text[start..span.end].starts_with(['&', '!']) {
        let written = &text[start..span.end];
        let after = written.find(char::is_whitespace).map_or("", |end| written[end..].trim_start());
        start = span.end - after.len();
    }
    start..span.end
}

/// The exact bytes of a scalar: quotes included, indentation and trailing whitespace not.
pub(super) fn scalar_span(text: &str, value: &str, style: ScalarStyle, span: &Range<usize>) -> Range<usize> {
    let span = skip_properties(text, span);
    match style {
        ScalarStyle::Plain if value.is_empty() => span.start..span.start,
        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => {
            let written = &text[span.clone()];
            let start = span.start + (written.len() - written.trim_start().len());
            start..span.start + written.trim_end().len().max(start - span.start)
        }
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => span,
    }
}
