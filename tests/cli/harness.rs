//! Runs the program as a process: in a directory of its own, with an empty environment, and never for ever.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The longest that most of these processes may take, on a machine that does much else.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// What a report of a record that contradicts itself says.
pub(crate) const DISAGREES: &str = "the record contradicts itself:";
const POLL: Duration = Duration::from_millis(5);

/// A directory in which the program runs. No run made in it may contradict itself.
pub(crate) struct Place {
    directory: TempDir,
}

impl Drop for Place {
    fn drop(&mut self) {
        let reports = files(self.directory.path()).into_iter().filter(|path| path.ends_with("report.json"));
        for path in reports.filter(|_| !std::thread::panicking()) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(!text.contains(DISAGREES), "{}: {text}", path.display());
        }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("there is room for a directory") }
    }

    /// A place with a copy of the scenarios that ship.
    pub(crate) fn with_scenarios() -> Self {
        let place = Self::new();
        for file in shipped() {
            let name = file.file_name().expect("a file has a name").to_string_lossy().into_owned();
            place.write(&format!("scenarios/{name}"), &std::fs::read_to_string(&file).expect("a scenario is text"));
        }
        place
    }

    /// A place with one scenario, `scenario.yaml`.
    pub(crate) fn of(body: &str) -> Self {
        let place = Self::new();
        place.write("scenario.yaml", &scenario(body));
        place
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().expect("it is in the place")).expect("there is room for a directory");
        std::fs::write(path, text).expect("there is room for a file");
    }

    /// The program with these arguments.
    pub(crate) fn stress(&self, arguments: &[&str]) -> Invocation {
        self.command(Path::new(env!("CARGO_BIN_EXE_stress")), arguments)
    }

    /// A line of shell in which `stress` is the program.
    pub(crate) fn shell(&self, line: &str) -> Invocation {
        let bin = Path::new(env!("CARGO_BIN_EXE_stress")).parent().expect("the program lies in a directory");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        self.command(Path::new("sh"), &["-c", line]).env("PATH", &path)
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Invocation {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        // The names under which these tests keep their secrets.
        command.env("STRESS_ENV", "TEST_KEY,TEST_CONNECTION,TEST_MANAGEMENT,TEST_TOKEN");
        // SQLite and the loader of extensions look for these.
        command.env("HOME", self.directory.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Invocation { command, line: arguments.join(" "), limit: LIMIT }
    }

    /// Runs `scenario.yaml` and gives its report, which must be as the verdict wants it.
    pub(crate) fn judged(&self, code: i32) -> Report {
        let done = self.stress(&["run", "scenario.yaml", "--json"]).done().exits(code);
        let report = Report::parse(&done.out);
        let verdict = match code {
            0 => "pass",
            1 => "fail",
            _ => "unknown",
        };
        assert_eq!(report.verdict(), verdict, "{done}");
        report
    }

    /// The directory of the newest run of a scenario.
    pub(crate) fn run_dir(&self, name: &str) -> PathBuf {
        self.path(&format!("runs/{name}/latest")).canonicalize().expect("there was a run")
    }
}

/// The scenarios that ship, without those of upstream's cases.
pub(crate) fn shipped() -> Vec<PathBuf> {
    files_of("scenarios")
}

/// The scenarios that ship for upstream's cases.
pub(crate) fn upstream() -> Vec<PathBuf> {
    files_of("scenarios/upstream")
}

/// The scenarios that ship for what was found in Turso.
pub(crate) fn turso() -> Vec<PathBuf> {
    files_of("scenarios/turso")
}

fn files_of(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// A whole scenario from the parts that matter; the rest is as small as can be. A part is a top-level key.
pub(crate) fn scenario(body: &str) -> String {
    let parts = [
        ("version", "1"),
        ("name", "test"),
        ("seed", "7"),
        ("scale", "{ databases: 2, iterations: 2, rows: 20, time_limit: 60s }"),
        ("settle", "{ rounds: 10, wait: 5ms }"),
        (
            "schema",
            "\n  tables:\n    - name: notes\n      sql: >-\n        CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT \
             NOT NULL DEFAULT '', body TEXT, size INTEGER)",
        ),
        (
            "phases",
            "\n  - name: insert\n    kind: insert\n    rows: \"{{ scale.rows }}\"\n    sql: INSERT INTO notes (id, \
             user_id, body, size) VALUES (:id, :user_id, 'text', :row)\n    sync: [send, receive]",
        ),
        ("verify", "[written, converged, server, bootstrap]"),
    ];
    let mut text = String::new();
    for (key, value) in parts {
        if !body.lines().any(|line| line.starts_with(&format!("{key}:"))) {
            let _ = writeln!(text, "{key}: {value}");
        }
    }
    text.push_str(body);
    text
}

/// Row-level security as the seed has it, a user per database.
pub(crate) const RLS: &str = "
rls:
  databases_per_user: 1
  policies:
    notes:
      select: auth_userid() = user_id
      insert: auth_userid() = NEW.user_id
      update: auth_userid() = NEW.user_id AND auth_userid() = OLD.user_id
      delete: auth_userid() = OLD.user_id
";

/// A process to be.
pub(crate) struct Invocation {
    command: Command,
    line: String,
    limit: Duration,
}

impl Invocation {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// How long it may take, where that is more than most.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Where stdout goes, instead of being read.
    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Runs it to its end.
    pub(crate) fn done(self) -> Done {
        self.start().done()
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the program starts");
        let out = child.stdout.take().map(reader);
        let err = child.stderr.take().map(reader);
        Running { child, out, err, line: self.line, limit: self.limit, started: Instant::now() }
    }
}

/// Reads a stream to its end, which is when nobody holds it any more: also no process that ours has started.
fn reader(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (whole, read) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe can be read");
        // Nobody listens any more when the test has failed.
        let _ = whole.send(bytes);
    });
    read
}

/// A process at work. It does not outlive its test.
pub(crate) struct Running {
    child: Child,
    out: Option<Receiver<Vec<u8>>>,
    err: Option<Receiver<Vec<u8>>>,
    line: String,
    limit: Duration,
    started: Instant,
}

impl Running {
    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name: `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success(), "the process is gone already: {}", self.line);
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Waits until something holds; the process must not end before.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        while !holds() {
            assert!(self.started.elapsed() < self.limit, "`{}`: {what} never came", self.line);
            assert!(!self.has_ended(), "`{}` ended before {what}", self.line);
            std::thread::sleep(POLL);
        }
    }

    /// Waits for its end.
    pub(crate) fn done(mut self) -> Done {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break Some(status);
            }
            if self.started.elapsed() > self.limit {
                let _ = self.child.kill();
                break None;
            }
            std::thread::sleep(POLL);
        };
        let took = self.started.elapsed();
        let text = |stream: Option<Receiver<Vec<u8>>>| {
            let bytes = stream.map(|stream| stream.recv_timeout(LIMIT));
            let bytes = bytes.unwrap_or_else(|| Ok(Vec::new()));
            let bytes = bytes.unwrap_or_else(|_| panic!("`{}` left a process that holds its output", self.line));
            String::from_utf8(bytes).expect("the program prints UTF-8")
        };
        let (out, err) = (text(self.out.take()), text(self.err.take()));
        let done = Done { line: self.line.clone(), code: status.and_then(|status| status.code()), out, err, took };
        assert!(status.is_some(), "it does not end: {done}");
        assert!(!done.err.contains("panicked at"), "it panicked: {done}");
        done
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also when the test failed; one that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    line: String,
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, out, err, took } = self;
        let cut = |text: &str| text.chars().take(4000).collect::<String>();
        let (out, err) = (cut(out), cut(err));
        write!(f, "`{line}` ended with {code:?} after {took:?}\n--- stdout\n{out}\n--- stderr\n{err}")
    }
}

impl Done {
    /// It ended with this code, and told of no record that contradicts itself.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(!self.out.contains(DISAGREES), "{self}");
        self
    }

    /// It told of a record that contradicts itself, and where.
    pub(crate) fn disagrees(self, texts: &[&str]) -> Self {
        assert_eq!(self.code, Some(4), "{self}");
        for text in [DISAGREES].iter().chain(texts) {
            assert!(self.out.contains(text), "it does not say `{text}`: {self}");
        }
        self
    }

    /// Its errors say all of this.
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        // Long lines are wrapped, also within what is looked for.
        let told = self.err.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        for text in texts {
            assert!(told.contains(text), "it does not say `{text}`: {self}");
        }
        self
    }

    /// It printed nothing to stdout.
    pub(crate) fn prints_nothing(self) -> Self {
        assert_eq!(self.out, "", "{self}");
        self
    }

    pub(crate) fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }
}

/// The report of a run, as programs read it.
#[derive(Debug)]
pub(crate) struct Report(pub(crate) Value);

impl Report {
    /// Parses one document and holds it against its schema.
    pub(crate) fn parse(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let schema = include_str!("../../schemas/report.schema.json");
        let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
        let errors: Vec<String> = jsonschema::validator_for(&schema)
            .expect("the schema is a schema")
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        Self(document)
    }

    pub(crate) fn verdict(&self) -> &str {
        self.0["verdict"].as_str().unwrap_or_default()
    }

    /// The rule that decided: its kind and its message.
    pub(crate) fn rule(&self) -> (&str, &str) {
        let rule = &self.0["rules"][0];
        (rule["kind"].as_str().unwrap_or_default(), rule["message"].as_str().unwrap_or_default())
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The checks that do not hold.
    pub(crate) fn failed_checks(&self) -> Vec<&str> {
        let failed = self.list("/checks").iter().filter(|check| check["outcome"] == "failed");
        failed.filter_map(|check| check["check"].as_str()).collect()
    }

    /// The findings of a check, as text.
    pub(crate) fn findings(&self, check: &str) -> String {
        let found = self.list("/checks").iter().filter(|one| one["check"] == check);
        found.map(|one| one["findings"].to_string()).collect::<Vec<_>>().join("\n")
    }

    /// The kinds of errors with their sides, each once.
    pub(crate) fn errors(&self) -> Vec<(&str, &str)> {
        let groups = self.list("/errors/groups").iter();
        let mut errors: Vec<_> = groups
            .map(|group| (group["kind"].as_str().unwrap_or_default(), group["side"].as_str().unwrap_or_default()))
            .collect();
        errors.sort_unstable();
        errors.dedup();
        errors
    }

    pub(crate) fn number(&self, pointer: &str) -> u64 {
        self.0.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number at {pointer}: {}", self.0))
    }
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files under a directory.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Says by name that a test could not be made here.
#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
pub(crate) fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
}
