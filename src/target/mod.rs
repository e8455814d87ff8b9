//! What the databases sync with. Both targets come down to the same: where the sync functions are loaded from, the
//! address they talk to, a credential per user, and an administrator. The code that runs a scenario cannot tell which
//! target it meets.

pub mod admin;
mod cloudsync;
pub mod embedded;
mod provision;

use std::fmt;
use std::path::Path;

use crate::failure::{self, FailureKind, RawError};
use crate::plan::Plan;
use crate::record::TargetFacts;
use crate::scenario::{EmbeddedOptions, Target, TargetName, TargetOptions};
use crate::session::{Credential, Loader, Network};
use crate::template::Scope;
use admin::Admin;

/// A target that is ready for the databases.
pub struct Connected {
    /// How it presented itself.
    pub facts: TargetFacts,
    /// Where the sync functions come from.
    pub loader: Loader,
    /// How they reach the server.
    pub network: Network,
    /// What each user authenticates with, in the order of the users.
    pub credentials: Vec<Credential>,
    /// Settings of the extension.
    pub settings: Vec<(String, String)>,
    /// The administrator and the database's name, where there is one.
    pub admin: Option<(Admin, String)>,
    /// The hub of this run.
    pub(crate) hub: Option<embedded::Hub>,
}

impl Connected {
    /// Tells the hub which database a site is, so that planted faults find it.
    pub fn name_site(&self, site_id: &str, database: u32) {
        if let Some(hub) = &self.hub {
            hub.name_site(site_id, database);
        }
    }

    /// How often a failure planted in the hub of this run struck so far.
    pub fn strikes(&self) -> u64 {
        self.hub.as_ref().map_or(0, embedded::Hub::strikes)
    }
}

/// Why a target is not ready.
#[derive(Debug)]
pub struct TargetError {
    /// What could not be done.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.message, self.help)
    }
}

impl std::error::Error for TargetError {}

impl TargetError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }

    fn admin(step: &str, admin: &Admin, error: &RawError) -> Self {
        let status = error.http.map_or_else(String::new, |status| format!(" (HTTP {status})"));
        let address = admin.address();
        Self::new(
            format!("failed to {step} at {address}{status}: {}", error.message),
            if failure::classify(error).kind == FailureKind::Disk {
                "see that its disk has room; that of a run's own hub is named by `--out`"
            } else {
                "check the address and the key of the server"
            },
        )
    }
}

/// Makes the plan's target ready: starts the hub or looks for the extension. `scope` holds the environment, for the
/// target's secrets; the hub keeps its files in `directory`; `run` makes its database's name unique.
pub fn connect(plan: &Plan, scope: &Scope, directory: &Path, run: &str) -> Result<Connected, TargetError> {
    match &plan.target {
        Target::Name(TargetName::Embedded) => provision::embedded(plan, &EmbeddedOptions::default(), directory, run),
        Target::Options(TargetOptions::Embedded(options)) => provision::embedded(plan, options, directory, run),
        Target::Options(TargetOptions::Cloudsync(options)) => cloudsync::connect(plan, options, scope),
        Target::Name(TargetName::Cloudsync) => {
            cloudsync::connect(plan, &crate::scenario::CloudsyncOptions::default(), scope)
        }
    }
}
