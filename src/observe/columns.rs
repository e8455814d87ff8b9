//! A table's columns as SQL, and how its primary key compares them.

use rusqlite::Connection;

use crate::plan::TablePlan;
use crate::session::LITERALS;
use crate::sql::quote;

/// Arguments of one call; SQLite allows 127.
const ARGUMENTS: usize = 100;

/// Columns as a list: `"id", "name"`.
pub(super) fn list_of(columns: &[String]) -> String {
    columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
}

/// SQL that adds a row, given all its columns, to a table that is named as in SQL.
pub(super) fn insert_into(table: &str, columns: &[String]) -> String {
    format!("INSERT INTO {table}({}) VALUES ({})", list_of(columns), vec!["?"; columns.len()].join(", "))
}

/// The columns of a table that the connection has, unless they are those of the plan.
pub(super) fn other_columns(connection: &Connection, table: &TablePlan) -> rusqlite::Result<Option<Vec<String>>> {
    if !table.altered {
        return Ok(None);
    }
    let mut statement = connection.prepare(&columns_sql(&format!("'{}'", table.name.replace('\'', "''"))))?;
    let columns = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok((!are_same(&columns, &table.columns)).then_some(columns))
}

/// SQL that gives the columns of a table, whose name is a literal.
pub(super) fn columns_sql(name: &str) -> String {
    format!("SELECT name FROM pragma_table_xinfo({name}) WHERE hidden NOT IN (2, 3) ORDER BY cid")
}

/// Whether columns are the same, in whatever order.
pub(super) fn are_same(one: &[String], other: &[String]) -> bool {
    let has = |name: &String| other.iter().any(|known| known.eq_ignore_ascii_case(name));
    one.len() == other.len() && one.iter().all(has)
}

/// Columns as one text of SQL literals: `'a', 1`. Only on connections of `open_reader` and `define_auth`, which have
/// the function.
pub(super) fn literals_of(columns: &[String]) -> String {
    let calls: Vec<String> = columns.chunks(ARGUMENTS).map(|some| format!("{LITERALS}({})", list_of(some))).collect();
    joined(&calls, " || ', ' || ")
}

/// Texts joined by an operator, as a balanced tree: SQLite limits the depth of an expression to 1,000.
pub(super) fn joined(texts: &[String], operator: &str) -> String {
    match texts {
        [] => "''".to_owned(),
        [only] => only.clone(),
        _ => {
            let (first, second) = texts.split_at(texts.len() / 2);
            format!("({}{operator}{})", joined(first, operator), joined(second, operator))
        }
    }
}

/// A column of a primary key.
pub(super) struct Key {
    pub(super) column: String,
    /// The collation by which the key tells its values apart.
    pub(super) collation: String,
    /// Whether that is the column's own, by which SQLite compares it unless it is told otherwise.
    is_own: bool,
}

impl Key {
    /// The column as it stands in a comparison that means the key's order.
    pub(super) fn compared(&self) -> String {
        let column = quote(&self.column);
        if self.is_own { column } else { format!("{column} COLLATE {}", quote(&self.collation)) }
    }
}

/// Columns of a key as they stand in `ORDER BY`, and in a comparison of the whole key.
pub(super) fn compared(keys: &[Key]) -> String {
    keys.iter().map(Key::compared).collect::<Vec<_>>().join(", ")
}

/// The primary key of a table that the connection has.
pub(super) fn keys_of(connection: &Connection, table: &TablePlan) -> rusqlite::Result<Vec<Key>> {
    let mut indexed = connection.prepare(
        "SELECT x.coll FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) AS x \
         WHERE l.origin = 'pk' AND x.key AND x.name = ?2 COLLATE NOCASE",
    )?;
    let key = |column: &String| {
        let (_, own, ..) = connection.column_metadata(Some("main"), table.name.as_str(), column.as_str())?;
        let own = own.map_or_else(|| "BINARY".to_owned(), |name| name.to_string_lossy().into_owned());
        // The row id itself has no index.
        let mut found = indexed.query([&table.name, column])?;
        let collation = found.next()?.map(|row| row.get(0)).transpose()?.unwrap_or_else(|| own.clone());
        let is_own = own.eq_ignore_ascii_case(&collation);
        Ok(Key { column: column.clone(), collation, is_own })
    };
    table.primary_key.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_as_a_tree() {
        let texts = ["a", "b", "c", "d", "e"].map(str::to_owned);
        assert_eq!(joined(&texts, " || "), "((a || b) || (c || (d || e)))");
        assert_eq!(joined(&texts[..1], " || "), "a");
    }
}
