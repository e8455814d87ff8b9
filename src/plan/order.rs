//! In what order the steps run, and so which tables each of them meets. Without `alter` steps, all meet the same. With
//! them, a step is looked at in every state of the tables in which a database comes to it: `when` can have some databases
//! alter a table, or a later iteration. It must not know what a step does.

use std::ops::RangeInclusive;

use super::draft::Draft;
use super::scale::{ScalePlan, user_id};
use super::table::TablePlan;
use super::tables::Tables;
use super::{DatabasePlan, StepPlan};
use crate::scenario::{Issue, Step};
use crate::template::Expression;

/// The most times that a `when` is asked.
const MOST: u64 = 100_000;
/// The iteration of what is not repeated with the phases.
const ONCE: RangeInclusive<u64> = 0..=0;

/// A step as written.
pub(super) struct Written<'s> {
    /// `/setup`, `/phases` or `/teardown`.
    pub(super) list: &'static str,
    pub(super) index: usize,
    pub(super) step: &'s Step,
}

impl Written<'_> {
    fn is_repeated(&self) -> bool {
        self.list == "/phases"
    }

    /// The condition; none where there is none, and where it is wrong, which is told elsewhere.
    fn when(&self) -> Option<Expression> {
        self.step.when.as_ref().and_then(|source| Expression::compile(source).ok())
    }
}

/// What decides a step against the tables as they are.
pub(super) type Decide = fn(&mut Draft<'_>, &Tables, &mut [TablePlan], &Written<'_>) -> Option<StepPlan>;

/// Databases that alter their tables in the same iterations.
struct Group<'p> {
    /// For each `alter` step, by its place among all steps: the iteration in which it runs, if it does.
    turns: Vec<(usize, Option<u64>)>,
    databases: Vec<&'p DatabasePlan>,
}

/// Decides all steps. Afterwards, `tables` and `plans` have the tables as the first database has them in the end.
pub(super) fn decide(
    draft: &mut Draft<'_>,
    written: &[Written<'_>],
    scale: &ScalePlan,
    (tables, plans): (&Tables, &mut [TablePlan]),
    decide: Decide,
) -> Vec<Option<StepPlan>> {
    let mut course = Course {
        written,
        decide,
        iterations: scale.iterations.unwrap_or(1),
        tables,
        decided: written.iter().map(|_| None).collect(),
    };
    let groups = course.groups(draft, &scale.databases);
    // The first database comes last: the tables stay as it has them.
    for (place, group) in groups.iter().enumerate().rev() {
        for plan in plans.iter_mut() {
            plan.alters.clear();
        }
        if place > 0 {
            course.in_passing(draft, |course, draft| course.walk(draft, plans, group));
        } else {
            course.walk(draft, plans, group);
        }
    }
    course.leftovers(draft, plans);
    // What was found in several states is told once.
    let mut seen: Vec<Issue> = Vec::new();
    for issue in draft.issues.drain(..) {
        if !seen.iter().any(|known| (&known.pointer, &known.message) == (&issue.pointer, &issue.message)) {
            seen.push(issue);
        }
    }
    draft.issues = seen;
    course.decided
}

struct Course<'a> {
    written: &'a [Written<'a>],
    decide: Decide,
    iterations: u64,
    tables: &'a Tables,
    decided: Vec<Option<StepPlan>>,
}

impl Course<'_> {
    /// The databases by what they alter when.
    fn groups<'p>(&self, draft: &mut Draft<'_>, databases: &'p [DatabasePlan]) -> Vec<Group<'p>> {
        let mut groups: Vec<Group<'p>> = Vec::new();
        let mut twice = vec![false; self.written.len()];
        for database in databases {
            let mut turns = Vec::new();
            for (at, written) in self.written.iter().enumerate().filter(|(_, written)| written.step.alter.is_some()) {
                let range = if written.is_repeated() { 1..=self.iterations } else { ONCE };
                let mut found = iterations_of(draft, written, database, range);
                let turn = found.next();
                if let (Some(first), Some(second), false) = (turn, found.next(), twice[at]) {
                    twice[at] = true;
                    let message = format!(
                        "this step runs in iterations {first} and {second} of database {}, but a table can be altered so only once",
                        database.index
                    );
                    let help = format!("run it in one iteration: `when: iteration == {first}`, or move it to `setup`");
                    let pointer = format!("{}/{}/alter", written.list, written.index);
                    draft.issues.push(Issue::new(pointer, "cloudsync::alter", message).at_key().help(help));
                }
                turns.push((at, turn));
            }
            match groups.iter_mut().find(|group| group.turns == turns) {
                Some(group) => group.databases.push(database),
                None => groups.push(Group { turns, databases: vec![database] }),
            }
        }
        groups
    }

    /// Goes through a run as these databases do.
    fn walk(&mut self, draft: &mut Draft<'_>, plans: &mut [TablePlan], group: &Group<'_>) {
        self.list(draft, plans, group, "/setup", &ONCE);
        let of_phases = group.turns.iter().filter(|(at, _)| self.written[*at].is_repeated());
        let mut altering: Vec<u64> = of_phases.filter_map(|(_, turn)| *turn).collect();
        altering.sort_unstable();
        altering.dedup();
        let mut next = 1;
        for iteration in altering {
            self.list(draft, plans, group, "/phases", &(next..=iteration.saturating_sub(1)));
            self.list(draft, plans, group, "/phases", &(iteration..=iteration));
            next = iteration.saturating_add(1);
        }
        self.list(draft, plans, group, "/phases", &(next..=self.iterations));
        self.list(draft, plans, group, "/teardown", &ONCE);
    }

    /// Goes through a list in some iterations, which are one if a table is altered in it.
    fn list(
        &mut self,
        draft: &mut Draft<'_>,
        plans: &mut [TablePlan],
        group: &Group<'_>,
        list: &str,
        range: &RangeInclusive<u64>,
    ) {
        for at in 0..self.written.len() {
            let written = &self.written[at];
            if written.list != list || range.is_empty() {
                continue;
            }
            let turn = group.turns.iter().find(|(place, _)| *place == at);
            let comes = match turn {
                Some((_, turn)) => turn
                    .filter(|turn| *range == (*turn..=*turn))
                    .and_then(|turn| Some((group.databases.first()?.index, turn))),
                None => group.databases.iter().find_map(|database| {
                    let first = iterations_of(draft, written, database, range.clone()).next();
                    first.map(|iteration| (database.index, iteration))
                }),
            };
            if let Some((database, iteration)) = comes {
                let before = draft.issues.len();
                self.decide(draft, plans, at);
                explain(&mut draft.issues[before..], database, iteration);
            }
        }
    }

    fn decide(&mut self, draft: &mut Draft<'_>, plans: &mut [TablePlan], at: usize) {
        let written = &self.written[at];
        let plan = (self.decide)(draft, self.tables, plans, written);
        let decided = &mut self.decided[at];
        *decided = decided.take().or(plan);
    }

    /// The steps to which no database comes are looked at, too.
    fn leftovers(&mut self, draft: &mut Draft<'_>, plans: &mut [TablePlan]) {
        for at in 0..self.written.len() {
            if self.decided[at].is_none() {
                let mut plans = plans.to_vec();
                self.in_passing(draft, |course, draft| course.decide(draft, &mut plans, at));
            }
        }
    }

    /// Does something to the tables that is taken back afterwards.
    fn in_passing(&mut self, draft: &mut Draft<'_>, act: impl FnOnce(&mut Self, &mut Draft<'_>)) {
        let marked = self.tables.mark();
        act(self, draft);
        if let Err(problem) = marked.and_then(|()| self.tables.take_back()) {
            draft.sql("/schema", "", problem);
        }
    }
}

/// The iterations among some in which a database runs a step, as far as is asked.
fn iterations_of(
    draft: &Draft<'_>,
    written: &Written<'_>,
    database: &DatabasePlan,
    range: RangeInclusive<u64>,
) -> impl Iterator<Item = u64> + use<> {
    let scope = draft.scope.database(database.index, database.user, &user_id(database.user));
    let when = written.when();
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    range.take(most).filter(move |iteration| {
        let holds = |when: &Expression| when.holds(&scope.iteration(*iteration).repeat(1)).unwrap_or(false);
        when.as_ref().is_none_or(holds)
    })
}

/// Says for whom a column is missing, which another database or iteration may have.
fn explain(issues: &mut [Issue], database: u32, iteration: u64) {
    let is_missing =
        |issue: &&mut Issue| ["no such column", "has no column named"].iter().any(|text| issue.message.contains(text));
    for issue in issues.iter_mut().filter(is_missing) {
        let when = if iteration == 0 { String::new() } else { format!(", iteration {iteration}") };
        let help = issue.help.take().map_or_else(String::new, |help| format!("; {help}"));
        issue.help = Some(format!(
            "in database {database}{when}, `alter` steps leave the tables without it at this point{help}"
        ));
    }
}
