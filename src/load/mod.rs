//! The front door: from a path and what was asked on the command line to a scenario with its plans, or to everything
//! that is wrong with it at once. Profiles and overrides are laid over the value before it is checked, so that one check
//! covers all. It must not know templates, SQL or thresholds: the plan does.

mod merge;
mod origin;
mod overrides;
mod problems;
mod variation;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, diagnose};
use crate::scenario::schema::{MAX_PROFILES, violations};
use crate::scenario::{Issue, Scenario};
use crate::source::{Meaning, Source, segments};
use crate::suggest::suggest;
use merge::Merged;
use problems::Findings;

pub(crate) use merge::written_at;
pub(crate) use origin::Origin;
pub use overrides::Overrides;
pub(crate) use overrides::{environment_vars, parse_var, vars_file};
pub(crate) use problems::LoadError;
pub(crate) use variation::{Variation, Variations};

/// How many runs a matrix may be, unless more are allowed.
const MOST_RUNS: u64 = 1_000;

/// A scenario, ready to be run.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file.
    pub source: Source,
    /// The scenario with the profile, the variables and the overrides applied, once for every combination of its
    /// `matrix`; one without a matrix. Their `profiles` and `matrix` are empty.
    pub variations: Variations,
    /// What can be left as it is.
    pub warnings: Vec<Issue>,
    /// Warnings that are in no file's text, such as a variable of the environment that the scenario does not have.
    pub messages: Vec<Diagnostic>,
    /// Where values come from, by pointer: those a profile, a flag or a variable set, and the whole of `scale`, `vars`,
    /// `target`, `seed`, `session` and `settle`.
    pub origins: BTreeMap<String, Origin>,
    /// The names of the file's profiles.
    pub profiles: Vec<String>,
}

impl Loaded {
    /// The scenario, of its first combination if it has a matrix.
    ///
    /// # Panics
    ///
    /// Never: a matrix without values is a problem, and what has a problem is not loaded.
    pub(crate) fn into_first(self) -> Variation {
        self.variations.iter().next().expect("a scenario that is loaded has a combination")
    }

    /// The warnings with their places.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all = self.messages.clone();
        all.extend(diagnose(&self.source, &self.warnings));
        all
    }
}

/// Reads the scenario at `path`, lays the chosen profile and the overrides over it, checks all of it and plans every
/// combination of its matrix. Without a chosen profile every profile is checked.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, LoadError> {
    load_source(Source::read(path)?, overrides)
}

/// As [`load`], for a file that was read already.
pub fn load_source(source: Source, overrides: &Overrides) -> Result<Loaded, LoadError> {
    if !source.is_complete() {
        return Err(LoadError { source: Some(Box::new(source)), problems: Vec::new(), messages: Vec::new() });
    }
    let mut findings = Findings::default();
    let profiles = profile_names(&source.value);
    let chosen = chosen_profile(overrides, &profiles, &mut findings);
    findings.issues.extend(violations(&source.value));

    let resolved = resolve(&source, chosen, overrides, &mut findings);
    if chosen.is_none() {
        for profile in profiles.iter().take(MAX_PROFILES) {
            // Their scenarios are of no use here, what is wrong with them is.
            let _ = resolve(&source, Some(profile), overrides, &mut findings);
        }
    }
    let mut issues = findings.in_order();
    issues.extend(lookalikes(&source, &issues));
    let messages = findings.messages;
    let failed = issues.iter().any(|issue| !issue.warning)
        || messages.iter().any(|message| !message.warning)
        || !source.problems.is_empty();
    match resolved {
        Some((variations, origins)) if !failed => {
            Ok(Loaded { source, variations, warnings: issues, messages, origins, profiles })
        }
        _ => Err(LoadError { source: Some(Box::new(source)), problems: issues, messages }),
    }
}

fn profile_names(value: &Value) -> Vec<String> {
    let profiles = value.get("profiles").and_then(Value::as_object);
    profiles.map(|profiles| profiles.keys().cloned().collect()).unwrap_or_default()
}

fn chosen_profile<'o>(overrides: &'o Overrides, profiles: &[String], findings: &mut Findings) -> Option<&'o str> {
    let chosen = overrides.profile.as_deref()?;
    if profiles.iter().any(|profile| profile == chosen) {
        return Some(chosen);
    }
    let help = suggest(chosen, profiles.iter().map(String::as_str), "profiles");
    let message = format!("the scenario has no profile `{chosen}`");
    findings.message(Diagnostic::free("--profile", "load::unknown_profile", message).help(Some(help)));
    None
}

/// The file with one profile: merged, checked, typed where its shape holds, and planned.
fn resolve(
    source: &Source,
    profile: Option<&str>,
    overrides: &Overrides,
    findings: &mut Findings,
) -> Option<(Variations, BTreeMap<String, Origin>)> {
    let mut merged = merge::lay(&source.value, profile)?;
    overrides::apply(overrides, &mut merged, findings);
    let shape = violations(&merged.value);
    let sound = shape.is_empty();
    let (scenario, mut told) = readable(&merged.value, &shape);
    for issue in shape {
        told.insert(issue.pointer.clone());
        report(&merged, issue, findings);
    }
    let scenario = match scenario {
        Ok(scenario) => scenario,
        Err(error) => {
            // The schema and the types are tested to agree; should they not, this is still no panic.
            if sound {
                findings.issues.push(Issue::new("", "scenario::type", format!("the scenario cannot be read: {error}")));
            }
            return None;
        }
    };
    let most = overrides.max_runs.unwrap_or(MOST_RUNS);
    let (variations, issues) = Variations::check(scenario, most, overrides.grant.clone());
    // What a value means is of no interest where its shape is wrong already.
    for issue in issues.into_iter().filter(|issue| !told.contains(&issue.pointer)) {
        report(&merged, issue, findings);
    }
    sound.then(|| (variations, overrides::origins(merged)))
}

/// The scenario as far as its shape allows, so that one wrong value does not keep the rest from being checked: unknown
/// keys are passed over, and what cannot be read is left out, with the maps it was in, about which nothing more can be
/// said.
fn readable(value: &Value, shape: &[Issue]) -> (Result<Scenario, serde_json::Error>, BTreeSet<String>) {
    let mut value = value.clone();
    let mut bare = BTreeSet::new();
    let (unknown, wrong): (Vec<&Issue>, Vec<&Issue>) =
        shape.iter().partition(|issue| issue.code == "scenario::unknown_key");
    for issue in unknown {
        leave_out(&mut value, &issue.pointer, &mut bare);
    }
    // A text that breaks a pattern is still a text, and a name that others refer to.
    let mut scenario = serde_json::from_value(value.clone());
    if scenario.is_err() && !wrong.is_empty() {
        for issue in wrong {
            leave_out(&mut value, &issue.pointer, &mut bare);
        }
        scenario = serde_json::from_value(value);
    }
    (scenario, bare)
}

/// Removes a value, or the nearest thing around it that has a key.
fn leave_out(value: &mut Value, pointer: &str, bare: &mut BTreeSet<String>) {
    let Some((parent, _)) = pointer.rsplit_once('/') else { return };
    let key = segments(pointer).last().unwrap_or_default();
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.shift_remove(&key);
            bare.insert(parent.to_string());
        }
        Some(Value::Array(_)) => leave_out(value, parent, bare),
        _ => {}
    }
}

/// Puts an issue of a merged value where its text stands: in the file, in its profile, or on the command line.
fn report(merged: &Merged, mut issue: Issue, findings: &mut Findings) {
    if let Some(flag) = merge::origin(&merged.laid, &issue.pointer).and_then(Origin::outside) {
        let message = Diagnostic::free(flag, issue.code, issue.message).help(issue.help);
        findings.message(message.warning(issue.warning));
        return;
    }
    issue.pointer = written_at(&merged.laid, &issue.pointer);
    findings.issues.push(issue);
}

/// Warnings about words that other YAML readers take for something else, where nothing worse is said already.
fn lookalikes(source: &Source, issues: &[Issue]) -> Vec<Issue> {
    let told: BTreeSet<&str> = issues.iter().map(|issue| issue.pointer.as_str()).collect();
    let usual = |pointer: &str| {
        // `foreign_keys: on` is what SQLite's own documentation writes.
        segments(pointer).any(|segment| segment == "pragmas")
    };
    let found = source.lookalikes().into_iter();
    let found = found.filter(|found| !told.contains(found.pointer.as_str()) && !usual(&found.pointer));
    found
        .map(|found| {
            let text = &found.text;
            let (message, help) = match found.meaning {
                Meaning::Text => (
                    format!("`{text}` is text here, but YAML 1.1 readers take it for a boolean"),
                    format!("quote it: `\"{text}\"`, or write `true` or `false`"),
                ),
                Meaning::Decimal => (
                    format!("`{text}` is a decimal number here, but YAML 1.1 readers take it for an octal number"),
                    "write it without the leading zero, or quote it".to_string(),
                ),
            };
            Issue::new(found.pointer, "yaml::lookalike", message).help(help).warning()
        })
        .collect()
}

#[cfg(test)]
mod tests;
