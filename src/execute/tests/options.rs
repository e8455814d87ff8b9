//! Whole runs with options of tables: a filter, and tables that only grow. What does not take part is not looked for
//! elsewhere; what takes part and is lost is found.

use super::super::*;
use super::run_changed;
use crate::analysis::{Analysis, Verdict, analyze};
use crate::plan::{CheckKind, Plan};

const HEAD: &str = "
version: 1
name: options
seed: 7
scale: { databases: 3, iterations: 2, rows: 20, time_limit: 1m }
settle: { rounds: 6, wait: 1ms }
verify: [written, converged, server, bootstrap]
";

fn made(text: &str) -> (Record, Plan, Analysis) {
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(&format!("{HEAD}{text}"), directory.path(), &Control::default(), |_| {});
    let analysis = analyze(&record, &plan);
    (record, plan, analysis)
}

/// Rows of which every second one takes part.
fn filtered(phases: &str) -> String {
    format!(
        "
session: {{ open: per-phase }}
schema:
  tables:
    - name: notes
      sql: CREATE TABLE notes (id TEXT PRIMARY KEY, kind TEXT, value INTEGER)
      filter: kind = 'shared'
phases:
  - {{ name: insert, kind: insert, rows: 20, sql: 'INSERT INTO notes VALUES (:id, iif(:row % 2, ''shared'', ''own''), 0)', sync: [send, receive] }}
{phases}"
    )
}

const CHANGES: &str = "
  - { name: change, kind: update, sql: 'UPDATE notes SET value = value + 1', sync: [send, receive] }
  - { name: delete, kind: delete, sql: 'DELETE FROM notes WHERE id LIKE ''%_4'' OR id LIKE ''%_5''', sync: [send, receive] }
";

fn failed(analysis: &Analysis) -> Vec<CheckKind> {
    analysis.checks.iter().filter(|check| !check.findings().is_empty()).map(|check| check.check).collect()
}

#[test]
fn rows_outside_a_filter_stay_where_they_were_written_and_are_not_looked_for_elsewhere() {
    let count = "verify:
  - written
  - converged
  - server
  - bootstrap
  - query: { on: server, sql: \"SELECT count(*) FROM notes WHERE kind <> 'shared'\", equals: 0 }
  - query: { on: server, sql: SELECT count(*) FROM notes, equals: 48 }
  - query: { on: databases, sql: \"SELECT count(*) FROM notes WHERE kind = 'own'\", equals: 16 }
";
    let text = format!("{}{count}", filtered(CHANGES));
    let directory = tempfile::tempdir().expect("a directory");
    let head = HEAD.replace("verify: [written, converged, server, bootstrap]\n", "");
    let (record, plan) = run_changed(&format!("{head}{text}"), directory.path(), &Control::default(), |_| {});
    let analysis = analyze(&record, &plan);
    assert_eq!(analysis.verdict, Verdict::Pass, "{:?} {:?}", analysis.rules, analysis.checks);
    let state = record.state.expect("the end was looked at");
    assert_eq!(state.written.expect("a ledger").unjudged, []);
    assert!(state.databases.iter().all(|database| database.tables[0].rows == 48), "only rows that take part count");
}

#[test]
fn a_row_inside_a_filter_that_is_lost_is_found() {
    for fault in ["drop_row", "lose_everywhere", "rewrite", "invent"] {
        let target = format!("target: {{ embedded: {{ faults: [{{ fault: {fault}, at: [3], databases: [1] }}] }} }}\n");
        let (_, _, analysis) = made(&format!("{}{target}", filtered("")));
        assert_eq!(analysis.verdict, Verdict::Fail, "{fault}");
        assert!(failed(&analysis).contains(&CheckKind::Written), "{fault}: {:?}", failed(&analysis));
    }
}

#[test]
fn a_row_that_crosses_its_filter_is_not_judged_and_where_it_differs_is_told() {
    let leave = "  - { name: leave, kind: update, sql: 'UPDATE notes SET kind = ''own'' WHERE id LIKE ''db'' || :db || ''!_r%!_1'' ESCAPE ''!''', sync: [send, receive] }\n";
    let (record, _, analysis) = made(&filtered(leave));
    let unjudged = record.state.expect("the end was looked at").written.expect("a ledger").unjudged;
    assert_eq!(unjudged.len(), 1, "{unjudged:?}");
    assert_eq!((unjudged[0].why, unjudged[0].keys), (crate::record::WhyUnjudged::Filter, 6));
    // As with CloudSync: the others keep the row as it was.
    assert_eq!(analysis.verdict, Verdict::Fail);
    assert_eq!(failed(&analysis), [CheckKind::Converged, CheckKind::Server]);
}

#[test]
fn a_row_that_enters_its_filter_arrives_with_its_changed_columns_only() {
    let enter = "  - { name: enter, kind: update, sql: 'UPDATE notes SET kind = ''shared'' WHERE id LIKE ''db'' || :db || ''!_r%!_2'' ESCAPE ''!''', sync: [send, receive] }\n";
    let phases = filtered(enter).replace("''own''), 0)", "''own''), 7)");
    let query = "  - query: { on: server, sql: SELECT count(*) FROM notes WHERE value IS NULL, equals: 6 }\n";
    let head = HEAD.replace("verify: [written, converged, server, bootstrap]\n", "");
    let text = format!("{head}{phases}verify:\n  - written\n  - converged\n{query}");
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(&text, directory.path(), &Control::default(), |_| {});
    assert_eq!(failed(&analyze(&record, &plan)), [CheckKind::Converged]);
}

#[test]
fn a_row_of_a_table_that_only_grows_is_merged_and_a_change_fails_as_expected() {
    let grows = "
schema:
  tables:
    - { name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, value INTEGER)', algo: gos }
phases:
  - { name: insert, kind: insert, rows: 20, sql: 'INSERT INTO notes VALUES (:id, 0)', sync: [send, receive] }
  - { name: same, kind: insert, when: iteration == 1, sql: 'INSERT OR IGNORE INTO notes VALUES (''same'', 1)', sync: [send, receive] }
  - { name: replace, kind: insert, sql: 'INSERT OR REPLACE INTO notes VALUES (''replaced'', :db * 10 + :iteration)', sync: [send, receive] }
";
    let (record, _, analysis) = made(grows);
    assert_eq!(analysis.verdict, Verdict::Pass, "{:?} {:?}", analysis.rules, analysis.checks);
    assert!(record.state.expect("the end was looked at").databases.iter().all(|one| one.tables[0].rows == 122));
    let change = "  - { name: change, kind: update, sql: UPDATE notes SET value = 1 }\n";
    let rule = "errors: [{ match: { kind: constraint }, do: [warn] }]\n";
    let (record, _, analysis) = made(&format!("{grows}{change}{rule}"));
    assert_eq!(analysis.verdict, Verdict::Pass, "{:?} {:?}", analysis.rules, analysis.checks);
    let failures = record.workers.iter().flat_map(|worker| &worker.events).flat_map(|event| &event.failures);
    let told: Vec<&str> = failures.map(|failure| failure.message.as_str()).collect();
    assert_eq!(told, ["Error: UPDATE operation is not allowed on table notes."; 6]);
}
