//! What the databases are made and opened with: SQLite in this process with sync functions, or a driver. It must not
//! know what the databases are for.

use std::path::Path;

use crate::failure::{Call, RawError};
use crate::plan::{BlockPlan, Plan, TablePlan};
use crate::session::driver::{Driver, Remote};
use crate::session::{Credential, Loader, Network, Opening, Session};

/// What the databases are made and opened with.
#[derive(Debug)]
pub(crate) enum Engine {
    /// SQLite in this process.
    Functions(Functions),
    /// A program of the user's.
    Driver(Driver),
}

/// SQLite in this process, with sync functions.
#[derive(Debug)]
pub(crate) struct Functions {
    /// Where the sync functions come from.
    pub(crate) loader: Loader,
    /// How they reach the server.
    pub(crate) network: Network,
    /// Settings of the extension.
    pub(crate) settings: Vec<(String, String)>,
}

/// A database that is made or opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device<'a> {
    /// Its number, from 1. New devices of the end have higher numbers than the plan's databases.
    pub(crate) number: u32,
    /// The id of its user.
    pub(crate) user: &'a str,
    pub(crate) file: &'a Path,
}

impl Engine {
    /// Makes a database: the plan's tables unless they are there, as they are at first or `in_the_end`, with sync enabled,
    /// and without a network. Gives its site id, where it has one.
    pub(super) fn create(&self, plan: &Plan, device: Device<'_>, in_the_end: bool) -> Result<Option<String>, RawError> {
        match self {
            Self::Functions(functions) => functions.create(plan, device.file, in_the_end),
            Self::Driver(driver) => open(driver, plan, device)?.close().map(|()| None),
        }
    }

    /// Opens a database that was made.
    pub(super) fn open(&self, plan: &Plan, device: Device<'_>, credential: &Credential) -> Result<Session, RawError> {
        match self {
            Self::Functions(functions) => functions.open(plan, device.file, Some(credential)),
            Self::Driver(driver) => open(driver, plan, device),
        }
    }
}

fn open(driver: &Driver, plan: &Plan, device: Device<'_>) -> Result<Session, RawError> {
    let tables: Vec<String> =
        plan.tables.iter().flat_map(|table| std::iter::once(&table.sql).chain(&table.also)).cloned().collect();
    // The driver may work in another directory, and reads JSON, which has texts only.
    let file = std::path::absolute(device.file).ok().and_then(|file| file.to_str().map(str::to_owned));
    let file = file.ok_or_else(|| {
        let message = format!("the path {} is no text, which the driver could not read", device.file.display());
        RawError::said(Call::Open, message)
    })?;
    Remote::open(driver, device.number, &file, device.user, &tables).map(Session::of_driver)
}

impl Functions {
    /// Opens a database; without a credential only the file is opened.
    pub(crate) fn open(&self, plan: &Plan, file: &Path, credential: Option<&Credential>) -> Result<Session, RawError> {
        let network = credential.map(|credential| (&self.network, credential));
        Session::open(&Opening { file, loader: &self.loader, pragmas: &plan.pragmas, settings: &[], network })
    }

    fn create(&self, plan: &Plan, file: &Path, in_the_end: bool) -> Result<Option<String>, RawError> {
        let session = self.open(plan, file, None)?;
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
