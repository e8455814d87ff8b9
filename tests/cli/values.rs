//! The values that a seed gives: the same in every version, so that a failure seen with a seed is seen again with it.

use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use crate::harness::{Place, files};

/// A digest of every row of every database that a run left, in the order of the files and of their keys.
fn digest(place: &Place, scenario: &str) -> String {
    let mut text = String::new();
    let databases = files(&place.run_dir(scenario).join("databases"));
    let own = databases.iter().filter(|file| {
        let name = file.file_name().expect("a file has a name").to_string_lossy();
        name.starts_with("db") && name.ends_with(".db")
    });
    for file in own {
        let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("it opens");
        let sql = "SELECT id, user_id, name, value FROM test_sync ORDER BY id";
        let mut statement = database.prepare(sql).expect("the table is there");
        let mut rows = statement.query([]).expect("it can be read");
        while let Some(row) = rows.next().expect("it can be read") {
            let values = [0, 1, 2, 3].map(|column| row.get::<_, Value>(column).expect("a value"));
            writeln!(text, "{values:?}").expect("a text takes everything");
        }
    }
    assert!(!text.is_empty(), "nothing was written");
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
}

/// The text of a scenario that ships.
fn shipped(scenario: &str) -> String {
    let path = format!("{}/scenarios/{scenario}.yaml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("it ships")
}

/// The scenario without its sync calls: what every database then holds is what it wrote itself, whatever the others
/// did meanwhile.
fn without_sync(text: &str) -> String {
    let kept = text.lines().filter(|line| {
        let key = line.trim_start();
        !["sync:", "barrier:", "verify:"].iter().any(|left_out| key.starts_with(left_out))
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// The digest of what a scenario with seed 7 leaves.
fn of_seed_7(scenario: &str, text: &str, arguments: &[&str]) -> String {
    let place = Place::new();
    place.write("scenario.yaml", text);
    let arguments = [&["run", "scenario.yaml", "--seed", "7", "--keep", "--quiet"], arguments].concat();
    place.stress(&arguments).done().exits(0);
    digest(&place, scenario)
}

#[test]
fn the_values_of_a_seed_never_change() {
    let (small, rls) = (shipped("small"), shipped("rls"));
    // With one database the shipped scenario itself leaves the same rows each time.
    let one = ["--databases", "1"];
    let digests = [
        of_seed_7("small", &without_sync(&small), &[]),
        of_seed_7("small", &small, &one),
        of_seed_7("rls", &without_sync(&rls), &[]),
        of_seed_7("rls", &rls, &one),
    ];
    let stored = [
        "751e74f7e1a107c2c433be568831c438",
        "de0783d8d031ba30c2f4af12aec7a0fb",
        "5859d0db3e48205a79e24aee94916cfd",
        "69fe0d8cbcda0becf7be4ce894e8571a",
    ];
    assert_eq!(digests, stored);
}
