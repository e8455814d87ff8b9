//! `stress driver check`: a driver alone is held against the protocol, and a table says what was found.

use std::time::Instant;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use super::conformance::{self, Bench, Found};
use crate::cli::exit::Exit;
use crate::cli::hidden;
use crate::cli::problem::Problem;
use crate::cli::terminal::Terminal;
use crate::figure::{counted, duration};
use crate::scenario::HumanDuration;
use crate::suggest::suggest;

#[derive(Args)]
#[command(
    after_help = "Starts the driver once for each check, in a temporary directory. A server that the driver needs must run already.
The table `stress_check` is written and synced. Exits with code 1 if a check failed."
)]
pub(super) struct Arguments {
    /// A setting for the driver; a VALUE that is JSON, such as 8080 or true, is given as that
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    setting: Vec<(String, Value)>,
    /// Only make this check, by its name in the table; can be given again for more
    #[arg(long, value_name = "CHECK", value_parser = check)]
    only: Vec<&'static str>,
    /// The longest that a request may take
    #[arg(long, value_name = "TIME", default_value = "10s")]
    timeout: HumanDuration,
    /// The driver and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((key.to_owned(), value))
}

fn check(text: &str) -> Result<&'static str, String> {
    let all: Vec<&str> = conformance::all().iter().map(|check| check.name).collect();
    all.iter().find(|name| **name == text).copied().ok_or_else(|| suggest(text, all.iter().copied(), "checks"))
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let settings: Map<String, Value> = arguments.setting.iter().cloned().collect();
    let bench = Bench::new(arguments.command.clone(), settings, arguments.timeout.get())?;
    let mut checks = conformance::all();
    // The first one is how all others begin.
    let asked_for = |name: &str| arguments.only.is_empty() || arguments.only.contains(&name);
    checks.retain(|check| check.name == conformance::FIRST || asked_for(check.name));
    let mut introduced = true;
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(terminal.width).unwrap_or(u16::MAX)).set_header(["", "check", "found"]);
    let (mut failed, mut asked) = (0, 0);
    for (place, check) in checks.iter().enumerate() {
        let started = Instant::now();
        let found = match place {
            0 => bench.introduce()?,
            _ if introduced => check.run(&bench, place)?,
            _ => Found::NotAsked("the driver did not introduce itself".to_owned()),
        };
        introduced &= place > 0 || matches!(found, Found::Ok(_));
        let state = match found {
            Found::Ok(_) => "ok",
            Found::Failed(_) => "failed",
            Found::NotAsked(_) => "not asked",
        };
        failed += u64::from(matches!(found, Found::Failed(_)));
        asked += u64::from(!matches!(found, Found::NotAsked(_)));
        let took = duration(started.elapsed());
        terminal.tell(&format!("[{:>2}/{}] {}: {state} ({took})\n", place + 1, checks.len(), check.name));
        // Before lines are wrapped, within what should be hidden.
        let found = hidden::redact(found.words().to_owned());
        table.add_row([state, check.name, &found]);
    }
    let not_asked = checks.len() as u64 - asked;
    let told = match (failed, not_asked) {
        (0, 0) => format!("{} ok", counted(asked, "check")),
        (0, _) => format!("{} ok, {not_asked} not asked", counted(asked, "check")),
        _ => format!("{failed} of {} failed, {not_asked} not asked", counted(asked, "check")),
    };
    terminal.print(&format!("{table}\n{told}\n"));
    if failed == 0 {
        return Ok(Exit::Pass);
    }
    terminal.tell(&format!("what the driver said on stderr is in {}\n", bench.keep().display()));
    Ok(Exit::Fail)
}
