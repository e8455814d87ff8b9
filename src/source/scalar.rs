//! The value of an unquoted scalar, by the core schema of YAML 1.2. Nothing here knows the scalar's place in the file.

use serde_json::Value;

/// An unquoted scalar that is a number in YAML, but not one that JSON can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadNumber {
    /// `.inf` or `.nan`.
    NotFinite,
    /// More than 64 bits.
    TooLarge,
}

/// The value of an unquoted scalar.
pub(super) fn plain(text: &str) -> Result<Value, BadNumber> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN"
        | ".NAN" => return Err(BadNumber::NotFinite),
        _ => {}
    }
    if let Some(number) = integer(text) {
        return number;
    }
    if is_float(text) {
        let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number);
        return number.ok_or(BadNumber::TooLarge);
    }
    Ok(Value::String(text.to_string()))
}

/// Whether YAML 1.1 readers take this scalar for a boolean. Here it is text.
pub(super) fn is_old_boolean(text: &str) -> bool {
    ["yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether YAML 1.1 readers take this scalar for an octal number. Here it is decimal.
pub(super) fn is_old_octal(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The integer that the scalar spells; `None` if it is not an integer.
fn integer(text: &str) -> Option<Result<Value, BadNumber>> {
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
            return is_number.then(|| fits(u64::from_str_radix(digits, radix)));
        }
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(if text.starts_with('-') { fits(text.parse::<i64>()) } else { fits(digits.parse::<u64>()) })
}

fn fits<N: Into<Value>>(number: Result<N, std::num::ParseIntError>) -> Result<Value, BadNumber> {
    number.map(Into::into).map_err(|_| BadNumber::TooLarge)
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_holds = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    mantissa_holds && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        for (text, value) in [
            ("no", json!("no")),
            ("1_000", json!("1_000")),
            ("12:30", json!("12:30")),
            ("010", json!(10)),
            ("+5", json!(5)),
            ("-0", json!(0)),
            ("0o17", json!(15)),
            ("0xfF", json!(255)),
            ("0x", json!("0x")),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("5.", json!(5.0)),
            (".", json!(".")),
            ("e5", json!("e5")),
            ("1e", json!("1e")),
            ("TRUE", json!(true)),
            ("tRUE", json!("tRUE")),
            ("~", json!(null)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
        ] {
            assert_eq!(plain(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_number_that_cannot_be_held_is_a_problem_and_not_another_number() {
        for text in ["18446744073709551616", "-9223372036854775809", "1e999", "0xfffffffffffffffff"] {
            assert_eq!(plain(text), Err(BadNumber::TooLarge), "{text}");
        }
        assert_eq!(plain(".nan"), Err(BadNumber::NotFinite));
    }
}
