//! What a database file holds: digests of its tables, and which of its rows a user may see.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use xxhash_rust::xxh3::xxh3_128;

use super::columns::{list_of, other_columns};
use super::written::Left;
use crate::ledger::RowForm;
use crate::plan::{Plan, TablePlan};
use crate::record::TableState;
use crate::session::encode;
use crate::sql::quote;

/// Which rows of a table are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// All of them.
    All,
    /// Those that the select policy allows.
    Allowed,
    /// Those that the select policy forbids.
    Forbidden,
}

/// `FROM … WHERE …` for the rows meant. Those that a filter keeps out of sync are never meant.
pub(super) fn source(plan: &Plan, table: &TablePlan, rows: Rows) -> String {
    source_in(plan, table, rows, "main")
}

/// The same, of an attached database.
pub(super) fn source_in(plan: &Plan, table: &TablePlan, rows: Rows, schema: &str) -> String {
    let name = format!("{schema}.{}", quote(&table.name));
    let policy = table.policies.as_ref().and_then(|policies| policies.select.as_deref());
    // No policy denies, and an unknown result is not a permission.
    let policy = policy.unwrap_or("0");
    let filter = table.filter.as_deref().map(|filter| format!("({filter})"));
    let meant = match rows {
        Rows::Allowed if plan.rls => Some(format!("({policy})")),
        Rows::Forbidden if plan.rls => Some(format!("NOT coalesce(({policy}), 0)")),
        Rows::Forbidden => Some("0".to_owned()),
        Rows::All | Rows::Allowed => None,
    };
    let conditions: Vec<String> = meant.into_iter().chain(filter).collect();
    if conditions.is_empty() {
        format!("FROM {name}")
    } else {
        format!("FROM {name} WHERE {}", conditions.join(" AND "))
    }
}

/// The tables of a database in a nutshell, as the connection's user may see them.
pub(super) fn tables(connection: &Connection, plan: &Plan, rows: Rows) -> rusqlite::Result<Vec<TableState>> {
    plan.tables.iter().map(|table| state(connection, plan, table, rows)).collect()
}

// Whole, so that its instructions can be counted.
#[inline(never)]
fn state(connection: &Connection, plan: &Plan, table: &TablePlan, rows: Rows) -> rusqlite::Result<TableState> {
    if let Some(columns) = other_columns(connection, table)? {
        return other_state(connection, plan, table, rows, columns);
    }
    // In whatever order SQLite reads them fastest.
    let sql = format!("SELECT {} {}", list_of(&table.columns), source(plan, table, rows));
    let mut statement = connection.prepare(&sql)?;
    let columns = statement.column_count();
    let mut digest = 0_u128;
    let mut encoded = Vec::new();
    let mut count = 0;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        encoded.clear();
        for column in 0..columns {
            encode(row.get_ref(column)?, &mut encoded);
        }
        digest = digest.wrapping_add(xxh3_128(&encoded));
        count += 1;
    }
    let digest = format!("{digest:032x}");
    Ok(TableState {
        table: table.name.clone(),
        rows: count,
        digest,
        columns: Vec::new(),
        forbidden: 0,
        leaked: None,
        lapsed: 0,
        left_out: 0,
    })
}

/// A table that has other columns than those that are compared.
fn other_state(
    connection: &Connection,
    plan: &Plan,
    table: &TablePlan,
    rows: Rows,
    columns: Vec<String>,
) -> rusqlite::Result<TableState> {
    let sql = format!("SELECT count(*) {}", source(plan, table, rows));
    let rows = connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let digest = format!("{:032x}", xxh3_128(columns.join("\n").as_bytes()));
    let table = table.name.clone();
    Ok(TableState { table, rows, digest, columns, forbidden: 0, leaked: None, lapsed: 0, left_out: 0 })
}

/// The tables of a user's own database: what the user may see, and how many rows are there that the user may not. What
/// denied writes left behind counts as what the server has instead.
pub(super) fn own_tables(
    connection: &Connection,
    plan: &Plan,
    behind: Option<&HashMap<u128, Left>>,
) -> rusqlite::Result<Vec<TableState>> {
    let mut states = match behind {
        None => tables(connection, plan, Rows::Allowed)?,
        Some(behind) => without(connection, plan, behind)?,
    };
    for (state, table) in states.iter_mut().zip(&plan.tables).filter(|_| plan.rls) {
        let sql = format!("SELECT count(*) {}", source(plan, table, Rows::Forbidden));
        state.forbidden = connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    }
    Ok(states)
}

/// The tables as the connection's user may see them, where denied writes left something behind.
fn without(connection: &Connection, plan: &Plan, behind: &HashMap<u128, Left>) -> rusqlite::Result<Vec<TableState>> {
    let forms = RowForm::all(&plan.tables);
    let places = 0..plan.tables.len();
    let table = |place: usize| match other_columns(connection, &plan.tables[place])? {
        None => table_without(connection, &plan.tables[place], &forms[place], place, behind),
        Some(columns) => other_state(connection, plan, &plan.tables[place], Rows::Allowed, columns),
    };
    places.map(table).collect()
}

fn table_without(
    connection: &Connection,
    table: &TablePlan,
    form: &RowForm,
    place: usize,
    behind: &HashMap<u128, Left>,
) -> rusqlite::Result<TableState> {
    let (mut digest, mut rows, mut left_out) = (0_u128, 0, 0);
    let mut gone: HashSet<u128> = behind.keys().copied().filter(|key| RowForm::table_of(*key) == place).collect();
    let policy = table.policies.as_ref().and_then(|policies| policies.select.as_deref()).unwrap_or("0");
    let filter = table.filter.as_deref().unwrap_or("1");
    let columns = list_of(&table.columns);
    let sql = format!("SELECT coalesce(({policy}), 0), {columns} FROM main.{} WHERE ({filter})", quote(&table.name));
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query([])?;
    let (mut encoded, mut buffer) = (Vec::new(), Vec::new());
    while let Some(row) = found.next()? {
        // A column that the statement names is there.
        let value = |column: usize| row.get_ref(column + 1).unwrap_or(ValueRef::Null);
        let (own, key) = (form.encode(value, &mut encoded), form.key(value, &mut buffer));
        gone.remove(&key);
        let left = behind.get(&key).filter(|left| left.is(Some(&encoded)));
        left_out += u64::from(left.is_some_and(Left::is_unknown));
        let counted = match left {
            Some(left) => left.instead,
            None => row.get::<_, bool>(0)?.then_some(own),
        };
        digest = digest.wrapping_add(counted.unwrap_or_default());
        rows += u64::from(counted.is_some());
    }
    for instead in gone.iter().filter_map(|key| behind.get(key).filter(|left| left.is(None))?.instead) {
        digest = digest.wrapping_add(instead);
        rows += 1;
    }
    let digest = format!("{digest:032x}");
    let (table, columns) = (table.name.clone(), Vec::new());
    Ok(TableState { table, rows, digest, columns, forbidden: 0, leaked: None, lapsed: 0, left_out })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_digest_is_that_of_the_rows_and_not_of_their_order() {
        let sql = "CREATE TABLE t (id TEXT PRIMARY KEY, a, b)";
        let scenario = serde_json::json!({
            "version": 1, "name": "digests", "schema": {"tables": [{"name": "t", "sql": sql}]},
            "phases": [{"name": "delete", "kind": "delete", "sql": "DELETE FROM t", "sync": ["send"]}],
        });
        let (plan, _) =
            Plan::new(&serde_json::from_value(scenario).expect("a scenario"), &crate::plan::Grant::default())
                .expect("a plan");
        let digest = |rows: &str| {
            let connection = Connection::open_in_memory().expect("memory");
            connection.execute_batch(sql).expect("a table");
            if !rows.is_empty() {
                connection.execute_batch(&format!("INSERT INTO t VALUES {rows}")).expect("rows");
            }
            tables(&connection, &plan, Rows::All).expect("a digest").remove(0).digest
        };
        assert_eq!(
            digest("('x', 1, 2), ('y', 3, 4), ('z', NULL, '')"),
            digest("('z', NULL, ''), ('y', 3, 4), ('x', 1, 2)")
        );
        let all = [
            "",
            "('x', 1, 2), ('y', 3, 4)",
            "('x', 3, 4), ('y', 1, 2)",
            "('x', 1, 4), ('y', 3, 2)",
            "('x', 1, 2), ('y', 3, 5)",
            "('x', 1, 2)",
            "('x', '1', 2)",
            "('x', 1.0, 2)",
            "('x', x'31', 2)",
            "('x', NULL, 2)",
            "('x', '', 2)",
            "('x', 2, 1)",
            "('xa', 'b', '')",
            "('x', 'ab', '')",
        ];
        let digests: BTreeSet<String> = all.into_iter().map(digest).collect();
        assert_eq!(digests.len(), all.len());
    }
}
