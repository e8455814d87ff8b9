//! What the databases sync with. Both targets come down to the same: where the sync functions are loaded from, the
//! address they talk to, a credential per user, and an administrator. The code that runs a scenario cannot tell which
//! target it meets.

mod access;
pub mod admin;
mod attendant;
mod cleanup;
mod cloudsync;
mod connection;
pub mod doctor;
pub mod embedded;
pub mod extension;
mod http;
mod loopback;
mod management;
mod provision;
mod tokens;

pub use attendant::{Ask, Attendant};

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::failure::Secrets;
use crate::plan::{DatabasePlan, Plan};
use crate::record::TargetFacts;
use crate::scenario::{CloudsyncOptions, EmbeddedOptions, Target, TargetName, TargetOptions, WrongCredential};
use crate::session::{Credential, Loader, Network};
use crate::template::Scope;
use access::Access;
use admin::Admin;
use connection::ConnectionString;

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
    /// What some databases authenticate with on purpose, instead of what their user has.
    pub wrong_credentials: BTreeMap<u32, Credential>,
    /// Settings of the extension.
    pub settings: Vec<(String, String)>,
    /// What must be seen nowhere.
    pub secrets: Secrets,
    /// The administrator and the database's name, where there is one.
    pub admin: Option<(Admin, String)>,
    /// What is to be undone on the server.
    pub(crate) closing: Option<cleanup::Closing>,
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

    /// What a database authenticates with.
    ///
    /// # Panics
    ///
    /// When the database's user is not one of the plan's, which no plan has.
    pub fn credential(&self, database: &DatabasePlan) -> &Credential {
        let own = || &self.credentials[database.user as usize - 1];
        self.wrong_credentials.get(&database.index).unwrap_or_else(own)
    }

    /// Leaves the server: revokes what was made for the run, and drops what the scenario wants dropped. `sites` are the
    /// site ids of the run's databases. Gives what could not be done.
    pub fn leave(&self, sites: &[String], attendant: &mut Attendant<'_>) -> Vec<TargetError> {
        self.closing.as_ref().map_or_else(Vec::new, |closing| closing.leave(sites, attendant))
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
        f.write_str(&self.message)
    }
}

impl std::error::Error for TargetError {}

impl TargetError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// Makes the plan's target ready: starts the hub, or looks for the extension and prepares the server. `scope` holds the
/// environment, for the target's secrets; the hub keeps its files in `directory`; `run` makes names of the run's own.
pub fn connect(
    plan: &Plan,
    scope: &Scope,
    directory: &Path,
    run: &str,
    attendant: &mut Attendant<'_>,
) -> Result<Connected, TargetError> {
    let mut connected = match kind(&plan.target) {
        Kind::Embedded(options) => loopback::connect(plan, &options, directory, run),
        Kind::Cloudsync(options) => cloudsync::connect(plan, &options, scope, run, attendant),
    }?;
    for credential in &connected.credentials {
        connected.secrets.add(credential.text());
    }
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
            (WrongCredential::Wrong, _) if plan.rls => Credential::Token(UNKNOWN.to_owned()),
            (WrongCredential::Wrong, _) => Credential::ApiKey(UNKNOWN.to_owned()),
            (WrongCredential::Expired, None) => {
                let message = "an expired token cannot be made without an administrator";
                return Err(TargetError::new(message, "give the target a `connection_string`"));
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
pub fn provision(plan: &Plan, scope: &Scope, attendant: &mut Attendant<'_>) -> Result<String, TargetError> {
    match kind(&plan.target) {
        Kind::Embedded(_) => Err(embedded_needs_none()),
        Kind::Cloudsync(options) => cloudsync::provision(plan, &options, scope, attendant),
    }
}

/// Drops what the plan's scenario has on the server. `sites` are the site ids of its runs. Gives what could not be done.
pub fn cleanup(
    plan: &Plan,
    scope: &Scope,
    sites: &[String],
    attendant: &mut Attendant<'_>,
) -> Result<Vec<TargetError>, TargetError> {
    match kind(&plan.target) {
        Kind::Embedded(_) => Err(embedded_needs_none()),
        Kind::Cloudsync(options) => cloudsync::cleanup(plan, &options, scope, sites, attendant),
    }
}

/// What the plan's target is given that must be seen nowhere.
pub fn secrets(plan: &Plan, scope: &Scope) -> Secrets {
    match kind(&plan.target) {
        Kind::Embedded(_) => loopback::secrets(),
        Kind::Cloudsync(options) => Access::lenient(&options, scope).0.secrets,
    }
}

/// What will be done on the server before and after a run. Asks nobody.
pub fn outline(plan: &Plan, scope: &Scope) -> Vec<String> {
    match kind(&plan.target) {
        Kind::Embedded(_) => Vec::new(),
        Kind::Cloudsync(options) => cloudsync::outline(plan, &options, scope),
    }
}

/// Whether a plan's target is the embedded one.
pub fn is_embedded(plan: &Plan) -> bool {
    matches!(kind(&plan.target), Kind::Embedded(_))
}

/// The database that a connection string names, if it names one. An error does not repeat the string.
pub fn named_database(connection_string: &str) -> Result<Option<String>, TargetError> {
    ConnectionString::parse(connection_string).map(|parsed| parsed.database)
}

#[expect(clippy::large_enum_variant, reason = "a plan has one")]
enum Kind {
    Embedded(EmbeddedOptions),
    Cloudsync(CloudsyncOptions),
}

/// The target with its options, those of the short form at their defaults.
fn kind(target: &Target) -> Kind {
    match target {
        Target::Name(TargetName::Embedded) => Kind::Embedded(EmbeddedOptions::default()),
        Target::Name(TargetName::Cloudsync) => Kind::Cloudsync(CloudsyncOptions::default()),
        Target::Options(TargetOptions::Embedded(options)) => Kind::Embedded(options.clone()),
        Target::Options(TargetOptions::Cloudsync(options)) => Kind::Cloudsync(options.clone()),
    }
}

fn embedded_needs_none() -> TargetError {
    TargetError::new(
        "the embedded target has no server of its own between runs",
        "every run prepares its hub and leaves nothing; this is for `target: {cloudsync: …}`",
    )
}
