//! Text of foreign origin, made harmless and cut to a width.

/// A message on one line, with visible control characters, so that a server cannot change the look of the report.
pub(super) fn plain(message: &str) -> String {
    let mut shown = String::new();
    for c in message.trim().chars() {
        match c {
            '\n' | '\t' => {
                if !shown.ends_with(' ') {
                    shown.push(' ');
                }
            }
            c if c.is_control() || is_invisible(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that reverse, break or hide the text around them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The text cut to at most `width` characters; `…` replaces the rest.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Lines of at most `width` characters, broken between words if possible; lines after the first are indented.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let width = width.max(indent + 8);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    // Whether the line has no words yet, but only the text's own leading spaces or the indent.
    let mut empty = true;
    for (at, word) in text.split(' ').enumerate() {
        let mut word: Vec<char> = word.chars().collect();
        let space = usize::from(at > 0 && (lines.is_empty() || !empty));
        if !empty && length + space + word.len() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            (length, empty) = (indent, true);
        } else if space > 0 && length < width {
            line.push(' ');
            length += 1;
        }
        while length + word.len() > width {
            let rest = word.split_off(width - length);
            line.extend(word);
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            length = indent;
            word = rest;
        }
        length += word.len();
        empty &= word.is_empty();
        line.extend(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_of_a_server_are_shown_and_not_obeyed() {
        assert_eq!(plain(" red:\u{1b}[31m\n\ttext\u{202e} "), "red:\\u{1b}[31m text\\u{202e}");
        assert_eq!(cut("database is locked", 9), "database…");
    }

    #[test]
    fn text_that_fits_stays_as_it_is() {
        for text in ["", "   indented  twice", "- one two", "key       value"] {
            assert_eq!(wrap(text, 40, 4), [text]);
        }
        assert_eq!(wrap("  note: one two three four", 16, 4), ["  note: one two", "    three four"]);
    }

    proptest! {
        #[test]
        fn wrapped_text_fits_and_loses_no_character(text in "[a-zé ]{0,200}", width in 20..60_usize) {
            let lines = wrap(&text, width, 4);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:?}");
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
