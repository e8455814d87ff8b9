//! What the databases sync with. All targets come down to the same: an engine that opens databases, a credential per user,
//! and perhaps an administrator. For the embedded target and CloudSync the engine is SQLite in this process with sync
//! functions, for the others it is a driver. The code that runs a scenario cannot tell which target it meets.

mod access;
pub(crate) mod admin;
mod agent;
mod attendant;
mod cleanup;
mod cloudsync;
mod connected;
mod connection;
mod disk;
pub(crate) mod doctor;
mod driver;
pub(crate) mod embedded;
mod engine;
mod error;
pub(crate) mod extension;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod halt;
mod http;
mod loopback;
mod management;
mod programs;
mod provision;
mod proxy;
#[cfg(test)]
mod tests;
mod tokens;
pub(crate) mod turso;

pub(crate) use agent::{agent, is_halted};
pub(crate) use attendant::{Ask, Attendant};
pub(crate) use connected::{Connected, Leaving};
pub(crate) use disk::{file_size_limit, room};
pub(crate) use engine::Device;
pub(crate) use error::TargetError;
pub(crate) use halt::Halt;
pub(crate) use proxy::proxy;

use std::collections::BTreeMap;
use std::path::Path;

use crate::failure::Secrets;
use crate::plan::{Plan, TargetPlan, in_address};
use crate::scenario::WrongCredential;
use crate::session::Credential;
use crate::template::Scope;
use access::Access;
use admin::Admin;
use connection::ConnectionString;

/// Makes the plan's target ready: starts the hub, or looks for the extension and prepares the server. `scope` holds the
/// environment, for the target's secrets, which are added to `secrets`; the hub keeps its files in `directory`; `run`
/// makes names of the run's own.
pub(crate) fn connect(
    plan: &Plan,
    scope: &Scope,
    directory: &Path,
    run: &str,
    secrets: &Secrets,
    attendant: &mut Attendant<'_>,
) -> Result<Connected, TargetError> {
    // A driver and its server may work in another directory.
    let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let mut connected = match &plan.target {
        TargetPlan::Embedded(options) => loopback::connect(plan, options, directory, run, attendant.halt(), secrets),
        TargetPlan::Cloudsync(options) => cloudsync::connect(plan, options, scope, run, secrets, attendant),
        TargetPlan::Driver(options) => driver::connect(plan, options, Vec::new(), scope, &whole, secrets, attendant),
        TargetPlan::Turso(options) => {
            let (options, environment) = turso::options(options, &whole)?;
            driver::connect(plan, &options, environment, scope, &whole, secrets, attendant)
        }
    }?;
    connected.wrong_credentials = wrong_credentials(plan, connected.admin.as_ref().map(|(admin, _)| admin))?;
    Ok(connected)
}

/// A moment at which every token of it has expired.
const LONG_AGO: &str = "2001-01-01T00:00:00Z";
/// A credential that no server knows.
const UNKNOWN: &str = "unknown-to-every-server";

fn wrong_credentials(plan: &Plan, admin: Option<&Admin>) -> Result<BTreeMap<u32, Credential>, TargetError> {
    let mut wrong = BTreeMap::new();
    for database in &plan.databases {
        let Some(credential) = database.credential else { continue };
        let credential = match (credential, admin) {
            (WrongCredential::None, _) => Credential::Nothing,
            (WrongCredential::Wrong, _) if plan.rls => Credential::Token(UNKNOWN.into()),
            (WrongCredential::Wrong, _) => Credential::ApiKey(UNKNOWN.into()),
            (WrongCredential::Expired, None) => {
                let message = "an expired token cannot be created without an administrator connection";
                return Err(TargetError::new(message, "add a `connection_string` to the target"));
            }
            (WrongCredential::Expired, Some(admin)) => {
                let user = &plan.users[database.user as usize - 1];
                let name = format!("stress-expired-{}", database.index);
                let token = admin.create_token(&name, &user.id, LONG_AGO);
                Credential::Token(token.map_err(|error| admin.failed("create an expired access token", &error))?)
            }
        };
        wrong.insert(database.index, credential);
    }
    Ok(wrong)
}

/// Prepares the plan's database on the server without a run, and gives its managed database id.
pub(crate) fn provision(
    plan: &Plan,
    scope: &Scope,
    secrets: &Secrets,
    attendant: &mut Attendant<'_>,
) -> Result<String, TargetError> {
    match &plan.target {
        TargetPlan::Embedded(_) | TargetPlan::Driver(_) | TargetPlan::Turso(_) => Err(needs_none(plan)),
        TargetPlan::Cloudsync(options) => cloudsync::provision(plan, options, scope, secrets, attendant),
    }
}

/// Drops what the plan's scenario has on the server. `sites` are the site ids of its runs. Gives what could not be done.
pub(crate) fn cleanup(
    plan: &Plan,
    scope: &Scope,
    secrets: &Secrets,
    sites: &[String],
    attendant: &mut Attendant<'_>,
) -> Result<Vec<TargetError>, TargetError> {
    match &plan.target {
        TargetPlan::Embedded(_) | TargetPlan::Driver(_) | TargetPlan::Turso(_) => Err(needs_none(plan)),
        TargetPlan::Cloudsync(options) => cloudsync::cleanup(plan, options, scope, secrets, sites, attendant),
    }
}

/// What must be seen nowhere of what the plan's target, and every request of this process, is given.
pub(crate) fn secrets(plan: &Plan, scope: &Scope) -> Secrets {
    let secrets = Secrets::default();
    secrets.extend(proxy::secrets());
    match &plan.target {
        TargetPlan::Embedded(options) => {
            let hub = options.hub.iter().flat_map(|hub| in_address(hub));
            secrets.extend(hub.chain(loopback::keys()));
        }
        TargetPlan::Cloudsync(options) => drop(Access::lenient(options, scope, &secrets)),
        // Hidden when they are read.
        TargetPlan::Driver(_) | TargetPlan::Turso(_) => {}
    }
    secrets
}

/// What will be done about the server before and after a run. Asks nobody.
pub(crate) fn outline(plan: &Plan, scope: &Scope) -> Vec<String> {
    match &plan.target {
        TargetPlan::Embedded(_) => Vec::new(),
        TargetPlan::Driver(options) => driver::outline(options),
        TargetPlan::Turso(options) => turso::outline(options),
        TargetPlan::Cloudsync(options) => cloudsync::outline(plan, options, scope),
    }
}

/// The database that a connection string names, if it names one. An error does not repeat the string.
pub(crate) fn named_database(connection_string: &str) -> Result<Option<String>, TargetError> {
    ConnectionString::parse(connection_string).map(|parsed| parsed.database)
}

fn needs_none(plan: &Plan) -> TargetError {
    TargetError::new(
        format!("the target `{}` has no server of its own between runs", plan.target.kind()),
        "every run starts and stops its own; this command is for `target: {cloudsync: …}`",
    )
}
