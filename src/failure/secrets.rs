//! Hiding secrets by their value. A message of a server or a library may repeat a secret as it is, URL-encoded, escaped
//! for JSON, or in base64. Nothing here knows where a secret comes from.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::secret::{HIDDEN, Secret};

/// Shorter values are ordinary words: hiding them would make messages unreadable.
const SHORTEST: usize = 6;
/// The characters that `encodeURIComponent` and most libraries encode.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Values that no message may show, in every encoding.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The longest value comes first, so that no part of it is left.
    forms: Vec<String>,
}

impl Secrets {
    /// Hides these values.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut secrets = Self::default();
        values.into_iter().for_each(|value| secrets.add(value));
        secrets
    }

    /// Hides this value as well.
    pub fn add(&mut self, secret: &Secret) {
        let value = secret.expose();
        if value.len() < SHORTEST {
            return;
        }
        let json = Value::from(value).to_string();
        let json = json[1..json.len() - 1].to_owned();
        let forms = [
            value.to_owned(),
            json.replace('/', "\\/"),
            json,
            utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
            utf8_percent_encode(value, COMPONENT).to_string(),
            lower_hex(&utf8_percent_encode(value, COMPONENT).to_string()),
            STANDARD_NO_PAD.encode(value),
            URL_SAFE_NO_PAD.encode(value),
        ];
        for form in forms {
            if !self.forms.contains(&form) {
                self.forms.push(form);
            }
        }
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// The text with every secret hidden.
    pub fn redact(&self, text: String) -> String {
        let text = self.hide(text);
        // What a document writes as `\u002b` is a `+` for whoever reads it.
        let document = if text.contains("\\u") { serde_json::from_str(&text).ok() } else { None };
        let hidden = document.and_then(|mut document| self.hide_in(&mut document).then(|| document.to_string()));
        hidden.unwrap_or(text)
    }

    fn hide(&self, text: String) -> String {
        self.forms.iter().fold(text, |text, form| if text.contains(form) { text.replace(form, HIDDEN) } else { text })
    }

    /// Hides secrets in the texts of a document. Gives whether there were any.
    fn hide_in(&self, document: &mut Value) -> bool {
        match document {
            Value::String(text) => {
                let hidden = self.hide(text.clone());
                let any = hidden != *text;
                *text = hidden;
                any
            }
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.hide_in(item) | any),
            Value::Object(members) => members.values_mut().fold(false, |any, member| self.hide_in(member) | any),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The hexadecimal digits after each `%` in lower case.
fn lower_hex(encoded: &str) -> String {
    let mut digits = 0;
    let lowered = encoded.chars().map(|character| {
        if character == '%' {
            digits = 2;
            return character;
        }
        let lower = digits > 0;
        digits = i32::max(0, digits - 1);
        if lower { character.to_ascii_lowercase() } else { character }
    });
    lowered.collect()
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_secret_that_begins_with_another_leaves_nothing() {
        assert_eq!(secrets(["secret", "secret-and-more"]).redact("secret-and-more".into()), "[hidden]");
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_stays() {
        assert_eq!(secrets(["a", ""]).redact("a bad gateway".into()), "a bad gateway");
    }
}
