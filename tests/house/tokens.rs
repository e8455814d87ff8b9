//! Rust cut into words, `::` and single signs, as far as reading imports needs it.

/// The tokens of a text, without comments, literals, and items that only tests have. A text that is a path (serde takes
/// functions so) counts as that path.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    without_test_items(&cut(text))
}

fn cut(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest),
            '\'' => character(rest),
            ':' if rest.starts_with("::") => 2,
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            '"' if ["\"crate::", "\"self::", "\"super::"].iter().any(|start| token.starts_with(start)) => {
                tokens.extend(cut(token.trim_matches('"')));
            }
            '/' if length > 1 => {}
            '"' | '\'' => {}
            _ if first.is_whitespace() => {}
            _ if ["r", "br"].contains(&token) && raw(rest).is_some() => rest = &rest[raw(rest).unwrap_or_default()..],
            _ => tokens.push(token),
        }
    }
    tokens
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How long the text is that starts here.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// How long the raw text is of which the `r` was read already.
fn raw(rest: &str) -> Option<usize> {
    let hashes = rest.find(|c| c != '#')?;
    let body = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(hashes + 1 + body.find(&end)? + end.len())
}

/// How long the character is that starts here, or the lifetime.
fn character(rest: &str) -> usize {
    let mut inside = rest.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), Some(escaped)) => {
            let start = 2 + escaped.len_utf8();
            rest[start..].find('\'').map_or(rest.len(), |end| start + end + 1)
        }
        (Some(one), Some('\'')) => one.len_utf8() + 2,
        _ => 1 + rest[1..].find(|c| !is_word(c)).unwrap_or(rest.len() - 1),
    }
}

/// Without what stands behind `#[cfg(test)]`, up to the `;` or the braces that end it.
fn without_test_items<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    const TEST: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if !tokens[at..].starts_with(TEST) {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        at += TEST.len();
        let mut depth = 0_usize;
        while at < tokens.len() {
            let token = tokens[at];
            at += 1;
            depth = match token {
                "{" => depth + 1,
                "}" => depth - 1,
                _ => depth,
            };
            if depth == 0 && [";", "}"].contains(&token) {
                break;
            }
        }
    }
    kept
}
