//! Tables that only grow: a phase that updates or deletes their rows always fails, so it is refused, unless the scenario
//! says that it expects the failure.

use super::draft::Draft;
use super::rule::rule_for;
use super::tables::Tables;
use crate::failure::{self, Call, FailureKind, RawError};
use crate::scenario::{ExpectedVerdict, Issue, Scenario};

/// SQLite's codes of what a trigger aborts.
const ABORTED: (i32, i32) = (19, 1811);

/// Whether a scenario expects the failure of a statement that changes rows of such a table.
pub(super) fn is_expected(scenario: &Scenario, table: &str) -> bool {
    let message = format!("Error: UPDATE operation is not allowed on table {table}.");
    let failure = failure::classify(&RawError::said(Call::Sql, message).with_codes(Some(ABORTED)));
    let constraint = |kind: &String| kind == FailureKind::Constraint.as_str();
    rule_for(&scenario.errors, &failure).is_some()
        || scenario.expect.as_ref().is_some_and(|expect| {
            expect.verdict == ExpectedVerdict::Fail && (expect.kinds.is_empty() || expect.kinds.iter().any(constraint))
        })
}

/// Refuses a statement that changes rows of a table that only grows.
pub(super) fn check(draft: &mut Draft<'_>, tables: &Tables, pointer: &str, sql: &str) {
    for (table, operation) in tables.forbidden(sql) {
        let message = format!("the table `{table}` only grows (`algo: gos`), so every {operation} on it fails");
        let help = "leave the statement out, or expect the failure: \
                    `errors: [{match: {kind: constraint}, do: [ignore]}]`, or `expect: {verdict: fail, kinds: [constraint]}`";
        draft.issues.push(Issue::new(pointer, "phase::grow_only", message).help(help));
    }
}
