//! `stress selftest`: plants every failure there is and sees whether the checker finds it; clean runs must stay green.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::exit::Exit;
use super::fuzz;
use super::overrides;
use super::problem::Problem;
use super::signals::Signals;
use super::terminal::Terminal;
use super::trial::{conduct, remove};
use crate::execute::Control;
use crate::figure;
use crate::scenario::FaultKind;
use crate::selftest::{self, Case, NotRun, Outcome, Seen};

/// Seeds of each planted case and of each clean scenario.
const SHORT: (u64, u64) = (1, 3);
/// With five clean scenarios, a hundred clean runs.
const FULL: (u64, u64) = (5, 20);

#[derive(Args)]
#[command(after_help = "Examples:
  stress selftest
  stress selftest --only drop_row
  stress selftest --full           # every fault 5 times, and 100 clean runs
  stress selftest --fuzz 3000      # 3000 random scenarios, and a fault in 1000 more")]
pub(super) struct Arguments {
    /// Inject every fault with five seeds, and make 100 clean runs
    #[arg(long)]
    full: bool,
    /// The first seed; the runs after it use the next ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Only inject this fault, such as drop_row
    #[arg(long, value_name = "FAULT", value_parser = fault)]
    only: Option<FaultKind>,
    /// Instead, run N random scenarios that must pass, and N/3 with an injected fault that must be found. A scenario that is
    /// not judged rightly is printed, as small as it can be made
    #[arg(long, value_name = "N", conflicts_with_all = ["full", "only"], allow_negative_numbers = true)]
    fuzz: Option<u64>,
    /// With --fuzz: the number of random scenarios with an injected fault
    #[arg(long, value_name = "M", requires = "fuzz", allow_negative_numbers = true)]
    planted: Option<u64>,
    #[command(flatten)]
    sandbox: overrides::Sandbox,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    arguments.sandbox.enter()?;
    if let Some(clean) = arguments.fuzz {
        let planted = arguments.planted.unwrap_or(clean / 3);
        return fuzz::run(fuzz::Amount { clean, planted, seed: arguments.seed }, terminal);
    }
    let runs = runs(arguments);
    let signals = Signals::listen()?;
    let directory = std::env::temp_dir().join(format!("stress-selftest-{}", uuid::Uuid::new_v4().simple()));
    let mut outcomes = Vec::new();
    for (place, (case, seed)) in runs.iter().enumerate() {
        let started = Instant::now();
        let control = Arc::new(Control::default());
        signals.direct_to(&control, directory.display().to_string());
        let seen = conduct_case(case, *seed, &directory, &control).map_err(|problem| NotRun(problem.to_string()));
        if signals.reason().is_some() {
            remove(&directory, terminal);
            return Ok(Exit::Interrupted);
        }
        let outcome = Outcome { case: case.clone(), seed: *seed, seen };
        let took = figure::duration(started.elapsed());
        terminal.tell(&format!("[{:>3}/{}] {} ({took})\n", place + 1, runs.len(), selftest::line(&outcome)));
        outcomes.push(outcome);
    }
    terminal.print(&selftest::table(&outcomes, terminal.width));
    if !outcomes.is_empty() && outcomes.iter().all(Outcome::is_as_wanted) {
        remove(&directory, terminal);
        return Ok(Exit::Pass);
    }
    terminal.tell(&format!("the run directories are kept in {}\n", directory.display()));
    Ok(Exit::Fail)
}

/// Every case with its seeds, in the order of the table.
fn runs(arguments: &Arguments) -> Vec<(Case, u64)> {
    let (planted_seeds, clean_seeds) = if arguments.full { FULL } else { SHORT };
    let wanted = |case: &Case| arguments.only.is_none_or(|fault| case.plants(fault));
    let planted = selftest::planted().into_iter().map(|case| (case, planted_seeds));
    let clean = selftest::clean().into_iter().map(|case| (case, clean_seeds));
    let several = planted.chain(clean).filter(|(case, _)| wanted(case));
    several
        .flat_map(|(case, seeds)| (0..seeds).map(move |offset| (case.clone(), arguments.seed.wrapping_add(offset))))
        .collect()
}

fn conduct_case(case: &Case, seed: u64, directory: &Path, control: &Control) -> Result<Seen, Problem> {
    let path = case.path();
    let resolved = case.resolve(seed);
    let variation = &resolved.map_err(|error| Problem::scenario(Path::new(&path), error.diagnostics()))?;
    let (found, directory) = conduct(variation, &path, directory, control)?;
    if case.is_met_by(&found) {
        directory.remove_databases()?;
    }
    Ok(found)
}

fn fault(text: &str) -> Result<FaultKind, String> {
    let known = || selftest::planted().into_iter().filter_map(|case| case.planted);
    let meant = known().map(|planted| planted.fault).find(|fault| name(*fault) == text);
    meant.ok_or_else(|| {
        let mut all: Vec<String> = known().map(|planted| name(planted.fault)).collect();
        all.sort();
        all.dedup();
        crate::suggest::suggest(text, all.iter().map(String::as_str), "planted failures")
    })
}

/// The name of a failure in a scenario.
fn name(fault: FaultKind) -> String {
    let value = serde_json::to_value(fault).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
