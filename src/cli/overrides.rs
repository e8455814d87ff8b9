//! What the command line and the environment lay over a scenario.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::crash;
use super::problem::Problem;
use crate::load::{self, LoadError, Loaded, Origin};
use crate::plan::Plan;
use crate::scenario::TargetKind;
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
    #[arg(long, value_name = "N", env = "STRESS_DATABASES")]
    databases: Option<u64>,
    /// The number of rows per phase
    #[arg(long, value_name = "N", env = "STRESS_ROWS")]
    rows: Option<u64>,
    /// The number of iterations of each database
    #[arg(long, value_name = "N", env = "STRESS_ITERATIONS")]
    iterations: Option<u64>,
    /// The maximum duration of the run, such as 10m
    #[arg(long, value_name = "TIME", env = "STRESS_TIME_LIMIT")]
    time_limit: Option<String>,
    /// The seed of all generated values
    #[arg(long, value_name = "N", env = "STRESS_SEED")]
    seed: Option<u64>,
    /// The most combinations of a matrix [default: 1000]
    #[arg(long, value_name = "N")]
    max_runs: Option<u64>,
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

    /// The plan of the scenario, of its first combination if it has a matrix, with the scope of its templates and the
    /// environment.
    pub(super) fn plan(&self) -> Result<(Plan, Scope), Problem> {
        self.overlay.plan(&self.file)
    }
}

impl Overlay {
    fn load(&self, file: &Path, drawn_seed: Option<u64>) -> Result<Loaded, Problem> {
        self.read(file, drawn_seed).map_err(|error| Problem::scenario(file, error.diagnostics()))
    }

    fn read(&self, file: &Path, drawn_seed: Option<u64>) -> Result<Loaded, LoadError> {
        let mut vars = self.vars_file.as_deref().map(load::vars_file).transpose()?.unwrap_or_default();
        vars.extend(load::environment_vars(std::env::vars()));
        vars.extend(self.var.iter().map(|(name, value)| (name.clone(), value.clone(), Origin::Flag("--var"))));
        let overrides = load::Overrides {
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
        };
        load::load(file, &overrides)
    }

    /// The same as [`ScenarioArguments::plan`] for this file.
    pub(super) fn plan(&self, file: &Path) -> Result<(Plan, Scope), Problem> {
        let plan = self.load(file, None)?.into_first().plan;
        let scope = plan.scope.environment(std::env::vars());
        crash::hide(target::secrets(&plan, &scope));
        Ok((plan, scope))
    }
}

pub(super) fn target(text: &str) -> Result<TargetKind, String> {
    let names = TargetKind::ALL.map(TargetKind::as_str);
    let found = TargetKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| suggest(text, names, "targets"))
}

fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), load::parse_var(value)))
}
