//! What a scenario says about its tables: `filter`, `algo` and `columns`, from the problem with its place to the plan and the run.

use crate::harness::Place;

const FILTER: &str = "schema:
  tables:
    - name: notes
      sql: CREATE TABLE notes (id TEXT PRIMARY KEY, kind TEXT)
      filter: kind = 'shared'
phases:
  - { name: insert, kind: insert, rows: 4, sql: \"INSERT INTO notes VALUES (:id, iif(:row % 2, 'shared', 'own'))\", bind: { id: \"{{ uuid() }}\" }, sync: [send, receive] }
";

#[test]
fn a_filter_that_cannot_be_is_refused_at_its_place() {
    let place = Place::of(&FILTER.replace("kind = 'shared'\n", "kin = 'shared'\n"));
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&[
        "sql::filter",
        "the filter of `notes` does not prepare: no such column: kin",
        "filter: kin = 'shared'",
        "did you mean `kind`",
    ]);
    let place = Place::of(&FILTER.replace("kind = 'shared'\n", "KIND = 'shared'\n"));
    let told = ["CloudSync would not take the filter of `notes`", "write columns exactly as they are declared"];
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&told);
    let place = Place::of(&FILTER.replace("filter: kind = 'shared'\n", "algo: gso\n"));
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&["gos"]);
}

#[test]
fn a_phase_that_must_fail_on_a_table_that_only_grows_is_refused_at_its_place() {
    let text = FILTER.replace("filter: kind = 'shared'\n", "algo: gos\n");
    let place = Place::of(&format!("{text}  - {{ name: empty, kind: delete, sql: DELETE FROM notes }}\n"));
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&[
        "phase::grow_only",
        "the table `notes` only grows (`algo: gos`), so every DELETE on it fails",
        "sql: DELETE FROM notes",
        "expect: {verdict: fail, kinds: [constraint]}",
    ]);
    let expected = format!(
        "{text}  - {{ name: empty, kind: delete, sql: DELETE FROM notes }}\nexpect: {{ verdict: fail, kinds: [constraint] }}\n"
    );
    let place = Place::of(&expected);
    let done = place.stress(&["run", "scenario.yaml"]).done().exits(0);
    assert!(done.out.contains("Error: DELETE operation is not allowed on table notes."), "{done}");
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert!(plan.out.contains("notes (id, kind), key id, only grows"), "{plan}");
}

#[test]
fn databases_that_are_used_again_keep_their_filter_and_no_other() {
    let reused = format!("session: {{ reuse: true }}\n{FILTER}");
    let place = Place::of(&reused);
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert!(plan.out.contains("notes (id, kind), key id, only rows with kind = 'shared'"), "{plan}");
    for seed in ["1", "2", "3"] {
        place.stress(&["run", "scenario.yaml", "--seed", seed]).done().exits(0);
    }
    for (from, to) in [("filter: kind = 'shared'", "filter: kind = 'own'"), ("filter: kind = 'shared'", "algo: gos")] {
        place.write("scenario.yaml", &crate::harness::scenario(&reused.replace(from, to)));
        let told = ["no longer fit the scenario: the tables or policies of the scenario have changed"];
        place.stress(&["run", "scenario.yaml", "--seed", "4"]).done().exits(3).says(&told);
    }
}

const BLOCKS: &str = "scale: { databases: 2 }
schema:
  tables:
    - name: notes
      sql: CREATE TABLE notes (id TEXT PRIMARY KEY, n INTEGER, body TEXT)
      columns: { body: block }
setup:
  - { name: insert, when: db == 1, kind: insert, rows: 3, sql: \"INSERT INTO notes VALUES (:key, 0, :body)\", bind: { key: \"k{{ row }}\", body: \"a\\nb\\nc\" }, sync: [send] }
  - { name: fetch, sync: [receive], barrier: true }
phases:
  - { name: first, when: db == 1, kind: update, sql: \"UPDATE notes SET body = replace(body, 'a', 'A')\" }
  - { name: last, when: db == 2, kind: update, sql: \"UPDATE notes SET body = replace(body, 'c', 'C')\" }
  - { name: send, sync: [send], barrier: true }
  - { name: receive, sync: [receive], barrier: true }
verify:
  - written
  - converged
  - server
  - query: { on: databases, sql: \"SELECT group_concat(DISTINCT replace(body, char(10), ' ')) FROM notes\", equals: A b C }
";

#[test]
fn a_column_without_blocks_is_refused_at_its_place() {
    for (written, told) in [
        (
            "bodi: block",
            &["the table `notes` has no column `bodi`", "did you mean `body`?", "columns: { bodi: block }"][..],
        ),
        ("n: block", &["the column `n` of `notes` is declared INTEGER, but only texts have blocks", "declare it TEXT"]),
        ("id: block", &["`id` is in the primary key of `notes`, which is never merged"]),
        ("body: { block: { delimiter: '' } }", &["the delimiter of `body` is empty", "for paragraphs"]),
        ("body: blok", &["block"]),
        ("body: { block: { delimeter: x } }", &["delimiter"]),
    ] {
        let place = Place::of(&BLOCKS.replace("body: block", written));
        place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(told);
    }
}

#[test]
fn two_databases_that_edit_different_lines_keep_both_edits_in_files_that_are_used_again() {
    let text = format!("session: {{ reuse: true }}\n{BLOCKS}");
    let place = Place::of(&text);
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert!(plan.out.contains("notes (id, n, body), key id, body merged block by block"), "{plan}");
    place.stress(&["run", "scenario.yaml"]).done().exits(0);
    let other = "columns: { body: { block: { delimiter: b } } }";
    place.write("scenario.yaml", &crate::harness::scenario(&text.replace("columns: { body: block }", other)));
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert!(plan.out.contains("body merged block by block between \"b\""), "{plan}");
    let told = ["no longer fit the scenario: the tables or policies of the scenario have changed"];
    place.stress(&["run", "scenario.yaml"]).done().exits(3).says(&told);
    // Blocks of another kind, in new files: `a` and `c` are still two.
    place.write("scenario.yaml", &crate::harness::scenario(&BLOCKS.replace("columns: { body: block }", other)));
    place.stress(&["run", "scenario.yaml"]).done().exits(0);
    // As a whole, one of the two edits is lost.
    place.write("scenario.yaml", &crate::harness::scenario(&BLOCKS.replace("      columns: { body: block }\n", "")));
    let done = place.stress(&["run", "scenario.yaml"]).done().exits(1);
    assert!(done.out.contains("FAIL: query"), "{done}");
}
