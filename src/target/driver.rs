//! The `driver` target made ready: the engine's server and the driver started, and the scenario held against what the
//! driver says it can do.

use std::path::Path;
use std::time::Duration;

use super::attendant::Attendant;
use super::connected::Connected;
use super::engine::Engine;
use super::error::TargetError;
use super::programs::{Server, Texts, not_started};
use crate::failure::Secrets;
use crate::plan::{CheckKind, Plan, Question};
use crate::record::TargetFacts;
use crate::scenario::{CheckName, DriverOptions, HumanDuration, QueryOn};
use crate::session::Credential;
use crate::session::driver::{Ability, Driver, Process, Promise, Start};
use crate::template::Scope;

/// The longest that a request may take when the scenario does not say.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Starts the server and the driver, which has these variables in its environment. The run's files are in `directory`.
pub(super) fn connect(
    plan: &Plan,
    options: &DriverOptions,
    environment: Vec<(String, String)>,
    scope: &Scope,
    directory: &Path,
    secrets: &Secrets,
    attendant: &Attendant<'_>,
) -> Result<Connected, TargetError> {
    let texts = Texts::new(scope, directory, secrets)?;
    let server = options.server.as_ref();
    let server =
        server.map(|server| Server::start(server, &texts, directory.join("server.log"), attendant)).transpose()?;
    let command = texts.all("command", &options.command)?;
    let settings = texts.settings(&options.settings)?;
    let start = Start {
        command: command.clone(),
        environment,
        log: directory.join("driver.log"),
        timeout: options.timeout.map_or(TIMEOUT, HumanDuration::get),
        secrets: secrets.clone(),
    };
    let process = Process::start(&start).map_err(|error| not_started("driver", &command.join(" "), &error))?;
    let databases = u32::try_from(plan.databases.len()).unwrap_or(u32::MAX);
    let met = Driver::meet(process, &settings, databases, &directory.to_string_lossy());
    let driver = met.map_err(|error| {
        let help = format!(
            "what the driver said on stderr is in {}; `stress driver check` tries a driver alone",
            start.log.display()
        );
        TargetError::new(error.message, help)
    })?;
    check(plan, &driver)?;
    let hello = &driver.hello;
    let named = settings.values().filter_map(serde_json::Value::as_str).find(|text| text.contains("://"));
    let address = named.map_or_else(|| command.join(" "), str::to_owned);
    Ok(Connected {
        facts: TargetFacts {
            kind: plan.target.kind(),
            version: format!("{} {}", hello.engine.name, hello.engine.version),
            address,
            extension: None,
        },
        engine: Engine::Driver(driver),
        credentials: vec![Credential::Nothing; plan.users.len()],
        wrong_credentials: std::collections::BTreeMap::new(),
        secrets: secrets.clone(),
        admin: None,
        closing: None,
        hub: None,
        server,
    })
}

/// What will be started before the run, for a person to read. Templates stand as they are written.
pub(super) fn outline(options: &DriverOptions) -> Vec<String> {
    let server = options.server.as_ref().map(|server| {
        let ready = server.ready.as_ref().and_then(|ready| ready.tcp.as_ref().or(ready.http.as_ref()));
        let wait = ready.map_or_else(String::new, |address| format!(", and wait until {address} answers"));
        format!("start the server `{}`{wait}; after the run: end the server", server.command.join(" "))
    });
    let driver = format!("start the driver `{}`; after the run: end the driver", options.command.join(" "));
    server.into_iter().chain([driver]).collect()
}

/// Refuses, before anything is done, what the scenario asks for and the driver cannot do.
fn check(plan: &Plan, driver: &Driver) -> Result<(), TargetError> {
    let name = &driver.hello.name;
    let lacks = |what: &str, ability: &str, help: &str| {
        Err(TargetError::new(format!("{what}, and the driver `{name}` does not `{ability}`"), help))
    };
    let asks = |kind| plan.checks.iter().any(|check| check.kind() == kind);
    let on_server = |question: &Question| match question {
        Question::Named(name) => *name == CheckName::Server,
        Question::Query { on, .. } => *on == QueryOn::Server,
    };
    if plan.rls && !driver.does(Ability::Rls) {
        return lacks("the scenario declares `rls`", "rls", "remove `rls`: the engine gives every row to everybody");
    }
    if plan.checks.iter().any(|check| on_server(&check.question)) && !driver.does(Ability::ServerQuery) {
        let help = "use the check `bootstrap`, which looks at what a new device receives from the server";
        return lacks("a check of `verify` asks the server", "server_query", help);
    }
    if asks(CheckKind::Bootstrap) && !driver.does(Ability::Bootstrap) {
        return lacks("`verify` has `bootstrap`", "bootstrap", "remove `bootstrap` from `verify`");
    }
    let steps = plan.setup.iter().chain(&plan.phases).chain(&plan.teardown);
    if let Some(step) = steps.into_iter().find(|step| step.timeout.is_some())
        && !driver.does(Ability::Interrupt)
    {
        let what = format!("the step `{}` has a `timeout`", step.name);
        return lacks(
            &what,
            "interrupt",
            "remove `timeout` from the step; `timeout` of the target bounds each request",
        );
    }
    if asks(CheckKind::Converged) && !driver.hello.promises.contains(&Promise::Convergence) {
        let message = format!("`verify` has `converged`, and the driver `{name}` does not promise `convergence`");
        return Err(TargetError::new(message, "remove `converged` from `verify`"));
    }
    Ok(())
}
