//! What the command line and the environment lay over a scenario.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::{Exit, Terminal, crash};
use crate::load::{self, LoadError, Loaded, Origin};
use crate::plan::Plan;
use crate::scenario::{Scenario, TargetName};
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
    target: Option<TargetName>,
    /// Set a variable of the scenario; the environment variable STRESS_VAR_<NAME> does the same
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    var: Vec<(String, Value)>,
    /// Set variables from a YAML file
    #[arg(long, value_name = "FILE", env = "STRESS_VARS_FILE")]
    vars_file: Option<PathBuf>,
    /// The number of databases that write and sync at the same time
    #[arg(long, value_name = "N", env = "STRESS_DATABASES")]
    databases: Option<u64>,
    /// The number of rows per phase (`scale.rows`)
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
}

impl ScenarioArguments {
    /// Reads the scenario with everything laid over it, and decides the plan of each combination of its matrix.
    /// Problems are told here.
    pub(super) fn load(&self, terminal: &mut Terminal) -> Result<Loaded, Exit> {
        self.overlay.load(&self.file, terminal)
    }

    /// The same, with the problems for the caller to tell.
    pub(super) fn read(&self) -> Result<Loaded, LoadError> {
        self.overlay.read(&self.file)
    }

    /// The plan of the scenario, of its first combination if it has a matrix, with the scope of its templates and the
    /// environment. Problems are told here.
    pub(super) fn plan(&self, terminal: &mut Terminal) -> Result<(Plan, Scope), Exit> {
        self.overlay.plan(&self.file, terminal)
    }
}

impl Overlay {
    fn load(&self, file: &Path, terminal: &mut Terminal) -> Result<Loaded, Exit> {
        self.read(file).map_err(|error| {
            terminal.show(&error.diagnostics());
            Exit::Usage
        })
    }

    fn read(&self, file: &Path) -> Result<Loaded, LoadError> {
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
        };
        load::load(file, &overrides, &check)
    }

    /// The same as [`ScenarioArguments::plan`] for this file.
    pub(super) fn plan(&self, file: &Path, terminal: &mut Terminal) -> Result<(Plan, Scope), Exit> {
        let loaded = self.load(file, terminal)?;
        let first = crate::plan::combinations(&loaded.scenario).into_iter().next();
        let scenario = first.map_or(loaded.scenario, |(scenario, _)| scenario);
        match Plan::new(&scenario) {
            Ok((plan, _)) => {
                let scope = Plan::scope(&scenario).environment(std::env::vars());
                crash::hide(target::secrets(&plan, &scope));
                Ok((plan, scope))
            }
            Err(issues) => {
                for issue in issues {
                    terminal.error(&issue.message);
                }
                Err(Exit::Usage)
            }
        }
    }
}

/// The meaning of a scenario beyond its shape, for every combination of its matrix.
pub(super) fn check(scenario: &Scenario) -> Vec<crate::scenario::Issue> {
    let mut issues = Vec::new();
    for (combination, _) in crate::plan::combinations(scenario) {
        let found = match Plan::new(&combination) {
            Ok((_, warnings)) => warnings,
            Err(problems) => problems,
        };
        for issue in found {
            if !issues.contains(&issue) {
                issues.push(issue);
            }
        }
    }
    issues
}

pub(super) fn target(text: &str) -> Result<TargetName, String> {
    match text {
        "embedded" => Ok(TargetName::Embedded),
        "cloudsync" => Ok(TargetName::Cloudsync),
        _ => Err("it is `embedded` or `cloudsync`".to_owned()),
    }
}

fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), load::parse_var(value)))
}
