//! Temporary triggers that keep the companions of a synced table up to date while somebody else than a push writes to it:
//! an administrator, and triggers of the author's during a push. They exist on that connection only.

use super::super::block_column;
use super::super::shape::{Column, Shape, companion, join};
use super::tracked::{SERVER, Tracked, old_column, place_of};
use crate::sql::quote;

/// How the temporary table with the key of the pushed row is called, after the table.
pub(super) const PUSHED: &str = "_cloudsync_pushed";
/// How the temporary table with the versions of the row that is about to be replaced is called, after the table.
const OVER: &str = "_cloudsync_over";

/// Notes what an administrator's own statements change.
pub(super) fn admin_triggers(tracked: &Tracked) -> String {
    triggers(tracked, &|_| String::new())
}

/// Notes what triggers of the author's write during a push. The pushed row itself, whose key [`super::cascade`] keeps in a
/// temporary table, is the business of the push.
pub(super) fn cascade_triggers(tracked: &Tracked) -> String {
    let shape = &tracked.shape;
    let pushed = companion(&shape.name, PUSHED);
    let is_pushed = |row: &str| format!("EXISTS (SELECT 1 FROM temp.{pushed} WHERE {})", same_key(shape, row));
    let unless_pushed = |rows: &[&str]| format!("WHEN NOT ({})", join(rows, " AND ", |_, row| is_pushed(row)));
    let triggers = triggers(tracked, &unless_pushed);
    format!("CREATE TEMP TABLE {pushed}({}); {triggers}", shape.companion_keys())
}

/// `when` is the condition of a trigger about these rows, NEW or OLD or both.
fn triggers(tracked: &Tracked, when: &dyn Fn(&[&str]) -> String) -> String {
    let shape = &tracked.shape;
    let table = quote(&shape.name);
    let over = companion(&shape.name, OVER);
    let (live, width) = (companion(&shape.name, "_cloudsync"), tracked.changed.len());
    let versions = |row: &str| format!("(SELECT cs_versions FROM {live} WHERE cs_row = {})", place_of(shape, row));
    let there = shape.key_match("", |i| format!("NEW.{}", quote(&shape.columns[shape.keys[i]].name)));
    let replaced = place_of(shape, &table);
    let reborn = format!(
        "cloudsync_reborn((SELECT max(cs_life) FROM {} WHERE {}), {width})",
        companion(&shape.name, "_cloudsync_tombstones"),
        same_key(shape, "NEW")
    );
    let inserted = format!(
        "CASE WHEN EXISTS (SELECT 1 FROM temp.{over}) THEN cloudsync_inserted((SELECT versions FROM temp.{over}), {width})
         ELSE {reborn} END"
    );
    let written = |versions: &str| block_column::written(&tracked.blocks, versions, "NEW");
    let (inserted, reborn) = (written(&inserted), written(&reborn));
    let rekeyed = changes(shape.key_columns().map(|column| column.name.as_str()));
    let updated = format!(
        "CASE WHEN {rekeyed} THEN {reborn} ELSE cloudsync_updated({}, {width}, {}) END",
        block_column::edited(&tracked.blocks, &versions("OLD")),
        shape.written()
    );
    let dead = format!("cloudsync_life(cloudsync_deleted({}))", versions("OLD"));
    let watched = tracked.watched.iter().map(|&column| shape.columns[column].name.as_str());
    let hidden = format!("CASE WHEN {rekeyed} THEN {dead} END");
    let leaves = changes(shape.key_columns().map(|column| column.name.as_str()).chain(watched));
    format!(
        "CREATE TEMP TABLE {over}(versions);
         CREATE TEMP TRIGGER {before} BEFORE INSERT ON main.{table} {when_new} BEGIN DELETE FROM {over};
             INSERT INTO {over} SELECT (SELECT cs_versions FROM {live} WHERE cs_row = {replaced}) FROM {table} WHERE {there}; END;
         CREATE TEMP TRIGGER {insert} AFTER INSERT ON main.{table} {when_new}
             BEGIN UPDATE cloudsync_state SET seq = seq + 1; {note_inserted} DELETE FROM {over}; END;
         CREATE TEMP TRIGGER {update} AFTER UPDATE ON main.{table} {when_both}
             BEGIN UPDATE cloudsync_state SET seq = seq + 2; {bury_moved} {note_updated} {forget_moved} END;
         CREATE TEMP TRIGGER {delete} AFTER DELETE ON main.{table} {when_old}
             BEGIN UPDATE cloudsync_state SET seq = seq + 1; {bury} {forget} END;",
        before = companion(&shape.name, "_cloudsync_before"),
        insert = companion(&shape.name, "_cloudsync_insert"),
        update = companion(&shape.name, "_cloudsync_update"),
        delete = companion(&shape.name, "_cloudsync_delete"),
        note_inserted = note(tracked, &inserted),
        note_updated = note(tracked, &updated),
        bury_moved = bury(tracked, "seq - 1", &hidden, &leaves),
        forget_moved = forget(tracked, &format!("({}) IS NOT ({})", place_of(shape, "OLD"), place_of(shape, "NEW"))),
        bury = bury(tracked, "seq", &dead, "1"),
        forget = forget(tracked, "1"),
        when_new = when(&["NEW"]),
        when_both = when(&["OLD", "NEW"]),
        when_old = when(&["OLD"]),
    )
}

/// Notes a row as it has become.
fn note(tracked: &Tracked, versions: &str) -> String {
    let shape = &tracked.shape;
    let keys = shape.companion_key_list("");
    let own = join(shape.key_columns(), ", ", |_, column| format!("NEW.{}", quote(&column.name)));
    let (names, place, one) = match shape.rowid {
        Some(rowid) => (String::new(), format!("NEW.{rowid}"), "cs_row"),
        None => (format!(", {keys}"), "NULL".to_owned(), keys.as_str()),
    };
    let own = if shape.rowid.is_some() { String::new() } else { format!(", {own}") };
    let old = join(&tracked.watched, "", |_, &column| format!(", {0} = excluded.{0}", old_name(shape, column)));
    format!(
        "INSERT INTO {live}(cs_row, cs_seq, cs_site, cs_versions{names}{old_columns})
             SELECT {place}, seq, {SERVER}, {versions}{own}{values} FROM cloudsync_state WHERE true
             ON CONFLICT({one}) DO UPDATE SET cs_seq = excluded.cs_seq, cs_site = excluded.cs_site,
             cs_versions = excluded.cs_versions{old};
         DELETE FROM {dead} WHERE {same};",
        live = companion(&shape.name, "_cloudsync"),
        dead = companion(&shape.name, "_cloudsync_tombstones"),
        old_columns = tracked.old_columns(),
        values = watched_values(tracked, "NEW"),
        same = same_audience(tracked, "NEW"),
    )
}

/// Writes a tombstone of a row as it was.
fn bury(tracked: &Tracked, seq: &str, life: &str, condition: &str) -> String {
    let shape = &tracked.shape;
    format!(
        "DELETE FROM {dead} WHERE {same};
         INSERT INTO {dead}(cs_seq, cs_site, cs_life, {keys}{old_columns})
             SELECT {seq}, {SERVER}, {life}, {old}{values} FROM cloudsync_state WHERE {condition};",
        dead = companion(&shape.name, "_cloudsync_tombstones"),
        same = same_audience(tracked, "OLD"),
        keys = shape.companion_key_list(""),
        old_columns = tracked.old_columns(),
        old = join(shape.key_columns(), ", ", |_, column| format!("OLD.{}", quote(&column.name))),
        values = watched_values(tracked, "OLD"),
    )
}

/// Forgets a row that was.
fn forget(tracked: &Tracked, condition: &str) -> String {
    let shape = &tracked.shape;
    let live = companion(&shape.name, "_cloudsync");
    format!("DELETE FROM {live} WHERE cs_row = {} AND {condition};", place_of(shape, "OLD"))
}

/// Says that one of these columns gets another value.
fn changes<'n>(names: impl Iterator<Item = &'n str>) -> String {
    format!("({})", join(names, " OR ", |_, name| format!("OLD.{0} IS NOT NEW.{0}", quote(name))))
}

fn same_key(shape: &Shape, row: &str) -> String {
    let name = |column: &Column| quote(&column.name);
    join(shape.key_columns(), " AND ", |i, column| format!("cs_pk{} = {row}.{}", i + 1, name(column)))
}

/// Says that a tombstone is of this key and concerns the same users as this row.
fn same_audience(tracked: &Tracked, row: &str) -> String {
    let shape = &tracked.shape;
    let same = join(&tracked.watched, "", |_, &column| {
        format!(" AND {} IS {row}.{}", old_name(shape, column), quote(&shape.columns[column].name))
    });
    format!("{}{same}", same_key(shape, row))
}

fn old_name(shape: &Shape, column: usize) -> String {
    old_column(&shape.columns[column].name)
}

fn watched_values(tracked: &Tracked, row: &str) -> String {
    join(&tracked.watched, "", |_, &column| format!(", {row}.{}", quote(&tracked.shape.columns[column].name)))
}
