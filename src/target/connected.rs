//! A target that is ready: what the databases are created with, and what they and the administrator talk to.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::admin::Admin;
use super::attendant::Attendant;
use super::cleanup::Closing;
use super::embedded::Hub;
use super::error::TargetError;
use super::halt::Halt;
use crate::failure::{Call, RawError, Secrets};
use crate::plan::{BlockPlan, DatabasePlan, Plan, TablePlan};
use crate::record::TargetFacts;
use crate::session::{Credential, Loader, Network, Opening, Session};

/// The longest that leaving a server may take.
const LEAVING: Duration = Duration::from_secs(120);

/// A target that is ready for the databases.
#[derive(Debug)]
pub(crate) struct Connected {
    /// How it presented itself.
    pub facts: TargetFacts,
    /// Where the sync functions come from.
    pub loader: Loader,
    /// How they reach the server.
    pub network: Network,
    /// What each user authenticates with, in the order of the users.
    pub credentials: Vec<Credential>,
    /// What some databases authenticate with on purpose, instead of what their user has.
    pub wrong_credentials: BTreeMap<u32, Credential>,
    /// Settings of the extension.
    pub settings: Vec<(String, String)>,
    /// What must be seen nowhere, as it becomes known.
    pub secrets: Secrets,
    /// The administrator and the database's name, where there is one.
    pub admin: Option<(Admin, String)>,
    /// What is to be undone on the server.
    pub(super) closing: Option<Closing>,
    /// The hub of this run.
    pub(super) hub: Option<Hub>,
}

/// How a server is left.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leaving {
    /// Whether the run was cut off.
    pub cut: bool,
    /// Whether what is the run's own is removed.
    pub removes: bool,
}

/// Sets the filter of a table unless the file has it: whoever sets it again forgets what was captured, and on CloudSync
/// starts the versions anew below what was sent, so that the next changes are never sent.
fn set_filter(session: &Session, table: &str, filter: &str) -> Result<(), RawError> {
    let known = "SELECT count(*) FROM cloudsync_table_settings WHERE tbl_name = ?1 AND key = 'filter' AND value = ?2";
    if session.call(Call::Open, known, &[table, filter])?.as_deref() == Some("0") {
        session.call(Call::Open, "SELECT cloudsync_set_filter(?1, ?2)", &[table, filter])?;
    }
    Ok(())
}

/// Has the texts of a column merged block by block unless the file says so already. After the filter, which starts anew.
fn set_blocks(session: &Session, table: &TablePlan, block: &BlockPlan) -> Result<(), RawError> {
    let column = table.columns[block.place].as_str();
    let options = [Some(("algo", "block")), block.delimiter.as_deref().map(|delimiter| ("delimiter", delimiter))];
    for (key, value) in options.into_iter().flatten() {
        let known = "SELECT count(*) FROM cloudsync_table_settings WHERE tbl_name = ?1 AND col_name = ?2 AND key = ?3 AND value = ?4";
        if session.call(Call::Open, known, &[&table.name, column, key, value])?.as_deref() == Some("0") {
            let set = "SELECT cloudsync_set_column(?1, ?2, ?3, ?4)";
            session.call(Call::Open, set, &[&table.name, column, key, value])?;
        }
    }
    Ok(())
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

    /// Makes a database file for this target: the plan's tables unless they are there, as they are at first or `in_the_end`,
    /// with sync enabled, and without a network. Gives its site id.
    pub(crate) fn create_database(
        &self,
        plan: &Plan,
        file: &Path,
        in_the_end: bool,
    ) -> Result<Option<String>, RawError> {
        let (loader, pragmas) = (&self.loader, plan.pragmas.as_slice());
        let session = Session::open(&Opening { file, loader, pragmas, settings: &[], network: None })?;
        let tables = session.call(Call::Open, "SELECT count(*) FROM sqlite_schema", &[])?;
        if tables.as_deref() == Some("0") {
            // All or none: a file that was cut off here is made the next time.
            session.run(Call::Open, "BEGIN")?;
            for table in &plan.tables {
                let alters = if in_the_end { table.alters.as_slice() } else { &[] };
                for sql in std::iter::once(&table.sql).chain(&table.also).chain(alters) {
                    session.run(Call::Open, sql)?;
                }
            }
            session.run(Call::Open, "COMMIT")?;
        }
        let mut site = None;
        for table in &plan.tables {
            // The name is unquoted; the function takes it as a text.
            let algorithm = table.algorithm.as_str();
            site = session.call(Call::Open, "SELECT cloudsync_init(?1, ?2)", &[&table.name, algorithm])?.or(site);
            if let Some(filter) = &table.filter {
                set_filter(&session, &table.name, filter)?;
            }
            for block in &table.blocks {
                set_blocks(&session, table, block)?;
            }
        }
        for (key, value) in &self.settings {
            // Ignored by the extension before the first init, and kept in the file after it.
            session.call(Call::Open, "SELECT cloudsync_set(?1, ?2)", &[key, value])?;
        }
        session.close()?;
        Ok(site)
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
        let Some(closing) = &self.closing else { return Vec::new() };
        if let Some(silent) = closing.silence().filter(|_| cut) {
            return vec![silent];
        }
        attendant.obey(Halt::after(LEAVING));
        closing.leave(sites, removes, attendant)
    }

    /// What is still done when a run is given up: its tokens are revoked, within a moment.
    pub(crate) fn will(&self) -> Option<impl FnOnce() + Send + 'static> {
        let closing = self.closing.as_ref().filter(|closing| !closing.tokens.is_empty())?;
        Some(closing.will())
    }

    /// How often a failure planted in the hub of this run struck so far.
    pub(crate) fn strikes(&self) -> u64 {
        self.hub.as_ref().map_or(0, Hub::strikes)
    }
}
