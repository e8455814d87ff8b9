//! A map of the failures: one row per database, one column per iteration; neighbours are combined if there are many.

use std::collections::BTreeMap;

use minijinja::{Value, context};

use crate::figure::{counted, thousands};
use crate::record::Record;

/// The maximum number of rows and of columns.
const ROWS: usize = 40;
const COLUMNS: usize = 30;
/// The number of shades.
const SHADES: f64 = 5.0;

/// The map for the page's template; `None` if nothing failed.
pub(super) fn map(record: &Record, databases: u64, iterations: u64) -> Option<Value> {
    let mut failures: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let rows = Bands::of(databases, ROWS);
    let columns = Bands::of(iterations, COLUMNS);
    let mut outside = false;
    for worker in &record.workers {
        for event in worker.events.iter().filter(|event| !event.failures.is_empty()) {
            // Column 0 holds the failures before the first iteration and after the last.
            let column = if event.iteration == 0 { 0 } else { 1 + columns.band(event.iteration) };
            outside |= column == 0;
            *failures.entry((rows.band(u64::from(worker.database)), column)).or_default() +=
                event.failures.len() as u64;
        }
    }
    let most = failures.values().copied().max()?;
    // A few failures do not make a dark field, even if no other field has more.
    let shade = |number: u64| ((number as f64).ln_1p() / (most.max(10) as f64).ln_1p() * SHADES).ceil();
    let shown: Vec<usize> = (usize::from(!outside)..=columns.number).collect();
    let cell = |row: usize, column: usize| {
        let number = failures.get(&(row, column)).copied().unwrap_or_default();
        let reached = column == 0 || reached(record, &rows, row, columns.first(column - 1));
        context! { text => if number > 0 { thousands(number) } else { String::new() }, shade => shade(number), reached }
    };
    let lines: Vec<Value> = (0..rows.number)
        .map(|row| {
            let cells: Vec<Value> = shown.iter().map(|column| cell(row, *column)).collect();
            context! { name => rows.name(row), cells }
        })
        .collect();
    let header: Vec<String> = shown
        .iter()
        .map(|column| column.checked_sub(1).map_or_else(|| "outside".to_owned(), |band| columns.name(band)))
        .collect();
    let together: Vec<String> = [(&rows, "database"), (&columns, "iteration")]
        .into_iter()
        .filter(|(bands, _)| bands.size > 1)
        .map(|(bands, noun)| counted(bands.size, noun))
        .collect();
    let note = if together.is_empty() { String::new() } else { format!("one field is {}", together.join(" by ")) };
    Some(context! { header, lines, note, most => thousands(most) })
}

/// Whether any database of a row reached an iteration.
fn reached(record: &Record, rows: &Bands, row: usize, iteration: u64) -> bool {
    let of_row = record.workers.iter().filter(|worker| rows.band(u64::from(worker.database)) == row);
    of_row.into_iter().any(|worker| {
        worker.iterations >= iteration || worker.events.iter().rev().any(|event| event.iteration >= iteration)
    })
}

/// The numbers from 1 on, in bands of equal size.
struct Bands {
    last: u64,
    size: u64,
    number: usize,
}

impl Bands {
    fn of(last: u64, most: usize) -> Self {
        let last = last.max(1);
        let size = last.div_ceil(most as u64);
        Self { last, size, number: usize::try_from(last.div_ceil(size)).unwrap_or(most) }
    }

    fn band(&self, number: u64) -> usize {
        usize::try_from((number.clamp(1, self.last) - 1) / self.size).unwrap_or_default()
    }

    fn first(&self, band: usize) -> u64 {
        band as u64 * self.size + 1
    }

    fn name(&self, band: usize) -> String {
        let (first, last) = (self.first(band), (self.first(band) + self.size - 1).min(self.last));
        if first == last { first.to_string() } else { format!("{first}–{last}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_band() {
        for (last, most) in [(1, 40), (40, 40), (41, 40), (1000, 40), (7, 3)] {
            let bands = Bands::of(last, most);
            assert!(bands.number <= most);
            for number in 1..=last {
                let band = bands.band(number);
                assert!(bands.first(band) <= number && number < bands.first(band) + bands.size);
            }
            assert_eq!(bands.band(last) + 1, bands.number);
        }
        assert_eq!(Bands::of(1000, 40).name(39), "976–1000");
    }
}
