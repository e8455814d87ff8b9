//! The short form of the fuzzing: every reader takes its corpus, and mutations of it, always the same. With
//! `STRESS_FUZZED=100` it takes a hundred times as many.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{READERS, Reader, target};
use crate::fixture;

/// How many mutations each reader gets; those that open databases get fewer.
const MANY: u64 = 2_000;
const FEW: u64 = 100;
const SLOW: &[&str] = &["scenario", "push", "pull", "page", "record"];

/// What readers stumble over.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\"",
    b"'",
    b"{{ ",
    b" }}",
    b"{% ",
    b"[",
    b"]",
    b"{",
    b"}",
    b"(",
    b")",
    b":",
    b";",
    b"--",
    b"/*",
    b"%",
    b"%ff",
    b"?",
    b"&",
    b"=",
    b"-1",
    b"0",
    b"1e999",
    b"9223372036854775807",
    b"18446744073709551616",
    b"null",
    b"true",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    "é漢🦀".as_bytes(),
    "\u{feff}".as_bytes(),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a reader, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = folder().join("corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

/// Writes the messages and the record of the corpus in today's format, where `UPDATE_CORPUS` is set.
fn update() {
    if std::env::var_os("UPDATE_CORPUS").is_none() {
        return;
    }
    let record = serde_json::to_vec(&fixture::record(&fixture::plan(1))).expect("a record");
    let written = target::messages().into_iter().chain([("record", record)]);
    for (number, (name, bytes)) in written.enumerate() {
        let folder = folder().join("corpus").join(name);
        fs::create_dir_all(&folder).expect("the folder");
        fs::write(folder.join(format!("made-{number}")), bytes).expect("room");
    }
}

/// The mutation with this number.
fn mutated(corpus: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let mut bytes = corpus[rng.random_range(0..corpus.len())].clone();
    for _ in 0..rng.random_range(1..=3) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(0..20)).min(bytes.len());
        match rng.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copied = bytes[at..end].repeat(rng.random_range(1..100));
                drop(bytes.splice(at..at, copied));
            }
            4 => {
                let other = &corpus[rng.random_range(0..corpus.len())];
                let from = rng.random_range(0..=other.len());
                let to = (from + rng.random_range(0..100)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].to_vec()));
            }
            5 if at < bytes.len() => bytes[at] = rng.random(),
            _ => drop(bytes.splice(at..end, PIECES[rng.random_range(0..PIECES.len())].iter().copied())),
        }
    }
    bytes
}

/// Whether the reader takes the bytes; what it does that none may do is told with them.
fn read(name: &str, reader: Reader, bytes: &[u8]) -> Result<bool, String> {
    catch_unwind(|| reader(bytes)).map_err(|_| format!("`{name}` fails at b\"{}\"", bytes.escape_ascii()))
}

/// Gives a reader its corpus, and mutations of it.
fn try_out(name: &str, reader: Reader) -> Result<(), String> {
    let corpus = corpus(name);
    let mut known = 0;
    for bytes in &corpus {
        known += u64::from(read(name, reader, bytes)?);
    }
    if known == 0 {
        return Err(format!("`{name}` takes nothing of its corpus: is it still in today's format?"));
    }
    let times = std::env::var("STRESS_FUZZED").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let count = times * if SLOW.contains(&name) { FEW } else { MANY };
    let mut taken = 0;
    for number in 0..count {
        taken += u64::from(read(name, reader, &mutated(&corpus, number))?);
    }
    // A mutator that spoils everything tests little, and a reader that takes everything looks at nothing.
    let some = count / 100..count;
    some.contains(&taken).then_some(()).ok_or_else(|| format!("`{name}` takes {taken} of {count} mutations"))
}

#[test]
fn readers_take_their_corpus_and_mutations_of_it_to_an_end() {
    update();
    let failures: Vec<String> = READERS.iter().filter_map(|(name, reader)| try_out(name, *reader).err()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_reader_has_its_target_and_its_corpus() {
    let names: BTreeSet<String> = READERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed = |folder: PathBuf| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
        entries.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect()
    };
    assert_eq!(listed(folder().join("targets")), names);
    assert_eq!(listed(folder().join("corpus")), names);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest");
    for name in &names {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
        let target = fs::read_to_string(folder().join(format!("targets/{name}.rs"))).expect("the target");
        assert!(target.contains(&format!("read(\"{name}\", bytes)")), "{name}");
    }
}
