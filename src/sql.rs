//! SQL as text: a name in quotes, and a statement in one line. It must not know any table.

/// A name as an SQL identifier.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// SQL in one line: every run of spaces and line ends outside of quotes and comments becomes one space, and a comment
/// up to the end of a line is left out.
pub(crate) fn one_line(sql: &str) -> String {
    let mut line = String::with_capacity(sql.len());
    let mut rest = sql.trim();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => quoted(rest, first),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '-' if rest.starts_with("--") => {
                rest = rest.split_once('\n').map_or("", |(_, after)| after).trim_start();
                if !line.is_empty() && !line.ends_with(' ') && !rest.is_empty() {
                    line.push(' ');
                }
                continue;
            }
            space if space.is_whitespace() => {
                rest = rest.trim_start();
                if !line.ends_with(' ') {
                    line.push(' ');
                }
                continue;
            }
            _ => first.len_utf8(),
        };
        line.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    line.truncate(line.trim_end().len());
    line
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
    use super::*;

    #[test]
    fn one_line_keeps_what_is_quoted() {
        for (sql, line) in [
            ("SELECT  1,\n\t2 ", "SELECT 1, 2"),
            ("SELECT 'a  b''  c' ,  \"x  y\"", "SELECT 'a  b''  c' , \"x  y\""),
            ("SELECT 1 -- one  'two\nFROM  t", "SELECT 1 FROM t"),
            ("SELECT 1 -- one", "SELECT 1"),
            ("SELECT /* a  b */  [c  d],  `e  f`", "SELECT /* a  b */ [c  d], `e  f`"),
            ("SELECT 'open  ", "SELECT 'open"),
            ("", ""),
        ] {
            assert_eq!(one_line(sql), line, "{sql}");
        }
    }
}
