//! What the command line and the environment set, applied to the value. It must not read either: the caller does.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::merge::{self, Merged, entries};
use super::origin::Origin;
use super::problems::{Findings, LoadError};
use crate::diagnostic::Diagnostic;
use crate::plan::Grant;
use crate::scenario::TargetKind;
use crate::source::{Source, join};
use crate::suggest::suggest;

/// What was asked beside the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `--profile`.
    pub profile: Option<String>,
    /// `--target`.
    pub target: Option<TargetKind>,
    /// Values of `vars` with where they come from; the last one for a name wins.
    pub vars: Vec<(String, Value, Origin)>,
    /// `--databases`.
    pub databases: Option<u64>,
    /// `--rows`.
    pub rows: Option<u64>,
    /// `--iterations`.
    pub iterations: Option<u64>,
    /// `--time-limit`, with its unit.
    pub time_limit: Option<String>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--max-runs`.
    pub max_runs: Option<u64>,
    /// The seed that was drawn for this run, in case neither the file nor `--seed` gives one.
    pub drawn_seed: Option<u64>,
    /// `--env` and `--sandbox`.
    pub grant: Grant,
}

/// A value as typed on a command line: a number, `true`, `false`, or text.
pub(crate) fn parse_var(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text.to_string()),
    }
}

/// The variables that an environment sets: `STRESS_VAR_TABLE=notes` sets `table`.
pub(crate) fn environment_vars(
    environment: impl IntoIterator<Item = (String, String)>,
) -> Vec<(String, Value, Origin)> {
    let environment = environment.into_iter().filter_map(|(variable, value)| {
        let name = variable.strip_prefix("STRESS_VAR_")?.to_lowercase();
        (!name.is_empty()).then(|| (name, parse_var(&value), Origin::Environment(variable)))
    });
    let mut vars: Vec<_> = environment.collect();
    vars.sort_by(|a, b| a.0.cmp(&b.0));
    vars
}

/// The variables of a `--vars-file`: a YAML map of names to values.
pub(crate) fn vars_file(path: &Path) -> Result<Vec<(String, Value, Origin)>, LoadError> {
    let source = Source::read(path)?;
    if !source.is_complete() || !source.problems.is_empty() {
        return Err(LoadError { source: Some(Box::new(source)), problems: Vec::new(), messages: Vec::new() });
    }
    if !source.value.is_object() {
        let message = "does not contain a map of names to values";
        let message = Diagnostic::free(path.display().to_string(), "load::vars_file", message)
            .help(Some("write `name: value` lines".into()));
        return Err(LoadError { source: None, problems: Vec::new(), messages: vec![message] });
    }
    let origin = Origin::VarsFile(path.to_path_buf());
    Ok(entries(Some(&source.value)).map(|(name, value)| (name.clone(), value.clone(), origin.clone())).collect())
}

/// Applies everything but the profile.
pub(super) fn apply(overrides: &Overrides, merged: &mut Merged, findings: &mut Findings) {
    for (name, value, origin) in &overrides.vars {
        set_var(merged, name, value, origin, findings);
    }
    let scale = [
        ("databases", "--databases", overrides.databases.map(Value::from)),
        ("rows", "--rows", overrides.rows.map(Value::from)),
        ("iterations", "--iterations", overrides.iterations.map(Value::from)),
        ("time_limit", "--time-limit", overrides.time_limit.clone().map(Value::from)),
    ];
    for (key, flag, value) in scale {
        if let Some(value) = value {
            set(merged, Some("scale"), key, value, Origin::Flag(flag));
        }
    }
    if let Some(seed) = overrides.seed {
        set(merged, None, "seed", seed.into(), Origin::Flag("--seed"));
    } else if let Some(seed) = overrides.drawn_seed.filter(|_| merged.value.get("seed").is_none()) {
        set(merged, None, "seed", seed.into(), Origin::Default);
    }
    if let Some(target) = overrides.target {
        let name = json!(target);
        let key = name.as_str().unwrap_or_default();
        let given = merged.value.get("target");
        let has_it = given == Some(&name) || given.is_some_and(|target| target.get(key).is_some());
        if !has_it {
            set(merged, None, "target", name, Origin::Flag("--target"));
        }
    }
}

fn set_var(merged: &mut Merged, name: &str, value: &Value, origin: &Origin, findings: &mut Findings) {
    let known: Vec<&String> = entries(merged.value.get("vars")).map(|(name, _)| name).collect();
    let from_environment = matches!(origin, Origin::Environment(_));
    let found =
        known.iter().find(|known| *known == &name || (from_environment && known.to_lowercase() == name.to_lowercase()));
    if let Some(found) = found {
        let found = (*found).clone();
        set(merged, Some("vars"), &found, value.clone(), origin.clone());
        return;
    }
    let message = Diagnostic::free(
        origin.outside().unwrap_or_else(|| "--var".into()),
        "load::unknown_var",
        format!("the scenario has no variable `{name}`"),
    );
    let help = suggest(name, known.iter().map(|known| known.as_str()), "variables");
    // The environment may hold variables of other scenarios; a flag is a wish for this one.
    findings.message(message.help(Some(help)).warning(from_environment));
}

/// Sets a key of the scenario, or of one of its maps, unless what should be that map is none.
fn set(merged: &mut Merged, section: Option<&str>, key: &str, value: Value, origin: Origin) {
    let Some(mut map) = merged.value.as_object_mut() else { return };
    let mut pointer = String::new();
    if let Some(section) = section {
        let Value::Object(inner) = map.entry(section).or_insert_with(|| Value::Object(Map::new())) else { return };
        map = inner;
        pointer = join("", section);
    }
    map.insert(key.to_string(), value);
    merged.laid.insert(join(&pointer, key), origin);
}

/// The origins of everything laid over the file, and of all the values a reader asks about.
pub(super) fn origins(merged: Merged) -> BTreeMap<String, Origin> {
    const KEYS: [&str; 9] = [
        "/scale/databases",
        "/scale/iterations",
        "/scale/rows",
        "/scale/time_limit",
        "/seed",
        "/target",
        "/session/open",
        "/settle/rounds",
        "/settle/wait",
    ];
    let vars: Vec<String> = entries(merged.value.get("vars")).map(|(name, _)| join("/vars", name)).collect();
    let mut origins = BTreeMap::new();
    for pointer in KEYS.iter().map(ToString::to_string).chain(vars) {
        let given = merged.value.pointer(&pointer).is_some();
        let unlaid = if given { Origin::File } else { Origin::Default };
        let origin = merge::origin(&merged.laid, &pointer).cloned().unwrap_or(unlaid);
        origins.insert(pointer, origin);
    }
    origins.extend(merged.laid);
    origins
}
