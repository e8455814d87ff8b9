//! A scenario in an editor: the YAML language server that editors use, with the published schema, over its protocol.
//! `.ci/run` installs it into `target/editor`; without it these tests say that they were skipped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::{Value, json};

#[path = "cli/harness.rs"]
#[expect(dead_code, reason = "an editor needs a part of it")]
mod harness;

use harness::{LIMIT, Place};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A language server at work. It does not outlive its test.
struct Editor {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    last: u64,
    /// The diagnostics of each document, as the server told them last.
    diagnostics: BTreeMap<String, Vec<Value>>,
}

impl Editor {
    /// Starts it; nothing where it is not installed.
    #[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
    fn start(test: &str) -> Option<Self> {
        let program = root().join("target/editor/node_modules/yaml-language-server/bin/yaml-language-server");
        if !program.exists() {
            eprintln!("skipped: {test}: {} is not there, .ci/run installs it", program.display());
            return None;
        }
        let mut child = Command::new("node")
            .arg(program)
            .arg("--stdio")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs it");
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            while let Some(message) = message(&mut reader) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut editor = Self { child, input, messages, last: 0, diagnostics: BTreeMap::new() };
        let capabilities = json!({
            "textDocument": {
                "hover": { "contentFormat": ["markdown", "plaintext"] },
                "completion": { "completionItem": { "snippetSupport": true, "documentationFormat": ["markdown"] } },
                "publishDiagnostics": {},
            },
            "workspace": { "configuration": true },
        });
        editor.ask("initialize", &json!({ "processId": null, "rootUri": null, "capabilities": capabilities }));
        editor.tell("initialized", &json!({}));
        Some(editor)
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("it listens");
        self.input.flush().expect("it listens");
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(json!({ "method": method, "params": params }));
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(json!({ "id": id, "method": method, "params": params }));
        loop {
            let message = self.next();
            if message["id"] == id && message.get("method").is_none() {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// The next message, after what it asks for itself has been answered.
    fn next(&mut self) -> Value {
        let message = self.messages.recv_timeout(LIMIT).expect("it answers");
        match (message["method"].as_str(), message.get("id")) {
            (Some("workspace/configuration"), Some(id)) => {
                // No schemas from elsewhere: the test must not depend on a network.
                let settings = |item: &Value| match item["section"].as_str() {
                    Some("yaml") => json!({
                        "validate": true, "hover": true, "completion": true, "schemaStore": { "enable": false }
                    }),
                    _ => json!({}),
                };
                let items = message["params"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
                let result: Vec<Value> = items.iter().map(settings).collect();
                self.send(json!({ "id": id, "result": result }));
            }
            (Some(_), Some(id)) => self.send(json!({ "id": id, "result": null })),
            (Some("textDocument/publishDiagnostics"), None) => {
                let uri = message["params"]["uri"].as_str().unwrap_or_default().to_owned();
                let found = message["params"]["diagnostics"].as_array().cloned().unwrap_or_default();
                self.diagnostics.insert(uri, found);
            }
            (Some(_) | None, _) => {}
        }
        message
    }

    /// Opens a document beside the scenarios that ship, so that its first line finds the schema.
    fn open(&mut self, name: &str, text: &str) -> String {
        let uri = format!("file://{}", root().join("scenarios").join(name).display());
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
        uri
    }

    /// What the server says of a document.
    fn diagnose(&mut self, name: &str, text: &str) -> Vec<String> {
        let uri = self.open(name, text);
        let started = Instant::now();
        while !self.diagnostics.contains_key(&uri) {
            assert!(started.elapsed() < LIMIT, "no diagnostics of {name}");
            self.next();
        }
        let found = self.diagnostics.remove(&uri).unwrap_or_default();
        let line = |one: &Value| 1 + one["range"]["start"]["line"].as_u64().unwrap_or_default();
        found.iter().map(|one| format!("{}: {}", line(one), one["message"].as_str().unwrap_or_default())).collect()
    }

    /// What is shown over the first place of `word` in a line that has `line`.
    fn hover(&mut self, uri: &str, text: &str, line: &str, word: &str) -> String {
        let answer = self.ask("textDocument/hover", &position(uri, text, line, word, 1));
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// What is offered behind the first place of `word` in a line that has `line`.
    fn complete(&mut self, uri: &str, text: &str, line: &str, word: &str) -> Vec<String> {
        let answer = self.ask("textDocument/completion", &position(uri, text, line, word, word.len()));
        let items = answer["items"].as_array().or_else(|| answer.as_array()).cloned().unwrap_or_default();
        let mut labels: Vec<String> =
            items.iter().filter_map(|item| item["label"].as_str()).map(str::to_owned).collect();
        labels.sort();
        labels
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn message(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn position(uri: &str, text: &str, line: &str, word: &str, offset: usize) -> Value {
    let (number, found) = text.lines().enumerate().find(|(_, text)| text.contains(line)).expect("the line");
    let column = found.find(word).expect("the word") + offset;
    json!({ "textDocument": { "uri": uri }, "position": { "line": number, "character": column } })
}

const HEAD: &str = "# yaml-language-server: $schema=../schemas/scenario.schema.json\n";

/// A small good scenario, in which one thing is replaced by another.
fn scenario(from: &str, to: &str) -> String {
    let good = "version: 1
name: test
scale: { databases: 2, time_limit: 60s }
target: embedded
schema:
  tables:
    - name: notes
      sql: CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT)
phases:
  - name: insert
    kind: insert
    sql: INSERT INTO notes (id) VALUES (:id)
    sync: [send, receive]
settle: { rounds: 3, wait: 1s }
verify: [converged]
thresholds: [send.duration p99 < 5s]
";
    assert!(good.contains(from), "{from}");
    format!("{HEAD}{}", good.replacen(from, to, 1))
}

#[test]
fn the_scenarios_that_ship_have_no_problems_in_an_editor() {
    let Some(mut editor) = Editor::start("the_scenarios_that_ship_have_no_problems_in_an_editor") else { return };
    let folders = ["scenarios", "scenarios/upstream"].map(|folder| root().join(folder));
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("the scenarios"));
    for path in entries.map(|entry| entry.expect("a file").path()).filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let name = path.strip_prefix(root().join("scenarios")).expect("a scenario that ships").to_string_lossy();
        let up = "../".repeat(name.matches('/').count());
        assert!(text.starts_with(&HEAD.replace("../", &format!("{up}../"))), "{name} names its schema");
        assert_eq!(editor.diagnose(&name, &text), [""; 0], "{name}");
    }
    // A check never seen red is no check.
    assert_ne!(editor.diagnose("red.yaml", &scenario("name: test", "nam: test")), [""; 0]);
}

#[test]
fn hovering_a_key_shows_its_documentation() {
    let Some(mut editor) = Editor::start("hovering_a_key_shows_its_documentation") else { return };
    let text = scenario("    sync:", "    transaction: { batch: 500 }\n    barrier: true\n    think: 500ms\n    sync:");
    let uri = editor.open("hover.yaml", &text);
    let mut wrong = Vec::new();
    for (line, word, shown) in [
        ("scale:", "scale", "The amount of load"),
        ("scale:", "databases", "Default: 2."),
        ("scale:", "time_limit", "`10m`"),
        ("target:", "target", "Default: `embedded`"),
        ("sync:", "sync", "The sync calls"),
        ("transaction:", "batch", "500"),
        ("barrier:", "barrier", "at the same moment"),
        ("think:", "think", "`500ms`"),
        ("settle:", "wait", "`1s`"),
        ("thresholds:", "thresholds", "always apply"),
        ("kind: insert", "insert", "Inserts rows"),
        ("verify:", "converged", "the same rows"),
    ] {
        let told = editor.hover(&uri, &text, line, word);
        if !told.contains(shown) {
            wrong.push(format!("{word}, which should show `{shown}`: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn completion_offers_the_keys_and_the_values() {
    let Some(mut editor) = Editor::start("completion_offers_the_keys_and_the_values") else { return };
    let text = scenario("target: embedded", "target: \nth");
    let uri = editor.open("complete.yaml", &text);
    let offered = editor.complete(&uri, &text, "target:", "target: ");
    assert!(offered.iter().any(|one| one == "embedded") && offered.iter().any(|one| one == "cloudsync"), "{offered:?}");
    let text = scenario("    sync: [send, receive]\n", "    kind: \n    \n");
    let text = text.replacen("    kind: insert\n", "", 1);
    let uri = editor.open("kinds.yaml", &text);
    let offered = editor.complete(&uri, &text, "kind:", "kind: ");
    for kind in ["delete", "insert", "update", "query"] {
        assert!(offered.iter().any(|one| one == kind), "{kind}: {offered:?}");
    }
    let text = format!("{}\n", scenario("thresholds: [send.duration p99 < 5s]\n", "t"));
    let uri = editor.open("keys.yaml", &text);
    let line = text.lines().position(|line| line == "t").expect("the line");
    let at = json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": 1 } });
    let answer = editor.ask("textDocument/completion", &at);
    let mut told = String::new();
    for item in answer["items"].as_array().expect("items") {
        let _ = writeln!(told, "{}", item["label"].as_str().unwrap_or_default());
    }
    for key in ["thresholds", "teardown"] {
        assert!(told.contains(key), "{key}: {told}");
    }
}

/// What the tool itself says of a file: line, code and message of each problem.
fn problems(text: &str) -> Vec<(u64, String, String)> {
    let place = Place::new();
    place.write("scenario.yaml", text);
    let done = place.stress(&["validate", "--format", "json", "scenario.yaml"]).done();
    let told: Value = serde_json::from_str(&done.out).expect("JSON");
    let problems = told[0]["problems"].as_array().cloned().unwrap_or_default();
    let part = |problem: &Value, key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    problems
        .iter()
        .map(|problem| (problem["line"].as_u64().unwrap_or_default(), part(problem, "code"), part(problem, "message")))
        .collect()
}

/// Problems of the shape, which a schema can express.
const SHAPE: [&str; 6] = [
    "scenario::unknown_key",
    "scenario::missing_key",
    "scenario::type",
    "scenario::value",
    "scenario::empty",
    "scenario::duration",
];

/// Parts of messages about the shape that a schema cannot express, or this server does not, and why.
const NOT_IN_AN_EDITOR: [(&str, &str); 3] = [
    ("found 1.0", "to JSON schema 1.0 is a whole number"),
    ("found 1000.0", "to JSON schema 1000.0 is a whole number"),
    ("`rls` has no `policies`", "a profile alone need not be whole"),
];

#[test]
fn what_is_wrong_with_the_shape_is_seen_in_an_editor_too() {
    let Some(mut editor) = Editor::start("what_is_wrong_with_the_shape_is_seen_in_an_editor_too") else { return };
    let (mut compared, mut unseen) = (0, Vec::new());
    for entry in std::fs::read_dir(root().join("tests/reading/bad")).expect("the bad scenarios") {
        let path: PathBuf = entry.expect("a file").path();
        let text = format!("{HEAD}{}", std::fs::read_to_string(&path).expect("a scenario"));
        let name = path.file_name().expect("a name").to_string_lossy();
        let problems = problems(&text);
        // Behind a fault of the YAML each reader goes on in its own way.
        if problems.iter().any(|(_, code, _)| code.starts_with("yaml::") && code != "yaml::lookalike") {
            continue;
        }
        let told = editor.diagnose(&name, &text);
        let lines: Vec<u64> = told.iter().filter_map(|one| one.split(':').next()?.parse().ok()).collect();
        for (line, code, message) in problems.iter().filter(|(_, code, _)| SHAPE.contains(&code.as_str())) {
            compared += 1;
            // A block scalar begins a line above its text.
            let seen = lines.contains(line) || lines.contains(&(line - 1));
            let excepted = name == "profiles.yaml" || name == "types.yaml";
            let excepted = excepted && NOT_IN_AN_EDITOR.iter().any(|(part, _)| message.contains(part));
            if !seen && !excepted {
                unseen.push(format!("{name}:{line}: {code}: {message}; seen: {told:#?}"));
            }
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
    assert!(compared > 60, "{compared}");
}

#[test]
fn a_slip_is_underlined_and_said() {
    let Some(mut editor) = Editor::start("a_slip_is_underlined_and_said") else { return };
    for (index, (from, to, said)) in [
        ("name: test", "nam: test", "Property nam is not allowed"),
        ("name: test\n", "", "Missing property \"name\""),
        ("kind: insert", "kind: inserts", "\"delete\", \"insert\", \"update\", \"query\""),
        ("databases: 2", "databases: many", "Incorrect type"),
        ("time_limit: 60s", "time_limit: 60", "Incorrect type"),
        ("time_limit: 60s", "time_limit: soon", "a duration with its unit"),
        ("rounds: 3", "rounds: 10001", "above the maximum of 10000"),
        ("verify: [converged]", "verify: [convergd]", "\"converged\""),
        ("target: embedded", "target: { embedded: { writers: 65 } }", "above the maximum of 64"),
        ("name: insert", "name: in sert", "letters, digits"),
        ("phases:", "phases: []\nteardown:", "too few items"),
    ]
    .into_iter()
    .enumerate()
    {
        let told = editor.diagnose(&format!("slip{index}.yaml"), &scenario(from, to)).join("\n");
        assert!(told.contains(said), "{to}: {told}");
    }
}
