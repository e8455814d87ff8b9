//! The run directory: `runs/<scenario>/<UTC time>-<id>/`, with a `latest` link beside it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::problem::Problem;
use super::recorded::{self, RECORD};
use super::reuse::Reused;
use crate::execute::write_whole;
use crate::plan::Plan;
use crate::scenario::TargetKind;

/// The link to the newest run of a scenario.
pub(super) const LATEST: &str = "latest";
/// How the time is written in the name of a run's directory.
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// The devices on the server of runs that were removed here.
const DEVICES: &str = "devices.json";

/// A directory of one run, made new.
pub(super) struct RunDirectory {
    pub(super) path: PathBuf,
    /// The run's id: the directory's name.
    pub(super) id: String,
    /// The databases of the runs before it, where it goes on with them.
    pub(super) reused: Option<Reused>,
    /// Held while the run goes on, so that `stress clean` leaves it alone.
    _lock: Option<File>,
}

impl RunDirectory {
    /// Makes the directory of a run of this plan under `base`, with the databases that it goes on with.
    pub(super) fn create(base: &Path, plan: &Plan) -> Result<Self, Problem> {
        let reused = plan.reuse.then(|| Reused::take(base, plan)).transpose()?;
        Self::make(base, &plan.name, reused).map_err(|error| {
            Problem::could_not_run(format!("failed to create a run directory in `{}`: {error}", base.display()))
                .help("name a writable directory with `--out`")
        })
    }

    /// Makes it, and lets `latest` point to it.
    fn make(base: &Path, scenario: &str, reused: Option<Reused>) -> io::Result<Self> {
        let parent = base.join(scenario);
        fs::create_dir_all(&parent)?;
        let time = jiff::Timestamp::now().strftime(TIME);
        let random = uuid::Uuid::new_v4().simple().to_string();
        let id = format!("{time}-{}", &random[..6]);
        let path = parent.join(&id);
        fs::create_dir(&path)?;
        let lock = File::open(&path).ok().filter(|directory| directory.try_lock().is_ok());
        link(&parent.join(LATEST), &id);
        Ok(Self { path, id, reused, _lock: lock })
    }

    /// Where the databases are.
    pub(super) fn databases(&self) -> PathBuf {
        self.reused.as_ref().map_or_else(|| self.path.join("databases"), |reused| reused.path.clone())
    }

    /// Removes the run's own databases and the hub's files, which a passed run does not need any more.
    pub(super) fn remove_databases(&self) -> Result<(), Problem> {
        for part in ["databases", "hub"] {
            match fs::remove_dir_all(self.path.join(part)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Problem::could_not_run(format!("failed to remove the run's databases: {error}")));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// When the run started whose directory has this name; nothing where no run has.
pub(super) fn started(id: &str) -> Option<Timestamp> {
    let (time, random) = id.split_once('-')?;
    let is_random = random.len() == 6 && random.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let time = DateTime::strptime(TIME, time).ok().filter(|_| is_random)?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

/// What of a record is needed to know a run's devices, as far as it is there: no device is to be forgotten.
#[derive(Deserialize)]
struct Devices {
    target: Option<Kind>,
    #[serde(default)]
    workers: Vec<Device>,
    state: Option<State>,
}

#[derive(Deserialize)]
struct Kind {
    kind: TargetKind,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    bootstrap: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    site_id: Option<String>,
    #[serde(default)]
    former_site_ids: Vec<String>,
}

impl Devices {
    /// Those of a run; none when there is no record.
    fn of(run: &Path) -> Option<Self> {
        serde_json::from_slice(&recorded::bytes(&run.join(RECORD)).ok()?).ok()
    }

    fn sites(self) -> impl Iterator<Item = String> {
        let bootstrap = self.state.map(|state| state.bootstrap).unwrap_or_default();
        self.workers
            .into_iter()
            .chain(bootstrap)
            .flat_map(|device| device.former_site_ids.into_iter().chain(device.site_id))
    }
}

/// The site ids of a run's databases, as its record has them; none when there is no record.
pub(super) fn sites(run: &Path) -> Vec<String> {
    Devices::of(run).into_iter().flat_map(Devices::sites).collect()
}

/// The site ids of all runs of a scenario under `base`, also of those that were removed.
pub(super) fn all_sites(base: &Path, scenario: &str) -> Vec<String> {
    let scenario = base.join(scenario);
    let runs = fs::read_dir(&scenario).into_iter().flatten().flatten().map(|entry| entry.path());
    // `latest` is one of the others.
    let mut sites: BTreeSet<String> = runs.flat_map(|run| sites(&run)).collect();
    sites.extend(remembered(&scenario));
    sites.into_iter().collect()
}

/// The site ids of removed runs.
fn remembered(scenario: &Path) -> BTreeSet<String> {
    let bytes = recorded::bytes(&scenario.join(DEVICES)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Remembers the devices on the server of a run that is about to be removed.
pub(super) fn remember_sites(run: &Path) -> Result<(), Problem> {
    let devices =
        Devices::of(run).filter(|devices| !devices.target.as_ref().is_some_and(|target| target.kind.runs_here()));
    let (Some(devices), Some(scenario)) = (devices, run.parent()) else { return Ok(()) };
    let mut sites = remembered(scenario);
    sites.extend(devices.sites());
    Ok(write_whole(&scenario.join(DEVICES), &serde_json::json!(sites).to_string())?)
}

/// Forgets the devices of removed runs: they are removed from the server, too.
pub(super) fn forget_sites(base: &Path, scenario: &str) {
    // One that is forgotten later is removed twice, which does no harm.
    let _ = fs::remove_file(base.join(scenario).join(DEVICES));
}

/// A convenience: where links cannot be made, there is none.
pub(super) fn link(latest: &Path, id: &str) {
    if latest.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        let _ = fs::remove_file(latest);
    }
    #[cfg(unix)]
    let _ = std::os::unix::fs::symlink(id, latest);
    #[cfg(windows)]
    let _ = std::os::windows::fs::symlink_dir(id, latest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devices_of_a_run_are_also_those_that_were_logged_out() {
        let record = r#"{"workers": [{"site_id": "c", "former_site_ids": ["a", "b"]}, {"site_id": "d"}, {}],
            "state": {"bootstrap": [{"site_id": "e"}]}}"#;
        let devices: Devices = serde_json::from_str(record).expect("it has what is needed");
        assert_eq!(devices.sites().collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    }
}
