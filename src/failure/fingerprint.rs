//! Fingerprints of messages: placeholders replace digits, hexadecimal ids and UUIDs, so that equal failures can be
//! grouped.

/// The maximum length of a fingerprint. It is enough to distinguish messages, however long a server's error body is.
const LONGEST: usize = 240;

/// The message on one line, with numbers replaced by `N`, hexadecimal ids by `<hex>` and UUIDs by `<uuid>`.
pub(super) fn fingerprint(message: &str) -> String {
    let mut folded = String::new();
    let mut rest = message.trim();
    while let Some(first) = rest.chars().next() {
        if folded.len() >= LONGEST {
            folded.push('…');
            break;
        }
        let taken = if rest.get(..36).is_some_and(is_uuid) {
            folded.push_str("<uuid>");
            36
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            fold_word(&rest[..length], &mut folded);
            length
        } else {
            if !first.is_whitespace() {
                folded.push(first);
            } else if !folded.ends_with(' ') {
                folded.push(' ');
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    folded
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn fold_word(word: &str, folded: &mut String) {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.len() >= 8 && digits > 0 && digits < word.len() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex {
        folded.push_str("<hex>");
        return;
    }
    let mut in_number = false;
    for c in word.chars().take(LONGEST) {
        match (c.is_ascii_digit(), in_number) {
            (true, true) => {}
            (true, false) => folded.push('N'),
            (false, _) => folded.push(c),
        }
        in_number = c.is_ascii_digit();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fingerprint;

    #[test]
    fn numbers_ids_and_uuids_are_folded_and_words_are_kept() {
        for (message, folded) in [
            (
                "Failed to connect to 127.0.0.1 port 8080 after 3 ms: Error",
                "Failed to connect to N.N.N.N port N after N ms: Error",
            ),
            ("row db1_r3_500 of 018ecfc2-b2b1-7cc3-a9f0-000000000001", "row dbN_rN_N of <uuid>"),
            ("job 9f86d081884c7d65 failed", "job <hex> failed"),
            ("defaced facade", "defaced facade"),
            ("two\n  lines", "two lines"),
        ] {
            assert_eq!(fingerprint(message), folded);
        }
    }

    proptest! {
        #[test]
        fn folding_never_panics_and_a_second_folding_of_a_short_text_changes_nothing(message in ".{0,60}") {
            let once = fingerprint(&message);
            prop_assert_eq!(fingerprint(&once), once.trim());
        }

        #[test]
        fn a_fingerprint_stays_short(message in ".{0,2000}") {
            prop_assert!(fingerprint(&message).len() < 600);
        }
    }
}
