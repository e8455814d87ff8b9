//! Every performance target with its figure, the ratio, and whether it is met:
//!
//! `cargo bench --bench targets -- [--only P1,P2] [--quick] [--runs 5]`
//!
//! The runs are those of the release program, made here one after the other; what is compared is run in turns. Nothing
//! is timed in tests, and nothing here fails because a figure is bad: it ends with 1 only when a run broke.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark tells what it found")]

mod bare;
mod growth;
mod load;
mod local;
mod machine;
mod many;
mod paired;
mod process;
mod small;
mod table;
mod verify;
mod workload;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use stress::record::Record;
use tempfile::TempDir;

use process::{Measured, measure};
use table::{Row, State};
use workload::Size;

const TARGETS: [&str; 11] = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11"];

#[derive(Parser)]
#[command(about = "Measures every performance target", bin_name = "cargo bench --bench targets --")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Program>,
    /// Measure these alone, such as P1,P2
    #[arg(long, value_delimiter = ',', value_name = "TARGETS", ignore_case = true, value_parser = TARGETS)]
    only: Vec<String>,
    /// Everything at a tiny size, which shows that it runs and no more
    #[arg(long)]
    quick: bool,
    /// How often each of two is run that are compared
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Program {
    /// Run the seed's cycle as a bare loop, and nothing else
    Bare(bare::Arguments),
}

/// Why there is no figure.
enum Failed {
    /// Something that the measurement needs is not there.
    Absent(String),
    /// A run did not do what it should have.
    Broken(String),
}

impl<E: ToString> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Broken(error.to_string())
    }
}

/// What all measurements share.
struct Bench {
    quick: bool,
    /// How often each of two is run that are compared.
    runs: usize,
    /// Everything is made in it, and gone with it.
    directory: TempDir,
    extension: Option<PathBuf>,
    /// The sqlite3 shell.
    shell: Option<String>,
}

/// A run of `stress` and its record.
struct Run {
    measured: Measured,
    record: Record,
    /// The size of `record.json` in bytes.
    record_bytes: u64,
}

/// Whether a process is looked at while it runs, which takes some of the machine.
#[derive(Clone, Copy)]
enum Watch {
    Always,
    Never,
}

type Group = (&'static [&'static str], fn(&Bench) -> Result<Vec<Row>, Failed>);

/// What is run together, by the targets that it gives figures for.
const GROUPS: [Group; 10] = [
    (&["P9"], small::small),
    (&["P1"], local::extension),
    (&["P2"], local::plain),
    (&["P3"], local::bare),
    (&["P4", "P5"], load::large),
    (&["P6", "P11"], many::embedded),
    (&["P6"], many::shared),
    (&["P7"], many::extension),
    (&["P8"], growth::growth),
    (&["P10"], verify::verify),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Program::Bare(bare)) => bare::run(bare).map(|()| true),
        None => all(&arguments),
    };
    match done {
        Ok(whole) => ExitCode::from(u8::from(!whole)),
        Err(Failed::Absent(message) | Failed::Broken(message)) => {
            eprintln!("targets: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what was asked for; gives whether no run broke.
fn all(arguments: &Arguments) -> Result<bool, Failed> {
    let bench = Bench::new(arguments)?;
    let wanted =
        |id: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only.eq_ignore_ascii_case(id));
    println!("{}", machine::describe(&bench));
    let mut rows = Vec::new();
    for (ids, measure) in GROUPS {
        if !ids.iter().any(|id| wanted(id)) {
            continue;
        }
        eprintln!("measuring {}", ids.join(" and "));
        let found = measure(&bench).unwrap_or_else(|failed| {
            let state = match failed {
                Failed::Absent(why) => State::NotMeasured(why),
                Failed::Broken(message) => State::Broken(message),
            };
            ids.iter().map(|id| Row::without(id, state.clone())).collect()
        });
        rows.extend(found.into_iter().filter(|row| wanted(row.id)));
    }
    rows.sort_by_key(|row| row.id[1..].parse::<u8>().unwrap_or(u8::MAX));
    print!("{}", table::table(&rows, console::Term::stdout().size_checked().map_or(180, |(_, width)| width.max(120))));
    Ok(!rows.iter().any(|row| matches!(row.state, State::Broken(_))))
}

impl Bench {
    fn new(arguments: &Arguments) -> Result<Self, Failed> {
        let found = Command::new(env!("CARGO_BIN_EXE_stress")).args(["extension", "path"]).output()?;
        let path = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
        let shell = std::env::var("SQLITE").unwrap_or_else(|_| "sqlite3".to_owned());
        Ok(Self {
            quick: arguments.quick,
            runs: if arguments.quick { 2 } else { arguments.runs.into() },
            directory: tempfile::tempdir()?,
            extension: found.status.success().then_some(path),
            shell: machine::said(&shell, "-version").map(|_| shell),
        })
    }

    fn extension(&self) -> Result<&PathBuf, Failed> {
        let absent = "there is no extension: set STRESS_CLOUDSYNC_EXTENSION, or `stress extension install`";
        self.extension.as_ref().ok_or_else(|| Failed::Absent(absent.to_owned()))
    }

    fn shell(&self) -> Result<&str, Failed> {
        let absent = "there is no sqlite3 shell: install it, or name it in SQLITE";
        self.shell.as_deref().ok_or_else(|| Failed::Absent(absent.to_owned()))
    }

    /// A directory of its own for one run, gone when it is dropped.
    fn place(&self) -> Result<TempDir, Failed> {
        Ok(tempfile::tempdir_in(&self.directory)?)
    }

    /// The size, or a tiny one with `--quick`.
    fn scaled(&self, size: Size) -> Size {
        if !self.quick {
            return size;
        }
        Size { rows: size.rows.div_ceil(50).max(100), iterations: size.iterations.min(2), ..size }
    }

    /// Whether a target is met; tiny sizes do not tell.
    fn judged(&self, met: bool) -> State {
        if self.quick { State::NotJudged("not judged: --quick") } else { State::of(met) }
    }

    /// `stress run FILE`, with the same seed each time and nothing from the environment laid over it. Another exit code
    /// than the `accepted` ones is a failure.
    fn run(&self, file: &Path, arguments: &[&str], accepted: &[i32], watch: Watch) -> Result<Run, Failed> {
        let place = self.place()?;
        let runs = place.path().join("runs");
        let mut command = Command::new(env!("CARGO_BIN_EXE_stress"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STRESS_")) {
            command.env_remove(name);
        }
        command.arg("run").arg(file).args(arguments).args(["--seed", "1", "--no-progress", "--out"]).arg(&runs);
        command.env(workload::APIKEY, "known-to-no-server");
        let watched = match watch {
            Watch::Always => Some(runs.as_path()),
            Watch::Never => None,
        };
        let measured = measure(&mut command, &place.path().join("log"), accepted, watched)?;
        let directory = process::run_directory(&runs).ok_or("the run left no directory")?;
        let json = fs::read(directory.join("record.json"))?;
        Ok(Run { measured, record: serde_json::from_slice(&json)?, record_bytes: json.len() as u64 })
    }

    /// The same for a scenario given as text.
    fn run_text(&self, scenario: &str, arguments: &[&str], accepted: &[i32], watch: Watch) -> Result<Run, Failed> {
        let file = self.directory.path().join("scenario.yaml");
        fs::write(&file, scenario)?;
        self.run(&file, arguments, accepted, watch)
    }
}

impl Run {
    /// Rows changed by the phases.
    fn changed(&self) -> u64 {
        let events = self.record.workers.iter().flat_map(|worker| &worker.events);
        events.filter(|event| event.step.is_sql()).map(|event| event.rows).sum()
    }
}

/// A scenario that ships.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name)
}
