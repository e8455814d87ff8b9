//! The shape of a synced table as SQLite tells it: columns, key, hash; and SQL text made from it. Both sides use it. It
//! must not know what the table is synced for.

use crate::sql::quote;
use rusqlite::{Connection, OptionalExtension};
use xxhash_rust::xxh3::xxh3_64;

/// How many columns one number of [`Shape::written`] speaks of.
pub(crate) const MASK: usize = 48;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) name: String,
    /// Its columns, without generated ones.
    pub(crate) columns: Vec<Column>,
    /// The primary key: indices into `columns`, in the key's order.
    pub(crate) keys: Vec<usize>,
    /// A name of the rowid that no column has taken; none in a table without one.
    pub(crate) rowid: Option<&'static str>,
    /// Whether other UNIQUE constraints than the key exist.
    pub(crate) has_unique: bool,
    /// A digest of column names, affinities and key, in order: what both sides must agree on.
    pub(crate) hash: u64,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The declared type, for companion tables.
    pub(crate) declared: String,
    pub(crate) not_null: bool,
    /// Its default, as SQL.
    pub(crate) default: Option<String>,
    /// The collation: in the primary key's index, elsewhere as declared.
    pub(crate) collation: String,
}

impl Column {
    /// Whether values that a key takes for equal can differ: by the case of letters, or, where the column keeps numbers
    /// as they come, as 1 and 1.0 do.
    fn has_several_forms(&self) -> bool {
        !self.collation.eq_ignore_ascii_case("binary") || affinity(&self.declared) == "blob"
    }

    /// Says that OLD and NEW hold different values, in kind or in bytes.
    fn differs(&self) -> String {
        let name = quote(&self.name);
        let binary = format!("OLD.{name} IS NOT NEW.{name} COLLATE BINARY");
        if matches!(affinity(&self.declared), "text" | "integer") {
            return binary;
        }
        // 1 and 1.0 are equal, and so are 0.0 and -0.0.
        format!(
            "{binary} OR typeof(OLD.{name}) <> typeof(NEW.{name}) OR typeof(OLD.{name}) = 'real' AND cloudsync_bits(OLD.{name}) <> cloudsync_bits(NEW.{name})"
        )
    }
}

impl Shape {
    /// Reads the shape of an ordinary table of the main database; `None` when there is none of this name.
    pub(crate) fn read(connection: &Connection, table: &str) -> rusqlite::Result<Option<Self>> {
        let kind: Option<(bool, bool)> = connection
            .prepare_cached("SELECT strict, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND lower(name) = lower(?1)")?
            .query_row([table], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((strict, without_rowid)) = kind else { return Ok(None) };
        let mut columns = Vec::new();
        let mut keys: Vec<(i64, usize)> = Vec::new();
        let mut statement = connection.prepare_cached(
            "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo(?1) WHERE hidden NOT IN (2, 3) ORDER BY cid",
        )?;
        let mut rows = statement.query([table])?;
        while let Some(row) = rows.next()? {
            let declared: String = row.get(1)?;
            let key: i64 = row.get(4)?;
            if key > 0 {
                keys.push((key, columns.len()));
            }
            let name: String = row.get(0)?;
            let (_, collation, ..) = connection.column_metadata(Some("main"), table, name.as_str())?;
            columns.push(Column {
                name,
                // ANY keeps values as they are in a STRICT table only.
                declared: if strict && declared.eq_ignore_ascii_case("any") { String::new() } else { declared },
                not_null: row.get(2)?,
                default: row.get(3)?,
                collation: collation.map_or_else(|| "BINARY".to_owned(), |name| name.to_string_lossy().into_owned()),
            });
        }
        drop(rows);
        keys.sort_unstable();
        let keys: Vec<usize> = keys.into_iter().map(|(_, column)| column).collect();
        let mut collations = connection.prepare_cached(
            "SELECT x.name, x.coll FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) AS x WHERE l.origin = 'pk' AND x.key",
        )?;
        let mut rows = collations.query([table])?;
        while let Some(row) = rows.next()? {
            let (name, collation): (String, String) = (row.get(0)?, row.get(1)?);
            if let Some(column) = columns.iter_mut().find(|column| column.name == name) {
                column.collation = collation;
            }
        }
        let has_unique = connection
            .prepare_cached("SELECT 1 FROM pragma_index_list(?1) WHERE \"unique\" AND origin <> 'pk'")?
            .exists([table])?;
        let hash = digest(&columns, &keys);
        let is_free = |name: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let rowid = ["rowid", "_rowid_", "oid"].into_iter().filter(|_| !without_rowid).find(is_free);
        Ok(Some(Self { name: table.to_owned(), columns, keys, rowid, has_unique, hash }))
    }

    /// The key's columns in order.
    pub(crate) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.keys.iter().map(|&key| &self.columns[key])
    }

    /// The columns' names, quoted, separated by commas.
    pub(crate) fn column_list(&self, prefix: &str) -> String {
        join(&self.columns, ", ", |_, column| format!("{prefix}{}", quote(&column.name)))
    }

    /// `?1, ?2, …` for all columns.
    pub(crate) fn parameters(&self) -> String {
        join(&self.columns, ", ", |i, _| format!("?{}", i + 1))
    }

    /// `prefix"key" = other…` for every key column, joined by AND.
    pub(crate) fn key_match(&self, prefix: &str, other: impl Fn(usize) -> String) -> String {
        join(self.key_columns(), " AND ", |i, column| format!("{prefix}{} = {}", quote(&column.name), other(i)))
    }

    /// The columns that another state of the same row can change, as indices: not those of the key by which it is found,
    /// unless equal keys can differ, so that the last one is kept.
    pub(crate) fn changed(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(|i| !self.keys.contains(i) || self.columns[*i].has_several_forms())
    }

    /// Numbers, separated by commas, whose bits say which of the [`Self::changed`] columns an UPDATE gave another value.
    pub(crate) fn written(&self) -> String {
        let columns: Vec<&Column> = self.changed().map(|column| &self.columns[column]).collect();
        let number = |columns: &[&Column]| join(columns, " | ", |i, column| format!("(({}) << {i})", column.differs()));
        if columns.is_empty() { "0".to_owned() } else { join(columns.chunks(MASK), ", ", |_, chunk| number(chunk)) }
    }

    /// `INSERT` of all columns (`?1` …) that updates the row with the same key.
    pub(crate) fn upsert(&self) -> String {
        let table = quote(&self.name);
        let target = join(self.key_columns(), ", ", |_, column| {
            format!("{} COLLATE {}", quote(&column.name), quote(&column.collation))
        });
        let updates = self.updates();
        let action = if updates.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {updates}") };
        format!(
            "INSERT INTO main.{table}({}) VALUES ({}) ON CONFLICT({target}) DO {action}",
            self.column_list(""),
            self.parameters()
        )
    }

    /// The same in two statements, of which the second is for a row that the first did not find. In an upsert, the
    /// triggers that its update fires lose the conflict clauses of their own statements.
    pub(crate) fn update_and_insert(&self) -> (Option<String>, String) {
        let (table, updates) = (quote(&self.name), self.updates());
        let same = self.key_match("", |i| format!("?{}", self.keys[i] + 1));
        let insert = format!(
            "INSERT INTO main.{table}({}) SELECT {} WHERE NOT EXISTS (SELECT 1 FROM main.{table} WHERE {same})",
            self.column_list(""),
            self.parameters()
        );
        ((!updates.is_empty()).then(|| format!("UPDATE main.{table} SET {updates} WHERE {same}")), insert)
    }

    /// `"column" = ?1, …` for what an update of a row with the same key may change.
    pub(crate) fn updates(&self) -> String {
        // By parameter and not by `excluded`: a table may be called so.
        join(self.changed(), ", ", |_, i| format!("{} = ?{}", quote(&self.columns[i].name), i + 1))
    }

    /// Definitions of companion columns that hold the key: `cs_pk1 TEXT COLLATE "BINARY", …`.
    pub(crate) fn companion_keys(&self) -> String {
        join(self.key_columns(), ", ", |i, column| {
            format!("cs_pk{} {} COLLATE {}", i + 1, column.declared, quote(&column.collation))
        })
    }

    /// `cs_pk1, cs_pk2, …` with a prefix each.
    pub(crate) fn companion_key_list(&self, prefix: &str) -> String {
        join(&self.keys, ", ", |i, _| format!("{prefix}cs_pk{}", i + 1))
    }

    /// `cs_pk1 = ?{first} AND …`.
    pub(crate) fn companion_key_match(&self, first: usize) -> String {
        join(&self.keys, " AND ", |i, _| format!("cs_pk{} = ?{}", i + 1, first + i))
    }
}

/// The name of a companion table, quoted.
pub(crate) fn companion(table: &str, suffix: &str) -> String {
    quote(&format!("{table}{suffix}"))
}

/// Joins what `text` makes of each item.
pub(crate) fn join<T>(
    items: impl IntoIterator<Item = T>,
    separator: &str,
    text: impl Fn(usize, T) -> String,
) -> String {
    let parts: Vec<String> = items.into_iter().enumerate().map(|(i, item)| text(i, item)).collect();
    parts.join(separator)
}

fn digest(columns: &[Column], keys: &[usize]) -> u64 {
    let columns =
        join(columns, "\n", |_, column| format!("{}:{}", column.name.to_lowercase(), affinity(&column.declared)));
    xxh3_64(format!("{columns}\n{keys:?}").as_bytes())
}

/// SQLite's affinity of a declared type (<https://sqlite.org/datatype3.html>, section 3.1).
fn affinity(declared: &str) -> &'static str {
    let declared = declared.to_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        "integer"
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        "text"
    } else if has("BLOB") || declared.is_empty() {
        "blob"
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        "real"
    } else {
        "numeric"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(sql: &str) -> Shape {
        let connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch(sql).expect("schema");
        Shape::read(&connection, "t").expect("read").expect("table")
    }

    #[test]
    fn generated_columns_are_no_part_of_a_shape() {
        let shape = shape("CREATE TABLE t(b TEXT, a INTEGER, c AS (a + 1), PRIMARY KEY(a, b))");
        assert_eq!(shape.columns.len(), 2);
        assert_eq!(shape.keys, [1, 0]);
    }

    #[test]
    fn the_hash_ignores_case_and_defaults_and_sees_types_and_keys() {
        let one = shape("CREATE TABLE t(id TEXT PRIMARY KEY, a INTEGER DEFAULT 3, b)").hash;
        assert_eq!(one, shape("CREATE TABLE t(ID varchar(3) PRIMARY KEY NOT NULL, A int, B)").hash);
        assert_ne!(one, shape("CREATE TABLE t(id TEXT PRIMARY KEY, a TEXT, b)").hash);
        assert_ne!(one, shape("CREATE TABLE t(id TEXT, a INTEGER, b, PRIMARY KEY(id, b))").hash);
    }

    #[test]
    fn a_key_is_written_again_where_equal_keys_can_differ() {
        for (key, changed) in [
            ("id TEXT PRIMARY KEY", vec![1]),
            ("id TEXT PRIMARY KEY COLLATE NOCASE", vec![0, 1]),
            ("id NUMERIC PRIMARY KEY", vec![1]),
            ("id PRIMARY KEY", vec![0, 1]),
            ("id BLOB PRIMARY KEY", vec![0, 1]),
        ] {
            let shape = shape(&format!("CREATE TABLE t({key}, a)"));
            assert_eq!(shape.changed().collect::<Vec<_>>(), changed, "{key}");
        }
    }

    #[test]
    fn a_unique_column_is_noticed_and_the_key_is_not_one() {
        assert!(!shape("CREATE TABLE t(id TEXT PRIMARY KEY, a)").has_unique);
        assert!(shape("CREATE TABLE t(id TEXT PRIMARY KEY, a UNIQUE)").has_unique);
    }
}
