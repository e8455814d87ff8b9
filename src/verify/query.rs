//! The checks by a query of the author: one value, on the server or on every database.

use serde_json::Value;

use super::{CheckResult, Finding, Outcome, Scene};
use crate::figure::counted;
use crate::plan::{CheckPlan, Question, is_same};
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
        _ if is_same(&answer.value, wanted) => None,
        Some(0) => Some(format!("{holder}: the query returned no row, expected {wanted}")),
        _ => Some(format!("{holder} returned {}, expected {wanted}", answer.value)),
    }
}

fn name(holder: Holder) -> String {
    match holder {
        Holder::Database(index) => format!("database {index}"),
        Holder::Server => "the server".to_owned(),
        Holder::Bootstrap => "the new database".to_owned(),
    }
}
