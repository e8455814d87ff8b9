//! A text as whoever reads it understands it: one layer of escapes undone (percent signs, JSON's and Rust's backslashes,
//! HTML's entities), each byte with its place in the original. It must not know what is looked for.

/// The longest entity that is read, such as `&#x1F600;`.
const LONGEST_ENTITY: usize = 10;

/// A text with some layers of escapes undone.
pub(super) struct Layer {
    pub(super) bytes: Vec<u8>,
    /// Where in the original each byte begins, and where the last one ends; none when nothing was undone yet.
    places: Option<Vec<usize>>,
}

impl Layer {
    /// The text as it is.
    pub(super) fn of(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_owned(), places: None }
    }

    /// Where in the original the byte at `at` begins.
    pub(super) fn place(&self, at: usize) -> usize {
        self.places.as_ref().map_or(at, |places| places[at])
    }

    /// The text with one more layer undone; none when there is nothing to undo.
    pub(super) fn undone(&self) -> Option<Self> {
        let is_escape = |byte: &u8| matches!(byte, b'%' | b'\\' | b'&');
        self.bytes.iter().find(|byte| is_escape(byte))?;
        let (mut bytes, mut places) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.bytes.len() + 1));
        let (mut at, mut any) = (0, false);
        while let Some(byte) = self.bytes.get(at) {
            let rest = &self.bytes[at..];
            let escaped = match byte {
                b'%' => percent(rest),
                b'\\' => backslash(rest),
                b'&' => entity(rest),
                _ => None,
            };
            any |= escaped.is_some();
            let (meant, length) = escaped.unwrap_or_else(|| (vec![*byte], 1));
            places.resize(places.len() + meant.len(), self.place(at));
            bytes.extend(meant);
            at += length;
        }
        places.push(self.place(self.bytes.len()));
        any.then_some(Self { bytes, places: Some(places) })
    }
}

/// What an escape means, and its length.
type Escaped = Option<(Vec<u8>, usize)>;

fn digits(bytes: Option<&[u8]>) -> Option<u32> {
    let text = std::str::from_utf8(bytes?).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}

fn character(code: u32, length: usize) -> Escaped {
    Some((char::from_u32(code)?.to_string().into_bytes(), length))
}

/// `%2F`.
fn percent(rest: &[u8]) -> Escaped {
    let byte = u8::try_from(digits(rest.get(1..3))?).ok()?;
    Some((vec![byte], 3))
}

/// `\/`, `\n`, `\u002f`, `\u{2f}`.
fn backslash(rest: &[u8]) -> Escaped {
    match rest.get(1)? {
        b'u' if rest.get(2) == Some(&b'{') => {
            let end = rest.iter().take(LONGEST_ENTITY).position(|byte| *byte == b'}')?;
            character(digits(rest.get(3..end))?, end + 1)
        }
        b'u' => {
            let unit = digits(rest.get(2..6))?;
            if !(0xd800..0xdc00).contains(&unit) {
                return character(unit, 6);
            }
            // The other half of a character that takes two.
            let low = rest.get(6..8).filter(|begin| *begin == b"\\u").and_then(|_| digits(rest.get(8..12)))?;
            character(0x1_0000 + ((unit - 0xd800) << 10) + low.checked_sub(0xdc00)?, 12)
        }
        b'n' => Some((vec![b'\n'], 2)),
        b'r' => Some((vec![b'\r'], 2)),
        b't' => Some((vec![b'\t'], 2)),
        other => other.is_ascii_punctuation().then(|| (vec![*other], 2)),
    }
}

/// `&amp;`, `&#47;`, `&#x2F;`.
fn entity(rest: &[u8]) -> Escaped {
    let end = rest.iter().take(LONGEST_ENTITY).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&rest[1..end]).ok()?;
    let code = match name {
        "amp" => u32::from(b'&'),
        "lt" => u32::from(b'<'),
        "gt" => u32::from(b'>'),
        "quot" => u32::from(b'"'),
        "apos" => u32::from(b'\''),
        _ => match name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
            Some(code) => digits(Some(code.as_bytes()))?,
            None => name.strip_prefix('#')?.parse().ok()?,
        },
    };
    character(code, end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(text: &str) -> Option<String> {
        Layer::of(text).undone().map(|layer| String::from_utf8_lossy(&layer.bytes).into_owned())
    }

    #[test]
    fn one_layer_of_escapes_is_undone_and_no_more() {
        for (text, meant) in [
            ("a%2fb%2Fc%C3%A9", "a/b/cé"),
            ("a%252Fb", "a%2Fb"),
            (r#"a\/b\"c\\d\u002fe\n"#, "a/b\"c\\d/e\n"),
            (r"\ud83d\ude00 \u{e9}", "😀 é"),
            ("&amp;amp; &#47; &#x2F; &lt;", "&amp; / / <"),
        ] {
            assert_eq!(undone(text).as_deref(), Some(meant), "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["plain", "100% &c; 5 % \\", "%zz", r"\ud83d", r"\u{zz}", "& far from any ;", "%", "\\u00", "&"] {
            assert_eq!(undone(text), None, "{text}");
        }
    }

    #[test]
    fn every_byte_knows_its_place_in_the_original() {
        let layer = Layer::of("é%252Fx").undone().and_then(|layer| layer.undone()).expect("two layers");
        assert_eq!(layer.bytes, "é/x".as_bytes());
        let places: Vec<usize> = (0..=layer.bytes.len()).map(|at| layer.place(at)).collect();
        assert_eq!(places, [0, 1, 2, 7, 8]);
    }
}
