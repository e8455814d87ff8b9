//! The triggers of capture, as SQL. Which rows they concern, and whether rows may be changed at all, is an option of the
//! table. It must not know what becomes of what they note.

use crate::sql::quote;
use rusqlite::Connection;

use super::super::block_column::{self, BlockColumn};
use super::super::shape::{Column, Shape, companion, join};
use super::local;

/// What the triggers are called after.
pub(super) const EVENTS: [&str; 10] =
    ["insert", "update", "rekey", "delete", "over", "rekey_over", "no_update", "no_delete", "outside", "rekey_outside"];
/// What the table of the rows' versions is called after.
pub(super) const VERSIONS: &str = "_cloudsync_versions";

/// Rows are only added.
pub(super) const GROW_ONLY: &str = "gos";

/// SQL that creates the triggers of a table.
pub(super) fn create(connection: &Connection, shape: &Shape) -> rusqlite::Result<String> {
    let filter = local::option(connection, &shape.name, local::FILTER)?;
    let grows_only = local::option(connection, &shape.name, local::ALGORITHM)?.as_deref() == Some(GROW_ONLY);
    let blocks = local::block_columns(connection, shape)?;
    let mut sql = capture(shape, filter.as_deref(), grows_only, &blocks);
    if let Some(filter) = filter {
        sql += &pass_over(shape, &filter);
    }
    if grows_only {
        sql += &forbid(shape);
    }
    Ok(sql)
}

/// SQL that drops the triggers of a table.
pub(super) fn drop(table: &str) -> String {
    EVENTS.map(|event| format!("DROP TRIGGER IF EXISTS main.{};", name(event, table))).concat()
}

fn name(event: &str, table: &str) -> String {
    companion(&format!("cloudsync_{event}_{table}"), "")
}

/// The triggers that refuse to change a table whose rows are only added, in the texts of CloudSync.
fn forbid(shape: &Shape) -> String {
    let table = quote(&shape.name);
    let forbid = |(event, operation): (&str, &str)| {
        let text = format!("Error: {operation} operation is not allowed on table {}.", shape.name).replace('\'', "''");
        format!(
            "CREATE TRIGGER {} BEFORE {operation} ON {table} WHEN NOT cloudsync_is_applying()
                 BEGIN SELECT RAISE(ABORT, '{text}'); END;",
            name(event, &shape.name)
        )
    };
    [("no_update", "UPDATE"), ("no_delete", "DELETE")].map(forbid).concat()
}

/// The triggers that note what is written.
fn capture(shape: &Shape, filter: Option<&str>, grows_only: bool, blocks: &[BlockColumn]) -> String {
    let table = quote(&shape.name);
    let keys = |row: &str| join(shape.key_columns(), ", ", |_, column| format!("{row}.{}", quote(&column.name)));
    let mark = |row: &str| format!("INSERT INTO {} VALUES ({}) {};", target(shape), keys(row), on_conflict(shape));
    let trigger = |event: &str| name(event, &shape.name);
    let matching = |row| filter.map_or_else(String::new, |filter| format!("AND {}", matches(shape, filter, row)));
    let (new, old) = (matching("NEW"), matching("OLD"));
    // Only what fires for REPLACE has to ask; RAISE says that what the statement has done so far is undone then.
    // No trigger fires for what it removes from a table whose rows are only added: it would forbid that.
    let ask = if shape.has_unique && !grows_only {
        "SELECT RAISE(ABORT, 'replaced rows are not captured') WHERE NOT cloudsync_captures_replaced();"
    } else {
        ""
    };
    let key_columns = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    let key_changed = key_changed(shape);
    let count = Count::new(shape, blocks);
    let there = shape.key_match("", |i| format!("NEW.{}", quote(&shape.columns[shape.keys[i]].name)));
    let there = format!("EXISTS (SELECT 1 FROM {table} WHERE {there})");
    format!(
        "CREATE TRIGGER {over} BEFORE INSERT ON {table} WHEN {there} AND NOT cloudsync_is_applying() BEGIN {note} END;
         CREATE TRIGGER {rekey_over} BEFORE UPDATE OF {key_columns} ON {table}
             WHEN ({key_changed}) AND {there} AND NOT cloudsync_is_applying() BEGIN {note} END;
         CREATE TRIGGER {insert} AFTER INSERT ON {table} WHEN NOT cloudsync_is_applying() {new}
             BEGIN {ask} {refuse_insert} {mark_new} {inserted} END;
         CREATE TRIGGER {update} AFTER UPDATE ON {table} WHEN NOT ({key_changed}) AND NOT cloudsync_is_applying() {new}
             BEGIN {ask} {mark_new} {updated} END;
         CREATE TRIGGER {rekey} AFTER UPDATE OF {key_columns} ON {table}
             WHEN ({key_changed}) AND NOT cloudsync_is_applying() {new}
             BEGIN {ask} {refuse_update} {mark_old} {deleted} {mark_new} {inserted} END;
         CREATE TRIGGER {delete} AFTER DELETE ON {table} WHEN NOT cloudsync_is_applying() {old}
             BEGIN {mark_old} {deleted} END;",
        over = trigger("over"),
        rekey_over = trigger("rekey_over"),
        insert = trigger("insert"),
        update = trigger("update"),
        rekey = trigger("rekey"),
        delete = trigger("delete"),
        note = count.note(),
        inserted = count.inserted(),
        updated = count.updated(),
        deleted = count.deleted(),
        refuse_insert = refuse(shape, "Insert"),
        refuse_update = refuse(shape, "Update"),
        mark_new = mark("NEW"),
        mark_old = mark("OLD"),
    )
}

/// The triggers that note a row that comes and does not match: none of its columns is sent before it is written again.
fn pass_over(shape: &Shape, filter: &str) -> String {
    let table = quote(&shape.name);
    let (outside, key_changed) = (format!("NOT {}", matches(shape, filter, "NEW")), key_changed(shape));
    let key_columns = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    let has_key = join(shape.key_columns(), " AND ", |_, column| format!("NEW.{} IS NOT NULL", quote(&column.name)));
    let count = Count::new(shape, &[]);
    let note = format!(
        "INSERT INTO {}({}, cs_versions) SELECT {}, cloudsync_uncaptured({}) WHERE {has_key} ON CONFLICT DO NOTHING;",
        count.versions,
        count.columns(),
        count.keys("NEW"),
        count.width
    );
    format!(
        "CREATE TRIGGER {} AFTER INSERT ON {table} WHEN NOT cloudsync_is_applying() AND {outside} BEGIN {note} END;
         CREATE TRIGGER {} AFTER UPDATE OF {key_columns} ON {table}
             WHEN ({key_changed}) AND NOT cloudsync_is_applying() AND {outside} BEGIN {note} END;",
        name("outside", &shape.name),
        name("rekey_outside", &shape.name)
    )
}

/// SQL that notes the rows that are there and do not match the filter.
pub(super) fn note_outside(shape: &Shape, filter: &str) -> String {
    let (count, table) = (Count::new(shape, &[]), quote(&shape.name));
    let keys = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    format!(
        "INSERT INTO main.{}({}, cs_versions) SELECT {keys}, cloudsync_uncaptured({}) FROM main.{table}
         WHERE NOT coalesce(({filter}), 0) ON CONFLICT DO NOTHING;",
        count.versions,
        count.columns(),
        count.width
    )
}

/// SQL that notes the blocks of the rows that are there.
pub(super) fn note_blocks(shape: &Shape, blocks: &[BlockColumn]) -> String {
    let (count, table) = (Count::new(shape, blocks), quote(&shape.name));
    let noted = blocks.iter().fold("v.cs_versions".to_owned(), |versions, column| column.noted(&versions, "t"));
    let same = shape.key_match("t.", |i| format!("v.cs_pk{}", i + 1));
    format!(
        "INSERT INTO main.{0}({1}, cs_versions) SELECT {keys}, {noted} FROM main.{table} AS t
         LEFT JOIN main.{0} AS v ON {same} WHERE true ON CONFLICT({1}) DO UPDATE SET cs_versions = excluded.cs_versions;",
        count.versions,
        count.columns(),
        keys = count.keys("t"),
    )
}

/// Says that an UPDATE changes the key.
fn key_changed(shape: &Shape) -> String {
    join(shape.key_columns(), " OR ", |_, column| format!("OLD.{0} IS NOT NEW.{0}", quote(&column.name)))
}

/// A statement of a trigger that refuses a key with NULL.
fn refuse(shape: &Shape, event: &str) -> String {
    let nullable: Vec<&Column> = shape.key_columns().filter(|column| !column.not_null).collect();
    if nullable.is_empty() {
        return String::new();
    }
    let is_null = join(&nullable, " OR ", |_, column| format!("NEW.{} IS NULL", quote(&column.name)));
    let text = format!("{event} aborted because primary key in table {} contains NULL values.", shape.name);
    format!("SELECT RAISE(ABORT, '{}') WHERE {is_null};", text.replace('\'', "''"))
}

/// The statements by which triggers count the versions of a row.
struct Count<'s> {
    shape: &'s Shape,
    versions: String,
    width: usize,
    /// The columns whose texts are merged block by block.
    blocks: &'s [BlockColumn],
}

impl<'s> Count<'s> {
    fn new(shape: &'s Shape, blocks: &'s [BlockColumn]) -> Self {
        Self { shape, versions: versions(&shape.name), width: shape.changed().count(), blocks }
    }

    /// The row that is about to be replaced is there: without an entry it would look as if it never was.
    fn note(&self) -> String {
        let Self { versions, .. } = self;
        format!("INSERT INTO {versions}({}) VALUES ({}) ON CONFLICT DO NOTHING;", self.columns(), self.keys("NEW"))
    }

    fn inserted(&self) -> String {
        let Self { versions, width, blocks, .. } = self;
        let counted = format!("cloudsync_inserted(cs_versions, {width})");
        if blocks.is_empty() {
            return format!("UPDATE {versions} SET cs_versions = {counted} WHERE {};", self.same("NEW"));
        }
        let written = |versions: &str| block_column::written(blocks, versions, "NEW");
        self.put("NEW", &written("NULL"), &written(&counted))
    }

    fn updated(&self) -> String {
        let count = |known: &str| {
            let known = block_column::edited(self.blocks, known);
            format!("cloudsync_updated({known}, {}, {})", self.width, self.shape.written())
        };
        self.put("NEW", &count("NULL"), &count("cs_versions"))
    }

    fn deleted(&self) -> String {
        self.put("OLD", "cloudsync_deleted(NULL)", "cloudsync_deleted(cs_versions)")
    }

    /// Notes `new` versions, or what becomes of those that are known. Not `INSERT OR REPLACE`: the conflict clause of the
    /// outer statement would be stronger.
    fn put(&self, row: &str, new: &str, known: &str) -> String {
        let Self { versions, .. } = self;
        let (columns, keys) = (self.columns(), self.keys(row));
        format!(
            "INSERT INTO {versions}({columns}, cs_versions) VALUES ({keys}, {new})
             ON CONFLICT({columns}) DO UPDATE SET cs_versions = {known};"
        )
    }

    fn columns(&self) -> String {
        self.shape.companion_key_list("")
    }

    fn keys(&self, row: &str) -> String {
        join(self.shape.key_columns(), ", ", |_, column| format!("{row}.{}", quote(&column.name)))
    }

    fn same(&self, row: &str) -> String {
        let name = |column: &Column| quote(&column.name);
        join(self.shape.key_columns(), " AND ", |i, column| format!("cs_pk{} = {row}.{}", i + 1, name(column)))
    }
}

/// Says that the row called `row` in a trigger matches a filter.
fn matches(shape: &Shape, filter: &str, row: &str) -> String {
    let columns = join(&shape.columns, ", ", |_, column| format!("{row}.{0} AS {0}", quote(&column.name)));
    format!("EXISTS (SELECT 1 FROM (SELECT {columns}) WHERE ({filter}))")
}

/// The table of a table's rows' versions, quoted.
pub(super) fn versions(table: &str) -> String {
    companion(table, VERSIONS)
}

/// `"t_cloudsync"(cs_pk1, …)`.
pub(super) fn target(shape: &Shape) -> String {
    format!("{}({})", companion(&shape.name, "_cloudsync"), shape.companion_key_list(""))
}

/// The same in a statement that marks many rows: what does not depend on the row, SQLite asks only once.
pub(super) fn on_conflicts(shape: &Shape) -> String {
    format!("{} WHERE excluded.cs_pk1 IS NOT NULL)", on_conflict(shape).trim_end_matches(')'))
}

/// A key that is already dirty moves to a new version. Not `INSERT OR REPLACE`: inside a trigger the conflict clause of
/// the outer statement wins, and under `INSERT OR IGNORE` the change would be lost; an upsert is never overridden.
pub(super) fn on_conflict(shape: &Shape) -> String {
    format!(
        "ON CONFLICT({}) DO UPDATE SET version = (SELECT max(version) + 1 FROM {})",
        shape.companion_key_list(""),
        companion(&shape.name, "_cloudsync")
    )
}
