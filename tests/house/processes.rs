//! No test waits for ever, and none inherits what its caller's environment happens to hold: processes are started through
//! the harness of `tests/cli`, which bounds and scrubs them.

use std::path::Path;

use crate::source::{File, read};

/// What starts a process, or waits for somebody else's pleasure.
const SIGNS: &[&str] = &["Command::new(", ".recv()", "thread.join()", "TcpStream::connect("];

/// Where that is done all the same, and why it ends.
const ENDS: &[(&str, &str, &str)] = &[
    ("cli/harness.rs", "Command::new(", "it is the harness; `kill` asks nobody"),
    ("cli/bad_input.rs", "Command::new(", "`mkfifo` asks nobody"),
    ("harness/small_disk.rs", "Command::new(", "`mount` of memory asks nobody"),
    ("cli/besieged.rs", "TcpStream::connect(", "its reads and writes have a timeout"),
    ("cli/hostile.rs", "Command::new(", "`timeout` kills it, and its environment is empty"),
    ("cli/provision.rs", "Command::new(", "`script --version` asks nobody"),
    ("cli/wizard.rs", "Command::new(", "the terminal bounds every answer, and its environment is empty"),
    ("cli/terminal.rs", "Command::new(", "the terminal bounds every answer, and its environment is empty"),
    ("browser/chromium.rs", "Command::new(", "the address, every answer and the end are bounded"),
    ("browser/chromium.rs", "TcpStream::connect(", "its reads have a timeout"),
    ("browser/serve.rs", "TcpStream::connect(", "its reads have a timeout"),
    ("harness/relay.rs", "TcpStream::connect(", "its reads have a timeout"),
    ("editor.rs", "Command::new(", "every answer is bounded, and it is killed in the end"),
    ("reading/mutated.rs", "Command::new(", "`timeout` kills it, and its environment is empty"),
    ("reading/beside_python.rs", "Command::new(", "`timeout` kills it, and its environment is empty"),
    ("licences.rs", "Command::new(", "cargo bounds its own requests"),
];

/// The signs in a file of the tests that nothing answers for.
fn unbounded(file: &File) -> Vec<String> {
    let found = SIGNS.iter().filter(|sign| file.lines.iter().any(|line| line.contains(**sign)));
    let known = |sign: &str| ENDS.iter().any(|(path, known, _)| *path == file.path && *known == sign);
    found.filter(|sign| !known(sign)).map(|sign| format!("{}: {sign}", file.path)).collect()
}

#[test]
fn every_process_of_a_test_is_bounded_and_has_an_environment_of_its_own() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    // This directory names the signs, and starts nothing.
    let files = read(&tests, &["house"]);
    let found: Vec<String> = files.iter().flat_map(unbounded).collect();
    assert!(found.is_empty(), "use the harness (or a timeout):\n{}", found.join("\n"));
    for (path, sign, _) in ENDS {
        let file = files.iter().find(|file| file.path == *path).unwrap_or_else(|| panic!("there is no {path}"));
        assert!(file.lines.iter().any(|line| line.contains(sign)), "{path} has no `{sign}` any more");
        let waits = file.lines.iter().filter(|line| line.contains("TcpStream::connect(")).count();
        let bounds = file.lines.iter().filter(|line| line.contains("set_read_timeout(Some(")).count();
        assert!(waits <= bounds, "{path}: a connection without a timeout");
    }
}

#[test]
fn a_process_that_nothing_bounds_is_seen() {
    let file = |path: &str, line: &str| unbounded(&File::new(path, line));
    assert_eq!(file("cli/new.rs", "let done = Command::new(\"stress\").output();"), ["cli/new.rs: Command::new("]);
    assert_eq!(file("cli/new.rs", "let sent = sent.recv();"), ["cli/new.rs: .recv()"]);
    assert_eq!(file("licences.rs", "Command::new(cargo); thread.join();"), ["licences.rs: thread.join()"]);
    assert_eq!(file("cli/new.rs", "place.stress(&[]).done(); sent.recv_timeout(LIMIT);"), [""; 0]);
}
