//! The messages about YAML problems: each problem with its code and what to write instead.

use std::ops::Range;

use super::offset::{floor, line_end, line_start};
use super::scalar::BadNumber;
use super::{Problem, node};

fn problem(code: &'static str, span: Range<usize>, message: impl Into<String>, help: &str) -> Problem {
    let help = (!help.is_empty()).then(|| help.to_string());
    Problem { span, other: None, code, message: message.into(), help }
}

/// The text of a span, shortened for a message.
fn written(text: &str, span: &Range<usize>) -> String {
    let line = text[span.clone()].lines().next().unwrap_or_default().trim();
    if line.chars().count() <= 40 { line.to_string() } else { line.chars().take(40).chain(['…']).collect() }
}

pub(super) fn empty(text: &str) -> Problem {
    let message = if text.trim().is_empty() { "the file is empty" } else { "the file has no keys" };
    let help = "a scenario starts with `version: 1` and `name: …`; `stress schema` prints all its keys";
    problem("yaml::empty", 0..line_end(text, 0), message, help)
}

pub(super) fn second_document(span: Range<usize>) -> Problem {
    let help = "a file contains one scenario: move the text after `---` to another file";
    problem("yaml::second_document", span, "a second document starts here", help)
}

pub(super) fn tag(text: &str, span: &Range<usize>) -> Problem {
    let tag = text[span.clone()].split_whitespace().find(|word| word.starts_with('!')).unwrap_or("!").to_string();
    let start = span.start + text[span.clone()].find(&tag).unwrap_or(0);
    let message = format!("the tag `{tag}` cannot be used here");
    problem("yaml::tag", start..start + tag.len(), message, "remove it; quote the value if it is meant as text")
}

pub(super) fn template(text: &str, span: Range<usize>) -> Problem {
    let template = written(text, &span);
    let message = format!("the template `{template}` is not quoted, which makes it a map");
    problem("yaml::template", span, message, &format!("quote it: `\"{template}\"`"))
}

pub(super) fn collection_as_key(text: &str, span: &Range<usize>) -> Problem {
    let message = format!("`{}` cannot be a key", written(text, span));
    problem("yaml::key", span.clone(), message, "keys are text; quote it if it is meant as one")
}

pub(super) fn empty_key(text: &str, span: &Range<usize>) -> Problem {
    let span = if span.is_empty() { span.start..floor(text, span.start + 1).max(span.start) } else { span.clone() };
    problem("yaml::key", span, "a key is missing before `:`", "write the key, or remove the line")
}

pub(super) fn long_key(text: &str, span: &Range<usize>) -> Problem {
    let message = format!("the key `{}` is longer than {} bytes", written(text, span), node::MAX_KEY);
    problem("yaml::key", span.clone(), message, "shorten it")
}

pub(super) fn duplicate_key(key: &str, span: Range<usize>, first: Range<usize>) -> Problem {
    let help = if key == "<<" { "merge several maps with `<<: [*a, *b]`" } else { "keep one of them" };
    let mut problem = problem("yaml::duplicate_key", span, format!("key `{key}` is given twice"), help);
    problem.other = Some((first, "first given here"));
    problem
}

pub(super) fn bad_merge(span: Range<usize>) -> Problem {
    problem(
        "yaml::merge",
        span,
        "`<<` merges maps, but this value is not a map",
        "write `<<: *name` with `&name` at a map above",
    )
}

pub(super) fn bad_number(text: &str, bad: BadNumber, span: Range<usize>) -> Problem {
    let quote = format!("quote it if it is meant as text: `\"{text}\"`");
    match bad {
        BadNumber::NotFinite => problem("yaml::number", span, format!("`{text}` is not a finite number"), &quote),
        BadNumber::TooLarge => problem("yaml::number", span, format!("the number `{text}` is too large"), &quote),
    }
}

pub(super) fn too_deep(text: &str, start: usize) -> Problem {
    let message = format!("maps and lists are nested more than {} levels deep", node::MAX_DEPTH);
    problem("yaml::too_deep", start..next(text, start), message, "a scenario needs about ten")
}

pub(super) fn too_many(text: &str, start: usize) -> Problem {
    let message = format!("the file has more than {} values", node::MAX_NODES);
    problem("yaml::too_many", start..next(text, start), message, "generate rows with `rows:` and templates instead")
}

pub(super) fn alias_bomb(text: &str, span: Range<usize>) -> Problem {
    let alias = written(text, &span);
    let message = format!("with the alias `{alias}` expanded, the file has more than {} values", node::MAX_NODES);
    problem("yaml::too_many", span, message, "aliases of aliases multiply: write the values out, or use fewer")
}

pub(super) fn self_alias(text: &str, span: Range<usize>) -> Problem {
    let message = format!("the alias `{}` is inside the value that it repeats", written(text, &span));
    problem("yaml::alias", span, message, "move it out of that value")
}

/// What the parser says, by a part of its words; what that means; and what to do.
const RULES: [(&str, &str, &str); 7] = [
    ("tabs disallowed", "a tab in the indentation", "indent with spaces"),
    ("unexpected character", "text cannot start with this character", "quote the text"),
    (
        "unknown anchor",
        "no anchor has this name",
        "write `&name` at a value above; quote the text if no alias is meant",
    ),
    ("end of stream", "the quote that opens here is never closed", "close it"),
    (
        "invalid indentation in",
        "text in brackets or quotes must stay indented",
        "indent this line, or close the bracket or the quote",
    ),
    (
        "simple key expect",
        "this line is neither a key with `:` nor a list item",
        "write `key: value`, or `- item` with a space",
    ),
    (
        "did not find expected key",
        "this does not fit the text before it",
        "quote the whole text, or check the indentation",
    ),
];

/// A syntax error in words. `template` is the start of a map that looks like a template; `opened` is the start of the
/// innermost open map or list.
pub(super) fn explain(text: &str, info: &str, at: usize, template: Option<usize>, opened: Option<usize>) -> Problem {
    // The parser reports a problem at the end of a line at the start of the next one.
    let at = floor(text, at);
    let start =
        if at > 0 && (at == text.len() || at == line_start(text, at)) { text[..at].trim_end().len() } else { at };
    let start = template.unwrap_or(start).min(text.len());
    let here = start..next(text, start);
    let line = line_start(text, start);
    let on_line = text[line..line_end(text, line)].trim();

    if info.contains("recursion limit") {
        return too_deep(text, start);
    }
    if let Some(problem) = unquoted_template(text, line, start) {
        return problem;
    }
    let opened = opened.filter(|opened| text[*opened..].starts_with(['{', '[']));
    if info.contains("invalid indentation in quoted") {
        return problem(
            "yaml::syntax",
            here,
            "the quote that opens here is never closed",
            "close it, or indent its next lines",
        );
    }
    if info.contains("mapping values are not allowed") {
        return colon(text, line, here);
    }
    if let Some(opened) = opened.filter(|_| info.contains("flow")) {
        let (what, close) = if text[opened..].starts_with('{') { ("map", '}') } else { ("list", ']') };
        let message = format!("expected `,` or `{close}` in this {what}");
        let mut problem = problem("yaml::syntax", here, message, "close it, or quote text that contains brackets");
        problem.other = Some((opened..opened + 1, "opened here"));
        return problem;
    }
    for (needle, message, help) in RULES {
        if info.contains(needle) {
            return problem("yaml::syntax", here, message, help);
        }
    }
    problem(
        "yaml::syntax",
        here,
        format!("this is not YAML: {info}, in `{on_line}`"),
        "check quotes, `:` and indentation",
    )
}

/// A `: ` where no key can be. `line` is the start of its line.
fn colon(text: &str, line: usize, here: Range<usize>) -> Problem {
    let before = &text[line..here.start];
    if !before.trim_start_matches(['-', ' ']).contains(": ") {
        let key = line + (before.len() - before.trim_start().len())..here.end;
        let message = format!("`{}` does not fit the indentation of the lines above", written(text, &key));
        return problem("yaml::syntax", key, message, "align it with the keys of its map");
    }
    let help = "quote the whole text, or put it on the next line after `>-`";
    problem("yaml::syntax", here, "`: ` inside unquoted text", help)
}

/// The problem of an unquoted template that breaks YAML, if the line has one before `start` or directly after it.
fn unquoted_template(text: &str, line: usize, start: usize) -> Option<Problem> {
    let end = line_end(text, line);
    let braces = line + text[line..end].find("{{")?;
    if braces > start + 2 {
        return None;
    }
    let before = &text[line..braces];
    if before.contains(['"', '\'', '#']) {
        return None;
    }
    // The value it belongs to: from after the last `: `, `- `, `[`, `{` or `,`.
    let value = before.rfind([' ', '[', '{', ',']).map_or(line, |space| line + space + 1);
    let in_brackets = text[line..value].contains(['[', '{']);
    let rest = &text[value..end];
    let length = if in_brackets {
        let closed = rest.rfind("}}").map_or(rest.len(), |close| close + 2);
        closed + rest[closed..].find([',', ' ', '}', ']']).unwrap_or(rest.len() - closed)
    } else {
        rest.len()
    };
    let span = value..value + length;
    let template = written(text, &span);
    let message =
        format!("text must be quoted if it starts with a template, or contains one inside brackets: `{template}`");
    Some(problem("yaml::template", span, message, &format!("write `\"{template}\"`")))
}

/// The end of the character at `start`.
fn next(text: &str, start: usize) -> usize {
    start + text[start..].chars().next().map_or(0, char::len_utf8)
}
