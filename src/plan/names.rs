//! What a template may use, by where it stands in the scenario, and what is said about a name that it may not.

use serde_json::{Map, Value};

use super::grant::Grant;
use crate::suggest::suggest;
use crate::template::GENERATORS;

/// What a template may use, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Names {
    /// `vars`, `scale` and `seed`: rendered once for the run.
    Run,
    /// The same and `env`: under `target`.
    Target,
    /// The same, the run's directory and a port: in the programs and settings of a driver.
    Driver,
    /// Also where in the run: database, user, iteration.
    Phase,
    /// Also the row, and generated values.
    Row,
}

/// Names that differ between databases and iterations.
const PHASE_NAMES: [&str; 6] = ["db", "iteration", "repeat", "rows", "user", "user_id"];
/// Names of the programs of a driver.
const DRIVER_NAMES: [&str; 2] = ["directory", "port"];
/// Names that belong to the template language itself.
const LANGUAGE: [&str; 6] = ["range", "dict", "namespace", "debug", "loop", "self"];
/// The keys of `scale` in templates.
pub(super) const SCALE_KEYS: [&str; 3] = ["databases", "iterations", "rows"];

/// A name that a template may not use.
pub(super) struct NameProblem {
    pub(super) message: String,
    pub(super) help: String,
}

impl Names {
    /// What is wrong with a name (`scale.rows` for a key of one) in a template that stands here. `vars` are the
    /// author's own names, and `grant` says which variables of the environment it may read.
    pub(super) fn check(self, name: &str, vars: &Map<String, Value>, grant: &Grant) -> Result<(), NameProblem> {
        let (root, key) = name.split_once('.').map_or((name, None), |(root, key)| (root, Some(key)));
        if LANGUAGE.contains(&root) || root == "seed" || vars.contains_key(root) {
            return Ok(());
        }
        if root == "scale" {
            let unknown = key.filter(|key| !SCALE_KEYS.contains(key));
            return unknown.map_or(Ok(()), |key| {
                let help = suggest(key, SCALE_KEYS, "keys of `scale`");
                Err(NameProblem { message: format!("`scale` has no `{key}`"), help })
            });
        }
        if root == "env" && matches!(self, Self::Target | Self::Driver) {
            return granted(key, grant);
        }
        if self == Self::Driver && DRIVER_NAMES.contains(&root) {
            return Ok(());
        }
        let allowed = self >= Self::Phase;
        let (allowed, why) = if root == "env" {
            (false, "`env` works only under `target`, so that no secret ends up in data or logs")
        } else if PHASE_NAMES.contains(&root) {
            (allowed, "its value differs between databases and iterations, and this text is rendered once per run")
        } else if root == "row" || GENERATORS.contains(&root) {
            (self == Self::Row, "its value differs from row to row; use it in `bind` or `sql`")
        } else {
            return Err(self.unknown(root, vars));
        };
        if allowed {
            return Ok(());
        }
        Err(NameProblem { message: format!("`{root}` cannot be used here"), help: why.to_owned() })
    }

    fn unknown(self, name: &str, vars: &Map<String, Value>) -> NameProblem {
        let mut all: Vec<&str> = vars.keys().map(String::as_str).collect();
        all.extend(["scale", "seed"]);
        if self == Self::Driver {
            all.extend(DRIVER_NAMES);
        }
        if self >= Self::Phase {
            all.extend(PHASE_NAMES);
        }
        if self >= Self::Row {
            all.push("row");
            all.extend(GENERATORS);
        }
        let help = suggest(name, all, "declare it under `vars`; known names");
        NameProblem { message: format!("unknown variable `{name}`"), help }
    }
}

/// Whether a scenario may read this variable of the environment.
fn granted(variable: Option<&str>, grant: &Grant) -> Result<(), NameProblem> {
    match variable {
        Some(variable) if grant.reads(variable) => Ok(()),
        Some(variable) => {
            let message = format!("the scenario may not read the environment variable `{variable}`");
            Err(NameProblem { message, help: grant.help(variable) })
        }
        None => Err(NameProblem {
            message: "`env` cannot be used as a whole".to_owned(),
            help: "name a variable of the environment: `env.SQLITECLOUD_CONNECTION`".to_owned(),
        }),
    }
}

/// Whether a name always has a meaning of its own, so that no variable can have it.
pub(super) fn is_taken(name: &str) -> bool {
    PHASE_NAMES.contains(&name) || GENERATORS.contains(&name) || ["row", "seed", "scale", "env", "id"].contains(&name)
}

/// Whether a text can be a name in a template, or that of a pragma.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
}
