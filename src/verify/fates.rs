//! Sentences about the rows that differ: what happened to them.

use std::collections::BTreeMap;

use super::traced::{RowState, TracedRow};
use crate::figure::{counted, list};
use crate::record::{CellClock, RowDifference};

/// The maximum number of groups of rows in a finding.
const MOST_GROUPS: usize = 6;

/// Sentences about rows. Rows with the same fate share a sentence.
pub(super) fn in_words(rows: &[TracedRow], total: u64) -> Vec<String> {
    let mut groups: BTreeMap<(RowState, &str, &str), u64> = BTreeMap::new();
    for row in rows {
        *groups.entry((row.state, &row.words, &row.of)).or_default() += 1;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = groups.len().saturating_sub(MOST_GROUPS);
    let mut sentences: Vec<String> = groups
        .into_iter()
        .take(MOST_GROUPS)
        .map(|((state, words, of), count)| {
            let of = if of.is_empty() { String::new() } else { format!(" {of}") };
            format!("{}{of}: {words} ({})", counted(count, "row"), state.as_str())
        })
        .collect();
    if more > 0 {
        sentences.push(format!("and {} with fewer rows", counted(more as u64, "other group")));
    }
    if (rows.len() as u64) < total && !sentences.is_empty() {
        sentences.insert(0, format!("{} of {} were examined:", rows.len(), counted(total, "row")));
    }
    sentences
}

/// Sentences about the clocks of a row's cells, for cells in which the databases disagree.
pub(super) fn clocks(row: &RowDifference) -> Vec<String> {
    let mut columns: BTreeMap<&str, Vec<&CellClock>> = BTreeMap::new();
    for clock in &row.clocks {
        columns.entry(&clock.column).or_default().push(clock);
    }
    let told = |(column, clocks): (&str, Vec<&CellClock>)| {
        let same =
            |a: &CellClock, b: &CellClock| (a.col_version, &a.site_id, a.cl) == (b.col_version, &b.site_id, b.cl);
        if clocks.windows(2).all(|pair| same(pair[0], pair[1])) {
            return None;
        }
        let sides: Vec<String> = clocks
            .iter()
            .map(|clock| {
                format!(
                    "database {} has col_version {}, db_version {}, cl {}, seq {} of site {}",
                    clock.database,
                    clock.col_version,
                    clock.db_version,
                    clock.cl,
                    clock.seq,
                    clock.site_id.get(..8).unwrap_or(&clock.site_id),
                )
            })
            .collect();
        Some(format!("{} {column}: {}", row.key, list(&sides)))
    };
    columns.into_iter().filter_map(told).collect()
}
