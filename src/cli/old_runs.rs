//! The runs of a scenario that were made before: found by their directories, which nothing but a run has made, and
//! removed one by one. No link is followed, and no run is touched that goes on.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::directory::{self, LATEST, remember_sites};
use super::recorded::{self, RECORD, SCENARIO};
use crate::execute::UNFINISHED;
use crate::repeat::{REPEAT_FILE, Repeat};

/// What a run makes in its directory.
const PARTS: &[&str] = &[RECORD, SCENARIO, "report.json", "report.md", "report.html", "logs", "databases", "hub"];

/// A run that was made.
pub(super) struct OldRun {
    pub(super) path: PathBuf,
    /// Its directory's name, by which runs are in the order of their starts.
    pub(super) id: String,
    pub(super) started: Timestamp,
    /// The bytes that it takes on the disk.
    pub(super) size: u64,
}

/// What looks like the directory of a run, and stays.
pub(super) struct Kept {
    pub(super) path: PathBuf,
    pub(super) why: String,
}

/// The runs in a scenario's directory, the newest first, and what stays whatever was asked for.
pub(super) fn find(scenario: &Path) -> io::Result<(Vec<OldRun>, Vec<Kept>)> {
    let (mut runs, mut kept) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(scenario)? {
        let path = entry?.path();
        match look(&path) {
            Some(Ok(run)) => runs.push(run),
            Some(Err(why)) => kept.push(Kept { path, why }),
            None => {}
        }
    }
    runs.sort_by(|a, b| b.id.cmp(&a.id));
    kept.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((runs, kept))
}

/// The run of a directory, or why it stays; nothing where the name is not that of a run.
fn look(path: &Path) -> Option<Result<OldRun, String>> {
    let id = path.file_name()?.to_str()?;
    if id == "databases" {
        return Some(Err("runs with `reuse` continue with them; `stress cleanup FILE` removes them".to_owned()));
    }
    let started = directory::started(id)?;
    let failed = |error: io::Error| error.to_string();
    let run = || {
        if !path.symlink_metadata().map_err(failed)?.is_dir() {
            return Err("it is not a directory of its own".to_owned());
        }
        is_of_a_run(path)?;
        drop(lock(path)?);
        let size = size(path).map_err(failed)?;
        Ok(OldRun { path: path.to_owned(), id: id.to_owned(), started, size })
    };
    Some(run())
}

/// Whether a run has made everything in a directory.
fn is_of_a_run(path: &Path) -> Result<(), String> {
    for entry in fs::read_dir(path).map_err(|error| error.to_string())? {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        let name = name.to_string_lossy();
        if !PARTS.contains(&name.as_ref()) && !name.starts_with(UNFINISHED) {
            return Err(format!("no run has made `{name}` in it"));
        }
    }
    Ok(())
}

/// Has the run to itself, unless it goes on.
fn lock(path: &Path) -> Result<File, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err("the run goes on".to_owned()),
        Err(TryLockError::Error(error)) => Err(error.to_string()),
    }
}

/// The bytes of everything below, on the disk.
fn size(path: &Path) -> io::Result<u64> {
    let metadata = path.symlink_metadata()?;
    let mut sum = on_disk(&metadata);
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            sum += size(&entry?.path())?;
        }
    }
    Ok(sum)
}

#[cfg(unix)]
fn on_disk(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn on_disk(metadata: &Metadata) -> u64 {
    metadata.len()
}

impl OldRun {
    /// Removes it; `stress cleanup` still knows its devices on the server.
    pub(super) fn remove(&self) -> Result<(), String> {
        let _lock = lock(&self.path)?;
        remember_sites(&self.path).map_err(|problem| problem.message)?;
        fs::remove_dir_all(&self.path).map_err(|error| error.to_string())
    }
}

/// Puts in order what named runs of a scenario that are gone: the link to the latest, and the list of a series, which
/// is removed. Says whether it was. A scenario without anything left is removed, too.
pub(super) fn repair(scenario: &Path) -> io::Result<bool> {
    let latest = scenario.join(LATEST);
    let is_broken = latest.symlink_metadata().is_ok_and(|found| found.is_symlink()) && !latest.exists();
    if is_broken {
        match find(scenario)?.0.first() {
            Some(newest) => directory::link(&latest, &newest.id),
            None => fs::remove_file(&latest)?,
        }
    }
    let list = scenario.join(REPEAT_FILE);
    let series = recorded::bytes(&list).ok().and_then(|bytes| serde_json::from_slice::<Repeat>(&bytes).ok());
    let is_short = series.is_some_and(|series| series.runs.iter().any(|run| !scenario.join(&run.directory).exists()));
    if is_short {
        fs::remove_file(&list)?;
    }
    // What is left in it keeps it.
    let _ = fs::remove_dir(scenario);
    Ok(is_short)
}
