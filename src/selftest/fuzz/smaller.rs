//! Making a scenario smaller: what can be left out of it, and how long leaving out is tried.

use super::made::{Made, Phase, Work};
use crate::scenario::OpenPolicy;

/// The smallest scenario that still fails in the same way, found by at most `runs` tries. `fails` makes a run.
pub(crate) fn shrink(made: &Made, runs: usize, mut fails: impl FnMut(&Made) -> bool) -> Made {
    let mut small = made.clone();
    let mut left = runs;
    let mut again = true;
    while again {
        again = false;
        let mut at = 0;
        // After a success the same place of the smaller list comes next: what failed to go before it is not tried again.
        while let Some(candidate) = smaller(&small).into_iter().nth(at) {
            if left == 0 {
                return small;
            }
            left -= 1;
            if fails(&candidate) {
                small = candidate;
                again = true;
            } else {
                at += 1;
            }
        }
    }
    small
}

/// Every scenario with one thing less, those first that lack most.
fn smaller(made: &Made) -> Vec<Made> {
    let mut all = without_phases(made);
    all.extend(without_tables(made));
    all.extend(changed(made));
    all.extend(without_columns(made));
    all.extend(simpler_phases(made));
    all.retain(|candidate| candidate != made && !candidate.phases.is_empty() && !candidate.tables.is_empty());
    all
}

fn with(made: &Made, change: impl FnOnce(&mut Made)) -> Made {
    let mut other = made.clone();
    change(&mut other);
    other
}

fn without_phases(made: &Made) -> Vec<Made> {
    (0..made.phases.len()).rev().map(|at| with(made, |made| _ = made.phases.remove(at))).collect()
}

fn without_tables(made: &Made) -> Vec<Made> {
    let without = |at: usize| {
        with(made, |made| {
            made.tables.remove(at);
            made.phases.retain(|phase| phase.table != at);
            made.phases.iter_mut().filter(|phase| phase.table > at).for_each(|phase| phase.table -= 1);
        })
    };
    (0..made.tables.len()).rev().map(without).collect()
}

/// What belongs to the scenario as a whole.
fn changed(made: &Made) -> Vec<Made> {
    // A planted fault needs its policies and users.
    let is_clean = made.planted.is_none();
    let mut all = vec![
        with(made, |made| made.iterations = 1),
        with(made, |made| made.databases = made.databases.min(made.per_user.max(1) + 1)),
        with(made, |made| made.pragmas.clear()),
        with(made, |made| (made.writers, made.journal) = (None, None)),
        with(made, |made| made.open = OpenPolicy::default()),
        with(made, |made| made.bootstrap = false),
        with(made, |made| made.query = false),
        with(made, |made| made.teardown = false),
        with(made, |made| made.tables.iter_mut().for_each(|table| table.check = false)),
        with(made, |made| made.tables.iter_mut().for_each(|table| table.strict = false)),
        with(made, |made| made.tables.iter_mut().for_each(|table| table.without_rowid = false)),
        with(made, |made| made.tables.iter_mut().for_each(|table| table.extras.clear())),
        with(made, |made| made.phases.iter_mut().for_each(|phase| phase.rows = 1)),
        with(made, |made| made.phases.iter_mut().for_each(|phase| phase.rows = phase.rows.min(15))),
    ];
    if is_clean {
        all.push(with(made, |made| made.databases = 2));
        all.push(with(made, |made| made.policy = None));
        all.push(with(made, |made| made.per_user = 1));
    }
    for (at, table) in made.tables.iter().enumerate() {
        let named = |name: &str| with(made, |made| name.clone_into(&mut made.tables[at].name));
        if table.name != format!("t{at}") {
            all.push(named(&format!("t{at}")));
        }
        all.push(with(made, |made| {
            let table = &mut made.tables[at];
            table.key_names = ["id".to_owned(), "part".to_owned()];
            "n".clone_into(&mut table.number);
        }));
        all.push(with(made, |made| made.tables[at].key = super::made::Key::Id));
        all.push(with(made, |made| made.tables[at].clause = ")"));
        let extras = 0..table.extras.len();
        all.extend(extras.map(|extra| with(made, |made| _ = made.tables[at].extras.remove(extra))));
    }
    all
}

fn without_columns(made: &Made) -> Vec<Made> {
    let mut all = Vec::new();
    for (at, table) in made.tables.iter().enumerate() {
        let count = table.columns.len();
        if count > 4 {
            all.push(with(made, |made| made.tables[at].columns.truncate(count / 2)));
            all.push(with(made, |made| _ = made.tables[at].columns.drain(..count / 2)));
        }
        if count <= 12 {
            all.extend((0..count).map(|column| with(made, |made| _ = made.tables[at].columns.remove(column))));
            all.extend(
                (0..count).map(|column| with(made, |made| made.tables[at].columns[column].name = format!("c{column}"))),
            );
        }
    }
    all
}

fn simpler_phases(made: &Made) -> Vec<Made> {
    let change = |at: usize, change: &dyn Fn(&mut Phase)| with(made, |made| change(&mut made.phases[at]));
    let mut all = Vec::new();
    for (at, phase) in made.phases.iter().enumerate() {
        all.push(change(at, &|phase| phase.barrier = false));
        all.push(change(at, &|phase| phase.repeat = None));
        all.push(change(at, &|phase| phase.transaction = None));
        all.push(change(at, &|phase| phase.expect_rows = false));
        if !matches!(phase.work, Work::Hostile(_)) {
            all.push(change(at, &|phase| phase.when = None));
        }
        all.extend((0..phase.sync.len()).rev().map(|call| change(at, &|phase| _ = phase.sync.remove(call))));
    }
    all
}
