//! One run as every command makes it: its directory, the target, the execution, the judgement, and the files it leaves.

use std::path::Path;

use super::directory::RunDirectory;
use super::hidden;
use super::overrides::environment;
use super::problem::Problem;
use super::recorded::SCENARIO;
use crate::analysis::{self, Analysis};
use crate::execute::{self, Control, ExecuteError, Job, Progress, write_whole};
use crate::failure::Secrets;
use crate::load::Variation;
use crate::record::Record;
use crate::report;
use crate::scenario::Scenario;
use crate::target::{self, Attendant, Connected, Leaving};

/// A run to be made.
pub(super) struct Run<'a> {
    pub(super) variation: &'a Variation,
    /// The path of the scenario, as given on the command line.
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
    pub(super) fn ready(&self, attendant: &mut Attendant<'_>) -> Result<Connected, Problem> {
        let Variation { plan, scenario, .. } = self.variation;
        let scope = plan.environment(environment());
        let secrets = target::secrets(plan, &scope);
        hidden::hide(secrets.clone());
        write_whole(&self.directory.path.join(SCENARIO), &kept(scenario, &secrets).to_yaml())?;
        let run = self.directory.id.replace('-', "_");
        let reused = self.directory.reused.as_ref();
        let hub = reused.map_or(&self.directory.path, |reused| &reused.path);
        attendant.obey(self.control.halt());
        let target = target::connect(plan, &scope, hub, &run, &secrets, attendant)?;
        if let Some(Err(problem)) =
            reused.zip(target.functions()).map(|(reused, own)| reused.meet(&own.network.managed_database_id))
        {
            target.leave(&[], Leaving::default(), attendant);
            return Err(problem);
        }
        Ok(target)
    }

    /// Makes the run and judges it; the record and the reports are in its directory then.
    pub(super) fn conduct(&self, target: &Connected) -> Result<Conducted, Problem> {
        let Self { variation: Variation { plan, scenario, .. }, path, directory, control, progress } = self;
        let (databases, id) = (&directory.databases(), &directory.id);
        let scenario = &kept(scenario, &target.secrets);
        let job = Job { plan, scenario, path, target, directory: &directory.path, databases, id, control, progress };
        let record = execute::run(&job)?;
        let strikes = target.strikes();
        let analysis = analysis::analyze(&record, plan);
        write_reports(&directory.path, &record, &analysis)?;
        Ok(Conducted { record, analysis, strikes })
    }
}

/// The scenario as a run keeps it: secrets that stand in it are hidden.
fn kept(scenario: &Scenario, secrets: &Secrets) -> Scenario {
    let mut scenario = scenario.clone();
    // One of digits alone was read as a number.
    for value in scenario.vars.values_mut().filter(|value| value.is_number() && secrets.are_in(&value.to_string())) {
        *value = value.to_string().into();
    }
    secrets.hidden(scenario)
}

fn write_reports(directory: &Path, record: &Record, analysis: &Analysis) -> Result<(), ExecuteError> {
    let json = format!("{:#}", report::json(analysis));
    let reports = [
        ("report.json", json),
        ("report.md", report::markdown(analysis)),
        ("report.html", report::html(record, analysis)),
    ];
    reports.iter().try_for_each(|(name, text)| write_whole(&directory.join(name), text))
}
