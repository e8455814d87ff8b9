//! From an empty server to a database with tables, policies, sync and tokens, through the administrator's HTTP calls.

use std::path::Path;
use std::time::Duration;

use super::admin::Admin;
use super::embedded::{self, Hub, HubOptions};
use super::{Connected, TargetError};
use crate::failure::RawError;
use crate::plan::Plan;
use crate::record::TargetFacts;
use crate::scenario::{EmbeddedOptions, HumanDuration, JournalMode};
use crate::session::{Credential, Loader, Network};

/// Where a shared hub's keys are looked for.
const API_KEY_VARIABLE: &str = "STRESS_HUB_API_KEY";
const MANAGEMENT_KEY_VARIABLE: &str = "STRESS_HUB_MANAGEMENT_KEY";

/// Starts the embedded hub, or reaches the one named, and prepares a database on it.
pub(super) fn embedded(
    plan: &Plan,
    options: &EmbeddedOptions,
    directory: &Path,
    run: &str,
) -> Result<Connected, TargetError> {
    let (hub, url, api_key, management_key) = if let Some(url) = &options.hub {
        (None, url.clone(), key(API_KEY_VARIABLE)?, key(MANAGEMENT_KEY_VARIABLE)?)
    } else {
        let hub_options = hub_options(plan, options, directory);
        let (api_key, management_key) = (hub_options.api_key.clone(), hub_options.management_key.clone());
        let hub = Hub::start(hub_options).map_err(|error| {
            let help = "name a directory that can be written to with `--out`";
            TargetError::new(format!("failed to {error}"), help)
        })?;
        let url = hub.url().to_owned();
        (Some(hub), url, api_key, management_key)
    };
    let admin = Admin::new(&url, &api_key);
    let database = format!("{}_{run}", plan.name.replace('-', "_"));
    let managed_database_id = prepare(plan, &admin, &management_key, &database)?;
    let credentials = if plan.rls {
        let tokens = plan.users.iter().map(|user| admin.create_token(&format!("stress{}", user.index), &user.id));
        let tokens = tokens.collect::<Result<Vec<String>, RawError>>();
        let tokens = tokens.map_err(|error| TargetError::admin("create the users' tokens", &admin, &error))?;
        tokens.into_iter().map(Credential::Token).collect()
    } else {
        vec![Credential::ApiKey(api_key); plan.users.len()]
    };
    Ok(Connected {
        facts: TargetFacts {
            kind: "embedded".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: url.clone(),
            extension: None,
        },
        loader: Loader::Functions(embedded::register),
        network: Network { address: Some(url), managed_database_id },
        credentials,
        settings: Vec::new(),
        admin: Some((admin, database)),
        hub,
    })
}

fn hub_options(plan: &Plan, options: &EmbeddedOptions, directory: &Path) -> HubOptions {
    let mut hub = HubOptions::new(directory.join("hub"));
    hub.busy_timeout = options.busy_timeout.map_or(hub.busy_timeout, HumanDuration::get);
    hub.writers = options.writers.unwrap_or(hub.writers);
    hub.journal_mode = options.journal_mode.unwrap_or(JournalMode::Wal);
    hub.latency = options.latency.map_or(Duration::ZERO, HumanDuration::get);
    hub.faults.clone_from(&options.faults);
    hub.seed = plan.seed;
    hub
}

/// Creates the database, its tables and policies, and enables sync. The order is the seed's.
fn prepare(plan: &Plan, admin: &Admin, management_key: &str, database: &str) -> Result<String, TargetError> {
    let run = |step: &str, database: Option<&str>, sql: &str| {
        admin.sql(database, sql).map(drop).map_err(|error| TargetError::admin(step, admin, &error))
    };
    run("create the database on the server", None, &format!("CREATE DATABASE {database} IF NOT EXISTS"))?;
    for table in &plan.tables {
        let step = format!("create table `{}` on the server", table.name);
        run(&step, Some(database), &table.sql)?;
        for sql in &table.also {
            run(&step, Some(database), sql)?;
        }
        let Some(policies) = &table.policies else { continue };
        let step = format!("set the policies of `{}` on the server", table.name);
        run(&step, Some(database), &format!("ENABLE RLS DATABASE {database} TABLE {}", table.name))?;
        let each = [
            ("SELECT", &policies.select),
            ("INSERT", &policies.insert),
            ("UPDATE", &policies.update),
            ("DELETE", &policies.delete),
        ];
        for (operation, policy) in each {
            if let Some(policy) = policy {
                let sql = format!("SET RLS DATABASE {database} TABLE {} {operation} \"{policy}\"", table.name);
                run(&step, Some(database), &sql)?;
            }
        }
    }
    let connection_string = format!("sqlitecloud://127.0.0.1:8860/{database}");
    let id = admin.register(management_key, database, &connection_string);
    let id = id.map_err(|error| TargetError::admin("register the database for sync", admin, &error))?;
    let tables: Vec<&str> = plan.tables.iter().map(|table| table.name.as_str()).collect();
    admin
        .enable(management_key, &id, &tables)
        .map_err(|error| TargetError::admin("enable sync for the tables", admin, &error))?;
    Ok(id)
}

fn key(variable: &str) -> Result<String, TargetError> {
    std::env::var(variable).map_err(|_| {
        let message = format!("a shared hub needs its key in the environment variable {variable}");
        TargetError::new(message, "`stress hub` prints the keys it started with")
    })
}
