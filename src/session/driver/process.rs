//! A driver's process: started once, asked by many threads at once, ended for good. Whatever it does wrong becomes one
//! error that names the thing and repeats its last words; nothing waits for it longer than the bound. It must not know
//! what the requests mean.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::message::{Answer, EngineError, Op, Request};
use crate::failure::{Call, RawError, Secrets};

/// The longest line of an answer, in bytes.
const LONGEST_LINE: u64 = 256 * 1024 * 1024;
/// What is kept of a line that is repeated in a message, in characters.
const QUOTED: usize = 200;
/// The lines of its stderr that are its last words.
const LAST_WORDS: usize = 5;
/// What is kept of its stderr, in bytes.
const LARGEST_LOG: u64 = 64 * 1024 * 1024;
/// How long a driver may take to exit after its stdin has ended, and to tell its last words.
const LEAVING: Duration = Duration::from_secs(5);
/// How long an interrupted request may take to be answered.
const GRACE: Duration = Duration::from_secs(5);
/// How often a wait looks whether it was interrupted.
const TICK: Duration = Duration::from_millis(20);

/// How a driver is started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The program and its arguments. Not empty.
    pub(crate) command: Vec<String>,
    /// Variables of the environment, besides those of this process.
    pub(crate) environment: Vec<(String, String)>,
    /// Where its stderr is kept.
    pub(crate) log: PathBuf,
    /// The longest that a request may take.
    pub(crate) timeout: Duration,
    /// What nobody may see of what the driver says.
    pub(crate) secrets: Secrets,
}

/// A running driver. Every clone is the same process.
#[derive(Debug, Clone)]
pub(crate) struct Process(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: String,
    timeout: Duration,
    secrets: Secrets,
    /// Lines for its stdin, written by a thread of its own: a driver that does not read must not hold up who asks. None
    /// once its stdin is closed.
    lines: Mutex<Option<Sender<String>>>,
    next: AtomicU64,
    state: Mutex<State>,
    child: Mutex<Child>,
    words: Mutex<VecDeque<String>>,
}

#[derive(Debug, Default)]
struct State {
    /// Who waits for an answer, by the request's id.
    waiting: HashMap<u64, Sender<Line>>,
    /// Requests whose answers nobody waits for any more.
    given_up: HashSet<u64>,
    /// Why the driver is of no use any more.
    broken: Option<String>,
}

/// A line of an answer, or why there is none.
type Line = Result<Answer, String>;

/// What a driver answered: one or several lines.
pub(super) struct Answered {
    pub(super) given: Vec<Map<String, Value>>,
    pub(super) error: Option<EngineError>,
}

/// Which request of a database is in flight, for whoever interrupts it.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// The request's id; 0 for none.
    id: AtomicU64,
    /// The id of the request that is to be cut off.
    cut: AtomicU64,
    /// Why the database is of no use any more: a request of it was never answered.
    lost: OnceLock<String>,
}

impl InFlight {
    fn is_cut(&self, id: u64) -> bool {
        self.cut.load(Ordering::Relaxed) == id
    }
}

impl Process {
    /// Starts a driver.
    pub(crate) fn start(start: &Start) -> io::Result<Self> {
        let (program, arguments) = start.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let log = File::create(&start.log)?;
        let mut command = Command::new(program);
        // Ctrl-C is for `stress`, which ends the driver when it has no more to ask.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .args(arguments)
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (lines, to_write) = mpsc::channel::<String>();
        let shared = Arc::new(Shared {
            program: start.secrets.redact(start.command.join(" ")),
            timeout: start.timeout,
            secrets: start.secrets.clone(),
            lines: Mutex::new(Some(lines)),
            next: AtomicU64::new(1),
            state: Mutex::default(),
            child: Mutex::new(child),
            words: Mutex::default(),
        });
        let named = |name: &str| std::thread::Builder::new().name(format!("driver {name}"));
        if let Some(mut stdin) = stdin {
            named("stdin").spawn(move || {
                for line in to_write {
                    // A driver that has ended is told by its stdout.
                    if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
                        return;
                    }
                }
            })?;
        }
        let (said, all_said) = mpsc::channel::<()>();
        if let Some(stderr) = stderr {
            let shared = Arc::clone(&shared);
            named("stderr").spawn(move || {
                shared.listen(stderr, log);
                drop(said);
            })?;
        }
        if let Some(stdout) = stdout {
            let shared = Arc::clone(&shared);
            named("stdout").spawn(move || shared.read(stdout, &all_said))?;
        }
        Ok(Self(shared))
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&self, call: Call, op: Op<'_>, flight: &InFlight) -> Result<Answered, RawError> {
        let name = op.name();
        self.request(call, name, flight, |id| serde_json::to_string(&Request { id, op }))
    }

    /// Asks for whatever `line` writes, and waits for the answer.
    pub(super) fn request(
        &self,
        call: Call,
        name: &str,
        flight: &InFlight,
        line: impl FnOnce(u64) -> serde_json::Result<String>,
    ) -> Result<Answered, RawError> {
        let shared = &self.0;
        let failed = |message: String| RawError::of_driver(call, message, &shared.secrets);
        if let Some(lost) = flight.lost.get() {
            return Err(failed(lost.clone()));
        }
        let id = shared.next.fetch_add(1, Ordering::Relaxed);
        let line = line(id).map_err(|error| failed(error.to_string()))?;
        let (answer, lines) = mpsc::channel();
        {
            let mut state = shared.state();
            if let Some(broken) = &state.broken {
                return Err(failed(broken.clone()));
            }
            state.waiting.insert(id, answer);
        }
        flight.id.store(id, Ordering::Relaxed);
        shared.send(line);
        let answered = shared.wait(id, name, &lines, flight);
        flight.id.store(0, Ordering::Relaxed);
        answered.map_err(failed)
    }

    /// Reads what an answer gives, as the operation has it.
    pub(super) fn given<T: DeserializeOwned>(
        &self,
        call: Call,
        op: &str,
        given: Map<String, Value>,
    ) -> Result<T, RawError> {
        serde_json::from_value(Value::Object(given)).map_err(|error| {
            let message = self.0.broke(&format!("its answer to `{op}` has another form: {error}"));
            RawError::of_driver(call, message, &self.0.secrets)
        })
    }

    /// Whether it is of no use any more.
    pub(super) fn is_broken(&self) -> bool {
        self.0.state().broken.is_some()
    }

    /// The error that the driver tells.
    pub(super) fn told(&self, call: Call, error: EngineError) -> RawError {
        let told = error.told();
        RawError::of_engine(call, error.message, told, &self.0.secrets)
    }

    /// The error of a driver that broke the protocol.
    pub(super) fn broke(&self, call: Call, how: &str) -> RawError {
        RawError::of_driver(call, self.0.broke(how), &self.0.secrets)
    }

    /// Has the request that is in flight cut off. `interrupts` says whether the driver can be asked for that.
    pub(super) fn interrupt(&self, flight: &InFlight, interrupts: bool) {
        let of = flight.id.load(Ordering::Relaxed);
        if of == 0 || flight.cut.swap(of, Ordering::Relaxed) == of || !interrupts {
            return;
        }
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        // Nobody waits for this answer: that of the interrupted request tells.
        self.0.state().given_up.insert(id);
        if let Ok(line) = serde_json::to_string(&Request { id, op: Op::Interrupt { of } }) {
            self.0.send(line);
        }
    }

    /// Kills the driver, as `kill -9` does.
    pub(super) fn kill(&self) {
        self.0.kill();
    }

    /// Ends the driver: closes its stdin, waits a moment, kills it. Gives what it did wrong that no request told.
    pub(crate) fn end(&self) -> Option<String> {
        let shared = &self.0;
        let told = {
            let mut state = shared.state();
            let told = state.broken.is_some();
            state.broken.get_or_insert_with(|| "the driver was ended".to_owned());
            told
        };
        *shared.lines.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match shared.exit(LEAVING) {
            _ if told => None,
            Some(status) if !status.success() => Some(format!(
                "the driver `{}` ended with {status} when its stdin was closed{}",
                shared.program,
                shared.last_words()
            )),
            Some(_) => None,
            None => {
                shared.kill();
                Some(format!(
                    "the driver `{}` did not end within {LEAVING:?} after its stdin was closed, and was killed",
                    shared.program
                ))
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, mut line: String) {
        line.push('\n');
        if let Some(lines) = &*self.lines.lock().unwrap_or_else(PoisonError::into_inner) {
            // The thread that writes ends with the driver's stdin only, and then its stdout tells.
            let _ = lines.send(line);
        }
    }

    /// Waits for all lines of an answer.
    fn wait(&self, id: u64, op: &str, lines: &Receiver<Line>, flight: &InFlight) -> Result<Answered, String> {
        let mut until = Instant::now() + self.timeout;
        let (mut cut, mut given) = (false, Vec::new());
        loop {
            match lines.recv_timeout(TICK) {
                Ok(Ok(answer)) => {
                    let last = answer.error.is_some() || !answer.more;
                    given.push(answer.given);
                    if last {
                        return Ok(Answered { given, error: answer.error });
                    }
                }
                Ok(Err(broken)) => return Err(broken),
                Err(RecvTimeoutError::Disconnected) => return Err(self.broke("it lost a request")),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if !cut && flight.is_cut(id) {
                (cut, until) = (true, until.min(now + GRACE));
            }
            if now >= until {
                let mut state = self.state();
                if state.waiting.remove(&id).is_some() {
                    state.given_up.insert(id);
                }
                drop(state);
                let why = if cut {
                    format!("within {GRACE:?} after it was interrupted")
                } else {
                    format!("within {:?}", self.timeout)
                };
                let why = format!("the driver `{}` did not answer `{op}` {why}{}", self.program, self.last_words());
                return Err(flight.lost.get_or_init(|| why).clone());
            }
        }
    }

    /// Reads its answers until it ends or breaks the protocol.
    fn read(&self, stdout: impl Read, all_said: &Receiver<()>) {
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            match (&mut stdout).take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) => return self.ended(all_said, ""),
                Ok(_) if line.last() == Some(&b'\n') => {}
                Ok(length) if length as u64 == LONGEST_LINE => {
                    self.broke(&format!("it wrote a line of more than {} MiB", LONGEST_LINE >> 20));
                    return self.kill();
                }
                Ok(_) => return self.ended(all_said, &format!(" in the middle of the line {}", quoted(&line))),
                Err(error) => {
                    self.broke(&format!("its stdout cannot be read: {error}"));
                    return self.kill();
                }
            }
            if let Err(wrong) = self.take(&line) {
                self.broke(&wrong);
                return self.kill();
            }
        }
    }

    /// Gives a line to who waits for it.
    fn take(&self, line: &[u8]) -> Result<(), String> {
        let answer: Answer = serde_json::from_slice(line).map_err(|error| {
            format!(
                "it wrote a line that is no answer: {} ({error}); what is not an answer belongs to stderr",
                quoted(line)
            )
        })?;
        let mut state = self.state();
        let id = answer.id;
        if answer.error.is_none() && answer.more {
            if let Some(waiting) = state.waiting.get(&id) {
                let _ = waiting.send(Ok(answer));
            } else if !state.given_up.contains(&id) {
                return Err(unasked(id, line));
            }
        } else if let Some(waiting) = state.waiting.remove(&id) {
            let _ = waiting.send(Ok(answer));
        } else if !state.given_up.remove(&id) {
            return Err(unasked(id, line));
        }
        Ok(())
    }

    /// Its stdout has ended, and so has the driver or will.
    fn ended(&self, all_said: &Receiver<()>, how: &str) {
        let status = self.exit(LEAVING);
        if status.is_none() {
            self.kill();
        }
        // Its last words come by another way than its answers.
        let _ = all_said.recv_timeout(LEAVING);
        let status = status
            .map_or_else(|| "closed its stdout and was killed".to_owned(), |status| format!("ended with {status}"));
        let words = self.last_words();
        self.give_up(format!("the driver `{}` {status}{how}{words}", self.program));
    }

    /// The driver broke the protocol. Gives the message.
    fn broke(&self, how: &str) -> String {
        let message = format!("the driver `{}` broke the protocol: {how}", self.program);
        self.give_up(message.clone());
        message
    }

    /// Everybody who waits, or asks from now on, is told why there is no answer.
    fn give_up(&self, why: String) {
        let mut state = self.state();
        for (_, waiting) in state.waiting.drain() {
            let _ = waiting.send(Err(why.clone()));
        }
        state.broken.get_or_insert(why);
    }

    /// Keeps what it says on stderr.
    fn listen(&self, stderr: impl Read, mut log: File) {
        let mut stderr = BufReader::new(stderr);
        let (mut line, mut kept) = (Vec::new(), 0);
        loop {
            line.clear();
            match (&mut stderr).take(64 * 1024).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    let text = self.secrets.redact(String::from_utf8_lossy(&line).into_owned());
                    if kept < LARGEST_LOG {
                        kept += length as u64;
                        // A log that cannot be written harms nobody.
                        let _ = log.write_all(text.as_bytes());
                    }
                    let text = text.trim_end();
                    if !text.is_empty() {
                        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
                        words.push_back(text.chars().take(QUOTED).collect());
                        if words.len() > LAST_WORDS {
                            words.pop_front();
                        }
                    }
                }
            }
        }
    }

    /// Its last words, for a message.
    fn last_words(&self) -> String {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.is_empty() {
            return String::new();
        }
        format!("; its last words: {}", words.iter().map(String::as_str).collect::<Vec<_>>().join(" | "))
    }

    /// Waits for its exit.
    fn exit(&self, most: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + most;
        loop {
            match self.child().try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) | Err(_) if Instant::now() >= until => return None,
                Ok(None) | Err(_) => {}
            }
            std::thread::sleep(TICK);
        }
    }

    fn kill(&self) {
        let mut child = self.child();
        // One that has ended already needs no killing.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn unasked(id: u64, line: &[u8]) -> String {
    format!("it answered the request {id}, which nobody waits for: {}", quoted(line))
}

/// The beginning of a line, for a message.
fn quoted(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * QUOTED)]);
    let text = text.trim_end();
    let begin: String = text.chars().take(QUOTED).collect();
    if begin.len() < text.len() || line.len() > 4 * QUOTED { format!("`{begin}…`") } else { format!("`{begin}`") }
}
