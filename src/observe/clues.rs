//! What else can be learnt about the rows that differ: whether they still wait to be sent, whether the server remembers
//! their deletion, and what the extension's clocks say. Best effort: what cannot be asked stays unknown.

use std::collections::HashSet;

use super::extension;
use super::subject::Subject;
use crate::plan::TablePlan;
use crate::record::{Difference, Holder, RowDifference, Tombstones};
use crate::session::open_reader;
use crate::sql::quote;

/// Rows of a table whose clocks are looked at.
const CLOCKED_ROWS: usize = 5;
/// Databases whose clocks are looked at.
const CLOCKED_DATABASES: usize = 4;

/// Adds what can be learnt about a table's differing rows.
pub(super) fn gather(subject: &Subject<'_>, table: &TablePlan, difference: &mut Difference) {
    let databases: Vec<u32> = difference.rows.first().map_or_else(Vec::new, |row| {
        let index = |holder| match holder {
            Holder::Database(index) => Some(index),
            Holder::Server | Holder::Bootstrap => None,
        };
        row.holders.iter().filter_map(|held| index(held.holder)).collect()
    });
    let real = subject.target.facts.kind.loads_the_extension();
    for database in &databases {
        let waiting = if real {
            extension::waiting(subject, *database, table, &difference.rows)
        } else {
            waiting(subject, *database, table, &difference.rows)
        };
        let Some(waiting) = waiting else { continue };
        for row in &mut difference.rows {
            let held = row.holders.iter_mut().find(|held| held.holder == Holder::Database(*database));
            if let Some(held) = held {
                held.unsent = Some(waiting.contains(&row.key));
            }
        }
    }
    let buried = if real {
        extension::buried(subject, table, &difference.rows)
    } else {
        buried(subject, table, &difference.rows)
    };
    if let Some(buried) = buried {
        for row in &mut difference.rows {
            row.tombstone = Some(buried.contains(&row.key));
        }
    }
    if real {
        for row in difference.rows.iter_mut().take(CLOCKED_ROWS) {
            for database in databases.iter().take(CLOCKED_DATABASES) {
                row.clocks.extend(extension::clocks(subject, *database, table, &row.key).unwrap_or_default());
            }
        }
    }
}

/// SQL for those of the rows' keys that a bookkeeping table has, in the form in which the rows have them.
fn keys_sql(companion: &str, table: &TablePlan, rows: &[RowDifference]) -> String {
    let places = 1..=table.primary_key.len();
    let names: Vec<String> = places.clone().map(|at| format!("k{at}")).collect();
    // The sign takes the affinity of a `CAST` away.
    let same: Vec<String> = places.map(|at| format!("c.cs_pk{at} = +keys.k{at}")).collect();
    let keys: Vec<String> =
        rows.iter().map(|row| format!("('{}', {})", row.key.replace('\'', "''"), row.key)).collect();
    format!(
        "WITH keys(k, {}) AS (VALUES {}) SELECT DISTINCT k FROM keys CROSS JOIN {} AS c ON {}",
        names.join(", "),
        keys.join(", "),
        quote(companion),
        same.join(" AND "),
    )
}

/// Those of the rows' keys that wait to be sent in a database of the embedded target.
fn waiting(subject: &Subject<'_>, database: u32, table: &TablePlan, rows: &[RowDifference]) -> Option<HashSet<String>> {
    let reader = open_reader(&subject.database_file(database), "").ok()?;
    let companion = format!("{}_cloudsync", table.name);
    // A name in double quotes that is no column would be a text: then nothing would wait, and that would be a lie.
    reader.prepare(&format!("SELECT cs_pk1 FROM {} LIMIT 0", quote(&companion))).ok()?;
    let mut statement = reader.prepare(&keys_sql(&companion, table, rows)).ok()?;
    statement.query_map([], |row| row.get(0)).ok()?.collect::<rusqlite::Result<_>>().ok()
}

/// Those of the rows' keys whose deletion the embedded target's server remembers.
fn buried(subject: &Subject<'_>, table: &TablePlan, rows: &[RowDifference]) -> Option<HashSet<String>> {
    let (admin, database) = subject.target.admin.as_ref()?;
    let companion = format!("{}_cloudsync_tombstones", table.name);
    admin.sql(Some(database), &format!("SELECT cs_pk1 FROM {} LIMIT 1", quote(&companion))).ok()?;
    let found = admin.sql(Some(database), &keys_sql(&companion, table, rows)).ok()?;
    Some(found.iter().filter_map(|row| row.get("k")?.as_str().map(str::to_owned)).collect())
}

/// How many deletions the server remembers, of the tables for which it can say.
pub(super) fn tombstones(subject: &Subject<'_>) -> Vec<Tombstones> {
    let Some((admin, database)) = &subject.target.admin else { return Vec::new() };
    let count = |sql: &str| admin.sql(Some(database), sql).ok()?.first()?.get("n")?.as_u64();
    let of = |table: &TablePlan| {
        let own = quote(&format!("{}_cloudsync_tombstones", table.name));
        let rows = count(&format!("SELECT count(*) AS n FROM {own}"))
            .or_else(|| count(&extension::dead_rows_sql(&table.name)))?;
        Some(Tombstones { table: table.name.clone(), rows })
    };
    subject.plan.tables.iter().filter_map(of).collect()
}
