//! From a JSON pointer, and a range inside a value's text, to bytes of the file.

use std::ops::Range;

use saphyr_parser::ScalarStyle;
use serde_json::Value;

use super::node::{Kind, Nodes};
use super::{offset, segments};

/// The place of a value in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bytes to point at.
    pub span: Range<usize>,
    /// The `*alias` that refers to the value, if the value is written elsewhere.
    pub alias: Option<Range<usize>>,
    /// Whether the pointer names a value in the file; otherwise `span` is that of the nearest parent.
    pub exact: bool,
}

pub(super) fn place(text: &str, nodes: &Nodes, pointer: &str, at_key: bool, inside: Option<Range<usize>>) -> Place {
    let Some(root) = nodes.root() else { return Place { span: 0..0, alias: None, exact: false } };
    let (mut id, mut alias) = nodes.resolve(root);
    let mut key: Option<Range<usize>> = None;
    let mut exact = true;
    for segment in segments(pointer) {
        let found = match &nodes.0[id].kind {
            Kind::Map { entries, index, .. } => {
                index.get(&segment).and_then(|index| entries.get(*index)).map(|entry| {
                    alias = alias.take().or_else(|| entry.merged.clone());
                    (entry.node, Some(entry.key_span.clone()))
                })
            }
            Kind::List(items) => {
                segment.parse::<usize>().ok().and_then(|index| items.get(index)).map(|item| (*item, None))
            }
            Kind::Scalar { .. } | Kind::Alias(_) => None,
        };
        let Some((child, child_key)) = found else {
            exact = false;
            break;
        };
        key = child_key;
        let (target, through) = nodes.resolve(child);
        alias = alias.or(through);
        id = target;
    }
    let node = &nodes.0[id];
    let span = node.span.clone();
    let part = inside.filter(|_| exact).and_then(|inside| match &node.kind {
        Kind::Scalar { value: Value::String(value), style } => map_inside(text, &span, *style, value, &inside),
        Kind::Scalar { .. } | Kind::List(_) | Kind::Map { .. } | Kind::Alias(_) => None,
    });
    let is_collection = matches!(node.kind, Kind::List(_) | Kind::Map { .. });
    let span = match (part, key) {
        (Some(part), _) => part,
        (None, Some(key)) if at_key || span.is_empty() || (!exact && is_collection) => key,
        (None, _) if span.is_empty() => dash_before(text, span.start),
        // For a whole section, the first line is enough.
        (None, _) if is_collection => span.start..offset::line_end(text, span.start).clamp(span.start, span.end),
        (None, _) => span,
    };
    Place { span: offset::floor(text, span.start)..offset::floor(text, span.end), alias, exact }
}

/// The `-` of an empty list item.
fn dash_before(text: &str, start: usize) -> Range<usize> {
    let before = text[..start].trim_end();
    if before.ends_with('-') { before.len() - 1..before.len() } else { start..start }
}

/// Maps a range of the value's text to bytes of the file, by walking over both texts at once. Both have the same
/// characters in the same order, apart from whitespace, quotes and escapes; so whitespace is skipped on both sides.
fn map_inside(
    text: &str,
    span: &Range<usize>,
    style: ScalarStyle,
    value: &str,
    inside: &Range<usize>,
) -> Option<Range<usize>> {
    let quotes = usize::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
    let body = span.start + quotes..span.end.checked_sub(quotes)?;
    let mut written = Written { text: text.get(body.clone())?, at: 0, style };
    let (mut start, mut end) = (None, None);
    let mut last = body.start;
    for (at, character) in value.char_indices().filter(|(_, character)| !is_space(*character)) {
        let (found, place) = written.next_visible()?;
        if found != character {
            return None;
        }
        let place = body.start + place.start..body.start + place.end;
        if at >= inside.start && start.is_none() {
            start = Some(if at < inside.end { place.start } else { last });
        }
        if at < inside.end {
            end = Some(place.end);
        }
        last = place.end;
    }
    let start = start.unwrap_or(last);
    Some(start..end.unwrap_or(start).max(start))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// The characters of a scalar as written.
struct Written<'t> {
    text: &'t str,
    at: usize,
    style: ScalarStyle,
}

impl Written<'_> {
    /// The next character that is not whitespace after unescaping, and its place in the file.
    fn next_visible(&mut self) -> Option<(char, Range<usize>)> {
        loop {
            let (character, range) = self.next()?;
            if !is_space(character) {
                return Some((character, range));
            }
        }
    }

    fn next(&mut self) -> Option<(char, Range<usize>)> {
        let start = self.at;
        let character = self.take()?;
        let character = match (self.style, character) {
            (ScalarStyle::SingleQuoted, '\'') => self.take()?,
            (ScalarStyle::DoubleQuoted, '\\') => self.escape()?,
            (_, character) => character,
        };
        Some((character, start..self.at))
    }

    fn take(&mut self) -> Option<char> {
        let character = self.text.get(self.at..)?.chars().next()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn escape(&mut self) -> Option<char> {
        let digits = match self.take()? {
            '0' => return Some('\0'),
            'a' => return Some('\x07'),
            'b' => return Some('\x08'),
            'e' => return Some('\x1b'),
            'f' => return Some('\x0c'),
            'n' => return Some('\n'),
            'r' => return Some('\r'),
            't' => return Some('\t'),
            'v' => return Some('\x0b'),
            'N' => return Some('\u{85}'),
            '_' => return Some('\u{a0}'),
            'L' => return Some('\u{2028}'),
            'P' => return Some('\u{2029}'),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other => return Some(other),
        };
        let code = self.text.get(self.at..self.at + digits)?;
        self.at += digits;
        char::from_u32(u32::from_str_radix(code, 16).ok()?)
    }
}
