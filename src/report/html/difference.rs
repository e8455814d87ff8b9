//! A row that differs between holders, cell by cell: the cells that agree, and those that do not.

use minijinja::{Value, context};

use crate::figure::counted;
use crate::report::rows::{names, versions};
use crate::report::text::{cut, plain};
use crate::verify::TracedRow;

/// The maximum length of a cell, in characters; `report.json` has the full cell.
const LONGEST_CELL: usize = 200;
/// The maximum number of versions of a row, and of cells.
const MOST: usize = 8;
const MOST_CELLS: usize = 30;

/// A row for the page's template: one version per line, with marks on the cells that differ from the first version.
pub(super) fn row(traced: &TracedRow) -> Value {
    let mut versions = versions(&traced.row);
    // The version with the most holders comes first, and the others are compared with it.
    versions.sort_by_key(|(version, holders)| (version.is_none(), std::cmp::Reverse(holders.len())));
    let common: Vec<String> = versions.first().and_then(|(row, _)| *row).map(cells).unwrap_or_default();
    let beyond = versions.len().saturating_sub(MOST) as u64;
    let versions: Vec<Value> = versions
        .iter()
        .take(MOST)
        .map(|(row, holders)| {
            let cells: Option<Vec<Value>> = row.map(|row| {
                let marked = |(at, cell): (usize, String)| {
                    let other = common.get(at) != Some(&cell);
                    context! { text => cut(&plain(&cell), LONGEST_CELL), other }
                };
                cells(row).into_iter().enumerate().take(MOST_CELLS).map(marked).collect()
            });
            context! { holders => names(holders), cells }
        })
        .collect();
    context! {
        key => plain(&traced.row.key),
        state => traced.state.as_str(),
        of => traced.of.clone(),
        words => plain(&traced.words),
        versions,
        beyond => (beyond > 0).then(|| format!("and {}", counted(beyond, "other version"))),
    }
}

/// The cells of a row of SQL literals, separated by commas outside quotes.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in row.chars() {
        quoted ^= c == '\'';
        match (c, quoted, cells.last_mut()) {
            (',', false, _) => cells.push(String::new()),
            (c, _, Some(cell)) if c != ' ' || quoted || !cell.is_empty() => cell.push(c),
            (_, _, _) => {}
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::cells;

    #[test]
    fn a_comma_within_quotes_is_no_border() {
        assert_eq!(cells("'db1_r1_1', 'a, ''b'', c', 5, NULL"), ["'db1_r1_1'", "'a, ''b'', c'", "5", "NULL"]);
        assert_eq!(cells(""), [""]);
    }
}
