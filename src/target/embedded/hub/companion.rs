//! The companions of a synced table: made, filled and dropped, and kept up to date by triggers while an administrator
//! writes. It must not know what a push or a pull is.

use crate::sql::quote;
use rusqlite::{Connection, params};

use super::super::shape::{Shape, companion, join};
use super::tracked::{SERVER, Tracked, old_column, place_of, read_policies, same_row};

/// Why a table cannot be synced.
pub(super) fn refusal(shape: Option<&Shape>, table: &str) -> Option<String> {
    match shape {
        None => Some(format!("Table {table} does not exist")),
        Some(shape) if shape.keys.is_empty() => Some(format!("Table {table} has no primary key")),
        Some(_) => None,
    }
}

/// Makes a table synced: companions, and a sequence number for each row that is there. The caller has a transaction.
pub(super) fn enable(connection: &Connection, shape: Shape) -> rusqlite::Result<()> {
    let table = shape.name.clone();
    let known = connection
        .prepare("SELECT 1 FROM cloudsync_tables AS t, main.sqlite_schema AS s WHERE t.name = ?1 AND lower(s.name) = lower(?2)")?
        .exists(params![table, format!("{table}_cloudsync")])?;
    if known {
        return Ok(());
    }
    disable(connection, &table)?;
    let (rls, policies, columns) = read_policies(connection, &table)?;
    let tracked = Tracked::new(shape, rls, policies, &columns);
    let shape = &tracked.shape;
    let (live, dead) = (companion(&table, "_cloudsync"), companion(&table, "_cloudsync_tombstones"));
    let (definitions, keys) = (shape.companion_keys(), shape.companion_key_list(""));
    let own_keys = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    let (live_keys, unique, filled, filling, place) = match shape.rowid {
        Some(rowid) => (String::new(), String::new(), String::new(), String::new(), rowid),
        None => (
            format!(", {definitions}"),
            format!(", UNIQUE ({keys})"),
            format!(", {keys}"),
            format!(", {own_keys}"),
            "NULL",
        ),
    };
    connection.execute("INSERT INTO cloudsync_tables(name) VALUES (?1)", [&table])?;
    connection.execute_batch(&format!(
        "CREATE TABLE main.{live}(cs_row INTEGER PRIMARY KEY, cs_seq INTEGER NOT NULL, cs_site INTEGER NOT NULL{live_keys}{unique});
         CREATE TABLE main.{dead}(cs_seq INTEGER PRIMARY KEY, cs_site INTEGER NOT NULL, {definitions});
         CREATE INDEX main.{index} ON {dead}({keys});
         INSERT INTO main.{live}(cs_row, cs_seq, cs_site{filled})
             SELECT {place}, (SELECT seq FROM cloudsync_state) + row_number() OVER (), {SERVER}{filling} FROM main.{table};
         UPDATE cloudsync_state SET seq = seq + (SELECT count(*) FROM main.{live}), generation = generation + 1;",
        index = companion(&table, "_cloudsync_tombstones_key"),
        table = quote(&table),
    ))?;
    watch(connection, &tracked)
}

/// Ends a table's sync. Its rows stay. The caller has a transaction.
pub(super) fn disable(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM cloudsync_tables WHERE name = ?1", [table])?;
    connection.execute("DELETE FROM cloudsync_versions WHERE name = ?1", [table])?;
    connection.execute_batch(&format!(
        "DROP TABLE IF EXISTS main.{}; DROP TABLE IF EXISTS main.{}; UPDATE cloudsync_state SET generation = generation + 1;",
        companion(table, "_cloudsync"),
        companion(table, "_cloudsync_tombstones"),
    ))
}

/// Makes the companions hold what the select policy reads, and be found by it. The caller has a transaction.
pub(super) fn watch(connection: &Connection, tracked: &Tracked) -> rusqlite::Result<()> {
    let shape = &tracked.shape;
    for suffix in ["_cloudsync", "_cloudsync_tombstones"] {
        let table = format!("{}{suffix}", shape.name);
        for &column in &tracked.watched {
            let column = &shape.columns[column];
            let old = old_column(&column.name);
            let known = connection
                .prepare("SELECT 1 FROM pragma_table_info(?1) WHERE lower(name) = lower(?2)")?
                .exists(params![table, format!("cs_old_{}", column.name)])?;
            if !known {
                connection.execute_batch(&format!(
                    "ALTER TABLE main.{} ADD COLUMN {old} {} COLLATE {}",
                    quote(&table),
                    column.declared,
                    quote(&column.collation)
                ))?;
            }
        }
    }
    if !tracked.watched.is_empty() {
        let values = join(&tracked.watched, ", ", |_, &column| {
            let name = &shape.columns[column].name;
            format!("{} = cs_data.{}", old_column(name), quote(name))
        });
        connection.execute_batch(&format!(
            "UPDATE main.{} AS cs_live SET {values} FROM main.{} AS cs_data WHERE {}",
            companion(&shape.name, "_cloudsync"),
            quote(&shape.name),
            same_row(shape, "cs_data", "cs_live.cs_"),
        ))?;
    }
    index(connection, tracked, "_cloudsync", |policy| tracked.live_rows(policy, false))?;
    index(connection, tracked, "_cloudsync_tombstones", |policy| tracked.tombstones(policy))
}

/// Makes the index by which a pull finds what is new in a companion. It starts with the watched columns if SQLite can
/// then seek to one user's rows, for a policy like `user_id = auth_userid()`.
fn index(
    connection: &Connection,
    tracked: &Tracked,
    suffix: &str,
    pull: impl Fn(&str) -> String,
) -> rusqlite::Result<()> {
    let bare = format!("{}{suffix}_new", tracked.shape.name);
    let name = quote(&bare);
    let table = companion(&tracked.shape.name, suffix);
    let create = |old: &str| format!("CREATE INDEX main.{name} ON {table}({old}cs_seq, cs_site)");
    connection.execute_batch(&format!("DROP INDEX IF EXISTS main.{name}"))?;
    if let Some(policy) = tracked.policies.select.as_ref().filter(|_| !tracked.watched.is_empty()) {
        let old =
            join(&tracked.watched, "", |_, &column| format!("{}, ", old_column(&tracked.shape.columns[column].name)));
        connection.execute_batch(&create(&old))?;
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", pull(policy)))?;
        let mut steps = explained.query([rusqlite::types::Null, rusqlite::types::Null])?;
        while let Some(step) = steps.next()? {
            let step: String = step.get("detail")?;
            if step.contains(&bare) && step.contains("cs_seq>?") {
                return Ok(());
            }
        }
        drop(steps);
        drop(explained);
        connection.execute_batch(&format!("DROP INDEX main.{name}"))?;
    }
    // The tombstones' own key is the sequence number.
    if suffix == "_cloudsync" { connection.execute_batch(&create("")) } else { Ok(()) }
}

/// Temporary triggers that note what an administrator's own statements change. They exist on that connection only.
pub(super) fn admin_triggers(tracked: &Tracked) -> String {
    note_triggers(tracked, &|_| String::new())
}

/// Temporary triggers for the connection of a push, which note what triggers of the author's write. The pushed row
/// itself, whose key [`super::cascade`] keeps in a temporary table, is the business of the push.
pub(super) fn cascade_triggers(tracked: &Tracked) -> String {
    let shape = &tracked.shape;
    let pushed = companion(&shape.name, PUSHED);
    let is_pushed = |row: &str| {
        let same =
            join(shape.key_columns(), " AND ", |i, column| format!("cs_pk{} = {row}.{}", i + 1, quote(&column.name)));
        format!("EXISTS (SELECT 1 FROM temp.{pushed} WHERE {same})")
    };
    let unless_pushed = |rows: &[&str]| format!("WHEN NOT ({})", join(rows, " AND ", |_, row| is_pushed(row)));
    let triggers = note_triggers(tracked, &unless_pushed);
    format!("CREATE TEMP TABLE {pushed}({}); {triggers}", shape.companion_keys())
}

/// How the temporary table with the key of the pushed row is called, after the table.
pub(super) const PUSHED: &str = "_cloudsync_pushed";

/// `when` is the condition of a trigger about these rows, NEW or OLD or both.
fn note_triggers(tracked: &Tracked, when: &dyn Fn(&[&str]) -> String) -> String {
    let shape = &tracked.shape;
    let table = quote(&shape.name);
    let (live, dead) = (companion(&shape.name, "_cloudsync"), companion(&shape.name, "_cloudsync_tombstones"));
    let keys = shape.companion_key_list("");
    let own = |row: &str| join(shape.key_columns(), ", ", |_, column| format!("{row}.{}", quote(&column.name)));
    let at = |row: &str| {
        join(shape.key_columns(), " AND ", |i, column| format!("cs_pk{} = {row}.{}", i + 1, quote(&column.name)))
    };
    let names: Vec<&str> = tracked.watched.iter().map(|&column| shape.columns[column].name.as_str()).collect();
    let old_columns = tracked.old_columns();
    let values = |row: &str| join(&names, "", |_, name| format!(", {row}.{}", quote(name)));
    let same = |row: &str| join(&names, "", |_, name| format!(" AND {} IS {row}.{}", old_column(name), quote(name)));
    let changed = shape.key_columns().map(|column| column.name.as_str()).chain(names.iter().copied());
    let changed = join(changed, " OR ", |_, name| format!("OLD.{0} IS NOT NEW.{0}", quote(name)));
    let (noted, noting) = match shape.rowid {
        Some(rowid) => (String::new(), format!("NEW.{rowid}, seq, {SERVER}")),
        None => (format!(", {keys}"), format!("NULL, seq, {SERVER}, {}", own("NEW"))),
    };
    let note = format!(
        "DELETE FROM {live} WHERE cs_row = {place_new};
         INSERT INTO {live}(cs_row, cs_seq, cs_site{noted}{old_columns}) SELECT {noting}{new_values} FROM cloudsync_state;
         DELETE FROM {dead} WHERE {at_new}{same_new};",
        place_new = place_of(shape, "NEW"),
        new_values = values("NEW"),
        at_new = at("NEW"),
        same_new = same("NEW"),
    );
    let bury = |seq: &str, condition: &str| {
        format!(
            "DELETE FROM {dead} WHERE {at_old}{same_old};
             INSERT INTO {dead}(cs_seq, cs_site, {keys}{old_columns})
                 SELECT {seq}, {SERVER}, {old}{old_values} FROM cloudsync_state WHERE {condition};
             DELETE FROM {live} WHERE cs_row = {place_old};",
            at_old = at("OLD"),
            same_old = same("OLD"),
            old = own("OLD"),
            old_values = values("OLD"),
            place_old = place_of(shape, "OLD"),
        )
    };
    format!(
        "CREATE TEMP TRIGGER {insert} AFTER INSERT ON main.{table} {when_new} BEGIN UPDATE cloudsync_state SET seq = seq + 1; {note} END;
         CREATE TEMP TRIGGER {update} AFTER UPDATE ON main.{table} {when_both} BEGIN UPDATE cloudsync_state SET seq = seq + 2; {bury_moved} {note} END;
         CREATE TEMP TRIGGER {delete} AFTER DELETE ON main.{table} {when_old} BEGIN UPDATE cloudsync_state SET seq = seq + 1; {bury} END;",
        insert = companion(&shape.name, "_cloudsync_insert"),
        update = companion(&shape.name, "_cloudsync_update"),
        delete = companion(&shape.name, "_cloudsync_delete"),
        bury_moved = bury("seq - 1", &format!("({changed})")),
        bury = bury("seq", "1"),
        when_new = when(&["NEW"]),
        when_both = when(&["OLD", "NEW"]),
        when_old = when(&["OLD"]),
    )
}
