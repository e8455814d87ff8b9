//! Hiding secrets by their value. A message of a server or a library may repeat a secret as it is, escaped in several
//! ways, in hexadecimal digits, or in base64. Nothing here knows where a secret comes from.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::escapes::Layer;
use super::secret::{HIDDEN, Secret};

/// The most layers of escapes that are undone: JSON in JSON in a page, with percent signs in it.
const LAYERS: usize = 8;

/// Base64 with its last digit as it comes: what is decoded may be a part of something longer.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Values that no message may show, however they are written. All clones share them: what becomes known to one is hidden
/// by all.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    values: HashSet<Secret>,
    /// Finds the values; none while one is new.
    finder: Option<Arc<AhoCorasick>>,
}

impl Secrets {
    /// Hides these values.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a Secret>) -> Self {
        let secrets = Self::default();
        secrets.extend(values.into_iter().cloned());
        secrets
    }

    /// Hides these values as well.
    pub fn extend(&self, values: impl IntoIterator<Item = Secret>) {
        for value in values {
            self.add(&value);
        }
    }

    /// Hides this value as well, unless it is too short ([`Secret::is_too_short`]): hiding it would make messages
    /// unreadable.
    pub fn add(&self, secret: &Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !secret.is_too_short() && known.values.insert(secret.clone()) {
            known.finder = None;
        }
    }

    /// The values, for those who have to tell others what to hide.
    pub fn values(&self) -> Vec<Secret> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values.iter().cloned().collect()
    }

    /// The text with every secret hidden.
    pub fn redact(&self, mut text: String) -> String {
        for found in self.found(&text).into_iter().rev() {
            text.replace_range(found, HIDDEN);
        }
        text
    }

    /// Whether the text holds a secret.
    pub fn are_in(&self, text: &str) -> bool {
        !self.found(text).is_empty()
    }

    /// Something that is kept as JSON, with every secret hidden in its texts.
    #[must_use]
    pub fn hidden<T: Serialize + DeserializeOwned>(&self, thing: T) -> T {
        let written = serde_json::to_value(&thing).ok().filter(|document| self.are_in(&document.to_string()));
        let hidden = written.and_then(|mut document| {
            self.hide_in(&mut document);
            serde_json::from_value(document).ok()
        });
        // Where a text is one of a few words (`converged`), a secret that is the same word is none.
        hidden.unwrap_or(thing)
    }

    fn hide_in(&self, document: &mut Value) {
        match document {
            Value::String(text) => *text = self.redact(std::mem::take(text)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.hide_in(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Where in a text secrets are, in order and apart from each other.
    fn found(&self, text: &str) -> Vec<Range<usize>> {
        let Some(finder) = self.finder() else { return Vec::new() };
        let mut found: Vec<Range<usize>> = Vec::new();
        let layers = std::iter::successors(Some(Layer::of(text)), Layer::undone);
        for layer in layers.take(LAYERS) {
            let whole = finder.find_iter(&layer.bytes).map(|found| found.range());
            let encoded = runs(&layer.bytes).filter(|run| holds_encoded(&finder, &layer.bytes[run.clone()]));
            found.extend(whole.chain(encoded).map(|range| layer.place(range.start)..layer.place(range.end)));
        }
        found.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for range in found {
            match apart.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        apart
    }

    /// What finds the values; none where there are none.
    fn finder(&self) -> Option<Arc<AhoCorasick>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.finder.is_some() || known.values.is_empty() {
            return known.finder.clone();
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let values = known.values.iter().flat_map(|value| meanings(value.expose()));
        // It can only be too large for its numbers, with values of gigabytes.
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(values);
        known.finder = finder.ok().map(Arc::new);
        known.finder.clone()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A value, and what it means to whoever undoes the escapes that it has itself: then it is found also where its own are
/// undone along with others.
fn meanings(value: &str) -> impl Iterator<Item = Vec<u8>> {
    let layers = std::iter::successors(Some(Layer::of(value)), Layer::undone).take(LAYERS);
    let spaces = value.contains(' ').then(|| value.replace(' ', "+").into_bytes());
    layers.map(|layer| layer.bytes).filter(|bytes| bytes.len() >= Secret::SHORTEST).chain(spaces)
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The stretches of base64 digits that are long enough to hold a value. Hexadecimal digits are among them.
fn runs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    let stretches = bytes.split(|byte| !is_digit(*byte)).map(move |run| {
        let start = at;
        at += run.len() + 1;
        start..start + run.len()
    });
    stretches.filter(|run| run.len() * 6 >= Secret::SHORTEST * 8)
}

/// Whether a stretch holds a value in base64, wherever the value begins in what was encoded, or in hexadecimal digits.
fn holds_encoded(finder: &AhoCorasick, run: &[u8]) -> bool {
    let standard: Vec<u8> = run
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    let decoded = (0..4).filter_map(|start| {
        let digits = &standard[start..];
        // One digit alone is no byte.
        let digits = if digits.len() % 4 == 1 { &digits[..digits.len() - 1] } else { digits };
        BASE64.decode(digits).ok()
    });
    let unhexed = run.split(|byte| !byte.is_ascii_hexdigit()).filter(|digits| digits.len() >= Secret::SHORTEST * 2);
    let unhexed = unhexed.flat_map(|digits| [unhex(digits), unhex(&digits[1..])]);
    decoded.chain(unhexed).any(|bytes| finder.is_match(&bytes))
}

/// The bytes of hexadecimal digits, an odd one at the end left out.
fn unhex(digits: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default();
    digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;

    fn secrets<const N: usize>(values: [&str; N]) -> Secrets {
        Secrets::new(&values.map(Secret::from))
    }

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let secrets = secrets(["k3y/with+\"signs&é"]);
        for text in [
            "k3y/with+\"signs&é",
            "k3y/with+\\\"signs&é",
            "k3y%2Fwith%2B%22signs%26%C3%A9",
            "k3y%2fwith%2b%22signs%26%c3%a9",
            "azN5L3dpdGgrInNpZ25zJsOp",
        ] {
            assert_eq!(secrets.redact(format!("key ({text}) refused")), "key ([hidden]) refused");
        }
    }

    #[test]
    fn a_secret_is_hidden_in_a_document_that_escapes_its_letters() {
        let secrets = secrets(["k3y/with+signs"]);
        let escaped = r#"{"errors":[{"detail":"key k3y\u002fwith\u002Bsigns refused"}],"n":1}"#;
        assert_eq!(secrets.redact(escaped.into()), r#"{"errors":[{"detail":"key [hidden] refused"}],"n":1}"#);
        let innocent = r#"{ "detail": "caf\u00e9" }"#;
        assert_eq!(secrets.redact(innocent.into()), innocent, "byte for byte");
    }

    /// A secret in the forms that a server, a proxy or a page may give it.
    fn forms_of(secret: &str) -> Vec<String> {
        let json = |text: &str| Value::from(text).to_string().trim_matches('"').to_owned();
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let mut forms = vec![
            percent.replace("%2F", "/"),
            percent.replace('%', "%25"),
            percent.to_lowercase().replace("%2f", "%2F"),
            secret.replace('&', "&amp;").replace('"', "&quot;").replace('+', "&#43;").replace('/', "&#x2F;"),
            json(&json(secret)),
            json(&json(secret).replace('/', "\\/")),
            json(&percent),
            hex.to_uppercase(),
            hex,
        ];
        let longer = ["", "Bearer ", "user:", "ab", "abc"].map(|before| format!("{before}{secret}, and more"));
        for text in longer.iter().map(String::as_str).chain([secret]) {
            forms.extend([STANDARD.encode(text), URL_SAFE.encode(text)]);
            forms.extend([STANDARD_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(text)]);
        }
        forms
    }

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        let secret = "k3y/with+\"signs&é";
        let secrets = secrets([secret]);
        for form in forms_of(secret) {
            let hidden = secrets.redact(format!("key ({form}) refused"));
            let wanted = |hidden: &str| hidden.trim_end_matches('=') == "[hidden]";
            let inner = hidden.strip_prefix("key (").and_then(|rest| rest.strip_suffix(") refused"));
            assert!(inner.is_some_and(wanted), "{form}: {hidden}");
        }
    }

    #[test]
    fn a_secret_that_begins_with_another_leaves_nothing() {
        assert_eq!(secrets(["a-secret", "a-secret-and-more"]).redact("a-secret-and-more".into()), "[hidden]");
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_stays() {
        assert_eq!(secrets(["a", ""]).redact("a bad gateway".into()), "a bad gateway");
    }

    #[test]
    fn all_that_share_them_hide_what_becomes_known_to_one() {
        let secrets = Secrets::default();
        let other = secrets.clone();
        assert_eq!(other.redact("of t0ken/x+y".into()), "of t0ken/x+y");
        secrets.add(&"t0ken/x+y".into());
        assert_eq!(other.redact("of t0ken/x+y".into()), "of [hidden]");
        assert_eq!(other.values(), ["t0ken/x+y".into()]);
    }

    #[test]
    fn a_secret_with_escapes_of_its_own_is_hidden_where_they_are_undone_with_others() {
        let secrets = secrets(["sqlitecloud://h/d?apikey=k%2Fy\"z"]);
        for text in [r#"{"at":"sqlitecloud:\/\/h\/d?apikey=k%2Fy\"z"}"#, r#"{"at":"sqlitecloud://h/d?apikey=k/y\"z"}"#]
        {
            assert_eq!(secrets.redact(text.into()), r#"{"at":"[hidden]"}"#);
        }
    }

    #[test]
    fn what_is_kept_has_no_secret_in_its_texts_and_stays_what_it_is() {
        let secrets = secrets(["s3cret/x", "converged"]);
        let kept = secrets.hidden(serde_json::json!({"a": ["the s3cret%2Fx", 1], "b": "of all"}));
        assert_eq!(kept, serde_json::json!({"a": ["the [hidden]", 1], "b": "of all"}));
        let word = crate::failure::Side::Server;
        assert_eq!(secrets.hidden(word), word);
    }
}
