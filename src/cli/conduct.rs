//! One run as every command makes it: its directory, the target, the execution, the judgement, and the files it leaves.

use std::path::Path;

use super::crash;
use super::directory::RunDirectory;
use super::reuse::Reused;
use crate::analysis::{self, Analysis};
use crate::execute::{self, Control, Job, Progress, write_whole};
use crate::plan::Plan;
use crate::record::Record;
use crate::report;
use crate::scenario::Scenario;
use crate::target::{self, Attendant, Connected};

/// Descriptors of a database at work: the file, its log and shared memory, its log file, and both ends of a socket.
const DESCRIPTORS_PER_DATABASE: u64 = 7;
/// Descriptors of everything else.
const DESCRIPTORS_BESIDE: u64 = 128;

/// A run to be made.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) scenario: &'a Scenario,
    /// The scenario's path as given.
    pub(super) path: &'a str,
    pub(super) directory: &'a RunDirectory,
    pub(super) control: &'a Control,
    pub(super) progress: &'a Progress,
}

/// A run that was made.
pub(super) struct Conducted {
    pub(super) record: Record,
    pub(super) analysis: Analysis,
    /// How often a planted failure struck.
    pub(super) strikes: u64,
}

impl Run<'_> {
    /// Makes the target ready. What is done to a server is told to the attendant.
    pub(super) fn ready(&self, attendant: &mut Attendant<'_>) -> Result<Connected, String> {
        raise_descriptors(self.plan)?;
        write_resolved(&self.directory.path, self.scenario)?;
        let scope = self.plan.scope.environment(std::env::vars());
        let run = self.directory.id.replace('-', "_");
        crash::hide(target::secrets(self.plan, &scope));
        let reused = self.directory.reused.as_ref();
        let hub = reused.map_or(&self.directory.path, |reused| &reused.path);
        let target = target::connect(self.plan, &scope, hub, &run, attendant).map_err(|error| error.to_string())?;
        crash::hide(target.secrets.clone());
        if let Some(Err(message)) = reused.map(|reused| reused.meet(&target.network.managed_database_id)) {
            target.leave(&[], attendant);
            return Err(message);
        }
        Ok(target)
    }

    /// Makes the run and judges it; the record and the reports are in its directory then.
    pub(super) fn conduct(&self, target: &Connected) -> Result<Conducted, String> {
        let Self { plan, scenario, path, directory, control, progress } = self;
        let (databases, id) = (&directory.databases(), &directory.id);
        let job = Job { plan, scenario, path, target, directory: &directory.path, databases, id, control, progress };
        let record = execute::run(&job).map_err(|error| error.to_string())?;
        let strikes = target.strikes();
        let analysis = analysis::analyze(&record, plan);
        write_reports(&directory.path, &record, &analysis)?;
        Ok(Conducted { record, analysis, strikes })
    }
}

/// A new directory for a run of this plan, with the databases that it goes on with.
pub(super) fn directory(out: &Path, plan: &Plan) -> Result<RunDirectory, String> {
    let reused = plan.reuse.then(|| Reused::take(out, plan)).transpose()?;
    RunDirectory::create(out, &plan.name, reused).map_err(|error| {
        let out = out.display();
        format!(
            "failed to make a run directory in `{out}`: {error}\n  help: name one that can be written to with `--out`"
        )
    })
}

/// The open files of a run with this many databases.
pub(super) fn descriptors(databases: usize) -> u64 {
    databases as u64 * DESCRIPTORS_PER_DATABASE + DESCRIPTORS_BESIDE
}

/// Raises the limit of open files to what this many databases need, or gives what it can be raised to.
pub(super) fn descriptors_suffice(databases: usize) -> Result<(), u64> {
    let needed = descriptors(databases);
    let limit = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if limit < needed { Err(limit) } else { Ok(()) }
}

/// Raises the limit of open files to what the plan needs, or says before anything starts that it cannot be.
fn raise_descriptors(plan: &Plan) -> Result<(), String> {
    let databases = plan.databases.len();
    descriptors_suffice(databases).map_err(|limit| {
        let needed = descriptors(databases);
        let most = limit.saturating_sub(DESCRIPTORS_BESIDE) / DESCRIPTORS_PER_DATABASE;
        format!(
            "{databases} databases need {needed} open files, and the system allows {limit}\n  help: raise it with `ulimit -n {needed}`, or run with `--databases {most}`"
        )
    })
}

fn write_resolved(directory: &Path, scenario: &Scenario) -> Result<(), String> {
    let path = directory.join("scenario.yaml");
    write(&path, scenario.to_yaml().as_bytes())
}

fn write_reports(directory: &Path, record: &Record, analysis: &Analysis) -> Result<(), String> {
    let json = serde_json::to_vec_pretty(&report::json(analysis)).map_err(|error| error.to_string())?;
    write(&directory.join("report.json"), &json)?;
    write(&directory.join("report.md"), report::markdown(analysis).as_bytes())?;
    write(&directory.join("report.html"), report::html(record, analysis).as_bytes())
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let written = write_whole(path, |out| out.write_all(bytes));
    written.map_err(|error| format!("failed to write `{}`: {error}{}", path.display(), execute::ROOM))
}
