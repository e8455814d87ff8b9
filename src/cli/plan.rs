//! `stress plan`: what a scenario will do, without doing it.

use clap::Args;

use super::{Exit, Terminal, overrides, preview};
use crate::plan::{Plan, combinations};
use crate::target;

#[derive(Args)]
#[command(after_help = "Examples:
  stress plan scenarios/small.yaml
  stress plan scenarios/large.yaml --profile medium --explain")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: overrides::ScenarioArguments,
    /// Show where each value comes from: the file, a profile, a flag or the environment
    #[arg(long)]
    explain: bool,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let loaded = match arguments.scenario.load(terminal) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    terminal.show(&loaded.diagnostics());
    for (scenario, label) in combinations(&loaded.scenario) {
        if !label.is_empty() {
            terminal.print(&format!("matrix      {label}\n"));
        }
        match Plan::new(&scenario) {
            Ok((plan, _)) => {
                let scope = Plan::scope(&scenario);
                terminal.print(&preview::text(&plan, &scope, scenario.seed.is_some()));
                let steps = target::outline(&plan, &scope.environment(std::env::vars()));
                for (index, step) in steps.iter().enumerate() {
                    let label = if index == 0 { "\nserver" } else { "" };
                    let width = if index == 0 { 13 } else { 12 };
                    terminal.print(&format!("{label:<width$}{}. {step}\n", index + 1));
                }
            }
            Err(issues) => {
                for issue in issues {
                    terminal.error(&issue.message);
                }
                return Exit::Usage;
            }
        }
    }
    if arguments.explain {
        terminal.print("\nwhere the values come from\n");
        for (pointer, origin) in &loaded.origins {
            terminal.print(&format!("  {:<32} {origin}\n", pointer.trim_start_matches('/').replace('/', ".")));
        }
    }
    Exit::Pass
}
