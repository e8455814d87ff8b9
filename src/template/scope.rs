//! The names that a template can use, with their values: the author's `vars`, `scale`, and the place in the run where the
//! template is rendered.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, Serde, Value};
use serde_json::Map;

use super::draws::Draws;

/// The names that are always defined, each with its meaning. The author's own names come from `vars` and `matrix`.
pub(crate) const NAMES: [(&str, &str); 12] = [
    ("db", "The number of the database, from 1."),
    ("iteration", "The number of the iteration, from 1; 0 in `setup` and `teardown`."),
    ("row", "The number of the row within the phase, from 1."),
    ("rows", "The phase's number of rows."),
    ("repeat", "The number of the phase's repetition, from 1."),
    ("user", "The number of the database's user, from 1."),
    ("user_id", "The user's id, a UUID. `auth_userid()` returns it in a policy."),
    ("seed", "The seed of the run."),
    ("scale", "The scale of the run: `scale.databases`, `scale.iterations`, `scale.rows`. Only in templates."),
    (
        "env",
        "Environment variables, such as `env.SQLITECLOUD_CONNECTION`. Only in templates under `target`, and only those that `--env` allows, or whose names begin with `SQLITECLOUD_`, `CLOUDSYNC_` or `STRESS_`.",
    ),
    ("directory", "The run's directory. Only in templates under `target: {driver: …}`."),
    ("port", "A free port of this machine. Only in templates under `target: {driver: …}`."),
];

/// The values that stay the same during the whole run.
#[derive(Debug, Clone, PartialEq)]
pub struct Variables {
    /// The author's own names, with their values.
    pub vars: Map<String, serde_json::Value>,
    /// `scale`.
    pub scale: Map<String, serde_json::Value>,
    /// The seed.
    pub seed: u64,
}

/// The place in the run where a template is rendered. It decides the values of the names.
#[derive(Debug, Clone)]
pub struct Scope {
    run: Arc<Run>,
    place: Place,
    draws: Option<Arc<Mutex<Draws>>>,
}

#[derive(Debug, PartialEq)]
struct Run {
    vars: Vec<(String, Value)>,
    scale: Value,
    seed: u64,
}

/// The place in the run. Fields that are not known yet are `None`.
#[derive(Debug, Clone, Default, PartialEq)]
struct Place {
    db: Option<u32>,
    user: Option<u32>,
    user_id: Option<Arc<str>>,
    iteration: Option<u64>,
    repeat: Option<u64>,
    rows: Option<u64>,
    row: Option<u64>,
    env: Option<Environment>,
    directory: Option<Arc<str>>,
    port: Option<u16>,
    salt: Salt,
}

/// What sets the values of a place apart from each other: two parameters of a row are drawn apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Salt(u64);

impl Salt {
    /// The salt of the value with this name.
    pub fn of(name: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64(name.as_bytes()))
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        // What was drawn so far follows from these.
        self.run == other.run && self.place == other.place
    }
}

/// The environment, which holds secrets: `Debug` does not show it.
#[derive(Clone, PartialEq)]
struct Environment(Value);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Scope {
    /// The scope of the run as a whole.
    pub fn new(variables: Variables) -> Self {
        let vars = variables.vars.into_iter().map(|(name, value)| (name, Value::from(Serde(value)))).collect();
        let scale = Value::from(Serde(variables.scale));
        let run = Run { vars, scale, seed: variables.seed };
        Self { run: Arc::new(run), place: Place::default(), draws: None }
    }

    /// The same scope for one database.
    #[must_use]
    pub fn database(&self, db: u32, user: u32, user_id: &str) -> Self {
        let place = Place { db: Some(db), user: Some(user), user_id: Some(user_id.into()), ..self.place.clone() };
        self.at(place)
    }

    /// The same scope for one iteration.
    #[must_use]
    pub fn iteration(&self, iteration: u64) -> Self {
        self.at(Place { iteration: Some(iteration), ..self.place.clone() })
    }

    /// The same scope for one repetition of a phase.
    #[must_use]
    pub fn repeat(&self, repeat: u64) -> Self {
        self.at(Place { repeat: Some(repeat), ..self.place.clone() })
    }

    /// The same scope with the number of rows of a phase.
    #[must_use]
    pub fn rows(&self, rows: u64) -> Self {
        self.at(Place { rows: Some(rows), ..self.place.clone() })
    }

    /// The same scope for one row.
    #[must_use]
    pub fn row(&self, row: u64) -> Self {
        self.at(Place { row: Some(row), ..self.place.clone() })
    }

    /// The same scope with the environment, for the secrets of the target.
    #[must_use]
    pub fn environment(&self, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let env: std::collections::BTreeMap<String, String> = environment.into_iter().collect();
        self.at(Place { env: Some(Environment(Value::from(Serde(env)))), ..self.place.clone() })
    }

    /// The same scope with the run's directory and a free port, for the programs of a driver.
    #[must_use]
    pub fn programs(&self, directory: &str, port: u16) -> Self {
        self.at(Place { directory: Some(directory.into()), port: Some(port), ..self.place.clone() })
    }

    /// The same scope for one value of the place.
    #[must_use]
    pub fn salted(&self, salt: Salt) -> Self {
        self.at(Place { salt, ..self.place.clone() })
    }

    fn at(&self, place: Place) -> Self {
        let mut scope = Self { run: Arc::clone(&self.run), place, draws: None };
        let key = [
            scope.run.seed,
            scope.place.salt.0,
            scope.place.db.unwrap_or(0).into(),
            scope.place.iteration.unwrap_or(0),
            scope.place.repeat.unwrap_or(0),
            scope.place.row.unwrap_or(0),
        ];
        scope.draws = Some(Arc::new(Mutex::new(Draws::new(key))));
        scope
    }

    /// A random whole number from 0 to `bound` − 1, drawn for this place; 0 if `bound` is 0.
    pub fn draw_below(&self, bound: u64) -> u64 {
        let draws = self.draws.as_ref().map(|draws| draws.lock().unwrap_or_else(PoisonError::into_inner).below(bound));
        draws.unwrap_or(0)
    }

    /// The random generator of this place.
    pub(super) fn draws(&self) -> Option<&Arc<Mutex<Draws>>> {
        self.draws.as_ref()
    }
}

/// The name under which the generator functions find the scope that they are called in.
pub(super) const SELF: &str = "__scope";

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let place = &self.place;
        match name {
            "row" => place.row.map(Value::from),
            "db" => place.db.map(Value::from),
            "iteration" => place.iteration.map(Value::from),
            "user" => place.user.map(Value::from),
            "user_id" => place.user_id.as_deref().map(Value::from),
            "rows" => place.rows.map(Value::from),
            "repeat" => place.repeat.map(Value::from),
            "seed" => Some(Value::from(self.run.seed)),
            "scale" => Some(self.run.scale.clone()),
            "env" => place.env.clone().map(|environment| environment.0),
            // The author's own variables of these names are older.
            "directory" if place.directory.is_some() => place.directory.as_deref().map(Value::from),
            "port" if place.port.is_some() => place.port.map(Value::from),
            SELF => Some(Value::from_dyn_object(Arc::clone(self))),
            _ => self.run.vars.iter().find(|(var, _)| var == name).map(|(_, value)| value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_told_is_there() {
        let none = Map::new();
        let scope = Scope::new(Variables { vars: none.clone(), scale: none, seed: 1 });
        let scope = scope.database(1, 1, "u").iteration(1).repeat(1).rows(1).row(1).environment([]).programs("", 1);
        for (name, _) in NAMES {
            assert!(Arc::new(scope.clone()).get_value(&Value::from(name)).is_some(), "{name}");
        }
    }
}
