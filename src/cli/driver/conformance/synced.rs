//! Checks of databases that sync. What the engine does not promise is told, and fails nothing.

use std::time::Duration;

use rusqlite::types::Value as Sql;
use serde_json::json;

use super::bench::{DATABASES, Held, Scene, owned, told};
use crate::session::driver::Promise;

/// So many times everything is sent and received at most, until all databases hold what they should.
const ROUNDS: u32 = 10;
/// Between two rounds: a server may need a moment.
const PAUSE: Duration = Duration::from_millis(50);

/// Has databases send and receive until `agreed` says that what they hold is right, or what is wrong.
fn until(
    scene: &Scene<'_>,
    databases: &[u32],
    exchange: fn(&Scene<'_>, u32, u32) -> Result<(), String>,
    agreed: impl Fn(&[(u32, Vec<Held>)]) -> Result<String, String>,
) -> Result<String, String> {
    let mut wrong = String::new();
    for round in 1..=ROUNDS {
        for half in 0..2 {
            databases.iter().try_for_each(|db| exchange(scene, *db, half))?;
        }
        let held: Result<Vec<_>, String> = databases.iter().map(|db| Ok((*db, scene.held(*db)?))).collect();
        match agreed(&held?) {
            Ok(found) if round == 1 => return Ok(found),
            Ok(found) => return Ok(format!("{found}, after {round} rounds")),
            Err(found) => wrong = found,
        }
        std::thread::sleep(PAUSE);
    }
    let wrong = format!("after {ROUNDS} rounds, {wrong}");
    scene.promised(Promise::Convergence, Err(wrong))
}

fn send_then_receive(scene: &Scene<'_>, db: u32, half: u32) -> Result<(), String> {
    if half == 0 { scene.driver.moved(db, "send", None).map(drop) } else { scene.receive(db, None).map(drop) }
}

fn only_sync(scene: &Scene<'_>, db: u32, _: u32) -> Result<(), String> {
    scene.driver.moved(db, "sync", None).map(drop)
}

/// That all databases hold these rows.
fn all_hold(held: &[(u32, Vec<Held>)], wanted: &[(&str, i64)]) -> Result<String, String> {
    let wanted = owned(wanted);
    match held.iter().find(|(_, rows)| *rows != wanted) {
        Some((db, rows)) => Err(format!("database {db} holds {}, not {}", told(rows), told(&wanted))),
        None => Ok(format!("both databases hold {}", told(&wanted))),
    }
}

pub(super) fn send_and_receive(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    scene.insert(1, &[("a", 1)])?;
    scene.insert(2, &[("b", 2)])?;
    until(scene, &[1, 2], send_then_receive, |held| all_hold(held, &[("a", 1), ("b", 2)]))
}

pub(super) fn sync(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    scene.insert(1, &[("a", 1)])?;
    scene.insert(2, &[("b", 2)])?;
    until(scene, &[1, 2], only_sync, |held| all_hold(held, &[("a", 1), ("b", 2)]))
}

fn change(scene: &Scene<'_>, db: u32, sql: &str, name: &str) -> Result<(), String> {
    scene.driver.exec(db, sql, &[":id"], &[vec![Sql::Text(scene.key(name))]]).map(drop)
}

pub(super) fn changes(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    scene.insert(1, &[("a", 1), ("b", 2), ("c", 3)])?;
    until(scene, &[1, 2], send_then_receive, |held| all_hold(held, &[("a", 1), ("b", 2), ("c", 3)]))?;
    change(scene, 2, "UPDATE stress_check SET n = 10 WHERE id = :id", "a")?;
    change(scene, 2, "DELETE FROM stress_check WHERE id = :id", "b")?;
    until(scene, &[1, 2], send_then_receive, |held| all_hold(held, &[("a", 10), ("c", 3)]))
}

pub(super) fn conflict(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    scene.insert(1, &[("a", 1)])?;
    until(scene, &[1, 2], send_then_receive, |held| all_hold(held, &[("a", 1)]))?;
    change(scene, 1, "UPDATE stress_check SET n = 10 WHERE id = :id", "a")?;
    change(scene, 2, "UPDATE stress_check SET n = 20 WHERE id = :id", "a")?;
    // Database 2 sends after database 1.
    let last_wins = scene.driver.promises(Promise::LastPushWins);
    until(scene, &[1, 2], send_then_receive, |held| {
        let same = held.windows(2).all(|pair| pair[0].1 == pair[1].1);
        match held.first().map(|(_, rows)| rows.as_slice()) {
            Some([(_, 10)]) if same && last_wins => {
                Err("`last-push-wins` is promised, and the change that was sent first stays".to_owned())
            }
            Some([(_, n @ (10 | 20))]) if same => Ok(format!("the change of database {} stays in both", n / 10)),
            _ => {
                let each: Vec<String> =
                    held.iter().map(|(db, rows)| format!("database {db} holds {}", told(rows))).collect();
                Err(each.join(", "))
            }
        }
    })
}

pub(super) fn parts(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    for n in 0..3 {
        scene.insert(1, &[(&format!("{n}"), n)])?;
        scene.driver.moved(1, "send", None)?;
    }
    let receives = scene.receive(2, Some(1))?;
    let held = scene.holds(2, &[("0", 0), ("1", 1), ("2", 2)]);
    let found = held.map(|()| format!("all rows of three sends came in {receives} receives"));
    let found = found.map_err(|wrong| format!("{wrong}, and says that there is nothing more to receive"));
    scene.promised(Promise::Convergence, found)
}

pub(super) fn own_writes(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    scene.insert(1, &[("a", 1)])?;
    until(scene, &[1, 2], send_then_receive, |held| all_hold(held, &[("a", 1)]))?;
    change(scene, 1, "UPDATE stress_check SET n = 10 WHERE id = :id", "a")?;
    scene.driver.moved(1, "send", None)?;
    change(scene, 2, "UPDATE stress_check SET n = 20 WHERE id = :id", "a")?;
    scene.receive(2, None)?;
    let held = scene.holds(2, &[("a", 20)]);
    let found = held.map(|()| "a receive leaves alone what was written here and not sent yet".to_owned());
    let found = found.map_err(|wrong| format!("after a write that was not sent, and a receive, {wrong}"));
    scene.promised(Promise::ReadYourWrites, found)
}

pub(super) fn never_back(scene: &Scene<'_>) -> Result<String, String> {
    const VERSIONS: i64 = 4;
    scene.open_all(&[1, 2])?;
    scene.insert(1, &[("a", 0)])?;
    let mut seen = Vec::new();
    for _ in 0..=VERSIONS {
        scene.driver.moved(1, "send", None)?;
        // The second one has nothing to bring.
        for _ in 0..2 {
            scene.receive(2, None)?;
            seen.extend(scene.held(2)?.first().map(|(_, n)| *n));
        }
        change(scene, 1, "UPDATE stress_check SET n = n + 1 WHERE id = :id", "a")?;
    }
    let found = if seen.is_sorted() {
        Ok("a row that is updated again and again never gets older".to_owned())
    } else {
        Err(format!("a row that was updated went back in time: {seen:?}"))
    };
    scene.promised(Promise::MonotonicReads, found)
}

pub(super) fn whole_transactions(scene: &Scene<'_>) -> Result<String, String> {
    const PAIRS: i64 = 3;
    scene.open_all(&[1, 2])?;
    for n in 0..PAIRS {
        scene.driver.done(1, "begin", json!({}))?;
        scene.insert(1, &[(&format!("{n} one"), n), (&format!("{n} other"), n)])?;
        scene.driver.done(1, "commit", json!({}))?;
        scene.driver.moved(1, "send", None)?;
    }
    let mut found = Ok("of two rows that were written together, both are there or none".to_owned());
    for _ in 0..PAIRS {
        scene.driver.moved(2, "receive", Some(1))?;
        let held = scene.held(2)?;
        if held.chunks(2).any(|pair| pair.len() < 2 || pair[0].1 != pair[1].1) {
            found = Err(format!("of rows that were written together, database 2 holds {}", told(&held)));
            break;
        }
    }
    scene.promised(Promise::AtomicTransactions, found)
}

/// A number of a database that the scenario does not have.
const NEW: u32 = DATABASES + 1;

pub(super) fn new_device(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    scene.insert(1, &[("a", 1), ("b", 2), ("c", 3)])?;
    scene.driver.moved(1, "send", None)?;
    change(scene, 1, "DELETE FROM stress_check WHERE id = :id", "b")?;
    change(scene, 1, "UPDATE stress_check SET n = 30 WHERE id = :id", "c")?;
    scene.driver.moved(1, "send", None)?;
    scene.open(NEW)?;
    scene.receive(NEW, None)?;
    scene.holds(NEW, &[("a", 1), ("c", 30)]).map_err(|wrong| format!("a new device: {wrong}"))?;
    Ok("it receives what is there, and nothing that was deleted".to_owned())
}

pub(super) fn unsent(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    scene.insert(1, &[("a", 1)])?;
    let before = scene.driver.unsent(1)?;
    scene.driver.moved(1, "send", None)?;
    let after = scene.driver.unsent(1)?;
    let wrong = |when: &str, found: bool| Err(format!("{when} a send, `unsent` is {found}"));
    match (before, after) {
        (Some(false), _) => wrong("after a write and before", false),
        (_, Some(true)) => wrong("after", true),
        (Some(true), Some(false)) => Ok("true after a write, false after a send".to_owned()),
        (None, _) | (_, None) => Ok("null: nobody knows".to_owned()),
    }
}

pub(super) fn server_query(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    scene.insert(1, &[("a", 1), ("b", 2)])?;
    scene.driver.moved(1, "send", None)?;
    let (held, wanted) = (scene.held_by_server()?, owned(&[("a", 1), ("b", 2)]));
    if held == wanted {
        return Ok("the server holds what was sent".to_owned());
    }
    Err(format!("the server holds {}, and {} was sent", told(&held), told(&wanted)))
}
