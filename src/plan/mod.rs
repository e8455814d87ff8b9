//! Every decision of a run, made once from the scenario: databases, users, tables, phases, checks, thresholds. No
//! option here means "later"; what depends on database, iteration and row is rendered lazily by the step itself.
//! Pure: the same scenario gives an equal plan. It must not know files, clocks or the environment.

mod build;
mod check;
mod names;
pub mod rule;
mod steps;
mod tables;
mod target;
pub mod threshold;

pub use build::combinations;
pub use check::{CheckKind, CheckPlan, Question};
pub(crate) use tables::quote;
pub(crate) use target::{ALLOWED_DATABASES, covers};

use std::time::Duration;

use crate::scenario::{ErrorRule, Expect, Kind, OpenPolicy, Rate, Target, WrongCredential};
use crate::template::{Expression, Number, TemplateProblem, Text};
use threshold::ThresholdPlan;

/// A run, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The scenario's name.
    pub name: String,
    /// Its one line.
    pub description: String,
    /// The seed of every generated value.
    pub seed: u64,
    /// What the databases sync with; secrets are still templates.
    pub target: Target,
    /// The databases, in index order.
    pub databases: Vec<DatabasePlan>,
    /// The users, in index order; without row-level security one, whom nothing distinguishes.
    pub users: Vec<UserPlan>,
    /// Whether row-level security is on.
    pub rls: bool,
    /// Iterations of each database.
    pub iterations: u64,
    /// How often each database starts an iteration; the next one at once when absent.
    pub rate: Option<Rate>,
    /// The time over which the databases' starts are spread.
    pub ramp_up: Duration,
    /// `scale.rows`.
    pub rows: u64,
    /// The longest the run may take.
    pub time_limit: Duration,
    /// The synced tables, in the order of their creation.
    pub tables: Vec<TablePlan>,
    /// How long a connection lives.
    pub open: OpenPolicy,
    /// Whether the databases are those of the scenario's last run.
    pub reuse: bool,
    /// The pragmas of every connection, as statements.
    pub pragmas: Vec<String>,
    /// Steps before iteration 1.
    pub setup: Vec<StepPlan>,
    /// Steps of an iteration.
    pub phases: Vec<StepPlan>,
    /// Steps after the last iteration.
    pub teardown: Vec<StepPlan>,
    /// Rounds after the last iteration.
    pub settle: SettlePlan,
    /// What is checked on the data at the end.
    pub checks: Vec<CheckPlan>,
    /// Limits on what was measured, the ones that are always on first.
    pub thresholds: Vec<ThresholdPlan>,
    /// What to do about failures of a class.
    pub errors: Vec<ErrorRule>,
    /// What a scenario that is meant to fail must show.
    pub expect: Option<Expect>,
}

/// A database of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabasePlan {
    /// Counted from 1.
    pub index: u32,
    /// Its user, counted from 1.
    pub user: u32,
    /// What it authenticates with on purpose, instead of what its user has.
    pub credential: Option<WrongCredential>,
}

/// A user of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPlan {
    /// Counted from 1.
    pub index: u32,
    /// The user id, as policies see it: `018ecfc2-b2b1-7cc3-a9f0-<12 digits>`.
    pub id: String,
}

/// A synced table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// Its name, unquoted.
    pub name: String,
    /// `CREATE TABLE …`, rendered.
    pub sql: String,
    /// Statements run after it.
    pub also: Vec<String>,
    /// All columns that hold data (generated ones left out), in order.
    pub columns: Vec<String>,
    /// The columns of the primary key, in its order.
    pub primary_key: Vec<String>,
    /// The four policies, when row-level security is on for it; an absent one denies.
    pub policies: Option<crate::scenario::Policies>,
}

/// A step, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct StepPlan {
    /// Where it stands in the scenario: `/phases/0`.
    pub pointer: String,
    /// The phase's name; steps without one are named after what they do and their place: `sync-3`.
    pub name: String,
    /// What it does before its sync calls.
    pub action: Action,
    /// Where it is done; everywhere when absent.
    pub when: Option<Expression>,
    /// How often per iteration.
    pub repeat: Number,
    /// How often it starts while it is repeated; again at once when absent.
    pub rate: Option<Rate>,
    /// The pause before it, from and to.
    pub think: Option<(Duration, Duration)>,
    /// Whether all databases start its sync calls together, and the time from one to the next.
    pub barrier: Option<Duration>,
    /// Its sync calls, in order.
    pub sync: Vec<SyncPlan>,
    /// The longest it may take.
    pub timeout: Option<Duration>,
}

impl StepPlan {
    /// Whether it asks for a sync call.
    pub fn syncs(&self) -> bool {
        self.sync.iter().any(|call| match call {
            SyncPlan::Send | SyncPlan::Receive(_) | SyncPlan::Sync(_) => true,
            SyncPlan::Wait(_) => false,
        })
    }
}

/// What a step does before its sync calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// SQL on the local database.
    Sql(SqlPlan),
    /// SQL on the server, as its administrator.
    Admin(Text),
    /// A pause.
    Wait(Duration),
    /// Nothing: the step is its sync calls.
    Nothing,
}

/// A phase's SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlPlan {
    /// What its rows are counted as.
    pub kind: Kind,
    /// Its statements.
    pub statements: Vec<Text>,
    /// How often they run, when once per row.
    pub rows: Option<Number>,
    /// Parameters of the scenario's own, by name without the colon.
    pub bind: Vec<(String, Text)>,
    /// Rows per transaction; `None` for one transaction around all.
    pub batch: Option<u64>,
    /// How many rows must be changed in all.
    pub expect_rows: Option<Number>,
    /// Whether its writes are attempts against the policies.
    pub hostile: bool,
}

impl SqlPlan {
    /// What a parameter is bound to: the scenario's own text, or what its name means everywhere.
    pub fn parameter(&self, name: &str) -> Result<Text, TemplateProblem> {
        match self.bind.iter().find(|(own, _)| own == name) {
            Some((_, text)) => Ok(text.clone()),
            None if name == "id" => Text::compile(steps::DEFAULT_ID),
            None => Text::compile(&format!("{{{{ {name} }}}}")),
        }
    }
}

impl Plan {
    /// Whether a sync call is asked for anywhere. Without one there is nothing to settle, and nothing to compare.
    pub fn syncs(&self) -> bool {
        self.steps().any(StepPlan::syncs)
    }

    /// All steps, in the order of the run.
    pub fn steps(&self) -> impl Iterator<Item = &StepPlan> {
        self.setup.iter().chain(&self.phases).chain(&self.teardown)
    }

    /// Whether a phase attempts what the policies deny.
    pub fn is_hostile(&self) -> bool {
        self.steps().map(|step| &step.action).any(|action| matches!(action, Action::Sql(SqlPlan { hostile: true, .. })))
    }
}

/// A sync call, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncPlan {
    /// Push.
    Send,
    /// Pull.
    Receive(ReceivePlan),
    /// Both, with the pause between tries and the most tries; the extension's own defaults when absent.
    Sync(Option<(Duration, u32)>),
    /// Pause.
    Wait(Duration),
}

/// A pull, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivePlan {
    /// Whether it was written as `check`, the seed's word.
    pub check: bool,
    /// What ends repeated calls; one call when absent.
    pub until: Option<crate::scenario::ReceiveUntil>,
    /// The most calls.
    pub attempts: u32,
    /// The pause between two calls.
    pub every: Duration,
    /// The most chunks of one call.
    pub max_chunks: Option<u32>,
}

/// Rounds after the last iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettlePlan {
    /// The most rounds.
    pub rounds: u32,
    /// The pause between two.
    pub wait: Duration,
}
