//! `stress provision`: a scenario's database prepared in the cloud, without a run.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::reuse::Reused;
use super::signals::Signals;
use super::{Exit, Terminal, overrides, person};
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

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let (plan, scope) = match arguments.scenario.plan(terminal) {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    match Reused::find(&arguments.out, &plan.name) {
        Ok(None) => {}
        Ok(Some(reused)) => {
            let path = reused.path.display();
            terminal.error(&format!(
                "the databases in `{path}` go on with the tables that would be dropped\n  help: `stress cleanup {}` removes both",
                arguments.scenario.file.display()
            ));
            return Exit::CouldNotRun;
        }
        Err(message) => {
            terminal.error(&message);
            return Exit::CouldNotRun;
        }
    }
    let control = Arc::new(Control::default());
    match Signals::listen() {
        Ok(signals) => signals.direct_to(&control),
        Err(error) => {
            terminal.error(&format!("failed to listen for Ctrl-C: {error}"));
            return Exit::CouldNotRun;
        }
    }
    let stopped = || control.is_ending();
    match person::attended(terminal, false, &stopped, |attendant| target::provision(&plan, &scope, attendant)) {
        Ok(id) => {
            terminal.print(&format!("{id}\n"));
            Exit::Pass
        }
        Err(error) => {
            terminal.error(&error.to_string());
            if stopped() { Exit::Interrupted } else { Exit::CouldNotRun }
        }
    }
}
