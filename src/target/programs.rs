//! The programs of a driver target: the engine's server, if there is one, and the driver. They are started before the run
//! and ended after it, whatever happens in between.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use ureq::http::Method;

use super::access::{parts, unrendered};
use super::attendant::Attendant;
use super::error::TargetError;
use super::http::{Http, Request};
use crate::failure::{Secret, Secrets};
use crate::scenario::{DriverReady, DriverServer, HumanDuration};
use crate::template::{Scope, Text};

/// How long a server may take to be ready when the scenario does not say.
const READY: Duration = Duration::from_secs(30);
/// How often it is asked.
const TICK: Duration = Duration::from_millis(50);
/// What of a server's log is repeated in a message, in bytes.
const LAST_WORDS: u64 = 500;

/// A server that was started for a run, and ends with it.
#[derive(Debug)]
pub(super) struct Server {
    child: Arc<Mutex<Child>>,
    program: String,
    log: PathBuf,
    secrets: Secrets,
}

impl Drop for Server {
    fn drop(&mut self) {
        kill(&self.child);
    }
}

fn kill(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // One that has ended already needs no killing.
    let _ = child.kill();
    let _ = child.wait();
}

/// Texts of a target's options with their templates rendered.
pub(super) struct Texts<'a> {
    scope: Scope,
    secrets: &'a Secrets,
}

impl<'a> Texts<'a> {
    /// In a run's directory, with a port that is free now.
    pub(super) fn new(scope: &Scope, directory: &Path, secrets: &'a Secrets) -> Result<Self, TargetError> {
        let no_port = |error: io::Error| {
            TargetError::new(format!("this machine has no free port: {error}"), "look what keeps its ports")
        };
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).map_err(no_port)?.port();
        Ok(Self { scope: scope.programs(&directory.to_string_lossy(), port), secrets })
    }

    /// A text. What it reads of the environment is hidden from now on.
    pub(super) fn text(&self, key: &str, source: &str) -> Result<String, TargetError> {
        // First the secrets: an error may repeat one.
        self.secrets.extend(parts(source, &self.scope, |name| name.starts_with("env.")));
        let text = Text::compile(source).and_then(|text| text.render(&self.scope));
        text.map_err(|problem| unrendered(key, &problem.message))
    }

    pub(super) fn all(&self, key: &str, sources: &[String]) -> Result<Vec<String>, TargetError> {
        sources.iter().map(|source| self.text(key, source)).collect()
    }

    /// Settings, however deep their texts are.
    pub(super) fn settings(&self, settings: &Map<String, Value>) -> Result<Map<String, Value>, TargetError> {
        settings.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?))).collect()
    }

    fn value(&self, value: &Value) -> Result<Value, TargetError> {
        Ok(match value {
            Value::String(text) => Value::String(self.text("settings", text)?),
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| self.value(value)).collect::<Result<_, _>>()?)
            }
            Value::Object(values) => Value::Object(self.settings(values)?),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub(super) fn start(
        server: &DriverServer,
        texts: &Texts<'_>,
        log: PathBuf,
        attendant: &Attendant<'_>,
    ) -> Result<Self, TargetError> {
        let command = texts.all("server.command", &server.command)?;
        let program = texts.secrets.redact(command.join(" "));
        let child = start(&command, &log).map_err(|error| not_started("server", &program, &error))?;
        let started = Self { child: Arc::new(Mutex::new(child)), program, log, secrets: texts.secrets.clone() };
        if let Some(ready) = &server.ready {
            let ask = question(ready, texts)?;
            started.wait(ready.within.map_or(READY, HumanDuration::get), &ask, attendant)?;
        }
        Ok(started)
    }

    fn wait(&self, most: Duration, ask: &Question, attendant: &Attendant<'_>) -> Result<(), TargetError> {
        let until = Instant::now() + most;
        while !ask.is_answered() {
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            if Instant::now() >= until || attendant.is_stopped() {
                let words = self.last_words();
                let message = format!("the server `{}` was not ready at {ask} within {most:?}{words}", self.program);
                return Err(TargetError::new(message, self.help()));
            }
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    /// That it has ended, if it has.
    pub(super) fn ended(&self) -> Option<TargetError> {
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().ok()??;
        let message = format!("the server `{}` ended with {status}{}", self.program, self.last_words());
        Some(TargetError::new(message, self.help()))
    }

    /// Ends it when the run is given up.
    pub(super) fn will(&self) -> impl FnOnce() + Send + 'static {
        let child = Arc::clone(&self.child);
        move || kill(&child)
    }

    fn help(&self) -> String {
        format!("its output is in {}", self.log.display())
    }

    /// What it said last.
    fn last_words(&self) -> String {
        let read = || -> io::Result<String> {
            let mut log = File::open(&self.log)?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS)))?;
            let mut words = Vec::new();
            log.read_to_end(&mut words)?;
            Ok(String::from_utf8_lossy(&words).trim().to_owned())
        };
        let words = read().unwrap_or_default();
        if words.is_empty() { String::new() } else { format!("; its last words: {}", self.secrets.redact(words)) }
    }
}

/// Starts a program whose output goes to a file.
fn start(command: &[String], log: &Path) -> io::Result<Child> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let log = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(program);
    // Ctrl-C is for `stress`, which ends the server after the run.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
}

/// That a program could not be started.
pub(super) fn not_started(what: &str, program: &str, error: &io::Error) -> TargetError {
    let help = match error.kind() {
        io::ErrorKind::NotFound => "install the program, or write its whole path",
        _ => "start it by hand to see what is wrong",
    };
    TargetError::new(format!("the {what} `{program}` could not be started: {error}"), help)
}

/// By what a server tells that it is ready.
enum Question {
    Tcp(String),
    Http(String),
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) | Self::Http(address) => f.write_str(address),
        }
    }
}

fn question(ready: &DriverReady, texts: &Texts<'_>) -> Result<Question, TargetError> {
    let tcp = ready.tcp.as_ref().map(|text| texts.text("server.ready.tcp", text).map(Question::Tcp));
    let http = ready.http.as_ref().map(|text| texts.text("server.ready.http", text).map(Question::Http));
    let neither = || TargetError::new("`server.ready` names no address", "write `tcp` or `http`");
    tcp.or(http).unwrap_or_else(|| Err(neither()))
}

impl Question {
    fn is_answered(&self) -> bool {
        match self {
            Self::Tcp(address) => {
                let connects = |at| TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_ok();
                address.to_socket_addrs().is_ok_and(|mut all| all.any(connects))
            }
            Self::Http(address) => {
                let (second, nothing) = (Duration::from_secs(1), Secret::from(""));
                let request = Request { method: &Method::GET, path: "", bearer: &nothing, body: None };
                Http::new(address, second, Secrets::default()).exchange(request, second).is_ok()
            }
        }
    }
}
