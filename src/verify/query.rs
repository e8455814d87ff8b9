//! The checks by a query of the author: one value, on the server or on every database.

use serde_json::{Number, Value};

use super::{CheckResult, Finding, Outcome, Scene};
use crate::figure::counted;
use crate::plan::{CheckPlan, Question};
use crate::record::{Holder, QueryAnswer};
use crate::scenario::QueryOn;

pub(super) fn check(scene: &Scene<'_>, index: usize, check: &CheckPlan, result: &mut CheckResult) {
    let (on, wanted) = match &check.question {
        Question::Query { on, equals, .. } => (*on, equals),
        Question::Named(_) => return,
    };
    let holders: Vec<Holder> = match on {
        QueryOn::Server => vec![Holder::Server],
        QueryOn::Databases => scene.plan.databases.iter().map(|it| Holder::Database(it.index)).collect(),
    };
    let mut findings = Vec::new();
    let mut open = None;
    for holder in holders {
        let found = scene.state.queries.iter().find(|answer| answer.check == index && answer.holder == holder);
        match found.map(value) {
            None => open = open.or_else(|| Some(format!("{} was not queried", name(holder)))),
            Some(Err(reason)) => {
                open = open.or_else(|| Some(format!("{} could not be queried: {reason}", name(holder))));
            }
            Some(Ok(answer)) => findings.extend(wrong(&name(holder), answer, wanted).map(Finding::new)),
        }
    }
    if let (Some(reason), true) = (&open, findings.is_empty()) {
        result.outcome = Outcome::NotChecked(reason.clone());
    } else {
        result.conclude(findings, open);
    }
}

fn value(answer: &QueryAnswer) -> Result<&QueryAnswer, &str> {
    match &answer.failure {
        Some(failure) => Err(&failure.message),
        None => Ok(answer),
    }
}

/// What is wrong with an answer; nothing when it is the one row with the value wanted. No row is null.
fn wrong(holder: &str, answer: &QueryAnswer, wanted: &Value) -> Option<String> {
    match answer.rows {
        Some(rows) if rows > 1 => Some(format!(
            "{holder}: the query returned {}, expected one: write a query that returns one row, such as `SELECT count(*) FROM …`",
            counted(rows, "row")
        )),
        _ if same(&answer.value, wanted) => None,
        Some(0) => Some(format!("{holder}: the query returned no row, expected {wanted}")),
        _ => Some(format!("{holder} returned {}, expected {wanted}", answer.value)),
    }
}

/// Whether two values are equal, exactly. As in SQL, `1` equals `1.0`.
fn same(found: &Value, wanted: &Value) -> bool {
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

fn name(holder: Holder) -> String {
    match holder {
        Holder::Database(index) => format!("database {index}"),
        Holder::Server => "the server".to_owned(),
        Holder::Bootstrap => "the new database".to_owned(),
    }
}
