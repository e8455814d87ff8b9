//! `stress new`: a commented scenario that runs as it is. On a terminal a person is asked what it is to be; the same can
//! be said by arguments, and what nobody says has a default.

mod answers;
mod questions;
mod table;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use super::{overrides, preview};
use crate::execute::{write_new, write_whole};
use crate::load;
use crate::plan::Plan;
use crate::scenario::TargetKind;
use crate::source::Source;
use answers::{ADDRESS, Answers, Cloud, Preset, Scale};
use questions::Questions;
use table::Table;

#[derive(Args)]
#[command(
    after_help = "On a terminal and without options, `stress new` asks questions. With any option, or without a terminal, it
asks nothing and uses the defaults for everything that is not given.

Examples:
  stress new
  stress new mine --scale medium --rls
  stress new mine --target cloudsync --database test_mine
  stress new mine --table \"CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT, body TEXT)\""
)]
pub(super) struct Arguments {
    /// The scenario's name: letters, digits, - and _
    name: Option<String>,
    /// The file to write [default: scenarios/<NAME>.yaml]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    said: Said,
}

/// What the arguments say.
#[derive(Args)]
struct Said {
    /// Ask nothing; use the defaults for everything that is not given
    #[arg(long, short)]
    yes: bool,
    /// The target to sync with [default: embedded]
    #[arg(long, value_name = "TARGET", value_parser = overrides::target)]
    target: Option<TargetKind>,
    /// The address of the CloudSync server [default: the public server]
    #[arg(long, value_name = "URL")]
    address: Option<String>,
    /// The name of the database in the project [default: the one in the connection string]
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The amount of load [default: small]
    #[arg(long, value_enum)]
    scale: Option<Preset>,
    /// The number of databases that write and sync at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    databases: Option<u64>,
    /// The number of rows per phase
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rows: Option<u64>,
    /// The number of iterations of each database
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    iterations: Option<u64>,
    /// Use row-level security
    #[arg(long)]
    rls: bool,
    /// The CREATE TABLE statement [default: a table test_sync with four columns]
    #[arg(long, value_name = "SQL")]
    table: Option<String>,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let asks = arguments.said.is_nothing() && terminal.watched && io::stdin().is_terminal();
    let (answers, file, over) = if asks { ask(arguments, terminal) } else { arguments.answer() }?;
    write(&answers, &file, over, terminal)?;
    Ok(Exit::Pass)
}

type Answered = (Answers, PathBuf, bool);

/// Asks a person. Gives the answers, the file, and whether it may be written over.
fn ask(arguments: &Arguments, terminal: &Terminal) -> Result<Answered, Problem> {
    let questions = Questions::new(terminal.color)?;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => questions.name(fits)?,
    };
    fits(&name)?;
    let file = arguments.file(&name);
    let over = file.exists();
    if over && !questions.confirm(&format!("{} exists already: write over it", file.display()))? {
        return Err(exists(&file));
    }
    let answers = questions.answers(name, |answers| planned(answers, &file).map(drop))?;
    Ok((answers, file.clone(), over))
}

impl Arguments {
    /// What the arguments and the defaults say.
    fn answer(&self) -> Result<Answered, Problem> {
        let name = self.name.clone().ok_or_else(|| {
            Problem::usage("the scenario has no name").help("`stress new NAME`; on a terminal, `stress new` asks")
        })?;
        fits(&name)?;
        let Said { yes: _, target, address, database, scale, databases, rows, iterations, rls, table } = &self.said;
        let cloud = match target {
            Some(TargetKind::Cloudsync) => Some(Cloud {
                address: address.clone().unwrap_or_else(|| ADDRESS.to_owned()),
                database: database.clone(),
                allowed: None,
                managed: true,
            }),
            Some(TargetKind::Embedded) | None if address.is_some() || database.is_some() => {
                return Err(Problem::usage("the embedded target has no address and no database")
                    .help("add `--target cloudsync`"));
            }
            Some(TargetKind::Embedded) | None => None,
            Some(TargetKind::Driver | TargetKind::Turso) => {
                return Err(Problem::usage("`stress new` writes scenarios for `embedded` and `cloudsync` only")
                    .help("copy scenarios/turso.yaml; `stress help driver` describes the target `driver`"));
            }
        };
        let preset = scale.unwrap_or(Preset::Small).scale();
        let scale = Scale {
            databases: databases.unwrap_or(preset.databases),
            iterations: iterations.unwrap_or(preset.iterations),
            rows: rows.unwrap_or(preset.rows),
            ..preset
        };
        let table = table.as_deref().map(Table::of).transpose().map_err(|problem| {
            Problem::usage(format!("the table's SQL does not run: {}", problem.message))
                .help("`--table \"CREATE TABLE …\"`")
        })?;
        let file = self.file(&name);
        let answers = Answers { name, cloud, scale, rls: *rls, table: table.unwrap_or_default() };
        Ok((answers, file, false))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.file.clone().unwrap_or_else(|| Path::new("scenarios").join(format!("{name}.yaml")))
    }
}

impl Said {
    fn is_nothing(&self) -> bool {
        let Self { yes, target, address, database, scale, databases, rows, iterations, rls, table } = self;
        let texts = [address, database, table].iter().all(|text| text.is_none());
        let numbers = [databases, rows, iterations].iter().all(|number| number.is_none());
        texts && numbers && target.is_none() && scale.is_none() && !yes && !rls
    }
}

/// Whether a name is one for a scenario.
fn fits(name: &str) -> Result<(), Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(fits) && name.len() <= 80 {
        return Ok(());
    }
    Err(Problem::usage(format!("`{name}` is not a name for a scenario"))
        .help("use letters, digits, `-` and `_`, a letter or digit first"))
}

fn exists(file: &Path) -> Problem {
    Problem::usage(format!("`{}` exists already", file.display()))
        .help("choose another name, or another place with `--file`")
}

/// Writes the scenario, once it has no problems, and says what comes next.
fn write(answers: &Answers, file: &Path, over: bool, terminal: &mut Terminal) -> Result<(), Problem> {
    let plan = planned(answers, file)?;
    written(file, &answers.text(), over)?;
    let shown = file.display().to_string();
    terminal.print(&format!(
        "wrote {shown}; with seed 0 it does this:\n{}\n{}",
        preview::steps(&plan),
        answers.next(&shown)
    ));
    Ok(())
}

/// The plan of a scenario of such answers, or its first problem.
fn planned(answers: &Answers, file: &Path) -> Result<Plan, Problem> {
    if answers.rls && !answers.table.has_users() {
        return Err(Problem::usage(
            "with row-level security the table needs a column `user_id`, which says whose a row is",
        ));
    }
    let source = Source::parse(file, answers.text());
    let found = match load::load_source(source, &load::Overrides::default()) {
        Ok(loaded) => return Ok(loaded.into_first().plan),
        Err(error) => error.diagnostics(),
    };
    // Its place is in a text that is not written.
    let first = found.into_iter().find(|found| !found.warning);
    let first = first.map(|first| Problem { help: first.help, ..Problem::usage(first.message) });
    Err(first.unwrap_or_else(|| Problem::scenario(file, Vec::new())))
}

fn written(file: &Path, text: &str, over: bool) -> Result<(), Problem> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(file),
        _ => Problem::could_not_run(format!("failed to write `{}`: {error}", file.display())),
    };
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let made = std::fs::create_dir_all(parent).map_err(|error| match error.kind() {
            // A file stands where the directory would be: it is not the scenario that exists.
            io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
            _ => error,
        });
        made.map_err(failed)?;
    }
    if over { Ok(write_whole(file, text)?) } else { write_new(file, text).map_err(failed) }
}
