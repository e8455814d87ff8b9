//! `stress cleanup`: what a scenario has in the cloud, dropped, and the devices of its runs forgotten.

use std::path::PathBuf;

use clap::Args;

use super::directory::{all_sites, forget_sites};
use super::exit::Exit;
use super::problem::Problem;
use super::reuse::Reused;
use super::terminal::Terminal;
use super::{overrides, person};
use crate::target::{self, Attendant};

#[derive(Args)]
#[command(
    after_help = "Disables sync for the scenario's tables and drops them, removes the devices that its runs registered, and
deletes the local databases that `session.reuse` keeps. Also drops the server's database if nothing else
is in it. Only databases that match `allow_databases` are changed. Removing devices needs a
`management_key`; their ids come from the records in the run directories.

If a run crashed, its access tokens cannot be revoked. They expire one hour after its time limit.

Examples:
  stress cleanup scenarios/mine.yaml"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: overrides::ScenarioArguments,
    /// The directory that contains the run directories
    #[arg(long, value_name = "DIR", env = "STRESS_OUT", default_value = "runs")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let overrides::Planned { plan, scope, secrets } = arguments.scenario.plan()?;
    let reused = Reused::find(&arguments.out, &plan.name)?;
    // The embedded target's hub lies beside the databases that it serves.
    let has_server = !(reused.is_some() && plan.target.kind().runs_here());
    if has_server {
        let sites = all_sites(&arguments.out, &plan.name);
        let left = |attendant: &mut Attendant<'_>| {
            target::cleanup(&plan, &scope, &secrets, &sites, attendant).unwrap_or_else(|error| vec![error])
        };
        let problems = person::attended(terminal, false, &|| false, left);
        if !problems.is_empty() {
            return Ok(problems.into_iter().fold(Exit::Pass, |_, error| terminal.fail(&error.into())));
        }
        forget_sites(&arguments.out, &plan.name);
    }
    if let Some(reused) = reused {
        reused.remove()?;
        terminal.tell(&format!("databases of {}: removed\n", plan.name));
    }
    Ok(Exit::Pass)
}
