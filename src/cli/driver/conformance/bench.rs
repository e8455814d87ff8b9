//! Where a driver is checked: it is started for each check in a directory of its own, and its databases have one table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Value as Sql;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::cli::problem::Problem;
use crate::failure::Secrets;
use crate::session::driver::{Ability, Driver, Plain, Process, Promise, Start};

/// As many databases are opened at most, without new devices.
pub(super) const DATABASES: u32 = 4;
const TABLE: &str = "CREATE TABLE stress_check (id TEXT PRIMARY KEY, n INTEGER, v BLOB)";
/// So many receives must bring everything.
const RECEIVES: u32 = 100;

/// A driver that is checked.
pub(in crate::cli::driver) struct Bench {
    command: Vec<String>,
    settings: Map<String, Value>,
    timeout: Duration,
    directory: TempDir,
    /// How the keys of all rows begin: a server may hold rows of earlier checks.
    prefix: String,
}

/// A check: what it looks at, what it needs, and how it looks. What it found is told in words.
pub(in crate::cli::driver) struct Check {
    pub(in crate::cli::driver) name: &'static str,
    pub(super) needs: Option<Ability>,
    pub(super) look: fn(&Scene<'_>) -> Result<String, String>,
}

/// What a check found, in words.
pub(in crate::cli::driver) enum Found {
    Ok(String),
    Failed(String),
    NotAsked(String),
}

impl Found {
    pub(in crate::cli::driver) fn words(&self) -> &str {
        match self {
            Self::Ok(words) | Self::Failed(words) | Self::NotAsked(words) => words,
        }
    }
}

/// A driver that runs for one check.
pub(super) struct Scene<'a> {
    bench: &'a Bench,
    directory: PathBuf,
    prefix: String,
    pub(super) driver: Plain,
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        // How it ends by itself is a check of its own.
        self.driver.kill();
    }
}

impl Bench {
    pub(in crate::cli::driver) fn new(
        command: Vec<String>,
        settings: Map<String, Value>,
        timeout: Duration,
    ) -> Result<Self, Problem> {
        let failed = |error| Problem::could_not_run(format!("failed to create a temporary directory: {error}"));
        let directory = tempfile::Builder::new().prefix("stress-driver-").tempdir().map_err(failed)?;
        let prefix = Uuid::new_v4().simple().to_string();
        Ok(Self { command, settings, timeout, directory, prefix: prefix[..8].to_owned() })
    }

    /// Keeps the directory. Gives where it is.
    pub(in crate::cli::driver) fn keep(self) -> PathBuf {
        self.directory.keep()
    }

    /// Starts the driver.
    fn start(&self, directory: &Path) -> Result<Process, Problem> {
        let command = self.command.join(" ");
        let failed = |error| Problem::could_not_run(format!("the driver `{command}` could not be started: {error}"));
        std::fs::create_dir_all(directory).map_err(failed)?;
        let start = Start {
            command: self.command.clone(),
            environment: Vec::new(),
            log: directory.join("driver.log"),
            timeout: self.timeout,
            secrets: Secrets::default(),
        };
        let help = "write the program and its arguments as in a shell: `stress driver check python3 my-driver.py`";
        Process::start(&start).map_err(|error| failed(error).help(help))
    }

    fn meet(&self, process: Process, directory: &Path) -> Result<Driver, String> {
        let directory = directory.to_string_lossy();
        Driver::meet(process, &self.settings, DATABASES, &directory).map_err(|error| error.message)
    }

    /// The first check: who are you?
    pub(in crate::cli::driver) fn introduce(&self) -> Result<Found, Problem> {
        let directory = self.directory.path().join("0");
        let process = self.start(&directory)?;
        Ok(match self.meet(process, &directory) {
            Err(wrong) => Found::Failed(wrong),
            Ok(driver) => {
                let hello = driver.hello.clone();
                Plain::new(driver).kill();
                if hello.name.trim().is_empty() || hello.engine.name.trim().is_empty() {
                    return Ok(Found::Failed("the driver or its engine has no name".to_owned()));
                }
                let list = |names: Vec<String>| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
                let promises = hello.promises.iter().map(|promise| name(promise, '-')).collect();
                let does = hello.does.iter().map(|does| name(does, '_')).collect();
                Found::Ok(format!(
                    "`{}`, {} {}; promises {}; does {}",
                    hello.name,
                    hello.engine.name,
                    hello.engine.version,
                    list(promises),
                    list(does)
                ))
            }
        })
    }

    /// A driver for a check, which has a number.
    fn scene(&self, number: usize) -> Result<Result<Scene<'_>, String>, Problem> {
        let directory = self.directory.path().join(number.to_string());
        let prefix = format!("{}-{number}-", self.prefix);
        let process = self.start(&directory)?;
        let driver = self.meet(process, &directory);
        Ok(driver.map(|driver| Scene { bench: self, directory, prefix, driver: Plain::new(driver) }))
    }
}

/// As the protocol has it: words with this between them.
fn name(item: &impl std::fmt::Debug, between: char) -> String {
    let mut name = String::new();
    for letter in format!("{item:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push(between);
        }
        name.extend(letter.to_lowercase());
    }
    name
}

impl Check {
    pub(in crate::cli::driver) fn run(&self, bench: &Bench, number: usize) -> Result<Found, Problem> {
        let scene = match bench.scene(number)? {
            Ok(scene) => scene,
            Err(wrong) => return Ok(Found::Failed(wrong)),
        };
        if let Some(needed) = self.needs.filter(|needed| !scene.driver.does(*needed)) {
            return Ok(Found::NotAsked(format!("the driver does not `{}`", name(&needed, '_'))));
        }
        Ok(match (self.look)(&scene) {
            Ok(found) => Found::Ok(found),
            Err(wrong) => Found::Failed(wrong),
        })
    }
}

/// A row as it is compared: its key without the prefix, and `n`.
pub(super) type Held = (String, i64);

impl Scene<'_> {
    /// The driver started once more, with the same files.
    pub(super) fn again(&self) -> Result<Self, String> {
        let process = self.bench.start(&self.directory).map_err(|problem| problem.message)?;
        let driver = self.bench.meet(process, &self.directory)?;
        Ok(Self {
            bench: self.bench,
            driver: Plain::new(driver),
            directory: self.directory.clone(),
            prefix: self.prefix.clone(),
        })
    }

    /// What is wrong, unless it is right or was not promised.
    pub(super) fn promised(&self, promise: Promise, found: Result<String, String>) -> Result<String, String> {
        match found {
            Err(wrong) if !self.driver.promises(promise) => Ok(format!("not promised, and observed: {wrong}")),
            found => found,
        }
    }

    pub(super) fn does(&self, ability: Ability) -> bool {
        self.driver.does(ability)
    }

    /// Opens a database.
    pub(super) fn open(&self, db: u32) -> Result<(), String> {
        let file = self.directory.join(format!("{db}.db"));
        let fields = json!({ "file": file.to_string_lossy(), "user": "stress-check", "tables": [TABLE] });
        self.driver.done(db, "open", fields)
    }

    pub(super) fn open_all(&self, databases: &[u32]) -> Result<(), String> {
        databases.iter().try_for_each(|db| self.open(*db))
    }

    /// A key of this check.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Inserts rows with these keys, in one batch.
    pub(super) fn insert(&self, db: u32, rows: &[(&str, i64)]) -> Result<u64, String> {
        let rows: Vec<_> = rows.iter().map(|(name, n)| vec![Sql::Text(self.key(name)), Sql::Integer(*n)]).collect();
        self.driver.exec(db, "INSERT INTO stress_check (id, n) VALUES (:id, :n)", &[":id", ":n"], &rows)
    }

    /// That the rows of this check are these, in a database.
    pub(super) fn holds(&self, db: u32, wanted: &[(&str, i64)]) -> Result<(), String> {
        let held = self.held(db)?;
        let same = held.iter().map(|(name, n)| (name.as_str(), *n)).eq(wanted.iter().copied());
        if same { Ok(()) } else { Err(format!("database {db} holds {}, not {}", told(&held), told(&owned(wanted)))) }
    }

    /// The rows of this check that a database holds, by their keys.
    pub(super) fn held(&self, db: u32) -> Result<Vec<Held>, String> {
        self.driver.rows(db, &self.query(), &[]).and_then(|rows| self.read(rows))
    }

    /// The same rows on the server.
    pub(super) fn held_by_server(&self) -> Result<Vec<Held>, String> {
        self.driver.server_rows(&self.query()).and_then(|rows| self.read(rows))
    }

    fn query(&self) -> String {
        format!("SELECT id, n FROM stress_check WHERE id LIKE '{}%' ORDER BY id", self.prefix)
    }

    fn read(&self, rows: Vec<Vec<Sql>>) -> Result<Vec<Held>, String> {
        let read = |row: Vec<Sql>| match row.as_slice() {
            [Sql::Text(key), Sql::Integer(n)] => Some((key.strip_prefix(&self.prefix)?.to_owned(), *n)),
            _ => None,
        };
        let all: Option<Vec<Held>> = rows.into_iter().map(read).collect();
        all.ok_or_else(|| "a query for a text and an integer gave something else".to_owned())
    }

    /// Receives until there is nothing more.
    pub(super) fn receive(&self, db: u32, max_chunks: Option<u64>) -> Result<u32, String> {
        for number in 1..=RECEIVES {
            if self.driver.moved(db, "receive", max_chunks)?.complete != Some(false) {
                return Ok(number);
            }
        }
        Err(format!("database {db} still says that there is more after {RECEIVES} receives"))
    }
}

pub(super) fn owned(rows: &[(&str, i64)]) -> Vec<Held> {
    rows.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

/// Rows for a message: a few of them.
pub(super) fn told(rows: &[Held]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = rows.iter().take(SHOWN).map(|(name, n)| format!("{name} = {n}")).collect();
    match rows.len() {
        0 => "no rows".to_owned(),
        1..=SHOWN => format!("({})", shown.join(", ")),
        many => format!("{many} rows ({}, …)", shown.join(", ")),
    }
}
