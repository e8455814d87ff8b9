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

#[cfg(test)]
mod tests {
    use crate::plan::{Grant, Plan};

    /// The places and messages of the problems of a phase on a table that only grows.
    fn problems(sql: &str, more: &str) -> Vec<(String, String)> {
        let text = format!(
            "{{version: 1, name: grows, schema: {{tables: [{{name: t, sql: 'CREATE TABLE t (id TEXT PRIMARY KEY, n)', algo: gos}}]}},
             phases: [{{name: p, kind: update, sql: [\"{sql}\"], sync: [send]}}]{more}}}"
        );
        let scenario: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
        let scenario = serde_json::from_value(scenario).expect("a scenario");
        let issues = Plan::new(&scenario, &Grant::default()).err().unwrap_or_default();
        issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect()
    }

    #[test]
    fn a_phase_that_must_fail_is_refused_unless_the_failure_is_expected() {
        for (sql, operation) in [("UPDATE t SET n = 1", "UPDATE"), ("DELETE FROM T WHERE n", "DELETE")] {
            let message = format!("the table `t` only grows (`algo: gos`), so every {operation} on it fails");
            let refused = [("/phases/0/sql/0".to_owned(), message)];
            assert_eq!(problems(sql, ""), refused);
            assert_eq!(problems(sql, ", errors: [{match: {kind: locked}, do: [ignore]}]"), refused);
            assert_eq!(problems(sql, ", expect: {verdict: fail, kinds: [auth]}"), refused);
            assert_eq!(problems(sql, ", errors: [{match: {kind: constraint}, do: [ignore]}]"), []);
            assert_eq!(problems(sql, ", expect: {verdict: fail, kinds: [constraint]}"), []);
        }
        // What need not fail.
        for sql in ["INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = 2", "REPLACE INTO t VALUES (1, 1)"]
        {
            assert_eq!(problems(sql, ""), []);
        }
    }
}
