use serde_json::{Value, json};

use super::*;
use crate::failure::Failure;
use crate::failure::{FailureKind, Side};
use crate::fixture::{check, diverge, plan, plan_with_users, query, record, table};
use crate::record::EndReason;
use crate::record::{BootstrapState, Ended, ForbiddenRow, ForeignKeys, Holder, Leak, Orphan, QueryAnswer, Stuck};
use crate::scenario::CheckName;

fn checked(record: &Record, plan: &Plan, check: CheckKind) -> CheckResult {
    verify(record, plan).into_iter().find(|result| result.check == check).expect("the check was asked for")
}

#[test]
fn equal_data_pass_every_check() {
    for plan in [plan(3), plan_with_users(4)] {
        let record = record(&plan);
        for result in verify(&record, &plan) {
            assert_eq!((result.outcome, result.notes), (Outcome::Passed, Vec::new()), "{}", result.name);
        }
    }
}

#[test]
fn a_database_that_differs_is_a_finding_that_names_rows_and_holders() {
    let plan = plan(2);
    let mut record = record(&plan);
    diverge(&mut record);
    let converged = checked(&record, &plan, CheckKind::Converged);
    let [finding] = converged.findings() else { panic!("one finding: {converged:?}") };
    assert_eq!(finding.message, "table test_sync differs: database 1 has 1,000 rows, database 2 has 998 rows");
    assert_eq!((finding.total, finding.rows.len()), (3, 3));
    let server = checked(&record, &plan, CheckKind::Server);
    assert_eq!(
        server.findings()[0].message,
        "table test_sync differs: database 1 and the server have 1,000 rows, database 2 has 998 rows"
    );
    assert_eq!(checked(&record, &plan, CheckKind::Integrity).outcome, Outcome::Passed);
}

#[test]
fn equal_counts_with_other_content_are_a_finding() {
    let plan = plan(2);
    let mut record = record(&plan);
    let state = record.state.as_mut().expect("it has one");
    state.server.as_mut().expect("it has one").users[0].tables[0] = table(1000, &"e".repeat(32));
    assert_eq!(checked(&record, &plan, CheckKind::Converged).outcome, Outcome::Passed);
    let server = checked(&record, &plan, CheckKind::Server);
    assert!(server.findings()[0].message.contains("(content eeeeeeee)"), "{server:?}");
}

#[test]
fn users_are_compared_among_their_own() {
    let plan = plan_with_users(4);
    let mut record = record(&plan);
    let state = record.state.as_mut().expect("it has one");
    state.databases[3].tables[0] = table(7, &"e".repeat(32));
    let converged = checked(&record, &plan, CheckKind::Converged);
    assert_eq!(converged.findings().len(), 1);
    assert!(converged.findings()[0].message.starts_with("table test_sync of user 2 differs: database 3 has"));
}

#[test]
fn a_damaged_file_is_a_finding_whatever_it_holds() {
    let plan = plan(2);
    let mut record = record(&plan);
    record.state.as_mut().expect("it has one").databases[0].integrity = Some("row 3 missing from index".into());
    assert_eq!(checked(&record, &plan, CheckKind::Integrity).findings().len(), 1);
}

#[test]
fn what_could_not_be_read_is_not_checked_and_says_why() {
    let plan = plan(2);
    let mut unread = record(&plan);
    unread.state.as_mut().expect("it has one").databases.pop();
    let outcome = checked(&unread, &plan, CheckKind::Converged).outcome;
    assert_eq!(outcome, Outcome::NotChecked("database 2 could not be read".into()));
    let mut no_server = record(&plan);
    no_server.state.as_mut().expect("it has one").server = None;
    no_server.failures.push(Failure::new(FailureKind::Network, Side::Network, "connection refused"));
    let outcome = checked(&no_server, &plan, CheckKind::Server).outcome;
    let Outcome::NotChecked(reason) = outcome else { panic!("{outcome:?}") };
    assert!(reason.ends_with("connection refused"), "{reason}");
    let mut no_table = record(&plan);
    no_table.state.as_mut().expect("it has one").databases[0].tables.clear();
    assert!(matches!(checked(&no_table, &plan, CheckKind::Converged).outcome, Outcome::NotChecked(_)));
    let mut nothing = record(&plan);
    nothing.state = None;
    assert!(verify(&nothing, &plan).iter().all(|result| matches!(result.outcome, Outcome::NotChecked(_))));
}

#[test]
fn a_leaked_row_is_a_finding_and_a_rejected_one_is_a_note() {
    let plan = plan_with_users(4);
    let mut record = record(&plan);
    let state = record.state.as_mut().expect("it has one");
    state.databases[0].tables[0].forbidden = 3;
    let row = |key: &str, leaked| ForbiddenRow {
        database: 1,
        table: "test_sync".into(),
        key: key.into(),
        row: format!("{key}, 'x'"),
        leaked,
    };
    state.databases[0].tables[0].leaked = Some(0);
    state.forbidden = vec![row("'malicious1'", false), row("'malicious2'", false), row("'malicious3'", false)];
    let rejected = checked(&record, &plan, CheckKind::Isolation);
    assert_eq!(rejected.outcome, Outcome::Passed);
    assert_eq!(
        rejected.notes,
        ["3 rows written for other users were rejected by the server and stay in the local database"]
    );
    let state = record.state.as_mut().expect("it has one");
    state.forbidden[0].leaked = true;
    state.databases[0].tables[0].leaked = Some(1);
    let leaked = checked(&record, &plan, CheckKind::Isolation);
    assert_eq!(
        leaked.findings()[0].message,
        "database 1 holds 1 row of test_sync that the select policy of its user 1 forbids"
    );
    assert!(leaked.notes[0].starts_with("2 more forbidden rows"), "{:?}", leaked.notes);
}

#[test]
fn forbidden_rows_are_judged_by_their_counts_however_few_are_listed() {
    let plan = plan_with_users(4);
    let mut record = record(&plan);
    let held = |record: &mut Record, leaked| {
        let table = &mut record.state.as_mut().expect("it has one").databases[0].tables[0];
        (table.forbidden, table.leaked) = (5_000, leaked);
    };
    held(&mut record, Some(0));
    assert_eq!(checked(&record, &plan, CheckKind::Isolation).outcome, Outcome::Passed);
    held(&mut record, Some(4_000));
    let leaked = checked(&record, &plan, CheckKind::Isolation);
    assert_eq!(leaked.findings()[0].total, 4_000);
    assert!(leaked.notes[0].starts_with("1,000 more forbidden rows"), "{:?}", leaked.notes);
    held(&mut record, None);
    let unexamined = checked(&record, &plan, CheckKind::Isolation);
    assert!(matches!(unexamined.outcome, Outcome::NotChecked(_)), "{unexamined:?}");
}

#[test]
fn a_row_that_came_and_went_is_found() {
    let plan = plan_with_users(4);
    let mut record = record(&plan);
    let leak = |iteration, key: &str| Leak {
        iteration,
        phase: "insert".into(),
        at: 1,
        table: "test_sync".into(),
        before: 10,
        after: 13,
        keys: vec![key.into()],
    };
    record.workers[2].leaks = vec![leak(2, "'db1_r2_1'"), leak(4, "'db1_r4_1'")];
    let isolation = checked(&record, &plan, CheckKind::Isolation);
    assert_eq!(
        isolation.findings()[0].message,
        "database 3 received 6 rows of test_sync that the select policy of its user forbids, in iteration 2 (insert) \
         and iteration 4 (insert), among them 'db1_r2_1'; 'db1_r4_1'"
    );
    // Also when nobody came to look at the end.
    record.state = None;
    assert_eq!(checked(&record, &plan, CheckKind::Isolation).findings().len(), 1);
    let others = checked(&record, &plan, CheckKind::Converged);
    assert!(matches!(others.outcome, Outcome::NotChecked(_)));
}

#[test]
fn a_new_database_must_end_up_as_the_server() {
    let mut plan = plan(2);
    plan.checks.push(check(CheckName::Bootstrap));
    let mut record = record(&plan);
    assert!(matches!(checked(&record, &plan, CheckKind::Bootstrap).outcome, Outcome::NotChecked(_)));
    let same = record.state.as_ref().expect("it has one").databases[0].tables.clone();
    let set = |record: &mut Record, fresh| record.state.as_mut().expect("it has one").bootstrap = vec![fresh];
    set(&mut record, BootstrapState { user: 1, site_id: None, tables: same, failures: Vec::new() });
    assert_eq!(checked(&record, &plan, CheckKind::Bootstrap).outcome, Outcome::Passed);
    set(&mut record, BootstrapState { user: 1, site_id: None, tables: vec![table(990, "0a")], failures: Vec::new() });
    let found = checked(&record, &plan, CheckKind::Bootstrap);
    assert!(found.findings()[0].message.contains("the new database has 990 rows"), "{found:?}");
    let failure = Failure::new(FailureKind::Timeout, Side::Network, "too slow");
    set(&mut record, BootstrapState { user: 1, site_id: None, tables: Vec::new(), failures: vec![failure] });
    assert!(matches!(checked(&record, &plan, CheckKind::Bootstrap).outcome, Outcome::NotChecked(_)));
}

#[test]
fn a_query_must_give_its_value() {
    let mut plan = plan(2);
    plan.checks = vec![query(json!(0))];
    let mut record = record(&plan);
    assert!(matches!(checked(&record, &plan, CheckKind::Query).outcome, Outcome::NotChecked(_)));
    for (value, holds) in
        [(json!(0), true), (json!(0.0), true), (json!(3), false), (json!("0"), false), (json!(null), false)]
    {
        record.state.as_mut().expect("it has one").queries = vec![answer(value.clone(), 1)];
        let result = checked(&record, &plan, CheckKind::Query);
        assert_eq!(result.name, "query SELECT count(*) FROM test_sync");
        assert_eq!(result.outcome == Outcome::Passed, holds, "{value}");
    }
    assert_eq!(checked(&record, &plan, CheckKind::Query).findings()[0].message, "the server returned null, expected 0");
}

#[test]
fn numbers_of_a_query_are_compared_exactly() {
    for (found, wanted, holds) in [
        (json!(5e-17), json!(0), false),
        (json!(0.1 + 0.2), json!(0.3), false),
        (json!(0.3), json!(0.3), true),
        (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992.0), false),
        (json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_992.0), true),
        (json!(i64::MAX), json!(9_223_372_036_854_775_808.0), false),
        (json!(i64::MIN), json!(-9_223_372_036_854_775_808.0), true),
        (json!(1), json!(1.5), false),
        (json!(1e300), json!(1), false),
        (json!(-0.0), json!(0), true),
    ] {
        for (found, wanted) in [(&found, &wanted), (&wanted, &found)] {
            let mut plan = plan(2);
            plan.checks = vec![query(wanted.clone())];
            let mut record = record(&plan);
            record.state.as_mut().expect("it has one").queries = vec![answer(found.clone(), 1)];
            let result = checked(&record, &plan, CheckKind::Query);
            assert_eq!(result.outcome == Outcome::Passed, holds, "{found} is {wanted}");
        }
    }
}

#[test]
fn a_query_must_give_one_row() {
    for (wanted, value, rows, told) in [
        (
            json!(1),
            json!(1),
            3,
            Some("the server: the query returned 3 rows, expected one: write a query that returns one row"),
        ),
        (json!(null), json!(null), 2, Some("the server: the query returned 2 rows")),
        (json!(1), json!(null), 0, Some("the server: the query returned no row, expected 1")),
        (json!(null), json!(null), 0, None),
    ] {
        let mut plan = plan(2);
        plan.checks = vec![query(wanted)];
        let mut record = record(&plan);
        record.state.as_mut().expect("it has one").queries = vec![answer(value, rows)];
        let result = checked(&record, &plan, CheckKind::Query);
        let found = result.findings().first().map(|finding| finding.message.as_str());
        assert_eq!(found.is_some(), told.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().starts_with(told.unwrap_or_default()), "{found:?}");
    }
}

/// What the server answered to the first check.
fn answer(value: Value, rows: u64) -> QueryAnswer {
    QueryAnswer { check: 0, holder: Holder::Server, value, rows: Some(rows), failure: None }
}

#[test]
fn what_is_late_is_told_from_what_is_lost() {
    let plan = plan(2);
    let mut record = record(&plan);
    diverge(&mut record);
    record.settle.as_mut().expect("it has one").stuck =
        vec![Stuck { database: 2, unsent: Some(true), busy_receives: 1 }];
    let converged = checked(&record, &plan, CheckKind::Converged);
    assert!(matches!(converged.outcome, Outcome::Failed(_)));
    assert!(converged.notes[0].starts_with("database 2 was not quiet after 3 rounds"), "{:?}", converged.notes);
    record.ended = Some(Ended { at: 1, reason: EndReason::TimeLimit });
    assert!(matches!(checked(&record, &plan, CheckKind::Converged).outcome, Outcome::NotChecked(_)));
}

#[test]
fn rows_without_a_parent_are_findings_where_foreign_keys_are_enforced() {
    let mut plan = plan(2);
    let mut record = record(&plan);
    let keys = |record: &mut Record, at: usize, keys| {
        record.state.as_mut().expect("it has one").databases[at].foreign_keys = keys;
    };
    let orphan = |rowid: Option<i64>, key: &str| Orphan {
        table: "notes".into(),
        rowid,
        key: Some(key.into()),
        parent: "folders".into(),
    };
    keys(&mut record, 0, Some(ForeignKeys::default()));
    assert!(verify(&record, &plan).iter().all(|result| result.check != CheckKind::ForeignKeys));
    plan.foreign_keys = true;
    let unread = checked(&record, &plan, CheckKind::ForeignKeys).outcome;
    assert_eq!(unread, Outcome::NotChecked("the record does not have those of database 2".into()));
    let failure = Some(Failure::new(FailureKind::Sql, Side::Client, "foreign key mismatch"));
    keys(&mut record, 1, Some(ForeignKeys { failure, ..ForeignKeys::default() }));
    let unread = checked(&record, &plan, CheckKind::ForeignKeys).outcome;
    assert_eq!(unread, Outcome::NotChecked("database 2: foreign key mismatch".into()));
    keys(&mut record, 1, Some(ForeignKeys::default()));
    assert_eq!(checked(&record, &plan, CheckKind::ForeignKeys).outcome, Outcome::Passed);
    let orphans = vec![orphan(Some(7), "'a'"), orphan(None, "'b'")];
    keys(&mut record, 1, Some(ForeignKeys { total: 1200, orphans, failure: None }));
    let found = checked(&record, &plan, CheckKind::ForeignKeys);
    assert_eq!(
        found.findings()[0].message,
        "database 2: 1,200 rows refer to a parent row that is not there, although foreign keys are enforced: \
         notes (rowid 7, key 'a') → folders, notes (key 'b') → folders, …"
    );
    // A parent that is late is not lost.
    record.ended = Some(Ended { at: 1, reason: EndReason::TimeLimit });
    record.settle = None;
    assert!(matches!(checked(&record, &plan, CheckKind::ForeignKeys).outcome, Outcome::NotChecked(_)));
}
