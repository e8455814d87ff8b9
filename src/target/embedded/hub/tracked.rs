//! A synced table on the server: its companions, its policies, and the statements that push and pull run on it.
//!
//! `<t>_cloudsync` has, for every live row, its place (`cs_row`: the row's own rowid, where the table has them), sequence
//! number, last writer, versions, and the values of the columns that the select policy reads; `<t>_cloudsync_tombstones`
//! the same of deletions, with the life of the dead row instead of versions, and of rows that left some users' sight, which
//! have none, by key. The policy decides by those values who may learn of
//! what: SQLite seeks in an index over them and the sequence number, instead of asking about every row that is new. One
//! key may have several tombstones: each concerns other users.

use crate::sql::quote;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::block_column::BlockColumn;
use super::super::shape::{Shape, companion, join};
use crate::scenario::Policies;

/// The server itself as a writer.
pub(super) const SERVER: i64 = 0;

/// The bookkeeping tables of a database.
pub(super) const BOOKKEEPING: &str = "
    CREATE TABLE IF NOT EXISTS cloudsync_state(
        one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, generation INTEGER NOT NULL);
    INSERT OR IGNORE INTO cloudsync_state VALUES (1, 0, 0);
    CREATE TABLE IF NOT EXISTS cloudsync_tables(name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE);
    CREATE TABLE IF NOT EXISTS cloudsync_blocks(name TEXT NOT NULL COLLATE NOCASE, \"column\" TEXT NOT NULL COLLATE NOCASE,
        delimiter BLOB NOT NULL, PRIMARY KEY (name, \"column\")) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS cloudsync_rls(name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, enabled INTEGER NOT NULL,
        \"select\" TEXT, \"insert\" TEXT, \"update\" TEXT, \"delete\" TEXT, columns TEXT NOT NULL DEFAULT '[]');
    CREATE TABLE IF NOT EXISTS cloudsync_sites(id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL UNIQUE, user TEXT,
        version INTEGER NOT NULL DEFAULT 0, pushed INTEGER NOT NULL DEFAULT 0, denied INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS cloudsync_versions(site INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
        version INTEGER NOT NULL, PRIMARY KEY (site, name)) WITHOUT ROWID;
";

/// A synced table.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) shape: Shape,
    /// Whether policies decide what token users may do.
    pub(super) rls: bool,
    pub(super) policies: Policies,
    /// Columns that the select policy reads.
    pub(super) watched: Vec<usize>,
    /// Columns that a live row's companion holds: the key of a table without rowids, and what is watched.
    pub(super) noted: Vec<usize>,
    /// Columns that have versions.
    pub(super) changed: Vec<usize>,
    /// The columns whose texts are merged block by block, as far as a row has told: devices declare them, and nobody else.
    pub(super) blocks: Vec<BlockColumn>,
    pub(super) sql: Statements,
}

/// SQL texts. A place (`cs_row`) says which live row is meant.
#[derive(Debug)]
pub(super) struct Statements {
    /// Adds a row: its columns.
    pub(super) insert: String,
    /// Changes a row: its columns, its place. None when there is nothing but the key.
    pub(super) update: Option<String>,
    /// Notes the row just inserted: sequence number, site, versions, [`Tracked::noted`].
    pub(super) place: String,
    /// Gives a live row another sequence number: sequence number, site, versions, place.
    pub(super) touch: String,
    /// The versions of a live row: its place.
    pub(super) versions: String,
    /// Notes what a live row's watched columns have become: place, those columns.
    pub(super) observe: String,
    /// Writes a tombstone of the row as it is: sequence number, site, place, its life as a dead one.
    pub(super) bury: String,
    /// Writes a tombstone of a row that is not there: sequence number, site, life, key, watched columns.
    pub(super) bury_unseen: String,
    /// The tombstones under a key: sequence number, life.
    pub(super) buried: String,
    /// Gives a tombstone another life: sequence number, site, life, sequence number so far.
    pub(super) deepen: String,
    /// Removes the tombstones that concern the same users as the row as it is: place, key.
    pub(super) unbury: String,
    /// Removes a row: its place.
    pub(super) erase: String,
    /// Forgets a live row's number: its place.
    pub(super) forget: String,
}

impl Tracked {
    /// Reads a table's entry; `None` when it is not synced.
    pub(super) fn read(connection: &Connection, table: &str) -> rusqlite::Result<Option<Self>> {
        let name: Option<String> = connection
            .prepare_cached("SELECT name FROM main.cloudsync_tables WHERE name = ?1")?
            .query_row([table], |row| row.get(0))
            .optional()?;
        let Some(name) = name else { return Ok(None) };
        let Some(shape) = Shape::read(connection, &name)? else { return Ok(None) };
        let (rls, policies, columns) = read_policies(connection, &name)?;
        let blocks = read_blocks(connection, &shape)?;
        let mut tracked = Self { blocks, ..Self::new(shape, rls, policies, &columns) };
        let has_triggers = connection
            .prepare_cached("SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?1)")?
            .exists([&name])?;
        if has_triggers {
            // A conflict clause would also stand for those of the triggers' own statements.
            tracked.sql.insert = insert(&tracked.shape, "");
            tracked.sql.update = tracked.sql.update.map(|update| update.replacen("UPDATE OR ABORT", "UPDATE", 1));
        }
        Ok(Some(tracked))
    }

    /// `columns` are those that the select policy reads.
    pub(super) fn new(shape: Shape, rls: bool, policies: Policies, columns: &[String]) -> Self {
        let is_watched = |&i: &usize| columns.iter().any(|name| name.eq_ignore_ascii_case(&shape.columns[i].name));
        let watched: Vec<usize> = (0..shape.columns.len()).filter(is_watched).collect();
        let keys = if shape.rowid.is_none() { shape.keys.as_slice() } else { &[] };
        let noted = keys.iter().chain(&watched).copied().collect();
        let (sql, changed) = (Statements::new(&shape, &watched), shape.changed().collect());
        Self { shape, rls, policies, watched, noted, changed, blocks: Vec::new(), sql }
    }

    /// Live rows after `?1` not written by site `?2`: sequence number, whether the policy allows it, versions, columns.
    pub(super) fn live_rows(&self, policy: &str, leak: bool) -> String {
        let (shown, condition) = if leak { (is_true(policy), "1") } else { ("1".to_owned(), policy) };
        let own = own_prefix(&self.shape);
        let keys = |text: &dyn Fn(usize) -> String| {
            if self.shape.rowid.is_none() { join(&self.shape.keys, "", |i, _| text(i + 1)) } else { String::new() }
        };
        format!(
            "SELECT cs_live.{own}seq, cs_live.{own}shown, cs_live.{own}versions, {columns} FROM
             (SELECT {own}seq, {own}row, {own}versions{keys}, {shown} AS {own}shown FROM
              (SELECT cs_seq AS {own}seq, cs_site AS {own}site, cs_row AS {own}row, cs_versions AS {own}versions{renamed}{watched} FROM main.{live}) AS {table}
              WHERE {own}seq > ?1 AND {own}site <> ?2 AND ({condition})) AS cs_live
             CROSS JOIN main.{table} AS cs_data ON {same} ORDER BY cs_live.{own}seq",
            keys = keys(&|i| format!(", {own}pk{i}")),
            renamed = keys(&|i| format!(", cs_pk{i} AS {own}pk{i}")),
            columns = self.shape.column_list("cs_data."),
            watched = self.watched_as_columns(),
            live = companion(&self.shape.name, "_cloudsync"),
            table = quote(&self.shape.name),
            same = same_row(&self.shape, "cs_data", &format!("cs_live.{own}")),
        )
    }

    /// Tombstones after `?1` not written by site `?2`, unless the user sees a live row under the key: sequence number, 1,
    /// life, key.
    pub(super) fn tombstones(&self, policy: &str) -> String {
        let table = quote(&self.shape.name);
        let own = own_prefix(&self.shape);
        let unwatched = self.shape.keys.iter().enumerate().filter(|(_, column)| !self.watched.contains(column));
        let keys = join(unwatched, "", |_, (i, &column)| {
            format!(", cs_pk{} AS {}", i + 1, quote(&self.shape.columns[column].name))
        });
        let unless_seen = if self.watched.is_empty() {
            String::new()
        } else {
            format!(
                "AND NOT EXISTS (SELECT 1 FROM main.{table} WHERE {} AND ({policy}))",
                self.shape.key_match(&format!("{table}."), |i| format!("{own}pk{}", i + 1))
            )
        };
        format!(
            "SELECT {own}seq, 1, {own}life{pk} FROM
             (SELECT cs_seq AS {own}seq, cs_site AS {own}site, cs_life AS {own}life{renamed}{keys}{watched} FROM main.{dead}) AS {table}
             WHERE {own}seq > ?1 AND {own}site <> ?2 AND ({policy}) {unless_seen} ORDER BY {own}seq",
            pk = join(&self.shape.keys, "", |i, _| format!(", {own}pk{}", i + 1)),
            renamed = join(&self.shape.keys, "", |i, _| format!(", cs_pk{0} AS {own}pk{0}", i + 1)),
            watched = self.watched_as_columns(),
            dead = companion(&self.shape.name, "_cloudsync_tombstones"),
        )
    }

    /// Changes one column of a row: value, place.
    pub(super) fn set(&self, column: usize) -> String {
        let (table, column) = (quote(&self.shape.name), quote(&self.shape.columns[column].name));
        format!("UPDATE OR ABORT main.{table} SET {column} = ?1 WHERE {}", at(&self.shape, "", 2))
    }

    /// The watched columns of a companion under their own names, so that a policy can read them there.
    fn watched_as_columns(&self) -> String {
        join(&self.watched, "", |_, &column| {
            let name = &self.shape.columns[column].name;
            format!(", {} AS {}", old_column(name), quote(name))
        })
    }

    /// The companions' columns for what is watched, with a comma before each.
    pub(super) fn old_columns(&self) -> String {
        old_columns(&self.shape, &self.watched)
    }
}

impl Statements {
    fn new(shape: &Shape, watched: &[usize]) -> Self {
        let table = quote(&shape.name);
        let live = companion(&shape.name, "_cloudsync");
        let dead = companion(&shape.name, "_cloudsync_tombstones");
        let keys = companion_keys(shape);
        let own_keys = join(shape.key_columns(), "", |_, column| format!(", {}", quote(&column.name)));
        let names: Vec<&str> = watched.iter().map(|&column| shape.columns[column].name.as_str()).collect();
        let old_columns = old_columns(shape, watched);
        let values = join(&names, "", |_, name| format!(", {}", quote(name)));
        let same = if names.is_empty() {
            String::new()
        } else {
            let same =
                join(&names, "", |_, name| format!(" AND {dead}.{} IS cs_data.{}", old_column(name), quote(name)));
            format!("AND EXISTS (SELECT 1 FROM main.{table} AS cs_data WHERE {}{same})", at(shape, "cs_data.", 1))
        };
        let set = shape.updates();
        let has_changes = !set.is_empty();
        let update = format!("UPDATE OR ABORT main.{table} SET {set} WHERE {}", at(shape, "", shape.columns.len() + 1));
        let (row, row_keys, noted) = match shape.rowid {
            Some(_) => ("last_insert_rowid()", "", watched.len()),
            None => ("NULL", keys.as_str(), shape.keys.len() + watched.len()),
        };
        let noted = join(0..noted, "", |i, _| format!(", ?{}", i + 4));
        let observed = join(&names, "", |i, name| format!(", {} = ?{}", old_column(name), i + 2));
        Self {
            insert: insert(shape, " OR ABORT"),
            update: has_changes.then_some(update),
            place: format!(
                "INSERT OR REPLACE INTO main.{live}(cs_row, cs_seq, cs_site, cs_versions{row_keys}{old_columns}) VALUES ({row}, ?1, ?2, ?3{noted})"
            ),
            touch: format!("UPDATE main.{live} SET cs_seq = ?1, cs_site = ?2, cs_versions = ?3 WHERE cs_row = ?4"),
            versions: format!("SELECT cs_versions FROM main.{live} WHERE cs_row = ?1"),
            observe: format!("UPDATE main.{live} SET cs_site = cs_site{observed} WHERE cs_row = ?1"),
            // FAIL, since ABORT would copy every page it changes, to take one row back that cannot conflict.
            bury: format!(
                "INSERT OR FAIL INTO main.{dead}(cs_seq, cs_site, cs_life{keys}{old_columns}) SELECT ?1, ?2, ?4{own_keys}{values} FROM main.{table} WHERE {}",
                at(shape, "", 3)
            ),
            bury_unseen: format!(
                "INSERT INTO main.{dead}(cs_seq, cs_site, cs_life{keys}{old_columns}) VALUES (?1, ?2, ?3{})",
                join(0..shape.keys.len() + watched.len(), "", |i, _| format!(", ?{}", i + 4))
            ),
            buried: format!("SELECT cs_seq, cs_life FROM main.{dead} WHERE {}", shape.companion_key_match(1)),
            deepen: format!("UPDATE main.{dead} SET cs_seq = ?1, cs_site = ?2, cs_life = ?3 WHERE cs_seq = ?4"),
            unbury: format!("DELETE FROM main.{dead} WHERE {} {same}", shape.companion_key_match(2)),
            erase: format!("DELETE FROM main.{table} WHERE {}", at(shape, "", 1)),
            forget: format!("DELETE FROM main.{live} WHERE cs_row = ?1"),
        }
    }
}

/// Adds a row. Where the table's constraints say what happens in a conflict, `clause` is stronger.
fn insert(shape: &Shape, clause: &str) -> String {
    let (columns, values) = (shape.column_list(""), shape.parameters());
    format!("INSERT{clause} INTO main.{}({columns}) VALUES ({values})", quote(&shape.name))
}

/// The place of a row of the table called `row`, as an expression.
pub(super) fn place_of(shape: &Shape, row: &str) -> String {
    if let Some(rowid) = shape.rowid {
        return format!("{row}.{rowid}");
    }
    let live = companion(&shape.name, "_cloudsync");
    let key = join(shape.key_columns(), " AND ", |i, column| format!("cs_pk{} = {row}.{}", i + 1, quote(&column.name)));
    format!("(SELECT cs_row FROM main.{live} WHERE {key})")
}

/// Says that a row of the table is the one at the place `?{parameter}`.
fn at(shape: &Shape, prefix: &str, parameter: usize) -> String {
    if let Some(rowid) = shape.rowid {
        return format!("{prefix}{rowid} = ?{parameter}");
    }
    let live = companion(&shape.name, "_cloudsync");
    let own = join(shape.key_columns(), ", ", |_, column| format!("{prefix}{}", quote(&column.name)));
    let keys = shape.companion_key_list("");
    format!("({own}) = (SELECT {keys} FROM main.{live} AS cs_at WHERE cs_at.cs_row = ?{parameter})")
}

/// 1 where a policy is true, 0 where it is false or NULL. Never the words `true` and `false`: a column may have them.
pub(super) fn is_true(policy: &str) -> String {
    format!("CASE WHEN ({policy}) THEN 1 ELSE 0 END")
}

/// Says that a row of the table called `row` is the live row of the companion whose columns start with `live`.
pub(super) fn same_row(shape: &Shape, row: &str, live: &str) -> String {
    match shape.rowid {
        Some(rowid) => format!("{row}.{rowid} = {live}row"),
        None => shape.key_match(&format!("{row}."), |i| format!("{live}pk{}", i + 1)),
    }
}

/// What the names of the hub's own columns start with where a policy stands beside them: like no column of the table.
fn own_prefix(shape: &Shape) -> String {
    let mut own = "cs_".to_owned();
    while shape.columns.iter().any(|column| column.name.to_ascii_lowercase().starts_with(&own)) {
        own.push('_');
    }
    own
}

/// `, cs_pk1, cs_pk2 …`.
fn companion_keys(shape: &Shape) -> String {
    format!(", {}", shape.companion_key_list(""))
}

/// The companions' column for a watched one.
pub(super) fn old_column(name: &str) -> String {
    quote(&format!("cs_old_{name}"))
}

fn old_columns(shape: &Shape, watched: &[usize]) -> String {
    join(watched, "", |_, &column| format!(", {}", old_column(&shape.columns[column].name)))
}

/// Whether policies are on for a table, what they say, and which columns the select policy reads.
pub(super) fn read_policies(connection: &Connection, table: &str) -> rusqlite::Result<(bool, Policies, Vec<String>)> {
    let row = connection
        .prepare_cached(
            "SELECT enabled, \"select\", \"insert\", \"update\", \"delete\", columns FROM main.cloudsync_rls WHERE name = ?1",
        )?
        .query_row([table], |row| {
            let policies =
                Policies { select: row.get(1)?, insert: row.get(2)?, update: row.get(3)?, delete: row.get(4)? };
            Ok((row.get(0)?, policies, row.get::<_, String>(5)?))
        })
        .optional()?;
    let Some((enabled, policies, columns)) = row else { return Ok((false, Policies::default(), Vec::new())) };
    Ok((enabled, policies, serde_json::from_str(&columns).unwrap_or_default()))
}

fn read_blocks(connection: &Connection, shape: &Shape) -> rusqlite::Result<Vec<BlockColumn>> {
    let mut statement =
        connection.prepare_cached("SELECT \"column\", delimiter FROM main.cloudsync_blocks WHERE name = ?1")?;
    let rows = statement.query_map([&shape.name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let columns = rows.map(|row| row.map(|(column, delimiter)| BlockColumn::of(shape, &column, &delimiter)));
    columns.filter_map(Result::transpose).collect()
}

/// Notes a column whose texts are merged block by block.
pub(super) fn learn_blocks(
    connection: &Connection,
    shape: &Shape,
    column: &str,
    delimiter: &[u8],
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO main.cloudsync_blocks VALUES (?1, ?2, ?3)")?
        .execute(params![shape.name, column, delimiter])?;
    connection.execute("UPDATE cloudsync_state SET generation = generation + 1", []).map(drop)
}

/// The names of all synced tables.
pub(super) fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM main.cloudsync_tables ORDER BY rowid")?;
    statement.query_map([], |row| row.get(0))?.collect()
}
