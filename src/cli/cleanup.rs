//! `stress cleanup`: what a scenario has in the cloud, dropped, and the devices of its runs forgotten.

use std::path::PathBuf;

use clap::Args;

use super::directory::all_sites;
use super::{Exit, Terminal, overrides, person};
use crate::target;

#[derive(Args)]
#[command(
    after_help = "Disables sync, forgets the devices that runs of this scenario registered (their records are read from
the run directories; it takes a `management_key`), drops the tables, and the database when nothing else
is in it. `allow_databases` says which databases may be touched. Access tokens of a run that died
expire after 24 hours: nobody keeps them, so nobody can revoke them.

Examples:
  stress cleanup scenarios/mine.yaml"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: overrides::ScenarioArguments,
    /// The directory under which the runs' own directories are
    #[arg(long, value_name = "DIR", env = "STRESS_OUT", default_value = "runs")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let (plan, scope) = match arguments.scenario.plan(terminal) {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let sites = all_sites(&arguments.out, &plan.name);
    let problems =
        person::attended(terminal, false, &|| false, |attendant| target::cleanup(&plan, &scope, &sites, attendant));
    let problems = problems.unwrap_or_else(|error| vec![error]);
    for problem in &problems {
        terminal.error(&problem.to_string());
    }
    if problems.is_empty() { Exit::Pass } else { Exit::CouldNotRun }
}
