//! `stress driver install`: the client and the server of an engine whose driver ships with `stress`, from their packages.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use super::super::extension::NPM;
use super::super::problem::Problem;
use super::super::terminal::Terminal;
use crate::target::turso::{self, Installed};

const LICENCE: &str = "licence of both: MIT, © the Turso authors";
/// The Python that runs the driver.
const PYTHON: &str = "python3";

/// An engine whose driver ships with `stress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shipped {
    /// Turso's sync, with its local sync server
    Turso,
}

/// Installs what an engine needs. Runs need no network for it afterwards.
pub(super) fn run(engine: Shipped, terminal: &mut Terminal) -> Result<(), Problem> {
    match engine {
        Shipped::Turso => turso(terminal),
    }
}

fn turso(terminal: &mut Terminal) -> Result<(), Problem> {
    let installed = Installed::home()?;
    let (client, client_version) = turso::CLIENT;
    terminal.tell(&format!(
        "{client} {client_version} from PyPI, the server {} from npm\n{LICENCE}\n",
        turso::SERVER_VERSION
    ));
    let server = installed.server()?;
    // pip adds to a directory what another version left there.
    for old in [&installed.python, &installed.npm] {
        match fs::remove_dir_all(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrote(old, &error)),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(old).map_err(|error| wrote(old, &error))?;
    }
    let mut pip = Command::new(PYTHON);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--only-binary",
        ":all:",
        "--target",
    ]);
    pip.arg(&installed.python).arg(format!("{client}=={client_version}"));
    done(pip, PYTHON, "install Python 3.10 or newer with pip, and check that PyPI is reachable")?;
    let package = turso::server_package().unwrap_or_default();
    let mut npm = Command::new(NPM);
    npm.args(["install", "--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix"]);
    npm.arg(&installed.npm).arg(format!("{package}@{}", turso::SERVER_VERSION)).current_dir(&installed.npm);
    done(npm, NPM, "install Node.js, which contains npm, and check that the npm registry is reachable")?;
    let mut probe = Command::new(&server);
    probe.arg("--version");
    let version = done(probe, "the server", "its package may be for another system")?;
    let mut probe = Command::new(PYTHON);
    probe.args(["-c", "import turso.sync"]).env("PYTHONPATH", &installed.python);
    done(probe, "the client", "it needs Python 3.10 or newer")?;
    let (python, server) = (installed.python.display(), server.display());
    terminal.print(&format!("client: {client} {client_version} in {python}\nserver: {} at {server}\n", version.trim()));
    Ok(())
}

/// Runs a program to its end, and gives what it said.
fn done(mut command: Command, name: &str, help: &str) -> Result<String, Problem> {
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Problem::could_not_run(format!("{name} was not found")).help(help.to_owned()),
        _ => Problem::could_not_run(format!("failed to start {name}: {error}")),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(4).collect();
    let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(Problem::could_not_run(format!("{name} failed:\n{last}")).help(help.to_owned()))
}

fn wrote(path: &Path, error: &io::Error) -> Problem {
    Problem::could_not_run(format!("failed to write `{}`: {error}", path.display()))
}
