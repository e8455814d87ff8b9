//! `stress hub`: the embedded hub on its own, for several runs or for a look at its files, until Ctrl-C.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::problem::Problem;
use super::signals::interruption;
use super::terminal::Terminal;
use crate::failure::Secret;
use crate::target::embedded::{self, Hub, HubOptions};

/// Runs a hub of the embedded target until Ctrl-C. Scenarios use it with `target: {embedded: {hub: http://…}}`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  stress hub --data hub
  stress hub --data hub --address 127.0.0.1:0")]
pub(super) struct Arguments {
    /// The address to listen on; port 0 selects a free port.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7800")]
    address: SocketAddr,
    /// The directory for the hub's databases. Created if missing; the next hub can reuse it.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The API key for administrators, and for sync without row-level security; at least 16 characters [default: random]
    #[arg(long, value_name = "KEY", env = "STRESS_HUB_API_KEY", hide_env_values = true)]
    api_key: Option<Secret>,
    /// The key for the management API; at least 16 characters [default: random]
    #[arg(long, value_name = "KEY", env = "STRESS_HUB_MANAGEMENT_KEY", hide_env_values = true)]
    management_key: Option<Secret>,
}

/// The least characters of a key that is given. A secret of CI that is not set comes as none.
const KEY: usize = 16;
/// Open files of a hub besides its connections.
const DESCRIPTORS: usize = 512;

/// Runs it.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let mut options = HubOptions::new(arguments.data.clone());
    options.address = arguments.address;
    let needed = (options.connections + DESCRIPTORS) as u64;
    let allowed = rlimit::increase_nofile_limit(needed).unwrap_or(needed).min(needed);
    options.connections = usize::try_from(allowed).unwrap_or(usize::MAX).saturating_sub(DESCRIPTORS).max(1);
    // A random key has to be shown, or nobody could use the hub; a given one has not.
    let mut lines = Vec::new();
    for (name, option, given, key) in [
        ("api key", "--api-key", &arguments.api_key, &mut options.api_key),
        ("management key", "--management-key", &arguments.management_key, &mut options.management_key),
    ] {
        match given {
            Some(given) => {
                strong(name, option, given)?;
                lines.push(format!("{name}: as given"));
                key.clone_from(given);
            }
            None if !arguments.address.ip().is_loopback() => return Err(exposed(arguments.address, option)),
            None => lines.push(format!("{name}: {} (random, new at every start)", key.expose())),
        }
    }
    if !arguments.address.ip().is_loopback() {
        lines.push(format!(
            "exposed: every machine that reaches {} can use the keys; HTTP hides nothing",
            arguments.address
        ));
    }
    lines.push(kept(&arguments.data));
    let interruption = interruption()?;
    let hub = Hub::start(options)?;
    let (url, data) = (hub.url(), arguments.data.display());
    terminal.print(&format!("hub: {url}\ndata: {data}\n{}\nCtrl-C stops it.\n", lines.join("\n")));
    let _ = interruption.recv();
    hub.stop();
    Ok(Exit::Pass)
}

/// What earlier runs left there: those that failed leave their databases.
fn kept(data: &Path) -> String {
    match embedded::kept(data) {
        (0, _) => "databases: none".to_owned(),
        (count, oldest) => {
            let oldest = oldest.and_then(|oldest| jiff::Timestamp::try_from(oldest).ok());
            let oldest = oldest.map(|oldest| oldest.strftime(", the oldest last changed on %Y-%m-%d").to_string());
            format!("databases: {count} from before{}", oldest.unwrap_or_default())
        }
    }
}

/// Refuses a key that somebody could guess.
fn strong(name: &str, option: &str, key: &Secret) -> Result<(), Problem> {
    let length = key.expose().trim().chars().count();
    if length >= KEY {
        return Ok(());
    }
    let what = if length == 0 { "is empty".to_owned() } else { format!("has fewer than {KEY} characters") };
    let variable = option.trim_start_matches("--").replace('-', "_").to_uppercase();
    Err(Problem::usage(format!("the {name} {what}")).help(format!(
        "set `{option}` or STRESS_HUB_{variable} to at least {KEY} characters, or unset both for a random key"
    )))
}

fn exposed(address: SocketAddr, option: &str) -> Problem {
    Problem::usage(format!("a hub at {address} can be reached by other machines, and needs keys that are given"))
        .help(format!("set `{option}`, or listen on 127.0.0.1"))
}
