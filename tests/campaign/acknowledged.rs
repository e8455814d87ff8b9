//! What the server had acknowledged when a run was cut off, as its logs tell it; and whether it is still there.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::harness::Place;
use crate::scene::{DATABASES, ROWS, databases};

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
        let all = databases(&place.path("runs/test/databases"), ".db");
        let local: Vec<PathBuf> = all.into_iter().filter(|file| !file.ends_with("hub.db")).collect();
        assert_eq!(local.len(), DATABASES as usize, "{local:?}");
        let mut server = databases(&place.path("runs/test/databases/hub"), ".sqlite");
        server.extend(databases(&place.path("hub"), ".sqlite"));
        assert!(!server.is_empty(), "the hub has a database");
        for &(database, iteration, sent) in &self.0 {
            let own = format!("db{database}.db");
            let seen = local.iter().filter(|file| !rls || file.ends_with(&own)).chain(&server);
            for file in seen {
                let wrong = wrong(file, &format!("s{seed}_d{database}_i{iteration}_r"), sent);
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

/// What is wrong with the rows of this prefix in a file.
fn wrong(file: &Path, prefix: &str, sent: Sent) -> Option<String> {
    let connection = Connection::open(file).expect("a database");
    let mut count = |condition: &str| -> u64 {
        let sql = format!("SELECT count(*) FROM notes WHERE substr(id, 1, ?1) = ?2 AND {condition}");
        let length = i64::try_from(prefix.len()).expect("a short prefix");
        let count: i64 = connection.query_row(&sql, (length, prefix), |row| row.get(0)).expect("a count");
        count.unsigned_abs()
    };
    let (stays, kept) = (ROWS - ROWS / 3, count("size % 3 <> 0"));
    if kept != stays {
        return Some(format!("{kept} of {stays} rows are there"));
    }
    if sent >= Sent::Updated && count("size % 3 <> 0 AND body = 'again'") != stays {
        return Some("an update is lost".to_owned());
    }
    let back = count("size % 3 = 0");
    (sent == Sent::Deleted && back > 0).then(|| format!("{back} deleted rows are back"))
}
