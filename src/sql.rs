//! SQL as text: names in quotes, and a statement in one line. It must not know any table.

/// A name as an SQL identifier.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// SQL in one line: every run of spaces and line ends outside of quotes and comments becomes one space, and a comment
/// up to the end of a line is left out.
pub(crate) fn one_line(sql: &str) -> String {
    let mut line = String::with_capacity(sql.len());
    for (piece, text) in pieces(sql.trim()) {
        match piece {
            Piece::Space | Piece::LineComment if line.is_empty() || line.ends_with(' ') => {}
            Piece::Space | Piece::LineComment => line.push(' '),
            Piece::Name | Piece::Other => line.push_str(text),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// SQL whose names in double quotes are in backticks instead, which mean the same to SQLite: so that the SQL itself can
/// stand in double quotes.
pub(crate) fn without_double_quotes(sql: &str) -> String {
    let rewritten = pieces(sql).map(|(piece, text)| match piece {
        Piece::Name => {
            let inside = text.strip_prefix('"').unwrap_or(text);
            let name = inside.strip_suffix('"').unwrap_or(inside).replace("\"\"", "\"");
            format!("`{}`", name.replace('`', "``"))
        }
        Piece::Space | Piece::LineComment | Piece::Other => text.to_owned(),
    });
    rewritten.collect()
}

/// What a piece of SQL is, as far as its layout is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Spaces and line ends.
    Space,
    /// A comment up to the end of a line.
    LineComment,
    /// A name in double quotes.
    Name,
    /// Any other text in quotes, a comment, or a single character.
    Other,
}

/// The pieces of a text, in order; together they are the text.
fn pieces(mut rest: &str) -> impl Iterator<Item = (Piece, &str)> {
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let until =
            |end: &str| rest.get(1..).and_then(|after| after.find(end)).map_or(rest.len(), |at| at + 1 + end.len());
        let (piece, length) = match first {
            '"' => (Piece::Name, quoted(rest, first)),
            '\'' | '`' => (Piece::Other, quoted(rest, first)),
            '[' => (Piece::Other, until("]")),
            '/' if rest.starts_with("/*") => (Piece::Other, until("*/")),
            '-' if rest.starts_with("--") => (Piece::LineComment, until("\n")),
            space if space.is_whitespace() => (Piece::Space, rest.len() - rest.trim_start().len()),
            _ => (Piece::Other, first.len_utf8()),
        };
        let (text, after) = rest.split_at(length);
        rest = after;
        Some((piece, text))
    })
}

/// The length of what is in quotes at the start of a text, the quotes included; a doubled one is part of it.
fn quoted(text: &str, quote: char) -> usize {
    let mut quotes = text.match_indices(quote).map(|(at, _)| at).skip(1).peekable();
    while let Some(at) = quotes.next() {
        if quotes.peek() == Some(&(at + 1)) {
            quotes.next();
        } else {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_line_keeps_what_is_quoted() {
        for (sql, line) in [
            ("SELECT  1,\n\t2 ", "SELECT 1, 2"),
            ("SELECT 'a  b''  c' ,  \"x  y\"", "SELECT 'a  b''  c' , \"x  y\""),
            ("SELECT 1 -- one  'two\nFROM  t", "SELECT 1 FROM t"),
            ("SELECT 1 -- one", "SELECT 1"),
            ("-- one\nSELECT 1", "SELECT 1"),
            ("SELECT /* a  b */  [c  d],  `e  f`", "SELECT /* a  b */ [c  d], `e  f`"),
            ("SELECT 'open  ", "SELECT 'open"),
            ("", ""),
        ] {
            assert_eq!(one_line(sql), line, "{sql}");
        }
    }

    #[test]
    fn names_in_double_quotes_go_into_backticks() {
        for (sql, rewritten) in [
            ("auth_userid() = \"user id\"", "auth_userid() = `user id`"),
            ("NEW.\"a\"\"b`c\" = '\"text\"'", "NEW.`a\"b``c` = '\"text\"'"),
            ("[a\"b] = 1 -- \"c\"", "[a\"b] = 1 -- \"c\""),
        ] {
            assert_eq!(without_double_quotes(sql), rewritten);
        }
    }

    proptest! {
        #[test]
        fn the_pieces_of_a_text_are_the_text(sql in "[ab'\"`\\[\\]/*\\- \né]{0,30}") {
            let joined: String = pieces(&sql).map(|(_, text)| text).collect();
            prop_assert_eq!(joined, sql);
        }
    }
}
