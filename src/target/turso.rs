//! Turso: where `stress driver install turso` puts its client and its server, and both as options of the `driver` target.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::TargetError;
use super::extension::data_directory;
use crate::scenario::{DriverOptions, DriverReady, DriverServer, TursoOptions};

/// The client's package on PyPI, and the version that is tested.
pub(crate) const CLIENT: (&str, &str) = ("pyturso", "0.8.3");
/// The server's version that is tested.
pub(crate) const SERVER_VERSION: &str = "0.7.0";
/// The driver.
const DRIVER: &str = include_str!("../../drivers/turso.py");
const INSTALL: &str = "run `stress driver install turso`";

/// The server's package on npm, for this platform; none where there is none.
pub(crate) fn server_package() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH, cfg!(target_env = "musl")) {
        ("linux", "x86_64", false) => Some("@tursodatabase/cli-linux-x64-gnu"),
        // It is published for no other platform.
        _ => None,
    }
}

/// What was installed.
pub(crate) struct Installed {
    /// The Python packages.
    pub(crate) python: PathBuf,
    /// The npm packages.
    pub(crate) npm: PathBuf,
}

impl Installed {
    /// Where an installation belongs: in the user's data directory.
    pub(crate) fn home() -> Result<Self, TargetError> {
        let home = data_directory()?.join("turso");
        Ok(Self { python: home.join("python"), npm: home.join("npm") })
    }

    /// The server's program.
    pub(crate) fn server(&self) -> Result<PathBuf, TargetError> {
        let package = server_package().ok_or_else(|| {
            let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
            let help = "start a server elsewhere, and name it: `target: {turso: {server: \"http://…\"}}`";
            TargetError::new(format!("there is no package of Turso's server for {system} on {machine}"), help)
        })?;
        Ok(self.npm.join("node_modules").join(package).join("tursodb"))
    }

    /// Whether the client is there.
    pub(crate) fn has_client(&self) -> bool {
        self.python.join("turso").is_dir()
    }
}

/// What will be started before the run, for a person to read.
pub(super) fn outline(options: &TursoOptions) -> Vec<String> {
    let server = match &options.server {
        Some(server) => format!("use the server {server}, which must run already"),
        None => "start Turso's server on a free port, with an empty database; after the run: end the server".to_owned(),
    };
    vec![server, "start the driver of Turso's client; after the run: end the driver".to_owned()]
}

/// The target as options of the `driver` target, and the variables of the driver's environment. The driver is written into
/// the run's directory.
pub(super) fn options(
    options: &TursoOptions,
    directory: &Path,
) -> Result<(DriverOptions, Vec<(String, String)>), TargetError> {
    let installed = Installed::home()?;
    if !installed.has_client() {
        return Err(TargetError::new("Turso's client is not installed", INSTALL));
    }
    let driver = directory.join("turso.py");
    std::fs::write(&driver, DRIVER).map_err(|error| {
        TargetError::new(format!("failed to write `{}`: {error}", driver.display()), "see whether the disk is full")
    })?;
    let server = match &options.server {
        Some(_) => None,
        None => Some(own_server(&installed)?),
    };
    let url = options.server.clone().unwrap_or_else(|| "http://127.0.0.1:{{ port }}".to_owned());
    let driver = DriverOptions {
        command: vec!["python3".to_owned(), driver.to_string_lossy().into_owned()],
        server,
        settings: Map::from_iter([("remote_url".to_owned(), Value::from(url))]),
        timeout: options.timeout,
    };
    Ok((driver, vec![("PYTHONPATH".to_owned(), installed.python.to_string_lossy().into_owned())]))
}

/// A local sync server for this run alone.
fn own_server(installed: &Installed) -> Result<DriverServer, TargetError> {
    let program = installed.server()?;
    if !program.is_file() {
        return Err(TargetError::new("Turso's server is not installed", INSTALL));
    }
    let arguments = ["{{ directory }}/server.db", "--sync-server", "127.0.0.1:{{ port }}"].map(str::to_owned);
    Ok(DriverServer {
        command: std::iter::once(program.to_string_lossy().into_owned()).chain(arguments).collect(),
        // Any answer will do: the server has nothing at this path.
        ready: Some(DriverReady { tcp: None, http: Some("http://127.0.0.1:{{ port }}/".to_owned()), within: None }),
    })
}
