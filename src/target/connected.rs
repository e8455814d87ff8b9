//! A target that is ready: what the databases are created with, and what they and the administrator talk to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::admin::Admin;
use super::attendant::Attendant;
use super::cleanup::Closing;
use super::embedded::Hub;
use super::engine::{Device, Engine, Functions};
use super::error::TargetError;
use super::halt::Halt;
use super::programs::Server;
use crate::failure::{RawError, Secrets};
use crate::plan::{DatabasePlan, Plan};
use crate::record::TargetFacts;
#[cfg(test)]
use crate::session::Loader;
use crate::session::driver::{Driver, Promise};
use crate::session::{Credential, Session};

/// The longest that leaving a server may take.
const LEAVING: Duration = Duration::from_secs(120);

/// A target that is ready for the databases.
#[derive(Debug)]
pub(crate) struct Connected {
    /// How it presented itself.
    pub facts: TargetFacts,
    /// What the databases are made and opened with.
    pub(super) engine: Engine,
    /// What each user authenticates with, in the order of the users.
    pub credentials: Vec<Credential>,
    /// What some databases authenticate with on purpose, instead of what their user has.
    pub wrong_credentials: BTreeMap<u32, Credential>,
    /// What must be seen nowhere, as it becomes known.
    pub secrets: Secrets,
    /// The administrator and the database's name, where there is one.
    pub admin: Option<(Admin, String)>,
    /// What is to be undone on the server.
    pub(super) closing: Option<Closing>,
    /// The hub of this run.
    pub(super) hub: Option<Hub>,
    /// The server of a driver's engine, started for this run.
    pub(super) server: Option<Server>,
}

/// How a server is left.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leaving {
    /// Whether the run was cut off.
    pub cut: bool,
    /// Whether what is the run's own is removed.
    pub removes: bool,
}

impl Connected {
    /// Tells the hub which database a site is, so that planted faults find it.
    pub(crate) fn name_site(&self, site_id: &str, database: u32) {
        if let Some(hub) = &self.hub {
            hub.name_site(site_id, database);
        }
    }

    /// What a database authenticates with.
    ///
    /// # Panics
    ///
    /// When the database's user is not one of the plan's, which no plan has.
    pub(crate) fn credential(&self, database: &DatabasePlan) -> &Credential {
        let own = || &self.credentials[database.user as usize - 1];
        self.wrong_credentials.get(&database.index).unwrap_or_else(own)
    }

    /// Makes a database for this target: the plan's tables unless they are there, as they are at first or `in_the_end`, with
    /// sync enabled, and without a network. Gives its site id, where it has one.
    pub(crate) fn create_database(
        &self,
        plan: &Plan,
        device: Device<'_>,
        in_the_end: bool,
    ) -> Result<Option<String>, RawError> {
        self.engine.create(plan, device, in_the_end)
    }

    /// Opens a database that was made, with a credential.
    pub(crate) fn open(&self, plan: &Plan, device: Device<'_>, credential: &Credential) -> Result<Session, RawError> {
        self.engine.open(plan, device, credential)
    }

    /// Logs a database in again after a logout.
    pub(crate) fn log_in(&self, session: &Session, database: &DatabasePlan) -> Result<(), RawError> {
        match &self.engine {
            Engine::Functions(functions) => {
                session.log_in(&functions.network, self.credential(database), &functions.settings)
            }
            // Validation refuses a logout on a driver.
            Engine::Driver(_) => Ok(()),
        }
    }

    /// SQLite of this process, where the databases are its own.
    pub(crate) fn functions(&self) -> Option<&Functions> {
        match &self.engine {
            Engine::Functions(functions) => Some(functions),
            Engine::Driver(_) => None,
        }
    }

    /// Whether the server merges the columns of a row that several databases change, instead of taking one's whole row.
    pub(crate) fn merges_columns(&self) -> bool {
        match &self.engine {
            Engine::Functions(_) => true,
            Engine::Driver(driver) => driver.hello.promises.contains(&Promise::ColumnMerge),
        }
    }

    /// The driver, where there is one.
    pub(crate) fn driver(&self) -> Option<&Driver> {
        match &self.engine {
            Engine::Functions(_) => None,
            Engine::Driver(driver) => Some(driver),
        }
    }

    /// What tests put in the place of the sync functions.
    #[cfg(test)]
    pub(crate) fn load(&mut self, loader: Loader) {
        match &mut self.engine {
            Engine::Functions(functions) => functions.loader = loader,
            Engine::Driver(_) => panic!("a driver loads nothing"),
        }
    }

    /// Leaves the server: revokes what was made for the run, and drops what the scenario wants dropped. `sites` are the
    /// site ids of the run's databases. A server that may be silent, because the run was `cut` off, is tried for a
    /// moment first. Gives what could not be done.
    pub(crate) fn leave(
        &self,
        sites: &[String],
        Leaving { cut, removes }: Leaving,
        attendant: &mut Attendant<'_>,
    ) -> Vec<TargetError> {
        if let Some(wrong) = self.driver().and_then(Driver::end) {
            return vec![TargetError::new(wrong, "a driver ends when its stdin ends, with the exit code 0")];
        }
        if let Some(ended) = self.ended() {
            return vec![ended];
        }
        let Some(closing) = &self.closing else { return Vec::new() };
        if let Some(silent) = closing.silence().filter(|_| cut) {
            return vec![silent];
        }
        attendant.obey(Halt::after(LEAVING));
        closing.leave(sites, removes, attendant)
    }

    /// That the engine's server has ended, if it has.
    pub(crate) fn ended(&self) -> Option<TargetError> {
        self.server.as_ref().and_then(Server::ended)
    }

    /// What is still done when a run is given up, within a moment: its tokens are revoked, and the engine's server ends.
    pub(crate) fn will(&self) -> Option<impl FnOnce() + Send + 'static> {
        let tokens = self.closing.as_ref().filter(|closing| !closing.tokens.is_empty()).map(Closing::will);
        let server = self.server.as_ref().map(Server::will);
        let has_some = tokens.is_some() || server.is_some();
        has_some.then_some(move || {
            if let Some(end) = server {
                end();
            }
            if let Some(revoke) = tokens {
                revoke();
            }
        })
    }

    /// How often a failure planted in the hub of this run struck so far.
    pub(crate) fn strikes(&self) -> u64 {
        self.hub.as_ref().map_or(0, Hub::strikes)
    }
}
