//! Counts what was tried and how it ended. A case that goes wrong does not keep the others from being tried; the kind
//! fails in the end, with the seed that repeats it. The table is in `target/tmp/campaign.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::harness::{Done, Place};

/// The columns of the table: how a process can end.
const ENDINGS: [&str; 6] = ["PASS", "FAIL", "UNKNOWN", "refused", "interrupted", "killed"];

/// The rows of all kinds that were tried in this process.
static ROWS: Mutex<BTreeMap<&'static str, Row>> = Mutex::new(BTreeMap::new());

/// What came of one kind of disturbance.
#[derive(Default)]
struct Row {
    cases: u64,
    endings: BTreeMap<&'static str, u64>,
    longest: Duration,
    wrong: Vec<String>,
}

/// One case, with its own random numbers.
pub(crate) struct Case<'a> {
    /// Counted from 0.
    pub(crate) number: u64,
    dice: ChaCha8Rng,
    row: &'a mut Row,
}

impl Case<'_> {
    /// A number below this one.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.dice.random_range(0..end)
    }

    /// A moment within this many milliseconds.
    pub(crate) fn moment(&mut self, milliseconds: u64) -> Duration {
        Duration::from_millis(self.below(milliseconds))
    }

    /// Takes a turn: every case the next.
    pub(crate) fn turn<T: Copy>(&self, of: &[T]) -> T {
        let length = u64::try_from(of.len()).expect("few");
        of[usize::try_from(self.number % length).expect("few")]
    }

    /// Counts how a process ended.
    pub(crate) fn ended(&mut self, done: &Done) {
        let ending = match done.code {
            Some(0) => "PASS",
            Some(1) => "FAIL",
            Some(4) => "UNKNOWN",
            Some(130) => "interrupted",
            Some(_) => "refused",
            None => "killed",
        };
        *self.row.endings.entry(ending).or_default() += 1;
    }

    /// Notes how long something lasted beyond its limit.
    pub(crate) fn late(&mut self, by: Duration) {
        self.row.longest = self.row.longest.max(by);
    }
}

/// How often what is tried `short` times in a short campaign is tried in this one.
pub(crate) fn times(short: u64) -> u64 {
    short * number("STRESS_CAMPAIGN", 1)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not `{text}`")))
}

/// Tries a kind of disturbance so often, and tells in the end of all cases that went wrong.
pub(crate) fn campaign(kind: &'static str, cases: u64, mut case: impl FnMut(&mut Case<'_>)) {
    let seed = number("STRESS_CAMPAIGN_SEED", 7);
    let mut row = Row { cases, ..Row::default() };
    for number in 0..cases {
        let name = kind.bytes().fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let dice = ChaCha8Rng::seed_from_u64(name.wrapping_add(number << 32));
        let mut one = Case { number, dice, row: &mut row };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(&mut one))) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            row.wrong.push(format!("case {number}: {}", text.unwrap_or_default()));
        }
    }
    let wrong = row.wrong.join("\n\n");
    keep(kind, row);
    assert!(wrong.is_empty(), "{kind}, STRESS_CAMPAIGN_SEED={seed}:\n{wrong}");
    assert!(documented().contains(kind), "`stress help tried` does not name `{kind}`");
}

/// The page about the campaign, in one line.
fn documented() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let done = Place::new().stress(&["help", "tried"]).done().exits(0);
        done.out.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

/// Adds a kind to the table, and writes the table again.
#[expect(clippy::print_stdout, reason = "with --nocapture, the table is to be seen")]
fn keep(kind: &'static str, row: Row) {
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    rows.insert(kind, row);
    let text = table(&rows);
    let file = format!("{}/campaign.txt", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(file, &text).expect("there is room for the table");
    println!("{text}");
}

fn table(rows: &BTreeMap<&'static str, Row>) -> String {
    let mut text = format!("{:<58}{:>6}", "kind", "cases");
    for ending in ENDINGS {
        let _ = write!(text, "{ending:>12}");
    }
    let _ = writeln!(text, "{:>12}{:>7}", "late by", "wrong");
    for (kind, row) in rows {
        let _ = write!(text, "{kind:<58}{:>6}", row.cases);
        for ending in ENDINGS {
            let _ = write!(text, "{:>12}", row.endings.get(ending).copied().unwrap_or_default());
        }
        let late = format!("{:.2} s", row.longest.as_secs_f64());
        let _ = writeln!(text, "{late:>12}{:>7}", row.wrong.len());
    }
    text
}
