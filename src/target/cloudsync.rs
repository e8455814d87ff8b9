//! The real target: the CloudSync extension, and an SQLiteCloud project that is prepared, or not, and left again.

use serde_json::Value;

use super::access::{Access, DEFAULT_ADDRESS};
use super::attendant::Attendant;
use super::cleanup::{Closing, Dropping};
use super::connected::Connected;
use super::engine::{Engine, Functions};
use super::error::TargetError;
use super::management::Registration;
use super::provision::{self, Site};
use super::{extension, tokens};
use crate::failure::{Secret, Secrets};
use crate::plan::Plan;
use crate::record::TargetFacts;
use crate::scenario::{Cleanup, CloudsyncOptions, TargetKind};
use crate::session::{Credential, Loader, Network};
use crate::template::Scope;

pub(super) fn connect(
    plan: &Plan,
    options: &CloudsyncOptions,
    scope: &Scope,
    run: &str,
    secrets: &Secrets,
    attendant: &mut Attendant<'_>,
) -> Result<Connected, TargetError> {
    let reach = if options.provision { Access::without_id } else { Access::new };
    let access = reach(options, scope, secrets)?.until(attendant.halt());
    access.must_suit(&plan.grant)?;
    let drops = options.cleanup == Some(Cleanup::Drop);
    if options.provision || drops {
        access.must_be_allowed()?;
    }
    let extension = extension::probe(&extension::find(access.extension.as_deref())?)?;
    let managed_database_id = if options.provision {
        prepare(plan, &access, attendant)?
    } else {
        access.managed_database_id()?.ok_or_else(not_registered)?
    };
    let mut closing = closing(plan, &access, Some(&managed_database_id), drops);
    let credentials = match credentials(plan, &access, run, attendant) {
        Ok((credentials, made)) => {
            if let Some(closing) = &mut closing {
                closing.tokens = made;
            }
            credentials
        }
        Err(error) => return Err(left(closing.filter(|_| options.provision), error, attendant)),
    };
    let settings = options.settings.iter().map(|(key, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (key.clone(), value)
    });
    let admin = access.admin.clone().map(|admin| (admin, access.database.clone()));
    Ok(Connected {
        facts: TargetFacts {
            kind: TargetKind::Cloudsync,
            version: extension.version,
            address: access.address.clone().unwrap_or_else(|| DEFAULT_ADDRESS.to_owned()),
            extension: Some(extension.path.display().to_string()),
        },
        engine: Engine::Functions(Functions {
            loader: Loader::Extension(extension.path),
            network: Network { address: access.address, managed_database_id, secrets: secrets.clone() },
            settings: settings.collect(),
        }),
        credentials,
        wrong_credentials: std::collections::BTreeMap::new(),
        secrets: secrets.clone(),
        admin,
        closing,
        hub: None,
        server: None,
    })
}

/// Prepares the plan's database, and nothing else.
pub(super) fn provision(
    plan: &Plan,
    options: &CloudsyncOptions,
    scope: &Scope,
    secrets: &Secrets,
    attendant: &mut Attendant<'_>,
) -> Result<String, TargetError> {
    let access = Access::without_id(options, scope, secrets)?.until(attendant.halt());
    access.must_suit(&plan.grant)?;
    access.must_be_allowed()?;
    prepare(plan, &access, attendant)
}

/// Drops what a scenario has on the server, and forgets the devices of its runs.
pub(super) fn cleanup(
    plan: &Plan,
    options: &CloudsyncOptions,
    scope: &Scope,
    secrets: &Secrets,
    sites: &[String],
    attendant: &mut Attendant<'_>,
) -> Result<Vec<TargetError>, TargetError> {
    let access = Access::without_id(options, scope, secrets)?.until(attendant.halt());
    access.must_suit(&plan.grant)?;
    access.must_be_allowed()?;
    let id = access.managed_database_id()?;
    let closing = closing(plan, &access, id.as_deref(), true).ok_or_else(no_connection)?;
    Ok(closing.leave(sites, true, attendant))
}

/// What will be done on the server before and after the run, for a person to read.
pub(super) fn outline(plan: &Plan, options: &CloudsyncOptions, scope: &Scope) -> Vec<String> {
    let database = match Access::new(options, scope, &Secrets::default()) {
        Ok(access) => access.database,
        // Without its secrets the scenario is good all the same.
        Err(_) => "of the connection string".to_owned(),
    };
    let mut steps = Vec::new();
    if options.provision {
        let known = options.managed_database_id.is_some();
        steps.extend(provision::outline(plan, &database, options.management_key.is_some(), known));
    }
    let own_tokens = plan.rls && options.tokens.is_empty();
    if own_tokens {
        let count = plan.users.len();
        steps.push(format!(
            "create {count} access tokens, which expire ten minutes after the run's time limit, and check them"
        ));
    }
    let mut after = Vec::new();
    if own_tokens {
        after.push("after the run: revoke the access tokens".to_owned());
    }
    if options.cleanup == Some(Cleanup::Drop) {
        after.push(format!(
            "after the run: disable sync, remove the run's devices, drop the tables, and the database {database} if nothing else is in it"
        ));
    }
    steps.extend(after);
    steps
}

fn prepare(plan: &Plan, access: &Access, attendant: &mut Attendant<'_>) -> Result<String, TargetError> {
    let (admin, connection) = access.admin.as_ref().zip(access.connection.as_ref()).ok_or_else(no_connection)?;
    let site = Site {
        admin,
        management: access.management.as_ref(),
        registration: Registration::new(connection, &access.database),
        known: access.given_id.clone(),
    };
    provision::prepare(plan, &site, attendant)
}

/// With row-level security each user's token, those given or new ones; without it the api key. The tokens that were
/// made come second.
fn credentials(
    plan: &Plan,
    access: &Access,
    run: &str,
    attendant: &mut Attendant<'_>,
) -> Result<(Vec<Credential>, Vec<Secret>), TargetError> {
    if !plan.rls {
        let key = access.api_key.clone();
        let key = key.ok_or_else(|| TargetError::new("there is no api key", "set `apikey` in the target"))?;
        return Ok((vec![Credential::ApiKey(key); plan.users.len()], Vec::new()));
    }
    let (tokens, made) = if access.tokens.is_empty() {
        let admin = access.admin.as_ref().ok_or_else(no_connection)?;
        let made = tokens::create(admin, plan, run, attendant)?;
        (made.clone(), made)
    } else {
        (access.tokens.clone(), Vec::new())
    };
    Ok((tokens.into_iter().map(Credential::Token).collect(), made))
}

fn closing(plan: &Plan, access: &Access, id: Option<&str>, drops: bool) -> Option<Closing> {
    let dropping = || Dropping {
        database: access.database.clone(),
        tables: plan.tables.clone(),
        management: access.management.clone(),
        managed_database_id: id.map(str::to_owned),
        own: false,
    };
    Some(Closing { admin: access.admin.clone()?, tokens: Vec::new(), drop: drops.then(dropping) })
}

/// Leaves the server after a run that could not start.
fn left(closing: Option<Closing>, error: TargetError, attendant: &mut Attendant<'_>) -> TargetError {
    let problems = closing.map_or_else(Vec::new, |closing| closing.leave(&[], true, attendant));
    for problem in problems {
        attendant.say(&problem.message);
    }
    error
}

fn no_connection() -> TargetError {
    TargetError::new(
        "the target has no `connection_string`, so `stress` cannot administer the server",
        "add `connection_string: \"{{ env.SQLITECLOUD_CONNECTION }}\"`",
    )
}

fn not_registered() -> TargetError {
    TargetError::new(
        "the database is not registered for sync",
        "`stress provision FILE` prepares and registers it; or set `provision: true`, or `managed_database_id`",
    )
}
