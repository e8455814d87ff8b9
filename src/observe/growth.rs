//! How large a database is at the end of an iteration: rows, what sync keeps beside them, file and write-ahead log. Read
//! on a connection of its own, in some of the iterations only.

use std::path::Path;

use rusqlite::Connection;

use super::queries::first_of;
use crate::plan::Plan;
use crate::record::{GrowthSample, TableSize};
use crate::session::{Session, open_reader};
use crate::sql::quote;

/// Iterations that are looked at, about.
const SAMPLES: u64 = 50;

/// Whether an iteration is looked at: the first, the last, and evenly between.
pub(crate) fn is_due(iteration: u64, iterations: u64) -> bool {
    let every = iterations.div_ceil(SAMPLES).max(1);
    iteration == iterations || (iteration - 1).is_multiple_of(every)
}

/// A driver's database as it is, asked over its session: its engine need not let others read the file.
pub(crate) fn sample_over(session: &Session, plan: &Plan, file: &Path, iteration: u64) -> Option<GrowthSample> {
    let tables = plan.tables.iter().map(|table| {
        let answer = session.query(&format!("SELECT count(*) FROM {}", quote(&table.name))).ok()?;
        let rows = first_of(&answer).0.as_u64()?;
        Some(TableSize { table: table.name.clone(), rows, metadata: None })
    });
    let tables = tables.collect::<Option<_>>()?;
    Some(GrowthSample { iteration, file: size(file, ""), wal: size(file, "-wal"), tables })
}

/// The database as it is; nothing when it cannot be read at this moment.
pub(crate) fn sample(plan: &Plan, file: &Path, iteration: u64) -> Option<GrowthSample> {
    // Sizes first: the last connection to close empties the log.
    let (size, wal) = (size(file, ""), size(file, "-wal"));
    let reader = open_reader(file, "").ok()?;
    let tables = plan.tables.iter().map(|table| {
        let rows = count(&reader, &table.name)?;
        let metadata = count(&reader, &format!("{}_cloudsync", table.name));
        Some(TableSize { table: table.name.clone(), rows, metadata })
    });
    Some(GrowthSample { iteration, file: size, wal, tables: tables.collect::<Option<_>>()? })
}

/// The size of a file, or of the one beside it.
pub(super) fn size(file: &Path, suffix: &str) -> u64 {
    let mut name = file.to_path_buf().into_os_string();
    name.push(suffix);
    std::fs::metadata(name).map_or(0, |file| file.len())
}

fn count(reader: &Connection, table: &str) -> Option<u64> {
    let sql = format!("SELECT count(*) FROM main.{}", quote(table));
    reader.query_row(&sql, [], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_iteration_are_looked_at_and_about_fifty_between() {
        for iterations in [1, 2, 5, 49, 50, 51, 999, 1_000_000] {
            assert!(is_due(1, iterations) && is_due(iterations, iterations), "{iterations}");
            let due = (1..=iterations).filter(|iteration| is_due(*iteration, iterations)).count();
            assert!(due <= 51 && (due as u64 >= iterations.min(25)), "{due} of {iterations}");
        }
    }
}
