//! How far a template is nested, before the template language sees it: that reads, compiles and drops what it read by
//! recursion, and a worker's stack is small. It must not know what the words mean.

use std::ops::Range;

use super::problem::TemplateProblem;

/// The most operators, names and brackets of one expression or tag. Texts, numbers and commas count nothing, so that a
/// list may be long.
const LINKS: usize = 100;
/// The most tags of a template with statements: an `elif` is inside of the one before.
const TAGS: usize = 100;
/// The longest text with templates, in bytes.
const LENGTH: usize = 1024 * 1024;

/// Whether the template language can read an expression that starts at `offset`.
pub(super) fn check_expression(source: &str, offset: usize) -> Result<(), TemplateProblem> {
    check_length(source, offset)?;
    match tokens(source).filter(|(link, _)| *link).nth(LINKS) {
        None => Ok(()),
        Some((_, range)) => Err(TemplateProblem {
            range: Some(range.start + offset..range.end + offset),
            message: format!("the expression has more than {LINKS} operators and names: split it into several"),
        }),
    }
}

/// Whether the template language can read a text with statements.
pub(super) fn check_statements(source: &str) -> Result<(), TemplateProblem> {
    check_length(source, 0)?;
    let (mut at, mut tags) = (0, 0);
    while let Some(open) = source[at..].find(['{']).map(|found| at + found) {
        let Some(end) = ["{{", "{%", "{#"].iter().position(|start| source[open..].starts_with(start)) else {
            at = open + 1;
            continue;
        };
        let inside = open + 2;
        let end = match ["}}", "%}", "#}"][end] {
            close @ "#}" => source[inside..].find(close),
            close => end_of_tag(&source[inside..], close),
        };
        let end = end.map_or(source.len(), |found| inside + found);
        tags += usize::from(source[open..].starts_with("{%"));
        if tags > TAGS {
            let message = format!("the text has more than {TAGS} tags `{{% … %}}`: split it into several");
            return Err(TemplateProblem { range: Some(open..inside), message });
        }
        if !source[open..].starts_with("{#") {
            check_expression(&source[inside..end], inside)?;
        }
        at = end;
    }
    Ok(())
}

fn check_length(source: &str, offset: usize) -> Result<(), TemplateProblem> {
    if source.len() <= LENGTH {
        return Ok(());
    }
    let message = format!("a text with templates has at most {LENGTH} bytes, and this one has {}", source.len());
    Err(TemplateProblem { range: Some(offset..offset), message })
}

/// Where a tag ends: texts inside are skipped.
fn end_of_tag(text: &str, close: &str) -> Option<usize> {
    tokens(text).map(|(_, range)| range.start).find(|at| text[*at..].starts_with(close))
}

/// The tokens of an expression, each with whether it is a link: an operator, a name or a bracket.
fn tokens(text: &str) -> impl Iterator<Item = (bool, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        let first = rest.chars().next()?;
        let of_word = |c: char| c.is_alphanumeric() || c == '_';
        let (link, length) = match first {
            '"' | '\'' => (false, end_of_text(rest, first)),
            ',' => (false, 1),
            c if of_word(c) => (!c.is_ascii_digit(), rest.find(|c| !of_word(c)).unwrap_or(rest.len())),
            c => (true, c.len_utf8()),
        };
        let start = at;
        at += length;
        Some((link, start..at))
    })
}

/// The length of a text in quotes at the start of `rest`.
fn end_of_text(rest: &str, quote: char) -> usize {
    let mut bytes = rest.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if char::from(byte) == quote {
            return at + 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use crate::template::{Expression, Text};

    /// The stack of a worker.
    fn on_a_small_stack(check: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(check).expect("a thread");
        thread.join().expect("it ends");
    }

    #[test]
    fn no_nesting_overflows_a_small_stack_neither_refused_nor_allowed() {
        on_a_small_stack(|| {
            for (before, after) in [
                ("not ", ""),
                ("-", ""),
                ("- ", ""),
                ("(", ")"),
                ("[", "]"),
                ("{'a': ", "}"),
                ("1 + ", ""),
                ("1 ** ", ""),
                ("1 ~ ", ""),
                ("1 and ", ""),
                ("1 if 1 else ", ""),
                ("", ".a"),
                ("", "[0]"),
                ("", "|abs"),
                ("", "()"),
                ("", " is defined"),
                ("", " < 1"),
            ] {
                for times in [10, 24, 32, 49, 98, 300, 30_000] {
                    let source = format!("{}1{}", before.repeat(times), after.repeat(times));
                    let compiled = Expression::compile(&source);
                    assert!(times < 30_000 || compiled.is_err(), "{before}1{after}");
                    drop(compiled);
                }
            }
        });
    }

    #[test]
    fn no_chain_of_tags_overflows_a_small_stack() {
        on_a_small_stack(|| {
            for (start, middle, end) in [
                ("{% if 0 %}", "{% elif 0 %}", "{% endif %}"),
                ("", "{% if 1 %}", ""),
                ("", "{% for a in [1] %}", ""),
                ("", "{% set a = 1 %}", ""),
            ] {
                for times in [50, 98, 150, 20_000] {
                    let text = Text::compile(&format!("{start}{}{end}", middle.repeat(times)));
                    assert!(times < 20_000 || text.is_err(), "{middle}");
                }
            }
        });
    }

    #[test]
    fn long_lists_and_long_texts_are_none_of_its_business() {
        let words = vec!["'it''s, (a) {%'"; 2_000].join(", ");
        assert!(Expression::compile(&format!("pick([{words}])")).is_ok());
        assert!(Text::compile(&format!("{}{{# ' #}}{{{{ 1 }}}}", "(' { ".repeat(1_000))).is_ok());
    }

    #[test]
    fn the_place_of_the_refusal_is_inside_the_text() {
        let source = format!("é {{{{ {}1 }}}}", "- ".repeat(300));
        let problem = Text::compile(&source).expect_err("too deep");
        assert_eq!(&source[problem.range.clone().expect("a place")], "-", "{problem:?}");
    }
}
