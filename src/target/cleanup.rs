//! Leaving a server as it was found, as far as that is wanted and possible: tokens revoked, sync disabled, devices
//! forgotten, tables and database dropped. Everything is tried; what fails is told and does not stop the rest.

use std::time::Duration;

use super::admin::Admin;
use super::attendant::Attendant;
use super::error::TargetError;
use super::halt::Halt;
use super::management::Management;
use super::provision::{disable_companions, drop_text, exists, tables, word};
use super::tokens;
use crate::failure::Secret;
use crate::plan::TablePlan;

/// How long a server that was silent in the run is given to say that it is there.
const MOMENT: Duration = Duration::from_secs(1);
/// What to do about what is left.
const AGAIN: &str = "`stress cleanup FILE` goes on with it; access tokens expire by themselves";

/// What is to be undone on a server.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(super) admin: Admin,
    /// The tokens that were made for the run.
    pub(super) tokens: Vec<Secret>,
    /// What is dropped, if anything is.
    pub(super) drop: Option<Dropping>,
}

/// What is dropped.
#[derive(Debug, Clone)]
pub(super) struct Dropping {
    pub(super) database: String,
    pub(super) tables: Vec<TablePlan>,
    pub(super) management: Option<Management>,
    pub(super) managed_database_id: Option<String>,
    /// Whether the database is the run's alone, and is removed as the run's files are: when it passed.
    pub(super) own: bool,
}

impl Closing {
    /// Undoes it. `sites` are the site ids of the run's databases; what is the run's own is removed when nobody wants to
    /// look at it. Gives what could not be done.
    pub(super) fn leave(&self, sites: &[String], removes: bool, attendant: &mut Attendant<'_>) -> Vec<TargetError> {
        let mut problems = Vec::new();
        let admin = &self.admin.until(attendant.halt());
        if !self.tokens.is_empty() {
            let count = self.tokens.len();
            match tokens::revoke(admin, &self.tokens) {
                Ok(()) => attendant.say(&format!("users: {count} access tokens revoked")),
                Err(error) => {
                    let problem = admin.failed("revoke the users' access tokens", &error);
                    problems.push(TargetError::new(problem.message, tokens::EXPIRY));
                }
            }
        }
        if let Some(dropping) = self.drop.as_ref().filter(|dropping| removes || !dropping.own) {
            dropping.until(attendant.halt()).leave(admin, sites, attendant, &mut problems);
        }
        if attendant.halt().is_due() {
            problems.push(TargetError::new("leaving the server took too long and was ended", AGAIN));
        }
        problems
    }

    /// Revokes the tokens within a moment, and tells nobody.
    pub(super) fn will(&self) -> impl FnOnce() + Send + 'static {
        let (admin, tokens) = (self.admin.clone(), self.tokens.clone());
        move || drop(tokens::revoke(&admin.until(&Halt::after(MOMENT)), &tokens))
    }

    /// What is left undone because the server does not answer; nothing when it does.
    pub(super) fn silence(&self) -> Option<TargetError> {
        let error = self.admin.until(&Halt::after(MOMENT)).check_key().err()?;
        if error.http.is_some() {
            return None;
        }
        let problem = self.admin.failed("leave the server", &error);
        let help = if self.drop.is_some() { AGAIN } else { tokens::EXPIRY };
        Some(TargetError::new(problem.message, help))
    }
}

impl Dropping {
    fn until(&self, halt: &Halt) -> Self {
        let management = self.management.as_ref().map(|management| management.until(halt));
        Self { management, ..self.clone() }
    }

    fn leave(&self, admin: &Admin, sites: &[String], attendant: &mut Attendant<'_>, problems: &mut Vec<TargetError>) {
        let database = self.database.as_str();
        if self.own {
            return self.remove(admin, attendant, problems);
        }
        if let Some((management, id)) = self.management.as_ref().zip(self.managed_database_id.as_deref()) {
            self.leave_service(management, id, sites, attendant, problems);
        } else if !sites.is_empty() {
            attendant.say(&format!("devices: {} stay registered; removing them needs a `management_key`", sites.len()));
        }
        match exists(admin, database) {
            Ok(true) => {}
            Ok(false) => return attendant.say(&format!("database {database}: does not exist")),
            Err(error) => return problems.push(admin.failed("list the databases", &error)),
        }
        if let Err(error) = disable_companions(admin, database, attendant) {
            problems.push(error);
        }
        for table in self.tables.iter().rev() {
            match admin.command(Some(database), &drop_text(table)) {
                Ok(()) => attendant.say(&format!("table {}: dropped", table.name)),
                Err(error) => problems.push(admin.failed(&format!("drop the table `{}`", table.name), &error)),
            }
        }
        match tables(admin, database) {
            Ok(left) if left.iter().all(|table| is_internal(table)) => self.remove(admin, attendant, problems),
            Ok(_) => attendant.say(&format!("database {database}: kept, because it has other tables")),
            Err(error) => problems.push(admin.failed(&format!("list the tables of `{database}`"), &error)),
        }
    }

    /// The service's side: the tables, then the devices.
    fn leave_service(
        &self,
        management: &Management,
        id: &str,
        sites: &[String],
        attendant: &mut Attendant<'_>,
        problems: &mut Vec<TargetError>,
    ) {
        let names: Vec<String> = self.tables.iter().map(|table| table.name.clone()).collect();
        match management.switch(id, &names, false) {
            Ok(()) => attendant.say(&format!("sync: disabled for {}", names.join(", "))),
            // Nothing is registered any more, or the tables are gone.
            Err(error) if matches!(error.http, Some(400 | 404)) => {}
            Err(error) => problems.push(management.failed("disable sync", &error)),
        }
        let plain = |site: &str| site.replace('-', "").to_lowercase();
        let ours: Vec<String> = sites.iter().map(|site| plain(site)).collect();
        let registered = match management.devices(id) {
            Ok(registered) => registered,
            Err(error) if error.http == Some(404) => return,
            Err(error) => return problems.push(management.failed("list the devices", &error)),
        };
        let registered: Vec<String> = registered.into_iter().filter(|site| ours.contains(&plain(site))).collect();
        let forgotten = tokens::side_by_side(&registered, |site| management.forget_device(id, site));
        let failed: Vec<_> = forgotten.iter().filter_map(|done| done.as_ref().err()).collect();
        if let Some(error) = failed.first() {
            problems.push(management.failed(&format!("forget {} devices", failed.len()), error));
        }
        attendant.say(&format!("devices: {} of this scenario's runs removed", registered.len() - failed.len()));
    }

    fn remove(&self, admin: &Admin, attendant: &mut Attendant<'_>, problems: &mut Vec<TargetError>) {
        let database = self.database.as_str();
        if let Some((management, id)) = self.management.as_ref().zip(self.managed_database_id.as_deref()) {
            match management.unregister(id) {
                Ok(()) => attendant.say(&format!("managed database {id}: no longer registered")),
                Err(error) => return problems.push(management.failed("unregister the database", &error)),
            }
        }
        match admin.command(None, &format!("REMOVE DATABASE {} IF EXISTS", word(database))) {
            Ok(()) => attendant.say(&format!("database {database}: removed")),
            Err(error) => problems.push(admin.failed(&format!("remove the database `{database}`"), &error)),
        }
    }
}

/// Tables of SQLite and of sync, which belong to nobody.
fn is_internal(table: &str) -> bool {
    table.starts_with("sqlite_") || table.starts_with("cloudsync_") || table.ends_with("_cloudsync")
}
