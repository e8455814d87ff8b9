//! One run of the self-test: nobody is asked anything, and its directory goes when all is well.

use std::path::Path;

use super::directory::RunDirectory;
use super::problem::Problem;
use super::terminal::Terminal;
use super::{conduct, limits, person};
use crate::execute::{Control, Progress};
use crate::load::Variation;
use crate::selftest::Seen;

/// Makes one run, and gives what it reported and its directory.
pub(super) fn conduct(
    variation: &Variation,
    path: &str,
    directory: &Path,
    control: &Control,
) -> Result<(Seen, RunDirectory), Problem> {
    limits::suffice(variation.plan.databases.len())?;
    let directory = RunDirectory::create(directory, &variation.plan)?;
    let progress = Progress::new(variation.plan.databases.len());
    let run = conduct::Run { variation, path, directory: &directory, control, progress: &progress };
    let target = person::unattended(|attendant| run.ready(attendant))?;
    let conducted = run.conduct(&target)?;
    drop(target);
    Ok((Seen::of(&conducted.analysis, conducted.strikes), directory))
}

/// Removes the directory of all runs.
pub(super) fn remove(directory: &Path, terminal: &mut Terminal) {
    if let Err(error) = std::fs::remove_dir_all(directory) {
        terminal.fail(&Problem::could_not_run(format!("failed to remove `{}`: {error}", directory.display())));
    }
}
