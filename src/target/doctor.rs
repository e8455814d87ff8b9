//! Whether everything a run needs is there: each part is looked at on its own, so that all that is missing is told at
//! once. Nothing is changed anywhere.

use std::time::Duration;

use jiff::Timestamp;

use super::access::{Access, DEFAULT_ADDRESS};
use super::admin::Admin;
use super::attendant::Attendant;
use super::connected::Leaving;
use super::error::TargetError;
use super::management::Management;
use super::{extension, proxy};
use crate::failure::{RawError, Secrets};
use crate::plan::{Grant, Plan, TargetPlan};
use crate::scenario::{Cleanup, CloudsyncOptions};
use crate::template::Scope;

/// A clock that is further off than this makes tokens and certificates expire at the wrong time.
const CLOCK: Duration = Duration::from_secs(30);

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// What is there, or what is wrong.
    pub found: String,
    /// What to do about it; nothing when it is good.
    pub to_do: Option<String>,
}

impl Finding {
    /// Of something that is as it should be.
    pub(crate) fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, found: found.into(), to_do: None }
    }

    /// Of something that is not.
    pub(crate) fn problem(what: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { what, found: found.into(), to_do: Some(to_do.into()) }
    }

    fn of(what: &'static str, outcome: Result<String, TargetError>) -> Self {
        match outcome {
            Ok(found) => Self::good(what, found),
            Err(error) => Self::problem(what, error.message, error.help),
        }
    }
}

/// Looks at the extension, and at the plan's server where there is a plan.
pub(crate) fn examine(plan: Option<(&Plan, &Scope, &Secrets)>) -> Vec<Finding> {
    match plan {
        None => vec![of_extension(None)],
        Some((plan, scope, secrets)) => match &plan.target {
            TargetPlan::Embedded(_) => vec![Finding::good("target", "embedded: nothing else is needed")],
            TargetPlan::Cloudsync(options) => of_cloud(options, &plan.grant, scope, secrets),
            TargetPlan::Driver(_) | TargetPlan::Turso(_) => vec![of_driver(plan, scope, secrets)],
        },
    }
}

/// Starts the driver with its server, and ends them again.
fn of_driver(plan: &Plan, scope: &Scope, secrets: &Secrets) -> Finding {
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => {
            return Finding::problem("driver", format!("no temporary directory: {error}"), "make room, or set TMPDIR");
        }
    };
    let (mut say, stopped) = (|_: &str| {}, || false);
    let attendant = &mut Attendant::new(&mut say, &stopped);
    let met = super::connect(plan, scope, directory.path(), "doctor", secrets, attendant).and_then(|target| {
        let version = target.facts.version.clone();
        let wrong = target.leave(&[], Leaving::default(), attendant).into_iter().next();
        wrong.map_or(Ok(version), Err)
    });
    Finding::of("driver", met)
}

fn of_extension(named: Option<&str>) -> Finding {
    let found = extension::find(named).and_then(|path| extension::probe(&path));
    Finding::of("extension", found.map(|found| format!("{} at {}", found.version, found.path.display())))
}

fn of_cloud(options: &CloudsyncOptions, grant: &Grant, scope: &Scope, secrets: &Secrets) -> Vec<Finding> {
    let (access, missing) = Access::lenient(options, scope, secrets);
    let mut findings: Vec<Finding> =
        missing.into_iter().map(|error| Finding::of("scenario's target", Err(error))).collect();
    if let Err(error) = access.must_suit(grant) {
        findings.push(Finding::of("sandbox", Err(error)));
        return findings;
    }
    findings.push(of_extension(access.extension.as_deref()));
    if let Some(connection) = &access.connection {
        let text = format!("project {}, database {}", connection.project(), access.database);
        findings.push(Finding::good("connection string", text));
    }
    if options.provision || options.cleanup == Some(Cleanup::Drop) {
        let allowed = access.must_be_allowed().map(|()| format!("{} may be changed", access.database));
        findings.push(Finding::of("database", allowed));
    }
    findings.extend(of_proxies(&access));
    if let Some(admin) = &access.admin {
        findings.extend(of_server(admin));
        findings.push(of_call("api key", admin, admin.check_key().map(|()| "accepted".to_owned())));
        for (index, token) in access.tokens.iter().enumerate() {
            let step = format!("token {} accepted", index + 1);
            findings.push(of_call("token", admin, admin.check_token(token).map(|()| step)));
        }
    }
    findings.extend(of_management(&access));
    findings
}

fn of_call(what: &'static str, admin: &Admin, outcome: Result<String, RawError>) -> Finding {
    Finding::of(what, outcome.map_err(|error| admin.failed("check it", &error)))
}

/// The proxy of each server that is reached over HTTP, which the extension chooses by the same variables.
fn of_proxies(access: &Access) -> Vec<Finding> {
    let own = access.address.as_deref().unwrap_or(DEFAULT_ADDRESS);
    let mut addresses = vec![own];
    addresses.extend(access.admin.as_ref().map(Admin::address));
    addresses.extend(access.management.as_ref().map(Management::address));
    addresses.sort_unstable();
    addresses.dedup();
    let finding = |address: &str| match proxy::proxy(address) {
        Ok(None) => Finding::good("proxy", format!("none for {address}")),
        Ok(Some(proxy)) => Finding::good("proxy", format!("{} for {address}", proxy::words(&proxy))),
        Err(problem) => Finding::problem("proxy", problem, "correct the variable, or name the host in NO_PROXY"),
    };
    addresses.into_iter().map(finding).collect()
}

/// The server's health, and its clock against ours.
fn of_server(admin: &Admin) -> Vec<Finding> {
    let answer = match admin.health() {
        Ok(answer) => answer,
        Err(error) => return vec![of_call("server", admin, Err(error))],
    };
    let server = if (200..300).contains(&answer.status) {
        Finding::good("server", format!("{} answers", admin.address()))
    } else {
        let found = format!("{} answers /v2/health with HTTP {}", admin.address(), answer.status);
        Finding::problem("server", found, "check in the dashboard whether the project runs")
    };
    let told = answer.headers.get("date").and_then(|date| date.to_str().ok());
    let told = told.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let clock = told.map(|told| {
        let offset = Timestamp::now().duration_since(told.timestamp());
        if offset.unsigned_abs() <= CLOCK {
            Finding::good("clock", format!("{} s difference to the server", offset.as_secs()))
        } else {
            let found = format!("{} s difference to the server", offset.as_secs());
            Finding::problem("clock", found, "set this machine's clock: the expiry of tokens depends on it")
        }
    });
    std::iter::once(server).chain(clock).collect()
}

fn of_management(access: &Access) -> Vec<Finding> {
    let Some(management) = &access.management else {
        let found = match &access.given_id {
            Some(_) => "none given; not needed, because the managed database id is given",
            None => "none given: a person must enable sync in the dashboard",
        };
        return vec![Finding::good("management key", found)];
    };
    let organisation = management.organisation();
    let organisation = organisation.map_err(|error| management.failed("check it", &error));
    let accepted = organisation.is_ok();
    let mut findings = vec![Finding::of("management key", organisation.map(|name| format!("accepted, of {name}")))];
    if !accepted {
        return findings;
    }
    let id = match access.managed_database_id() {
        Ok(Some(id)) => id,
        Ok(None) => {
            findings.push(Finding::good("managed database", "not registered yet: `stress provision` registers it"));
            return findings;
        }
        Err(error) => {
            findings.push(Finding::of("managed database", Err(error)));
            return findings;
        }
    };
    findings.push(match management.unreachable(&id) {
        Ok(None) => Finding::good("managed database", format!("{id}, which the service can reach")),
        Ok(Some((why, _))) => Finding::problem(
            "managed database",
            format!("the service cannot reach {id}: {why}"),
            "check that the project runs and that its registered api key is still valid",
        ),
        Err(error) => Finding::of("managed database", Err(management.failed("look at it", &error))),
    });
    findings
}
