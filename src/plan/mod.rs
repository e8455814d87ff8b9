//! Every decision of a run, made once from the scenario: databases, users, tables, phases, checks, thresholds. No
//! option here means "later"; what depends on database, iteration and row is rendered lazily by the step itself.
//! Pure: the same scenario gives an equal plan. It must not know files, clocks or the environment.

mod alter;
mod blocks;
mod build;
mod calls;
mod check;
mod crash;
pub(crate) mod differences;
mod draft;
mod driver;
mod filter;
mod grant;
mod grow_only;
mod guard;
mod judging;
mod names;
mod order;
mod phase;
mod policies;
mod programs;
pub(crate) mod rule;
mod same;
mod scale;
mod schema;
mod secrets;
mod session;
mod steps;
mod sync;
mod table;
mod tables;
mod target;
pub(crate) mod threshold;
mod until;
mod value;
mod variables;

pub(crate) use check::{CheckKind, CheckPlan, Question};
pub(crate) use crash::CrashPlan;
pub use grant::Grant;
pub(crate) use same::is_same;
pub(crate) use secrets::{in_address, is_secret, written};
pub(crate) use sync::{ReceivePlan, SyncPlan};
#[cfg(test)]
pub(crate) use table::Triggered;
pub(crate) use table::{Alteration, BlockPlan, Collation, Elsewhere, KeyColumn, TablePlan};
pub(crate) use target::{ALLOWED_DATABASES, TargetPlan, covers};
pub(crate) use until::{UntilPlan, UntilQueryPlan};
pub(crate) use value::{AtRow, Binding, Parameter, SqlValue, Statement, Varying};
pub(crate) use variables::{check_matrix, combinations, count};

use std::time::Duration;

use crate::scenario::{ErrorRule, Expect, Kind, OpenPolicy, Rate, WrongCredential};
use crate::template::{Expression, Number, Scope, Text};
use threshold::ThresholdPlan;

/// A run, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The scenario's name.
    pub name: String,
    /// Its one line.
    pub description: String,
    /// The seed of all generated values.
    pub seed: u64,
    /// The scope of the whole run, in which its templates are rendered.
    pub scope: Scope,
    /// What the databases sync with; secrets are still templates.
    pub target: TargetPlan,
    /// The databases, in ascending order.
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
    /// How long a connection stays open.
    pub open: OpenPolicy,
    /// Whether the databases are those of the scenario's last run.
    pub reuse: bool,
    /// The pragmas of every connection, as statements.
    pub pragmas: Vec<String>,
    /// Whether one of them has SQLite enforce foreign keys.
    pub foreign_keys: bool,
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
    /// What the user lets the scenario reach.
    pub grant: Grant,
    /// What to do about failures of a class.
    pub errors: Vec<ErrorRule>,
    /// The outcome of a scenario that fails on purpose.
    pub expect: Option<Expect>,
}

/// A database of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabasePlan {
    /// Counted from 1.
    pub index: u32,
    /// The number of its user, from 1.
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
    /// Where the device dies in it and comes back.
    pub crash: Option<CrashPlan>,
    /// The longest it may take.
    pub timeout: Option<Duration>,
}

impl StepPlan {
    /// Whether it asks for a sync call.
    pub fn syncs(&self) -> bool {
        self.sync.iter().any(SyncPlan::calls)
    }
}

/// What a step does before its sync calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// SQL on the local database.
    Sql(SqlPlan),
    /// SQL on the server, as its administrator.
    Admin(Text),
    /// Synced tables of the local database are altered, one after the other.
    Alter(Vec<Alteration>),
    /// A pause.
    Wait(Duration),
    /// Nothing: the step is its sync calls.
    Nothing,
}

impl Action {
    /// Whether it attempts what the policies deny.
    pub fn is_hostile(&self) -> bool {
        match self {
            Self::Sql(sql) => sql.hostile,
            Self::Admin(_) | Self::Alter(_) | Self::Wait(_) | Self::Nothing => false,
        }
    }
}

/// A phase's SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlPlan {
    /// What its rows are counted as.
    pub kind: Kind,
    /// Its statements.
    pub statements: Vec<Statement>,
    /// All parameters that they can bind.
    pub parameters: Vec<Parameter>,
    /// How often they run, when once per row.
    pub rows: Option<Number>,
    /// Rows per transaction; `None` for one transaction around all.
    pub batch: Option<u64>,
    /// How many rows must be changed in all.
    pub expect_rows: Option<Number>,
    /// Whether its writes are attempts against the policies.
    pub hostile: bool,
    /// Whether any state in between may be what others get: it calls sync functions or controls transactions itself.
    pub any_state: bool,
}

impl SqlPlan {
    /// The parameter with this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

impl Plan {
    /// Whether a sync call is asked for anywhere. Without one there is nothing to settle, and nothing to compare.
    pub fn syncs(&self) -> bool {
        self.steps().any(StepPlan::syncs)
    }

    /// Whether a check asks where the databases of a user, the server and new databases differ.
    pub fn compares(&self) -> bool {
        let asks = |check: &CheckPlan| match check.kind() {
            CheckKind::Converged | CheckKind::Server | CheckKind::Bootstrap => true,
            CheckKind::Isolation
            | CheckKind::Written
            | CheckKind::Query
            | CheckKind::Integrity
            | CheckKind::ForeignKeys => false,
        };
        self.syncs() && self.checks.iter().any(asks)
    }

    /// All steps, in the order of the run.
    pub fn steps(&self) -> impl Iterator<Item = &StepPlan> {
        self.setup.iter().chain(&self.phases).chain(&self.teardown)
    }

    /// Whether a phase attempts what the policies deny.
    pub fn is_hostile(&self) -> bool {
        self.steps().any(|step| step.action.is_hostile())
    }

    /// Whether a step runs SQL on the server, which may write anything there.
    pub fn has_admin_steps(&self) -> bool {
        self.steps().any(|step| matches!(step.action, Action::Admin(_)))
    }

    /// Whether it is to be known what every database wrote.
    pub fn keeps_ledger(&self) -> bool {
        let asks = |check: &CheckPlan| matches!(check.kind(), CheckKind::Written | CheckKind::Isolation);
        self.syncs() && self.checks.iter().any(asks)
    }

    /// The scope of the run with what the scenario may read of the environment.
    pub fn environment(&self, variables: impl IntoIterator<Item = (String, String)>) -> Scope {
        self.scope.environment(variables.into_iter().filter(|(name, _)| self.grant.reads(name)))
    }

    /// The scope of a database, in which what it does is rendered.
    pub fn database_scope(&self, database: &DatabasePlan) -> Scope {
        let user = self.users.iter().find(|user| user.index == database.user);
        self.scope.database(database.index, database.user, user.map_or("", |user| user.id.as_str()))
    }
}

/// Rounds after the last iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettlePlan {
    /// The most rounds.
    pub rounds: u32,
    /// The pause between two.
    pub wait: Duration,
}
