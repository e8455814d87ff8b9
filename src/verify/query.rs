//! The checks by a query of the author: one value, on the server or on every database.

use serde_json::Value;

use super::{CheckResult, Finding, Outcome, Scene};
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
            Some(Ok(value)) if same(value, wanted) => {}
            Some(Ok(value)) => {
                findings.push(Finding::new(format!("{} returned {value}, expected {wanted}", name(holder))));
            }
        }
    }
    if let (Some(reason), true) = (&open, findings.is_empty()) {
        result.outcome = Outcome::NotChecked(reason.clone());
    } else {
        result.conclude(findings, open);
    }
}

fn value(answer: &QueryAnswer) -> Result<&Value, &str> {
    match &answer.failure {
        Some(failure) => Err(&failure.message),
        None => Ok(&answer.value),
    }
}

/// Whether two values are equal. As in SQL, `1` equals `1.0`.
fn same(found: &Value, wanted: &Value) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        (Some(found_number), Some(wanted_number)) if found.is_f64() || wanted.is_f64() => {
            (found_number - wanted_number).abs() < f64::EPSILON
        }
        _ => found == wanted,
    }
}

fn name(holder: Holder) -> String {
    match holder {
        Holder::Database(index) => format!("database {index}"),
        Holder::Server => "the server".to_owned(),
        Holder::Bootstrap => "the new database".to_owned(),
    }
}
