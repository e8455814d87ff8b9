//! A run to be made.

use std::path::Path;

use super::control::Control;
use super::progress::Progress;
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::target::Connected;

/// A run to be made.
pub(crate) struct Job<'a> {
    /// What is decided.
    pub plan: &'a Plan,
    /// The scenario as resolved, kept in the record.
    pub scenario: &'a Scenario,
    /// Its path as given.
    pub path: &'a str,
    /// The server that the databases sync with.
    pub target: &'a Connected,
    /// The run's directory, which exists.
    pub directory: &'a Path,
    /// The directory of the databases; those that are there already are gone on with.
    pub databases: &'a Path,
    /// The run's id.
    pub id: &'a str,
    /// By which it is ended early.
    pub control: &'a Control,
    /// How far it has come.
    pub progress: &'a Progress,
}
