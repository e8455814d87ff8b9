//! `stress provision`: a scenario's database prepared in the cloud, without a run.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::exit::Exit;
use super::problem::Problem;
use super::reuse::Reused;
use super::signals::Signals;
use super::terminal::Terminal;
use super::{overrides, person};
use crate::execute::Control;
use crate::target;

#[derive(Args)]
#[command(
    after_help = "Drops and creates the scenario's tables, in databases that match `allow_databases`, and enables sync.
Prints the managed database id. `stress plan` shows the steps without taking them.

Examples:
  stress provision scenarios/mine.yaml"
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
    if let Some(reused) = Reused::find(&arguments.out, &plan.name)? {
        let (path, file) = (reused.path.display(), arguments.scenario.file.display());
        let message = format!("the databases in `{path}` continue with the tables that `provision` would drop");
        return Err(Problem::could_not_run(message).help(format!("`stress cleanup {file}` removes both")));
    }
    let control = Arc::new(Control::default());
    Signals::listen()?.direct_to(
        &control,
        "what the server has of the preparation so far; the next one continues with it".to_owned(),
    );
    let stopped = || control.is_ending();
    let provisioned =
        person::attended(terminal, false, &stopped, |attendant| target::provision(&plan, &scope, &secrets, attendant));
    let id = provisioned.map_err(|error| Problem::from(error).interrupted(stopped()))?;
    terminal.print(&format!("{id}\n"));
    Ok(Exit::Pass)
}
