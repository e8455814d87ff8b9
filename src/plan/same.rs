//! Whether a value that a query returned is the one that the scenario wants. It must not know who asked.

use serde_json::{Number, Value};

/// Whether two values are equal, exactly. As in SQL, `1` equals `1.0`.
pub(crate) fn is_same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(found), Value::Number(wanted)) => same_number(found, wanted),
        _ => found == wanted,
    }
}

fn same_number(found: &Number, wanted: &Number) -> bool {
    match (found.as_i128(), wanted.as_i128()) {
        (Some(found), Some(wanted)) => found == wanted,
        (Some(integer), None) => is_integer(wanted, integer),
        (None, Some(integer)) => is_integer(found, integer),
        (None, None) => found.as_f64() == wanted.as_f64(),
    }
}

/// Whether a real number is this integer. Most integers are no real number: to make one of them would round it.
#[expect(clippy::cast_possible_truncation, reason = "an integer of 128 bits holds what an integer of 64 bits equals")]
fn is_integer(real: &Number, integer: i128) -> bool {
    real.as_f64().is_some_and(|real| real.fract() == 0.0 && real as i128 == integer)
}
