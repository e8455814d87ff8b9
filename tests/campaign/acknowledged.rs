//! What the server had acknowledged when a run was cut off, as its logs tell it; and whether it is still there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::harness::Place;
use crate::scene::{DATABASES, ROWS, Scene, databases};

/// The last statement of an iteration whose rows were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sent {
    Inserted,
    Updated,
    Deleted,
}

/// The sends that were acknowledged: the database, the iteration, and what was sent last.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged(Vec<(u32, u64, Sent)>);

impl Acknowledged {
    /// Reads the logs of a run.
    pub(crate) fn read(run: &Path) -> Self {
        let logs = (1..=DATABASES).map(|database| (database, run.join(format!("logs/db{database}.log"))));
        Self(logs.flat_map(|(database, log)| sends(database, &log)).collect())
    }

    /// Every database that may see the rows holds them as they were acknowledged, and so does the server.
    pub(crate) fn held(&self, seed: u64, place: &Place, rls: bool) {
        let local = databases(&place.path("runs/test/databases"), ".db");
        let local: Vec<PathBuf> = local.into_iter().filter(|file| !file.ends_with("hub.db")).collect();
        assert_eq!(local.len(), DATABASES as usize, "{local:?}");
        self.held_by(seed, |database| {
            let own = format!("db{database}.db");
            local.iter().filter(|file| !rls || file.ends_with(&own)).cloned().collect()
        });
        self.held_by_the_server(seed, place);
    }

    /// The server holds the rows as it acknowledged them.
    pub(crate) fn held_by_the_server(&self, seed: u64, place: &Place) {
        let mut server = databases(&place.path("runs/test/databases/hub"), ".sqlite");
        server.extend(databases(&place.path("hub"), ".sqlite"));
        assert!(!server.is_empty() || self.0.is_empty(), "the hub has a database");
        self.held_by(seed, |_| server.clone());
    }

    fn held_by(&self, seed: u64, files: impl Fn(u32) -> Vec<PathBuf>) {
        let mut read = BTreeMap::new();
        for &(database, iteration, sent) in &self.0 {
            for file in files(database) {
                let held = read.entry(file.clone()).or_insert_with(|| Held::read(&file));
                let wrong = held
                    .get(&format!("s{seed}_d{database}_i{iteration}"))
                    .map_or(Some("no row is there"), |held| held.wrong(sent));
                assert_eq!(wrong, None, "database {database}, iteration {iteration}, {sent:?}, in {}", file.display());
            }
        }
    }
}

/// The acknowledged sends that a log tells of. The last line may be cut.
fn sends(database: u32, log: &Path) -> Vec<(u32, u64, Sent)> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let (mut last, mut found) = (None, Vec::new());
    for line in text.lines() {
        let Some((_, rest)) = line.split_once("[iter ") else { continue };
        let Some((iteration, told)) = rest.split_once("] ") else { continue };
        match told.split([',', ':']).next() {
            Some("inserted") => last = Some(Sent::Inserted),
            Some("updated") => last = Some(Sent::Updated),
            Some("deleted") => last = Some(Sent::Deleted),
            Some("send") if told.contains("\"status\":\"synced\"") => {
                let iteration: u64 = iteration.parse().expect("a number");
                found.extend(last.filter(|_| iteration > 0).map(|last| (database, iteration, last)));
            }
            Some(_) | None => {}
        }
    }
    found
}

/// The rows that one database wrote in one iteration, as a file has them.
#[derive(Default)]
struct Held {
    /// Those that are never deleted.
    kept: u64,
    /// Those of them that are updated.
    updated: u64,
    /// Those that are deleted in the end.
    others: u64,
}

impl Held {
    /// All rows of a file, by the beginning of their ids: `s1_d2_i3`.
    fn read(file: &Path) -> BTreeMap<String, Self> {
        let connection = Connection::open(file).expect("a database");
        let mut rows = connection.prepare("SELECT id, body, size FROM notes").expect("it has the table");
        let mut rows = rows.query([]).expect("it can be read");
        let mut all = BTreeMap::<String, Self>::new();
        while let Some(row) = rows.next().expect("it can be read") {
            let text = |column| row.get::<_, String>(column).expect("a text of ours");
            let (id, body, size) = (text(0), text(1), row.get::<_, i64>(2).expect("a number of ours"));
            let held = all.entry(id.rsplit_once("_r").expect("an id of ours").0.to_owned()).or_default();
            let kept = size % 3 != 0;
            held.kept += u64::from(kept);
            held.updated += u64::from(kept && body == "again");
            held.others += u64::from(!kept);
        }
        all
    }

    /// What is wrong with them after this was acknowledged.
    fn wrong(&self, sent: Sent) -> Option<&'static str> {
        match sent {
            _ if self.kept != ROWS - ROWS / 3 => Some("rows are lost"),
            Sent::Updated | Sent::Deleted if self.updated != self.kept => Some("an update is lost"),
            Sent::Deleted if self.others > 0 => Some("deleted rows are back"),
            Sent::Inserted | Sent::Updated | Sent::Deleted => None,
        }
    }
}

#[test]
fn what_was_acknowledged_and_is_gone_is_seen() {
    let scale = format!("scale: {{ databases: {DATABASES}, iterations: 4, rows: {ROWS} }}\n");
    let holds = |fault: &str| {
        let scene = Scene::new(false, false, &format!("{scale}target: {{ embedded: {{ faults: [{fault}] }} }}\n"));
        scene.run(1, &["--quiet"]).done();
        let acknowledged = Acknowledged::read(&scene.latest().expect("there was a run"));
        assert_eq!(acknowledged.0.len(), 36, "3 databases send three times in each of 4 iterations");
        std::panic::catch_unwind(|| acknowledged.held(1, &scene.place, false)).is_ok()
    };
    assert!(holds(""));
    assert!(!holds("{ fault: drop_row, rate: 0.05 }"));
    assert!(!holds("{ fault: resurrect_rows, rate: 0.2 }"));
    assert!(!holds("{ fault: lose_everywhere, rate: 0.05 }"));
}
