//! A synced table on the server: its companions, its policies, and the statements that push and pull run on it.
//!
//! `<t>_cloudsync` has the sequence number and the last writer of every live row; `<t>_cloudsync_tombstones` those of
//! deletions, and of rows that left some users' sight, with the old values of the columns the select policy reads, for
//! it decides who may learn of them. One key may have several tombstones: each concerns other users.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::shape::{Shape, companion, join, quote};
use crate::scenario::Policies;

/// The server itself as a writer.
pub(super) const SERVER: i64 = 0;

/// The bookkeeping tables of a database.
pub(super) const BOOKKEEPING: &str = "
    CREATE TABLE IF NOT EXISTS cloudsync_state(
        one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, generation INTEGER NOT NULL);
    INSERT OR IGNORE INTO cloudsync_state VALUES (1, 0, 0);
    CREATE TABLE IF NOT EXISTS cloudsync_tables(name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE);
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
    /// Columns outside the key that the select policy reads.
    pub(super) watched: Vec<usize>,
    pub(super) sql: Statements,
}

/// SQL texts. Where a key is needed its values are `?3 …`, after the sequence number and the site.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) upsert: String,
    pub(super) exists: String,
    /// Gives a live row a new sequence number.
    pub(super) touch: String,
    /// Notes a new row.
    pub(super) place: String,
    /// Forgets a live row's number.
    pub(super) forget: String,
    pub(super) erase: String,
    /// Writes a tombstone of the row as it is.
    pub(super) bury: String,
    /// Removes the tombstones that concern the same users as the row as it is.
    pub(super) unbury: String,
    pub(super) old: String,
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
        let watched = watched(&shape, &columns);
        let sql = Statements::new(&shape, &watched);
        Ok(Some(Self { shape, rls, policies, watched, sql }))
    }

    /// Live rows after `?1` not written by site `?2`: sequence number, whether the policy allows it, columns.
    pub(super) fn live_rows(&self, policy: &str, leak: bool) -> String {
        let table = quote(&self.shape.name);
        let (shown, condition) =
            if leak { (format!("({policy}) IS TRUE"), "true") } else { ("true".to_owned(), policy) };
        format!(
            "SELECT cs_live.cs_seq, {shown}, {} FROM main.{} AS cs_live CROSS JOIN main.{table} ON {}
             WHERE cs_live.cs_seq > ?1 AND cs_live.cs_site <> ?2 AND ({condition}) ORDER BY cs_live.cs_seq",
            self.shape.column_list(&format!("{table}.")),
            companion(&self.shape.name, "_cloudsync"),
            self.shape.key_match(&format!("{table}."), |i| format!("cs_live.cs_pk{}", i + 1)),
        )
    }

    /// Tombstones after `?1` not written by site `?2`, unless the user sees a live row under the key.
    pub(super) fn tombstones(&self, policy: &str) -> String {
        let table = quote(&self.shape.name);
        let keys =
            join(self.shape.key_columns(), ", ", |i, column| format!("cs_pk{} AS {}", i + 1, quote(&column.name)));
        let old = join(&self.watched, "", |_, &column| {
            let name = &self.shape.columns[column].name;
            format!(", {} AS {}", old_column(name), quote(name))
        });
        let unless_seen = if self.watched.is_empty() {
            String::new()
        } else {
            format!(
                "AND NOT EXISTS (SELECT 1 FROM main.{table} WHERE {} AND ({policy}))",
                self.shape.key_match(&format!("{table}."), |i| format!("cs_pk{}", i + 1))
            )
        };
        format!(
            "SELECT cs_seq, true, {} FROM (SELECT cs_seq, cs_site, {}, {keys}{old} FROM main.{}) AS {table}
             WHERE cs_seq > ?1 AND cs_site <> ?2 AND ({policy}) {unless_seen} ORDER BY cs_seq",
            self.shape.companion_key_list(""),
            self.shape.companion_key_list(""),
            companion(&self.shape.name, "_cloudsync_tombstones"),
        )
    }
}

impl Statements {
    fn new(shape: &Shape, watched: &[usize]) -> Self {
        let table = quote(&shape.name);
        let live = companion(&shape.name, "_cloudsync");
        let dead = companion(&shape.name, "_cloudsync_tombstones");
        let companion_key = shape.companion_key_match(3);
        let key = shape.key_match("", |i| format!("?{}", i + 3));
        let parameters = join(&shape.keys, ", ", |i, _| format!("?{}", i + 3));
        let names: Vec<&str> = watched.iter().map(|&column| shape.columns[column].name.as_str()).collect();
        let keys = shape.companion_key_list("");
        let old_columns = join(&names, "", |_, name| format!(", {}", old_column(name)));
        let values = join(&names, "", |_, name| format!(", {}", quote(name)));
        let same = if names.is_empty() {
            String::new()
        } else {
            let row = shape.key_match("cs_row.", |i| format!("?{}", i + 3));
            let same = join(&names, "", |_, name| format!(" AND {} IS cs_row.{}", old_column(name), quote(name)));
            format!("AND EXISTS (SELECT 1 FROM main.{table} AS cs_row WHERE {row}{same})")
        };
        let bury = if names.is_empty() {
            format!("INSERT INTO main.{dead}(cs_seq, cs_site, {keys}) VALUES (?1, ?2, {parameters})")
        } else {
            format!(
                "INSERT INTO main.{dead}(cs_seq, cs_site, {keys}{old_columns}) SELECT ?1, ?2, {parameters}{values} FROM main.{table} WHERE {key}"
            )
        };
        let old = join(&names, ", ", |_, name| quote(name));
        Self {
            upsert: shape.upsert(),
            exists: format!("SELECT 1 FROM main.{live} WHERE {companion_key}"),
            touch: format!("UPDATE main.{live} SET cs_seq = ?1, cs_site = ?2 WHERE {companion_key}"),
            place: format!("INSERT INTO main.{live}(cs_seq, cs_site, {keys}) VALUES (?1, ?2, {parameters})"),
            forget: format!("DELETE FROM main.{live} WHERE {companion_key}"),
            erase: format!("DELETE FROM main.{table} WHERE {key}"),
            bury,
            unbury: format!("DELETE FROM main.{dead} WHERE {companion_key} {same}"),
            old: if old.is_empty() {
                "SELECT 1".to_owned()
            } else {
                format!("SELECT {old} FROM main.{table} WHERE {key}")
            },
        }
    }
}

fn old_column(name: &str) -> String {
    quote(&format!("cs_old_{name}"))
}

fn watched(shape: &Shape, columns: &[String]) -> Vec<usize> {
    let is_watched = |&i: &usize| {
        !shape.keys.contains(&i) && columns.iter().any(|name| name.eq_ignore_ascii_case(&shape.columns[i].name))
    };
    (0..shape.columns.len()).filter(is_watched).collect()
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

/// The names of all synced tables.
pub(super) fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM main.cloudsync_tables ORDER BY rowid")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Why a table cannot be synced.
pub(super) fn refusal(shape: Option<&Shape>, table: &str) -> Option<String> {
    match shape {
        None => Some(format!("Table {table} does not exist")),
        Some(shape) if shape.keys.is_empty() => Some(format!("Table {table} has no primary key")),
        Some(_) => None,
    }
}

/// Makes a table synced: companions, and a sequence number for each row that is there. The caller has a transaction.
pub(super) fn enable(connection: &Connection, shape: &Shape) -> rusqlite::Result<()> {
    let table = &shape.name;
    let known = connection
        .prepare("SELECT 1 FROM cloudsync_tables AS t, main.sqlite_schema AS s WHERE t.name = ?1 AND lower(s.name) = lower(?2)")?
        .exists(params![table, format!("{table}_cloudsync")])?;
    if known {
        return Ok(());
    }
    disable(connection, table)?;
    let (_, _, columns) = read_policies(connection, table)?;
    let old = join(watched(shape, &columns), "", |_, column| format!(", {}", old_column(&shape.columns[column].name)));
    let (live, dead) = (companion(table, "_cloudsync"), companion(table, "_cloudsync_tombstones"));
    let (definitions, keys) = (shape.companion_keys(), shape.companion_key_list(""));
    let own_keys = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    connection.execute("INSERT INTO cloudsync_tables(name) VALUES (?1)", [table])?;
    connection.execute_batch(&format!(
        "CREATE TABLE main.{live}(cs_seq INTEGER PRIMARY KEY, {definitions}, cs_site INTEGER NOT NULL, UNIQUE ({keys}));
         CREATE TABLE main.{dead}(cs_seq INTEGER PRIMARY KEY, {definitions}, cs_site INTEGER NOT NULL{old});
         CREATE INDEX main.{index} ON {dead}({keys});
         INSERT INTO main.{live}(cs_seq, cs_site, {keys})
             SELECT (SELECT seq FROM cloudsync_state) + row_number() OVER (), {SERVER}, {own_keys} FROM main.{table};
         UPDATE cloudsync_state SET seq = seq + (SELECT count(*) FROM main.{live}), generation = generation + 1;",
        index = companion(table, "_cloudsync_tombstones_key"),
        table = quote(table),
    ))
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

/// Adds columns to the tombstones that a new select policy reads. The caller has a transaction.
pub(super) fn watch(connection: &Connection, tracked: &Tracked) -> rusqlite::Result<()> {
    let dead = format!("{}_cloudsync_tombstones", tracked.shape.name);
    for &column in &tracked.watched {
        let name = &tracked.shape.columns[column].name;
        let known = connection
            .prepare("SELECT 1 FROM pragma_table_info(?1) WHERE lower(name) = lower(?2)")?
            .exists(params![dead, format!("cs_old_{name}")])?;
        if !known {
            connection.execute_batch(&format!("ALTER TABLE main.{} ADD COLUMN {}", quote(&dead), old_column(name)))?;
        }
    }
    Ok(())
}

/// Temporary triggers that note what an administrator's own statements change. They exist on that connection only, so a
/// push, which notes its rows itself, never meets them.
pub(super) fn admin_triggers(tracked: &Tracked) -> String {
    let shape = &tracked.shape;
    let table = quote(&shape.name);
    let (live, dead) = (companion(&shape.name, "_cloudsync"), companion(&shape.name, "_cloudsync_tombstones"));
    let keys = shape.companion_key_list("");
    let own = |row: &str| join(shape.key_columns(), ", ", |_, column| format!("{row}.{}", quote(&column.name)));
    let at = |row: &str| {
        join(shape.key_columns(), " AND ", |i, column| format!("cs_pk{} = {row}.{}", i + 1, quote(&column.name)))
    };
    let names: Vec<&str> = tracked.watched.iter().map(|&column| shape.columns[column].name.as_str()).collect();
    let old_columns = join(&names, "", |_, name| format!(", {}", old_column(name)));
    let old_values = join(&names, "", |_, name| format!(", OLD.{}", quote(name)));
    let same = |row: &str| join(&names, "", |_, name| format!(" AND {} IS {row}.{}", old_column(name), quote(name)));
    let changed = shape.key_columns().map(|column| column.name.as_str()).chain(names.iter().copied());
    let changed = join(changed, " OR ", |_, name| format!("OLD.{0} IS NOT NEW.{0}", quote(name)));
    let place = format!(
        "DELETE FROM {live} WHERE {at_new};
         INSERT INTO {live}(cs_seq, cs_site, {keys}) SELECT seq, {SERVER}, {new} FROM cloudsync_state;
         DELETE FROM {dead} WHERE {at_new}{same_new};",
        at_new = at("NEW"),
        new = own("NEW"),
        same_new = same("NEW"),
    );
    let bury = |seq: &str, condition: &str| {
        format!(
            "DELETE FROM {dead} WHERE {at_old}{same_old};
             INSERT INTO {dead}(cs_seq, cs_site, {keys}{old_columns})
                 SELECT {seq}, {SERVER}, {old}{old_values} FROM cloudsync_state WHERE {condition};
             DELETE FROM {live} WHERE {at_old};",
            at_old = at("OLD"),
            same_old = same("OLD"),
            old = own("OLD"),
        )
    };
    format!(
        "CREATE TEMP TRIGGER {insert} AFTER INSERT ON main.{table} BEGIN UPDATE cloudsync_state SET seq = seq + 1; {place} END;
         CREATE TEMP TRIGGER {update} AFTER UPDATE ON main.{table} BEGIN UPDATE cloudsync_state SET seq = seq + 2; {bury_moved} {place} END;
         CREATE TEMP TRIGGER {delete} AFTER DELETE ON main.{table} BEGIN UPDATE cloudsync_state SET seq = seq + 1; {bury} END;",
        insert = companion(&shape.name, "_cloudsync_insert"),
        update = companion(&shape.name, "_cloudsync_update"),
        delete = companion(&shape.name, "_cloudsync_delete"),
        bury_moved = bury("seq - 1", &format!("({changed})")),
        bury = bury("seq", "true"),
    )
}
