//! The embedded target made ready: the hub started, or the one named reached, and a database prepared on it by the same
//! steps as on the cloud.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::admin::Admin;
use super::attendant::Attendant;
use super::cleanup::{Closing, Dropping};
use super::connected::Connected;
use super::disk::room;
use super::embedded::{self, Hub, HubOptions};
use super::engine::{Engine, Functions};
use super::error::TargetError;
use super::halt::Halt;
use super::http::TIMEOUT;
use super::management::{Management, Registration};
use super::provision::{self, Site};
use super::tokens;
use crate::failure::{Secret, Secrets};
use crate::plan::Plan;
use crate::record::TargetFacts;
use crate::scenario::{EmbeddedOptions, HumanDuration, JournalMode, TargetKind};
use crate::session::{Credential, Loader, Network};

/// Where a shared hub's keys are looked for.
const API_KEY_VARIABLE: &str = "STRESS_HUB_API_KEY";
const MANAGEMENT_KEY_VARIABLE: &str = "STRESS_HUB_MANAGEMENT_KEY";
/// The project that the hub is, in the words of the cloud.
const PROJECT: &str = "stress";

/// Starts the embedded hub, or reaches the one named, and prepares a database on it.
pub(super) fn connect(
    plan: &Plan,
    options: &EmbeddedOptions,
    directory: &Path,
    run: &str,
    halt: &Halt,
    secrets: &Secrets,
) -> Result<Connected, TargetError> {
    let (hub, url, api_key, management_key) = if let Some(url) = &options.hub {
        (None, url.clone(), key(API_KEY_VARIABLE)?, key(MANAGEMENT_KEY_VARIABLE)?)
    } else {
        let hub_options = hub_options(plan, options, directory);
        let (api_key, management_key) = (hub_options.api_key.clone(), hub_options.management_key.clone());
        let hub = Hub::start(hub_options).map_err(|error| TargetError::new(format!("failed to {error}"), room()))?;
        let url = hub.url().to_owned();
        (Some(hub), url, api_key, management_key)
    };
    secrets.extend([api_key.clone(), management_key.clone()]);
    // A hub on this machine is prepared in no time: nothing is told, and an interrupt finds the run itself, which reports.
    let (mut say, stopped) = (|_: &str| {}, || false);
    let attendant = &mut Attendant::new(&mut say, &stopped);
    attendant.obey(halt.clone());
    // A hub that is silent is not waited for longer than for the run itself.
    let time = TIMEOUT.min(plan.time_limit);
    let admin = Admin::new(&url, api_key.clone(), time, secrets.clone()).until(halt);
    let management = Management::new(&url, management_key, time, secrets.clone()).until(halt);
    let name = plan.name.replace('-', "_");
    let database = if plan.reuse { name } else { format!("{name}_{run}") };
    let registration = Registration {
        project: PROJECT.to_owned(),
        database: database.clone(),
        connection_string: format!("sqlitecloud://127.0.0.1:8860/{database}").into(),
    };
    let known = if plan.reuse { prepared(plan, &management, &registration)? } else { None };
    let managed_database_id = if let Some(id) = known {
        id
    } else {
        let site = Site { admin: &admin, management: Some(&management), registration, known: None };
        provision::prepare(plan, &site, attendant)?
    };
    let tokens = if plan.rls { tokens::create(&admin, plan, run, attendant)? } else { Vec::new() };
    // A hub of this run alone ends with it, and its tokens and databases, too.
    let closing = (hub.is_none() || plan.reuse).then(|| Closing {
        admin: admin.clone(),
        tokens: tokens.clone(),
        drop: (!plan.reuse).then(|| Dropping {
            database: database.clone(),
            tables: plan.tables.clone(),
            management: Some(management),
            managed_database_id: Some(managed_database_id.clone()),
            own: true,
        }),
    });
    let credentials = if plan.rls {
        tokens.into_iter().map(Credential::Token).collect()
    } else {
        vec![Credential::ApiKey(api_key); plan.users.len()]
    };
    Ok(Connected {
        facts: TargetFacts {
            kind: TargetKind::Embedded,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: url.clone(),
            extension: None,
        },
        engine: Engine::Functions(Functions {
            loader: Loader::Functions(embedded::register),
            network: Network { address: Some(url), managed_database_id, secrets: secrets.clone() },
            settings: Vec::new(),
        }),
        credentials,
        wrong_credentials: BTreeMap::new(),
        secrets: secrets.clone(),
        admin: Some((admin, database)),
        closing,
        hub,
        server: None,
    })
}

/// The managed database id of a database that an earlier run prepared, and whose rows its databases still have.
fn prepared(plan: &Plan, management: &Management, registration: &Registration) -> Result<Option<String>, TargetError> {
    let tables: Vec<String> = plan.tables.iter().map(|table| table.name.clone()).collect();
    let found = management.find(&registration.project, &registration.database).and_then(|found| {
        let Some(id) = found else { return Ok(None) };
        Ok(management.missing(&id, &tables)?.is_empty().then_some(id))
    });
    found.map_err(|error| management.failed(&format!("look for the database `{}`", registration.database), &error))
}

fn hub_options(plan: &Plan, options: &EmbeddedOptions, directory: &Path) -> HubOptions {
    let mut hub = HubOptions::new(directory.join("hub"));
    hub.busy_timeout = options.busy_timeout.map_or(hub.busy_timeout, HumanDuration::get);
    hub.writers = options.writers.unwrap_or(hub.writers);
    hub.journal_mode = options.journal_mode.unwrap_or(JournalMode::Wal);
    hub.latency = options.latency.map_or(Duration::ZERO, HumanDuration::get);
    hub.denied = options.denied.unwrap_or_default();
    hub.prepare = options.prepare;
    hub.faults.clone_from(&options.faults);
    hub.seed = plan.seed;
    hub
}

/// The keys of a shared hub, where they are known.
pub(super) fn keys() -> impl Iterator<Item = Secret> {
    [API_KEY_VARIABLE, MANAGEMENT_KEY_VARIABLE]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .map(Secret::from)
}

fn key(variable: &str) -> Result<Secret, TargetError> {
    let given = std::env::var(variable).ok().filter(|value| !value.trim().is_empty());
    let key = given.map(Secret::from).ok_or_else(|| {
        let message = format!("a shared hub needs its key in the environment variable {variable}");
        TargetError::new(message, "`stress hub` prints the keys it started with")
    })?;
    if key.is_too_short() { Err(TargetError::too_short(variable)) } else { Ok(key) }
}
