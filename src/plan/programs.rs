//! The options of a target whose databases a driver opens: its programs, and the texts of its settings.

use serde_json::Value;

use super::draft::Draft;
use super::names::Names;
use crate::scenario::{DriverOptions, DriverReady, Issue, TursoOptions, join};

const CODE: &str = "target::driver";
const AT: &str = "/target/driver";

/// Checks the options of a driver of the user's own.
pub(super) fn check_options(draft: &mut Draft<'_>, options: &DriverOptions) {
    if draft.grant.is_sandbox() {
        let message = "the sandbox does not let a scenario name programs to be started";
        let help = "read the program first, then run the scenario without `--sandbox`";
        draft.issues.push(Issue::new(AT, "target::sandbox", message).help(help));
    }
    let server = options.server.as_ref();
    let commands = [
        (format!("{AT}/command"), Some(&options.command)),
        (format!("{AT}/server/command"), server.map(|server| &server.command)),
    ];
    for (pointer, command) in commands.iter().filter_map(|(pointer, command)| Some((pointer, (*command)?))) {
        if command.first().is_none_or(|program| program.trim().is_empty()) {
            let help = "write the program and its arguments: `[python3, my-driver.py]`";
            draft.issues.push(Issue::new(pointer, CODE, "the command names no program").help(help));
        }
        for (index, text) in command.iter().enumerate() {
            draft.text(&format!("{pointer}/{index}"), text, Names::Driver);
        }
    }
    if let Some(ready) = server.and_then(|server| server.ready.as_ref()) {
        check_ready(draft, ready);
    }
    for (key, value) in &options.settings {
        check_texts(draft, &join(&format!("{AT}/settings"), key), value);
    }
}

fn check_ready(draft: &mut Draft<'_>, ready: &DriverReady) {
    let at = format!("{AT}/server/ready");
    if ready.tcp.is_some() == ready.http.is_some() {
        let help = "write `ready: {tcp: \"127.0.0.1:{{ port }}\"}`, or `http` with a whole address";
        draft.issues.push(Issue::new(&at, CODE, "`ready` needs either `tcp` or `http`").help(help));
    }
    for (key, text) in [("tcp", &ready.tcp), ("http", &ready.http)] {
        if let Some(text) = text {
            draft.text(&format!("{at}/{key}"), text, Names::Driver);
        }
    }
}

/// The texts of a setting, however deep they are.
fn check_texts(draft: &mut Draft<'_>, pointer: &str, value: &Value) {
    match value {
        Value::String(text) => drop(draft.text(pointer, text, Names::Driver)),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                check_texts(draft, &format!("{pointer}/{index}"), value);
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                check_texts(draft, &join(pointer, key), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Checks the options of the driver for Turso.
pub(super) fn check_turso(draft: &mut Draft<'_>, options: &TursoOptions) {
    let Some(server) = &options.server else { return };
    if !server.starts_with("http://") && !server.starts_with("https://") {
        let help = "write the address of the sync server, such as `http://127.0.0.1:8080`";
        let message = format!("`{server}` is not the address of a server");
        draft.issues.push(Issue::new("/target/turso/server", "target::turso", message).help(help));
    }
}
