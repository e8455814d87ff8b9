//! A run that was made: its record read back from its directory, its scenario planned again, and the run judged.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use super::problem::Problem;
use crate::analysis::{Analysis, analyze_beside};
use crate::figure;
use crate::load::{Overrides, Variation, load};
use crate::plan::{Grant, Plan};
use crate::record::{RECORD_VERSION, Record};
use crate::scenario::Scenario;

/// The file of a run directory that holds what happened.
pub(super) const RECORD: &str = "record.json";
/// The file beside it that holds the scenario as resolved.
pub(super) const SCENARIO: &str = "scenario.yaml";

/// The largest file that is read: a record of millions of steps.
const LARGEST: u64 = 2 << 30;

/// The bytes of a file that a run left. What is no regular file may never end.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    // Before it is opened: opening a pipe waits for its writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let too_large = |size: u64| {
        let (size, largest) = (figure::bytes(size), figure::bytes(LARGEST));
        io::Error::other(format!("it has {size}, and no file of more than {largest} is read"))
    };
    if metadata.len() > LARGEST {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    // It can have grown.
    if bytes.len() as u64 > LARGEST { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

/// The run of a directory, judged again.
pub(super) fn judged(run_dir: &Path) -> Result<(Record, Analysis), Problem> {
    let record = read(run_dir)?;
    let plan = planned(&record.scenario, run_dir)?;
    let analysis = analyze_beside(&record, &plan, beside(&record.scenario, run_dir));
    Ok((record, analysis))
}

/// Where the recorded scenario is not the one beside the record. A record can be kept without that.
fn beside(recorded: &Scenario, run_dir: &Path) -> Vec<String> {
    let path = run_dir.join(SCENARIO);
    let text = match bytes(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![format!("{SCENARIO} beside it cannot be read: {error}")],
    };
    if text == recorded.to_yaml().as_bytes() {
        return Vec::new();
    }
    let Ok(kept) = load(&path, &Overrides::default()) else {
        return vec![format!("{SCENARIO} beside it is no scenario any more")];
    };
    let kept = kept.into_first().scenario;
    if kept == *recorded {
        return Vec::new();
    }
    let [kept, recorded] = [&kept, recorded].map(|scenario| serde_json::to_value(scenario).unwrap_or_default());
    vec![format!(
        "it was made of another scenario than {SCENARIO} beside it: they differ at {}",
        apart(&kept, &recorded)
    )]
}

/// What is judged of a record with these bytes; none if it is no record.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn recorded(bytes: &[u8], run_dir: &Path) -> Option<(Record, Plan)> {
    let record = parse(bytes, &run_dir.join(RECORD)).ok()?;
    let plan = planned(&record.scenario, run_dir).ok()?;
    Some((record, plan))
}

/// The JSON pointer of the first place where two documents differ.
fn apart(a: &Value, b: &Value) -> String {
    let deeper = |key: &dyn std::fmt::Display, a: Option<&Value>, b: Option<&Value>| match (a, b) {
        (Some(a), Some(b)) if a == b => None,
        (Some(a), Some(b)) => Some(format!("/{key}{}", apart(a, b))),
        (None, _) | (_, None) => Some(format!("/{key}")),
    };
    let found = match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.keys().chain(b.keys()).find_map(|key| deeper(key, a.get(key), b.get(key)))
        }
        (Value::Array(a), Value::Array(b)) => {
            (0..a.len().max(b.len())).find_map(|place| deeper(&place, a.get(place), b.get(place)))
        }
        _ => None,
    };
    found.unwrap_or_default()
}

/// The decisions of a recorded scenario, made again.
fn planned(scenario: &Scenario, run_dir: &Path) -> Result<Plan, Problem> {
    let variation = Variation::of(scenario.clone(), &run_dir.join(SCENARIO).display().to_string(), &Grant::Judging);
    variation.map(|variation| variation.plan).map_err(|error| {
        let message = format!("failed to plan the scenario recorded in {}", run_dir.join(RECORD).display());
        Problem { diagnostics: error.diagnostics(), ..Problem::could_not_run(message) }
    })
}

/// The record of a run directory.
fn read(run_dir: &Path) -> Result<Record, Problem> {
    if !run_dir.is_dir() {
        let shown = run_dir.display();
        return Err(match run_dir.file_name() {
            Some(name) if name == RECORD => Problem::usage(format!("{shown} is not a run directory"))
                .help("give the run's directory, not its record"),
            Some(_) | None if run_dir.exists() => Problem::usage(format!("{shown} is not a directory"))
                .help("give the directory of a run, such as `runs/small/latest`"),
            Some(_) | None => Problem::usage(format!("{shown}: there is no such directory"))
                .help("`stress run` names a run's directory when it starts"),
        });
    }
    let path = run_dir.join(RECORD);
    let text = bytes(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Problem::usage(format!("{} is not a run directory: it has no {RECORD}", run_dir.display()))
        }
        _ => Problem::could_not_run(format!("failed to read {}: {error}", path.display())),
    })?;
    parse(&text, &path)
}

/// What a record of any version has.
#[derive(Deserialize)]
struct Versioned {
    version: Option<u64>,
}

fn parse(text: &[u8], path: &Path) -> Result<Record, Problem> {
    let bad = |reason: String| Problem::could_not_run(format!("{}: {reason}", path.display()));
    let versioned = match serde_json::from_slice(text) {
        Ok(versioned) => versioned,
        Err(error) if error.is_data() => Versioned { version: None },
        Err(error) if error.is_eof() => {
            let reason = "the record is incomplete: the run was killed while writing it, or the disk was full";
            return Err(bad(reason.to_owned()));
        }
        Err(error) => return Err(bad(format!("the record is not JSON: {error}"))),
    };
    match versioned.version {
        Some(version) if version == u64::from(RECORD_VERSION) => {}
        Some(version) => {
            let reason = format!("the record has version {version}, this program reads version {RECORD_VERSION}");
            return Err(bad(reason).help("use the `stress` that made it"));
        }
        None => return Err(bad("the record has no version: it is not from `stress`".to_owned())),
    }
    serde_json::from_slice(text).map_err(|error| bad(format!("the record is damaged: {error}")))
}

/// The run under `out` whose record was written last.
pub(super) fn newest(out: &Path) -> Result<PathBuf, Problem> {
    let directories = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
    };
    let runs = directories(out).iter().flat_map(|scenario| directories(scenario)).collect::<Vec<_>>();
    let newest = runs.into_iter().filter_map(|run| Some((written(&run)?, run))).max();
    let newest = newest.map(|(_, run)| run);
    newest
        .ok_or_else(|| Problem::usage(format!("there is no run in `{}`", out.display())).help("name a run's directory"))
}

/// When a run's record was written last.
pub(super) fn written(run: &Path) -> Option<SystemTime> {
    fs::metadata(run.join(RECORD)).and_then(|record| record.modified()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_newest_run_is_the_one_whose_record_was_written_last() {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        assert!(newest(directory.path()).expect_err("there is none").message.contains("there is no run"));
        for (run, age) in [("a/1", 300), ("a/2", 100), ("b/1", 200)] {
            let run = directory.path().join(run);
            fs::create_dir_all(&run).expect("there is room");
            let record = fs::File::create(run.join(RECORD)).expect("there is room");
            record.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("it is ours");
        }
        fs::create_dir_all(directory.path().join("c/without")).expect("there is room");
        assert_eq!(newest(directory.path()).expect("there are some"), directory.path().join("a/2"));
    }
}
