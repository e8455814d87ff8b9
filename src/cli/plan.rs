//! `stress plan`: what a scenario will do, without doing it.

use clap::Args;

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use super::{hidden, overrides, preview};
use crate::load::Variation;
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

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let loaded = arguments.scenario.load()?;
    terminal.show(&loaded.diagnostics());
    for Variation { label, scenario, plan } in loaded.variations.iter() {
        let scope = plan.environment(overrides::environment());
        hidden::hide(target::secrets(&plan, &scope));
        if !label.is_empty() {
            terminal.print(&format!("matrix      {label}\n"));
        }
        terminal.print(&preview::text(&plan, scenario.seed.is_some()));
        let steps = target::outline(&plan, &scope);
        for (index, step) in steps.iter().enumerate() {
            let label = if index == 0 { "\nserver" } else { "" };
            let width = if index == 0 { 13 } else { 12 };
            terminal.print(&format!("{label:<width$}{}. {step}\n", index + 1));
        }
    }
    if arguments.explain {
        terminal.print("\nwhere the values come from\n");
        for (pointer, origin) in &loaded.origins {
            terminal.print(&format!("  {:<32} {origin}\n", pointer.trim_start_matches('/').replace('/', ".")));
        }
    }
    Ok(Exit::Pass)
}
