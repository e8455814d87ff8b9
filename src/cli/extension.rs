//! `stress extension`: the CloudSync extension installed from its official package, and where it is.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::target::extension::{self, Extension, VERSION};

const LICENCE: &str = "licence: Elastic License 2.0 (modified for open-source use), © SQLite Cloud, Inc.: free for open-source projects, not for offering it as a service";
/// What npm is run as.
pub(super) const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

#[derive(Args)]
#[command(after_help = "Examples:
  stress extension install
  stress extension path")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Install the official package for this platform, with npm
    Install {
        /// The version to install
        #[arg(long, value_name = "VERSION", default_value = VERSION)]
        version: String,
    },
    /// Print the path of the extension that runs use
    Path,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    match &arguments.command {
        Action::Install { version } => install(version, terminal)?,
        Action::Path => terminal.print(&format!("{}\n", extension::find(None)?.display())),
    }
    Ok(Exit::Pass)
}

fn install(version: &str, terminal: &mut Terminal) -> Result<(), Problem> {
    if version.is_empty() || !version.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c)) {
        let message = format!("`{version}` is not a version");
        return Err(Problem::could_not_run(message).help(format!("write it as {VERSION}")));
    }
    let package = extension::package().ok_or_else(|| {
        let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        Problem::could_not_run(format!("there is no package of the extension for {system} on {machine}"))
            .help(format!("build it, and set {} to its path", extension::EXTENSION_VARIABLE))
    })?;
    let home = extension::home()?;
    terminal.tell(&format!("{package} {version}\n{LICENCE}\n"));
    // Beside its place, so that it gets there in one step; named after the process, so that two do not meet.
    let work = home.join(format!(".install-{}", std::process::id()));
    let installed = fetch(&package, version, &work, terminal).and_then(|from| place(&from, &home));
    let _ = fs::remove_dir_all(&work);
    let Extension { path, version, site_id } = installed?;
    terminal
        .print(&format!("installed: {}\nversion: {version}\nsite id of a new database: {site_id}\n", path.display()));
    Ok(())
}

/// Gets the package into `work`, and gives its directory.
fn fetch(package: &str, version: &str, work: &Path, terminal: &mut Terminal) -> Result<PathBuf, Problem> {
    fs::create_dir_all(work).map_err(|error| wrote(work, &error))?;
    let mut prefix = OsString::from("--prefix=");
    prefix.push(work);
    let mut npm = Command::new(NPM);
    npm.args(["install", "--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"]);
    // Its own configuration files say which registry, whatever directory this is run in.
    npm.arg(prefix).arg(format!("{package}@{version}")).current_dir(work);
    let done = npm.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Problem::could_not_run("npm was not found")
            .help("install Node.js, which contains npm, or build the extension and put it in dist/"),
        _ => Problem::could_not_run(format!("failed to start npm: {error}")),
    })?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let lines: Vec<&str> =
            said.lines().filter(|line| line.contains("npm error") || line.contains("npm ERR!")).collect();
        let said = if lines.is_empty() {
            said.trim().to_owned()
        } else {
            lines.into_iter().take(4).collect::<Vec<_>>().join("\n")
        };
        return Err(Problem::could_not_run(format!("npm could not get {package}@{version}:\n{said}"))
            .help("check that the version exists and that the npm registry is reachable"));
    }
    let from = work.join("node_modules").join(package);
    let file = from.join(extension::file_name());
    if !file.is_file() {
        let message = format!("the package {package}@{version} has no `{}`", extension::file_name());
        return Err(Problem::could_not_run(message).help("choose another --version"));
    }
    // Before any of its code is run.
    if extension::verify(&file, version)? {
        terminal.tell("SHA-256: as stored for this version\n");
    } else {
        terminal.tell(&format!(
            "SHA-256: none is stored for {version} on this platform; npm alone has checked the package\n"
        ));
    }
    // Tried before it takes the place of one that works.
    extension::probe(&file)?;
    Ok(from)
}

/// Puts the extension and its licence into their place.
fn place(from: &Path, home: &Path) -> Result<Extension, Problem> {
    let mut files = vec![extension::file_name()];
    let listed = fs::read_dir(from).map_err(|error| wrote(from, &error))?;
    let names = listed.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    files.extend(names.filter(|name| name.to_lowercase().starts_with("license")));
    for name in files {
        let to = home.join(&name);
        fs::rename(from.join(&name), &to).map_err(|error| wrote(&to, &error))?;
    }
    Ok(extension::probe(&home.join(extension::file_name()))?)
}

fn wrote(path: &Path, error: &io::Error) -> Problem {
    Problem::could_not_run(format!("failed to write `{}`: {error}", path.display()))
}
