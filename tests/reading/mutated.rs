//! Files that nobody would write: shipped scenarios, fragments and hostile pieces, cut, spliced, nested and multiplied.
//! Each is told what is wrong with it at a place inside of it, or is a good scenario; none ends the program, or takes it
//! long. The same number gives the same file on every machine. `STRESS_MUTATED=50000` is the long form, with processes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stress::source::Source;
use stress::{Overrides, load_source};
use wait4::Wait4;

/// How many files the short form has.
const FEW: u64 = 1_500;
/// Files of one process of the long form.
const BATCH: u64 = 50;
/// The most memory of a process: what the program takes by itself, and 200 MB.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Pieces of a scenario, good and hostile.
const PIECES: &[&str] = &[
    "\n  - sync: [send, { receive: { until: quiet } }]",
    "\n  - { name: p, kind: insert, rows: 3, sql: \"INSERT INTO t (id) VALUES (:id)\" }",
    "\n  - { wait: 1ms, when: db == 1 and not iteration }",
    "\nvars: { a: &a [1, 2], b: *a }",
    "\nmatrix: { a: [1, 2, 3], b: [x, y] }",
    "\nprofiles: { p: { scale: { rows: 5 } } }",
    "\nthresholds: [errors.total == 0, send.duration p99 < 5s]",
    "\nrls: { policies: { t: { select: auth_userid() = user_id } } }",
    "\nverify: [converged, { query: { sql: SELECT count(*) FROM t, equals: 1 } }]",
    "{{ row }}",
    "{% for i in range(3) %}{{ i }}{% endfor %}",
    "{% if db %}",
    "{# ",
    "99999999999999999999999999",
    "-1",
    "1e999",
    ".inf",
    "null",
    "~",
    "!!binary x",
    "<<: *a",
    "&a ",
    "*a",
    "? ",
    "---\n",
    "...\n",
    "\u{feff}",
    "\u{0}",
    "\r",
    "\t",
    "\u{2028}",
    "é漢🦀",
    "; ATTACH 'x' AS y",
    "; CREATE VIEW v AS SELECT * FROM t; CREATE TABLE c AS SELECT * FROM v",
    "18446744073709551615",
    "9999999999999h",
    "\"\\x00\\u0000\"",
    "| \n  ",
    ">-\n",
];

/// What is nested to make a tower.
const NESTED: &[(&str, &str)] = &[
    ("[", "]"),
    ("{a: ", "}"),
    ("- ", ""),
    ("(", ")"),
    ("not ", ""),
    ("{{ ", " }}"),
    ("{% if 1 %}", "{% endif %}"),
    ("\"", "\""),
    ("a: ", ""),
    ("(SELECT ", ")"),
    ("{% elif 1 %}", ""),
    ("|abs", ""),
];

/// All texts that files are made of.
pub(crate) fn seeds() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = ["scenarios", "scenarios/upstream", "tests/reading/good", "tests/reading/bad"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).expect("the folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let texts = files.iter().map(|file| String::from_utf8_lossy(&std::fs::read(file).expect("a file")).into_owned());
    let small =
        "version: 1\nname: a\nschema:\n  tables:\n    - name: t\n      sql: CREATE TABLE t (id TEXT PRIMARY KEY)\n";
    texts.chain([format!("{small}phases:\n  - sync: [send]\n")]).collect()
}

/// The file with this number.
pub(crate) fn mutated(seeds: &[String], number: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    // Half of them from a good scenario: the mutations of a bad one are all bad.
    let bases = if rng.random_bool(0.5) { &seeds[seeds.len() - 1..] } else { seeds };
    let mut text = bases[rng.random_range(0..bases.len())].clone().into_bytes();
    for _ in 0..rng.random_range(1..=3) {
        let at = rng.random_range(0..=text.len());
        let end = (at + rng.random_range(0..200)).min(text.len());
        match rng.random_range(0..9) {
            0 if at < text.len() => text[at] ^= 1 << rng.random_range(0..8),
            1 => text.truncate(at),
            2 => drop(text.drain(at..end)),
            3 => {
                let copied = text[at..end].repeat(rng.random_range(1..40));
                drop(text.splice(at..at, copied));
            }
            4 => {
                let other = &seeds[rng.random_range(0..seeds.len())].as_bytes();
                let from = rng.random_range(0..=other.len());
                let to = (from + rng.random_range(0..400)).min(other.len());
                drop(text.splice(at..end, other[from..to].to_vec()));
            }
            5 => drop(text.splice(at..at, PIECES[rng.random_range(0..PIECES.len())].bytes())),
            6 => text.extend(PIECES[rng.random_range(0..PIECES.len())].bytes()),
            7 => {
                let (before, after) = NESTED[rng.random_range(0..NESTED.len())];
                let depth = 4_usize.pow(rng.random_range(1..7));
                drop(text.splice(at..at, format!("{}1{}", before.repeat(depth), after.repeat(depth)).into_bytes()));
            }
            _ => swap_value(&mut text, at, PIECES[rng.random_range(0..PIECES.len())].trim()),
        }
        text.truncate(1 << 20);
    }
    text
}

/// Puts another value in the place of the one of the line after `at`.
fn swap_value(text: &mut Vec<u8>, at: usize, value: &str) {
    let Some(colon) = text[at..].windows(2).position(|pair| pair == b": ").map(|found| at + found + 2) else { return };
    let end = text[colon..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |found| colon + found);
    drop(text.splice(colon..end, value.bytes()));
}

/// Reads a text as the program does; whether it is a good scenario.
fn read(number: u64, text: String) -> bool {
    let source = Source::parse("x.yaml", text);
    let (length, text) = (source.text.len(), source.text.clone());
    let (good, diagnostics) = match load_source(source, &Overrides::default()) {
        Ok(loaded) => {
            assert_eq!(loaded.variations.iter().count() as u64, loaded.variations.len(), "file {number} plans again");
            (true, loaded.diagnostics())
        }
        Err(error) => {
            let diagnostics = error.diagnostics();
            assert!(!diagnostics.is_empty(), "file {number} is refused without a word");
            (false, diagnostics)
        }
    };
    for diagnostic in &diagnostics {
        let span = diagnostic.span().unwrap_or(0..0);
        assert!(
            span.start <= span.end && span.end <= length,
            "file {number}: {span:?} of {length}: {}",
            diagnostic.line()
        );
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "file {number}: {span:?}");
        assert!(diagnostic.line().len() < 10_000, "file {number}: a message of {} bytes", diagnostic.line().len());
    }
    assert!(stress::diagnostic::render(&diagnostics, false, 100).len() < 1_000_000, "file {number} is told at length");
    good
}

#[test]
fn mutated_files_are_read_to_an_end_and_told_about_at_their_places() {
    let seeds = seeds();
    let texts = (0..FEW).filter_map(|number| Some((number, String::from_utf8(mutated(&seeds, number)).ok()?)));
    let read: Vec<bool> = texts.map(|(number, text)| read(number, text)).collect();
    let good = read.iter().filter(|good| **good).count();
    // A mutator that spoils everything tests nothing but the reader of YAML.
    assert!(good > read.len() / 100 && good < read.len(), "{good} of {}", read.len());
}

/// What the program takes for these files: its time, its memory, and whether it ended by itself.
fn process(files: &[PathBuf]) -> (Duration, u64, bool) {
    let mut command = Command::new("timeout");
    command
        .args(["-s", "KILL", "120", env!("CARGO_BIN_EXE_stress"), "validate"])
        .args(files)
        .args(["--format", "json"])
        .env_clear();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let done = child.expect("the program starts").wait4().expect("it ends");
    (done.rusage.utime + done.rusage.stime, done.rusage.maxrss, matches!(done.status.code(), Some(0 | 2)))
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures of the long form are for people")]
fn the_program_takes_mutated_files_in_little_time_and_memory() {
    let count = std::env::var("STRESS_MUTATED").ok().and_then(|count| count.parse().ok()).unwrap_or(BATCH * 4);
    let seeds = seeds();
    let directory = tempfile::tempdir().expect("a directory");
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    for first in (0..count).step_by(usize::try_from(BATCH).unwrap_or(1)) {
        let files: Vec<PathBuf> = (first..first + BATCH)
            .map(|number| {
                let file = directory.path().join(format!("{}.yaml", number % BATCH));
                std::fs::write(&file, mutated(&seeds, number)).expect("room");
                file
            })
            .collect();
        let (time, memory, ended) = process(&files);
        assert!(ended, "files {first}… ended the program");
        largest = largest.max(memory);
        assert!(memory < LARGEST, "files {first}…: {memory} bytes");
        if time < Duration::from_secs(1) {
            continue;
        }
        for (file, number) in files.iter().zip(first..) {
            let (time, ..) = process(std::slice::from_ref(file));
            assert!(time < Duration::from_secs(2), "file {number}: {time:?}");
            slowest = slowest.max(time);
        }
    }
    println!("{count} files: at most {slowest:?} for one, {} MB for a batch", largest >> 20);
}
