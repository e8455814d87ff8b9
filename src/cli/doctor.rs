//! `stress doctor`: a table of what a run needs, what is there, and what to do about the rest.

use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};

use super::exit::Exit;
use super::hidden;
use super::limits::{descriptors, descriptors_suffice};
use super::overrides;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::target::doctor::{Finding, examine};

/// The least version of SQLite whose interrupts end a sync call.
const SQLITE: (i32, &str) = (3_041_000, "3.41");
/// Less room than this is soon used up by databases and logs.
const ROOM: u64 = 1 << 30;
/// Databases to be checked for without a scenario: the most of those that ship.
const DATABASES: usize = 4;

#[derive(Args)]
#[command(after_help = "With a scenario, also checks its server, keys and scale. Changes nothing.
Exits with code 3 if there is a problem.

Examples:
  stress doctor
  stress doctor scenarios/mine.yaml --target cloudsync")]
pub(super) struct Arguments {
    /// The scenario to check
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    overlay: overrides::Overlay,
    /// The directory that contains the run directories
    #[arg(long, value_name = "DIR", env = "STRESS_OUT", default_value = "runs")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let planned = arguments.file.as_ref().map(|file| arguments.overlay.plan(file)).transpose()?;
    let databases = planned.as_ref().map_or(DATABASES, |planned| planned.plan.databases.len());
    let mut findings = vec![of_sqlite(), of_open_files(databases), of_room(&arguments.out)];
    findings.extend(examine(planned.as_ref().map(|planned| (&planned.plan, &planned.scope, &planned.secrets))));
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(terminal.width).unwrap_or(u16::MAX)).set_header(["", "what", "found", "what to do"]);
    for Finding { what, found, to_do } in &findings {
        let state = if to_do.is_some() { "problem" } else { "ok" };
        // Before lines are wrapped, within what should be hidden.
        let found = hidden::redact(found.clone());
        table.add_row([state, what, &found, to_do.as_deref().unwrap_or_default()]);
    }
    let problems = findings.iter().filter(|finding| finding.to_do.is_some()).count();
    let verdict = match problems {
        0 => "no problems".to_owned(),
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    terminal.print(&format!("{table}\n{verdict}\n"));
    Ok(if problems == 0 { Exit::Pass } else { Exit::CouldNotRun })
}

fn of_sqlite() -> Finding {
    let version = rusqlite::version();
    if rusqlite::version_number() >= SQLITE.0 {
        return Finding::good("SQLite", version);
    }
    let found = format!("{version}, which cannot interrupt a sync call");
    Finding::problem("SQLite", found, format!("build `stress` with SQLite {} or later", SQLITE.1))
}

fn of_open_files(databases: usize) -> Finding {
    let needed = descriptors(databases);
    match descriptors_suffice(databases) {
        Ok(()) => Finding::good("open files", format!("{needed} for {databases} databases; the system allows them")),
        Err(limit) => Finding::problem(
            "open files",
            format!("{databases} databases need {needed}, and the system allows {limit}"),
            format!("raise the limit with `ulimit -n {needed}`"),
        ),
    }
}

fn of_room(out: &Path) -> Finding {
    // The directory is made by the first run.
    let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    let there = out.ancestors().find(|path| path.exists()).unwrap_or(&out);
    let shown = there.display();
    match fs4::available_space(there) {
        Ok(room) if room >= ROOM => Finding::good("disk", format!("{} MiB free at {shown}", room >> 20)),
        Ok(room) => Finding::problem(
            "disk",
            format!("{} MiB free at {shown}", room >> 20),
            "free some space, or name another directory with `--out`",
        ),
        Err(error) => Finding::problem("disk", format!("{shown}: {error}"), "name another directory with `--out`"),
    }
}
