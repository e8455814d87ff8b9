//! Values of SQLite in the JSON of the protocol. A number without point or exponent is an integer, one with is a real.
//! What JSON cannot hold exactly is an object of one key: `i` an integer, `r` a real, `b` a blob in base64.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rusqlite::types::{Value as Sql, ValueRef};
use serde_json::{Value, json};

/// The largest integer up to which every program reads JSON's numbers exactly: 2^53 - 1.
const EXACT: i64 = (1 << 53) - 1;

/// A value of SQLite as JSON. A text that is no UTF-8 becomes a blob.
pub(super) fn to_json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) if (-EXACT..=EXACT).contains(&number) => Value::from(number),
        ValueRef::Integer(number) => json!({ "i": number.to_string() }),
        ValueRef::Real(number) if number.is_finite() && number.fract() != 0.0 => Value::from(number),
        ValueRef::Real(number) if number.is_infinite() => {
            json!({ "r": if number > 0.0 { "Infinity" } else { "-Infinity" } })
        }
        ValueRef::Real(number) => json!({ "r": format!("{number:?}") }),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::from(text),
            Err(_) => json!({ "b": BASE64_STANDARD.encode(text) }),
        },
        ValueRef::Blob(bytes) => json!({ "b": BASE64_STANDARD.encode(bytes) }),
    }
}

/// A value of SQLite from JSON; none where the JSON is none.
pub(super) fn from_json(value: Value) -> Option<Sql> {
    match value {
        Value::Null => Some(Sql::Null),
        Value::Bool(_) | Value::Array(_) => None,
        Value::Number(number) => number.as_i64().map(Sql::Integer).or_else(|| {
            let beyond = number.is_u64();
            number.as_f64().filter(|number| !beyond && number.is_finite()).map(Sql::Real)
        }),
        Value::String(text) => Some(Sql::Text(text)),
        Value::Object(object) => {
            let (key, value) = object.iter().next().filter(|_| object.len() == 1)?;
            let text = value.as_str()?;
            match key.as_str() {
                "i" => text.parse().ok().map(Sql::Integer),
                "r" => text.parse().ok().filter(|number: &f64| !number.is_nan()).map(Sql::Real),
                "b" => BASE64_STANDARD.decode(text).ok().map(Sql::Blob),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Sql> {
        prop_oneof![
            Just(Sql::Null),
            any::<i64>().prop_map(Sql::Integer),
            prop::sample::select(vec![EXACT, EXACT + 1, -EXACT, -EXACT - 1, 0, i64::MAX, i64::MIN])
                .prop_map(Sql::Integer),
            any::<f64>().prop_filter("a number", |number| !number.is_nan()).prop_map(Sql::Real),
            prop::sample::select(vec![0.0, -0.0, 1.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, 0.1])
                .prop_map(Sql::Real),
            ".*".prop_map(Sql::Text),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Sql::Blob),
        ]
    }

    proptest! {
        #[test]
        fn every_value_comes_back_as_it_went(value in any_value()) {
            let line = serde_json::to_string(&to_json(ValueRef::from(&value))).expect("JSON");
            let read = from_json(serde_json::from_str(&line).expect("JSON"));
            if let (Some(Sql::Real(read)), Sql::Real(value)) = (&read, &value) {
                prop_assert_eq!(read.to_bits(), value.to_bits());
            } else {
                prop_assert_eq!(read, Some(value));
            }
        }
    }

    #[test]
    fn what_is_no_value_is_none() {
        for text in [
            "true",
            "[]",
            "{}",
            r#"{"i": 1}"#,
            r#"{"i": "x"}"#,
            r#"{"r": "NaN"}"#,
            r#"{"b": "*"}"#,
            r#"{"z": "1"}"#,
            r#"{"i": "1", "r": "1"}"#,
            "18446744073709551615",
        ] {
            assert_eq!(from_json(serde_json::from_str(text).expect(text)), None, "{text}");
        }
        assert_eq!(from_json(serde_json::from_str("1.0").expect("JSON")), Some(Sql::Real(1.0)));
        assert_eq!(from_json(serde_json::from_str("1e2").expect("JSON")), Some(Sql::Real(100.0)));
    }
}
