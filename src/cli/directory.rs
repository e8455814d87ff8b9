//! The run directory: `runs/<scenario>/<UTC time>-<id>/`, with a `latest` link beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::problem::Problem;
use super::recorded::RECORD;
use super::reuse::Reused;
use crate::plan::Plan;

/// A directory of one run, made new.
pub(super) struct RunDirectory {
    pub(super) path: PathBuf,
    /// The run's id: the directory's name.
    pub(super) id: String,
    /// The databases of the runs before it, where it goes on with them.
    pub(super) reused: Option<Reused>,
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
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let random = uuid::Uuid::new_v4().simple().to_string();
        let id = format!("{time}-{}", &random[..6]);
        let path = parent.join(&id);
        fs::create_dir(&path)?;
        link(&parent.join("latest"), &id);
        Ok(Self { path, id, reused })
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

/// The site ids of a run's databases, as its record has them; none when there is no record.
pub(super) fn sites(run: &Path) -> Vec<String> {
    let record = fs::read(run.join(RECORD)).ok();
    let record: Option<Value> = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let lists = ["/workers", "/state/bootstrap"].into_iter();
    let entries = lists.filter_map(|list| record.as_ref()?.pointer(list)?.as_array()).flatten();
    entries.filter_map(|entry| Some(entry.get("site_id")?.as_str()?.to_owned())).collect()
}

/// The site ids of all runs of a scenario under `base`.
pub(super) fn all_sites(base: &Path, scenario: &str) -> Vec<String> {
    let runs = fs::read_dir(base.join(scenario)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sites: Vec<String> = runs.flat_map(|run| sites(&run)).collect();
    sites.sort();
    // `latest` is one of the others.
    sites.dedup();
    sites
}

/// A convenience: where links cannot be made, there is none.
fn link(latest: &Path, id: &str) {
    if latest.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        let _ = fs::remove_file(latest);
    }
    #[cfg(unix)]
    let _ = std::os::unix::fs::symlink(id, latest);
    #[cfg(windows)]
    let _ = std::os::windows::fs::symlink_dir(id, latest);
}
