//! The databases that the runs of a scenario hand on to each other (`session.reuse`): where they lie, that one run at a
//! time is at work on them, and whether they are still what the scenario wants.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::recorded;
use crate::execute::write_whole;
use crate::plan::Plan;
use crate::scenario::Algorithm;

/// What was decided when they were made.
const FACTS: &str = "reuse.json";
/// Held by the run at work: the system lets go of it however the run ends.
const LOCK: &str = "lock";
/// The fact by which a server is known: the managed database id, once it was met.
const SERVER: &str = "managed_database_id";
/// Whether the last run passed; absent while one is at work, and after one that did not.
const PASSED: &str = "passed";
const ANEW: &str = "`stress cleanup FILE` removes them, and the next run creates new ones";

/// The databases, while a run has them to itself.
pub(super) struct Reused {
    pub(super) path: PathBuf,
    _lock: File,
}

impl Reused {
    /// Takes the scenario's databases under `base`, or the place for them.
    pub(super) fn take(base: &Path, plan: &Plan) -> Result<Self, Problem> {
        let reused = Self::lock(&place(base, &plan.name))?;
        let now = facts(plan);
        match reused.facts()? {
            None => reused.note(&now)?,
            Some(before) => reused.compare(&before, &now)?,
        }
        Ok(reused)
    }

    /// Takes the databases that a scenario has under `base`, whatever they are; none when it has none.
    pub(super) fn find(base: &Path, scenario: &str) -> Result<Option<Self>, Problem> {
        let path = place(base, scenario);
        if path.exists() { Self::lock(&path).map(Some) } else { Ok(None) }
    }

    /// Removes the databases.
    pub(super) fn remove(self) -> Result<(), Problem> {
        fs::remove_dir_all(&self.path)
            .map_err(|error| Problem::could_not_run(format!("failed to remove `{}`: {error}", self.path.display())))
    }

    /// What a person should know beforehand: where the databases are, and whether they may differ from the start.
    pub(super) fn told(&self) -> Result<String, Problem> {
        let facts = self.facts()?.unwrap_or_default();
        let doubt = match (facts.get(SERVER), facts.get(PASSED)) {
            (Some(_), None) => {
                format!("; the run before did not pass, and what differs may be left from it ({ANEW})")
            }
            _ => String::new(),
        };
        Ok(format!("continuing with the databases in {}{doubt}", self.path.display()))
    }

    /// Keeps that a run passed.
    pub(super) fn passed(&self) -> Result<(), Problem> {
        let mut facts = self.facts()?.unwrap_or_default();
        facts.insert(PASSED.to_owned(), true.into());
        self.note(&facts)
    }

    /// Holds the server against the one that they were synced with: another one does not have their rows.
    pub(super) fn meet(&self, managed_database_id: &str) -> Result<(), Problem> {
        let mut facts = self.facts()?.unwrap_or_default();
        match facts.get(SERVER).and_then(Value::as_str) {
            Some(known) if known != managed_database_id => Err(Problem::could_not_run(format!(
                "the databases in `{}` were synced with {known}, and this run would sync them with {managed_database_id}, which does not have their rows",
                self.path.display(),
            ))
            .help(ANEW)),
            Some(_) | None => {
                facts.insert(SERVER.to_owned(), managed_database_id.into());
                facts.remove(PASSED);
                self.note(&facts)
            }
        }
    }

    fn lock(path: &Path) -> Result<Self, Problem> {
        let failed = |error: &io::Error| {
            Problem::could_not_run(format!("failed to open `{}`: {error}", path.display()))
                .help("name another directory with `--out`")
        };
        fs::create_dir_all(path).map_err(|error| failed(&error))?;
        let lock = File::options().create(true).write(true).truncate(false).open(path.join(LOCK));
        let lock = lock.map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(Problem::could_not_run(format!("another run uses the databases in `{}`", path.display()))
                    .help("wait until that run ends, or name another directory with `--out`"))
            }
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    fn facts(&self) -> Result<Option<Map<String, Value>>, Problem> {
        let path = self.path.join(FACTS);
        let failed = |why: &dyn std::fmt::Display| {
            Problem::could_not_run(format!("failed to read `{}`: {why}", path.display())).help(ANEW)
        };
        match recorded::bytes(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn note(&self, facts: &Map<String, Value>) -> Result<(), Problem> {
        Ok(write_whole(&self.path.join(FACTS), &format!("{:#}", Value::Object(facts.clone())))?)
    }

    fn compare(&self, before: &Map<String, Value>, now: &Map<String, Value>) -> Result<(), Problem> {
        let Some((key, wanted)) = now.iter().find(|(key, wanted)| before.get(*key) != Some(*wanted)) else {
            return Ok(());
        };
        let had = before.get(key).unwrap_or(&Value::Null);
        let (what, help) = match key.as_str() {
            "databases" => (
                format!("there are {had}, but the scenario needs {wanted}"),
                format!("run with `--databases {had}`; or {ANEW}"),
            ),
            "tables" => ("the tables or policies of the scenario have changed".to_owned(), ANEW.to_owned()),
            "users" => ("the users of the databases have changed".to_owned(), ANEW.to_owned()),
            _ => (format!("they were created for {key} {had}, but this is {wanted}"), ANEW.to_owned()),
        };
        let message = format!("the databases in `{}` no longer fit the scenario: {what}", self.path.display());
        Err(Problem::could_not_run(message).help(help))
    }
}

fn place(base: &Path, scenario: &str) -> PathBuf {
    base.join(scenario).join("databases")
}

/// What must stay the same. The seed need not, nor the phases.
fn facts(plan: &Plan) -> Map<String, Value> {
    let table = |table: &crate::plan::TablePlan| {
        let mut facts = json!({ "name": table.name, "sql": table.sql, "also": table.also, "policies": table.policies });
        if let Some(filter) = &table.filter {
            facts["filter"] = filter.as_str().into();
        }
        if table.algorithm != Algorithm::default() {
            facts["algo"] = table.algorithm.as_str().into();
        }
        for block in &table.blocks {
            facts["blocks"][&table.columns[block.place]] = block.separator().into();
        }
        facts
    };
    let facts = [
        ("target", json!(plan.target.kind())),
        ("databases", json!(plan.databases.len())),
        ("users", json!(plan.databases.iter().map(|database| database.user).collect::<Vec<_>>())),
        ("tables", plan.tables.iter().map(table).collect()),
    ];
    facts.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}
