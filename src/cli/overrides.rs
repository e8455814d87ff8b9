//! What the command line and the environment lay over a scenario.

use std::num::{IntErrorKind, ParseIntError};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::BoolishValueParser;
use serde_json::Value;

use super::hidden;
use super::problem::Problem;
use crate::failure::Secrets;
use crate::load::{self, LoadError, Loaded, Origin, Overrides};
use crate::plan::{self, Grant, Plan};
use crate::scenario::TargetKind;
use crate::session;
use crate::source::Source;
use crate::suggest::suggest;
use crate::target;
use crate::template::Scope;

/// Arguments shared by the commands that read one scenario.
#[derive(Args)]
pub(super) struct ScenarioArguments {
    /// The scenario file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    overlay: Overlay,
}

/// What is laid over a scenario.
#[derive(Args)]
pub(super) struct Overlay {
    /// Apply one of the scenario's profiles
    #[arg(long, value_name = "NAME", env = "STRESS_PROFILE")]
    profile: Option<String>,
    /// The target to sync with
    #[arg(long, value_name = "TARGET", env = "STRESS_TARGET", value_parser = target)]
    target: Option<TargetKind>,
    /// Set a variable of the scenario; the environment variable STRESS_VAR_<NAME> does the same
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    var: Vec<(String, Value)>,
    /// Set variables from a YAML file
    #[arg(long, value_name = "FILE", env = "STRESS_VARS_FILE")]
    vars_file: Option<PathBuf>,
    /// The number of databases that write and sync at the same time
    #[arg(long, value_name = "N", env = "STRESS_DATABASES", value_parser = whole, allow_negative_numbers = true)]
    databases: Option<u64>,
    /// The number of rows per phase
    #[arg(long, value_name = "N", env = "STRESS_ROWS", value_parser = whole, allow_negative_numbers = true)]
    rows: Option<u64>,
    /// The number of iterations of each database
    #[arg(long, value_name = "N", env = "STRESS_ITERATIONS", value_parser = whole, allow_negative_numbers = true)]
    iterations: Option<u64>,
    /// The maximum duration of the run, such as 10m
    #[arg(long, value_name = "TIME", env = "STRESS_TIME_LIMIT", allow_hyphen_values = true)]
    time_limit: Option<String>,
    /// The seed of all generated values
    #[arg(long, value_name = "N", env = "STRESS_SEED", value_parser = whole, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// The most combinations of a matrix [default: 1000]
    #[arg(long, value_name = "N")]
    max_runs: Option<u64>,
    #[command(flatten)]
    grants: Grants,
}

/// What a scenario may reach.
#[derive(Debug, Default, Args)]
pub(super) struct Grants {
    /// Let the scenario read this environment variable, besides SQLITECLOUD_*, CLOUDSYNC_* and STRESS_*; can be repeated
    #[arg(long = "env", value_name = "NAME", env = "STRESS_ENV", value_delimiter = ',')]
    variables: Vec<String>,
    #[command(flatten)]
    sandbox: Sandbox,
}

/// Whether this process keeps what it runs in a sandbox.
#[derive(Debug, Default, Args)]
pub(super) struct Sandbox {
    /// Keep the scenario in a sandbox: SQL cannot open other files, only servers of this machine are reached, no code is
    /// loaded that the scenario names, and it reads no environment variable but those of --env
    #[arg(long, env = "STRESS_SANDBOX", value_parser = BoolishValueParser::new())]
    sandbox: bool,
}

impl Grants {
    /// What is granted. A sandbox is entered here.
    pub(super) fn grant(&self) -> Result<Grant, Problem> {
        let variables =
            self.variables.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        Ok(if self.sandbox.enter()? { Grant::Sandbox(variables) } else { Grant::Machine(variables) })
    }
}

impl Sandbox {
    /// Enters it for the rest of the process, where it is wanted. Gives whether it is.
    pub(super) fn enter(&self) -> Result<bool, Problem> {
        let failed = |error| Problem::could_not_run(format!("failed to enter the sandbox: {error}"));
        if self.sandbox {
            session::enter_sandbox().map_err(failed)?;
        }
        Ok(self.sandbox)
    }
}

/// A plan with what a command needs to carry it out.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// The scope of the plan with the environment.
    pub(super) scope: Scope,
    /// What nobody may see.
    pub(super) secrets: Secrets,
}

impl ScenarioArguments {
    /// Reads the scenario with everything laid over it, and decides the plan of each combination of its matrix.
    pub(super) fn load(&self) -> Result<Loaded, Problem> {
        self.overlay.load(&self.file, None)
    }

    /// The same for a run, which has a seed in any case.
    pub(super) fn load_seeded(&self) -> Result<Loaded, Problem> {
        // 53 bits, so that every JSON reader keeps it.
        self.overlay.load(&self.file, Some(uuid::Uuid::new_v4().as_u64_pair().0 >> 11))
    }

    /// The plan of the scenario, of its first combination if it has a matrix.
    pub(super) fn plan(&self) -> Result<Planned, Problem> {
        self.overlay.plan(&self.file)
    }
}

impl Overlay {
    fn load(&self, file: &Path, drawn_seed: Option<u64>) -> Result<Loaded, Problem> {
        let grant = self.grants.grant()?;
        self.read(file, drawn_seed, grant).map_err(|error| Problem::scenario(file, error.diagnostics()))
    }

    fn read(&self, file: &Path, drawn_seed: Option<u64>, grant: Grant) -> Result<Loaded, LoadError> {
        let mut vars = self.vars_file.as_deref().map(load::vars_file).transpose()?.unwrap_or_default();
        vars.extend(load::environment_vars(environment()));
        vars.extend(self.var.iter().map(|(name, value)| (name.clone(), value.clone(), Origin::Flag("--var"))));
        let overrides = Overrides {
            profile: self.profile.clone(),
            target: self.target,
            vars,
            databases: self.databases,
            rows: self.rows,
            iterations: self.iterations,
            time_limit: self.time_limit.clone(),
            seed: self.seed,
            max_runs: self.max_runs,
            drawn_seed,
            grant,
        };
        load(file, &overrides)
    }

    /// The same as [`ScenarioArguments::plan`] for this file.
    pub(super) fn plan(&self, file: &Path) -> Result<Planned, Problem> {
        let plan = self.load(file, None)?.into_first().plan;
        let scope = plan.environment(environment());
        let secrets = target::secrets(&plan, &scope);
        hidden::hide(secrets.clone());
        Ok(Planned { plan, scope, secrets })
    }
}

/// Loads a scenario. What is secret in it is hidden from now on, also where it cannot be loaded.
pub(super) fn load(file: &Path, overrides: &Overrides) -> Result<Loaded, LoadError> {
    let source = Source::read(file)?;
    let mut document = source.value.clone();
    if let Some(vars) = document.get_mut("vars").and_then(Value::as_object_mut) {
        vars.extend(overrides.vars.iter().map(|(name, value, _)| (name.clone(), value.clone())));
    }
    hidden::hide(Secrets::new(&plan::written(&document)));
    load::load_source(source, overrides)
}

/// The environment, as far as it is text.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

pub(super) fn target(text: &str) -> Result<TargetKind, String> {
    let names = TargetKind::ALL.map(TargetKind::as_str);
    let found = TargetKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| suggest(text, names, "targets"))
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => format!("write {} or less", u64::MAX),
        _ => "write a whole number, 0 or more".to_owned(),
    })
}

fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), load::parse_var(value)))
}
