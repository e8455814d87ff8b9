//! `stress hub`: the embedded hub on its own, for several runs or for a look at its files, until Ctrl-C.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;

use clap::Args;

use super::Exit;
use crate::target::embedded::{Hub, HubOptions};

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
    /// The API key for administrators, and for sync without row-level security [default: random]
    #[arg(long, value_name = "KEY", env = "STRESS_HUB_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The key for the management API [default: random]
    #[arg(long, value_name = "KEY", env = "STRESS_HUB_MANAGEMENT_KEY", hide_env_values = true)]
    management_key: Option<String>,
}

/// Runs it.
pub(super) fn run(arguments: Arguments, out: &mut impl Write, err: &mut impl Write) -> Exit {
    let mut options = HubOptions::new(arguments.data);
    options.address = arguments.address;
    // A random key has to be shown, or nobody could use the hub; a given one has not.
    let mut lines = Vec::new();
    for (name, given, key) in [
        ("api key", arguments.api_key, &mut options.api_key),
        ("management key", arguments.management_key, &mut options.management_key),
    ] {
        match given {
            Some(given) => {
                lines.push(format!("{name}: as given"));
                *key = given;
            }
            None => lines.push(format!("{name}: {key} (random, new at every start)")),
        }
    }
    let (stop, stopped) = mpsc::channel();
    let handler = ctrlc::set_handler(move || {
        // The second signal finds nobody listening; the first has already ended the hub.
        let _ = stop.send(());
    });
    if let Err(error) = handler {
        return report(err, &format!("failed to listen for Ctrl-C: {error}"));
    }
    let data = options.data.display().to_string();
    let hub = match Hub::start(options) {
        Ok(hub) => hub,
        Err(error) => return report(err, &format!("failed to {error}")),
    };
    let text = format!("hub: {}\ndata: {data}\n{}\nCtrl-C stops it.\n", hub.url(), lines.join("\n"));
    // Nobody may be reading; the hub runs all the same.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    let _ = stopped.recv();
    hub.stop();
    Exit::Pass
}

fn report(err: &mut impl Write, message: &str) -> Exit {
    let _ = writeln!(err, "stress: {message}");
    Exit::CouldNotRun
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_that_cannot_start_says_why_and_exits_with_3() {
        let directory = tempfile::TempDir::new().expect("directory");
        let file = directory.path().join("file");
        std::fs::write(&file, "x").expect("file");
        let arguments = Arguments {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: file.clone(),
            api_key: None,
            management_key: Some("secret".to_owned()),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(run(arguments, &mut out, &mut err), Exit::CouldNotRun);
        let text = String::from_utf8(err).expect("text");
        assert!(text.starts_with("stress: failed to use the data directory") && text.contains("file"), "{text}");
    }
}
