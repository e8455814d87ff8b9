//! Checks of one database, and of several that do not sync.

use std::time::{Duration, Instant};

use rusqlite::types::Value as Sql;
use serde_json::json;

use super::bench::{DATABASES, Scene};
use crate::figure::duration;

const INSERT: &str = "INSERT INTO stress_check (id, n) VALUES (:id, :n)";
const NAMES: [&str; 2] = [":id", ":n"];
/// Rows in a batch.
const BATCH: i64 = 1000;
/// Statements of each database in the check of several databases.
const EACH: i64 = 50;
/// How long a request is in flight before it is interrupted.
const BEGUN: Duration = Duration::from_millis(200);

/// That two numbers of changed rows are the same.
fn changed(what: &str, found: u64, wanted: u64) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} changed {wanted}, and `changed` says {found}")) }
}

pub(super) fn open(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    scene.insert(1, &[("a", 1)])?;
    scene.holds(1, &[("a", 1)])?;
    scene.holds(2, &[])?;
    Ok("two databases have the table, and each has its own rows".to_owned())
}

pub(super) fn not_open(scene: &Scene<'_>) -> Result<String, String> {
    let reply = scene.driver.ask(1, "query", json!({ "sql": "SELECT 1", "params": [] }))?;
    let message = reply.fails()?.to_owned();
    scene.open(1)?;
    scene.holds(1, &[])?;
    Ok(format!("the error `{message}`"))
}

pub(super) fn exec(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let run = |sql: &str, names: &[&str], row: Vec<Sql>| scene.driver.exec(1, sql, names, &[row]);
    let insert =
        format!("INSERT INTO stress_check (id, n) VALUES ('{}', 1), ('{}', 2)", scene.key("a"), scene.key("b"));
    changed("an insert of two rows without parameters", run(&insert, &[], Vec::new())?, 2)?;
    let row = vec![Sql::Text(scene.key("c")), Sql::Integer(3)];
    changed("an insert with parameters", run(INSERT, &NAMES, row)?, 1)?;
    let update = "UPDATE stress_check SET n = n + :n WHERE id >= :id";
    let by = |name: &str| vec![Sql::Integer(10), Sql::Text(scene.key(name))];
    changed("an update of two rows", run(update, &[":n", ":id"], by("b"))?, 2)?;
    changed("an update of no rows", run(update, &[":n", ":id"], by("d"))?, 0)?;
    let delete = "DELETE FROM stress_check WHERE id = :id";
    changed("a deletion", run(delete, &[":id"], vec![Sql::Text(scene.key("a"))])?, 1)?;
    scene.holds(1, &[("b", 12), ("c", 13)])?;
    Ok("insert, update and delete change what they say".to_owned())
}

pub(super) fn batch(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let row = |n| vec![Sql::Text(scene.key(&format!("{n:04}"))), Sql::Integer(n)];
    let rows: Vec<_> = (0..BATCH).map(row).collect();
    let started = Instant::now();
    changed("a batch", scene.driver.exec(1, INSERT, &NAMES, &rows)?, rows.len() as u64)?;
    let took = duration(started.elapsed());
    let held = scene.held(1)?;
    if !held.iter().map(|(_, n)| *n).eq(0..BATCH) {
        return Err(format!("after an insert of {BATCH} rows, {} are there, or in other order", held.len()));
    }
    Ok(format!("1,000 inserts in {took}"))
}

pub(super) fn without_transaction(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let row = |name: &str| vec![Sql::Text(scene.key(name)), Sql::Integer(1)];
    let rows = [row("a"), row("b"), row("a"), row("c")];
    let stayed = scene.driver.exec_fails(1, INSERT, &NAMES, &rows)?;
    scene
        .holds(1, &[("a", 1), ("b", 1)])
        .map_err(|wrong| format!("after a batch whose third insert fails, {wrong}"))?;
    changed("a batch whose third insert fails", stayed, 2)?;
    Ok("each execution is a transaction: what comes before an error stays".to_owned())
}

pub(super) fn transactions(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let op = |op| scene.driver.done(1, op, json!({}));
    op("begin")?;
    scene.insert(1, &[("a", 1)])?;
    scene.holds(1, &[("a", 1)]).map_err(|wrong| format!("within a transaction, {wrong}"))?;
    op("commit")?;
    scene.holds(1, &[("a", 1)]).map_err(|wrong| format!("after a commit, {wrong}"))?;
    op("begin")?;
    scene.insert(1, &[("b", 2)])?;
    op("rollback")?;
    scene.holds(1, &[("a", 1)]).map_err(|wrong| format!("after a rollback, {wrong}"))?;
    op("rollback").map_err(|wrong| format!("without an open transaction, {wrong}"))?;
    op("begin")?;
    scene.insert(1, &[("c", 3)])?;
    scene.driver.exec_fails(1, INSERT, &NAMES, &[vec![Sql::Text(scene.key("a")), Sql::Integer(9)]])?;
    op("rollback").map_err(|wrong| format!("after an error in a transaction, {wrong}"))?;
    scene.holds(1, &[("a", 1)]).map_err(|wrong| format!("after an error and a rollback, {wrong}"))?;
    scene.insert(1, &[("d", 4)])?;
    scene.holds(1, &[("a", 1), ("d", 4)])?;
    Ok("a commit keeps the rows; a rollback takes them back, also after an error".to_owned())
}

pub(super) fn errors(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    scene.insert(1, &[("a", 1)])?;
    scene.driver.exec_fails(1, "INSERT INTO stress_no_table VALUES (1)", &[], &[Vec::new()])?;
    let reply = scene.driver.ask(1, "query", json!({ "sql": "SELECT nonsense FROM stress_check", "params": [] }))?;
    let message = reply.fails().map_err(|wrong| format!("{wrong} for a column that does not exist"))?.to_owned();
    scene.insert(1, &[("b", 2)]).map_err(|wrong| format!("after an error, {wrong}"))?;
    scene.holds(1, &[("a", 1), ("b", 2)])?;
    Ok(format!("told, such as `{message}`; the database works afterwards"))
}

pub(super) fn at_once(scene: &Scene<'_>) -> Result<String, String> {
    let started = Instant::now();
    let work = |db: u32| -> Result<(), String> {
        scene.open(db)?;
        for (before, n) in (0..EACH).enumerate() {
            scene.insert(db, &[(&format!("{n:02}"), n)])?;
            let held = scene.held(db)?;
            if held.len() != before + 1 {
                return Err(format!("database {db} holds {} rows after {} inserts", held.len(), before + 1));
            }
        }
        Ok(())
    };
    std::thread::scope(|threads| {
        let started: Vec<_> = (1..=DATABASES).map(|db| threads.spawn(move || work(db))).collect();
        let mut ended = started.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.try_for_each(|ended| ended.unwrap_or_else(|_| Err("a thread ended early".to_owned())))
    })?;
    let requests = i64::from(DATABASES) * EACH * 2;
    Ok(format!("{requests} requests of {DATABASES} databases in {}", duration(started.elapsed())))
}

pub(super) fn interrupt(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let row = |n| vec![Sql::Text(scene.key(&format!("{n:04}"))), Sql::Integer(n)];
    let rows: Vec<_> = (0..BATCH).map(row).collect();
    scene.driver.exec(1, INSERT, &NAMES, &rows)?;
    // For ever, in effect: 10^12 rows.
    let sql = "SELECT count(*) FROM stress_check a, stress_check b, stress_check c, stress_check d WHERE a.n + b.n + c.n < d.n";
    let (reply, took) = std::thread::scope(|threads| {
        let query = threads.spawn(|| scene.driver.ask(1, "query", json!({ "sql": sql, "params": [] })));
        std::thread::sleep(BEGUN);
        let started = Instant::now();
        scene.driver.interrupt(1);
        let reply = query.join().unwrap_or_else(|_| Err("a thread ended early".to_owned()));
        (reply, started.elapsed())
    });
    let reply = reply?;
    let message = reply.fails().map_err(|wrong| format!("an interrupted query: {wrong}"))?;
    if !reply.is_interrupted() {
        return Err(format!("an interrupted query ended with `{message}`, and its `code` is not `interrupted`"));
    }
    scene.insert(1, &[("later", 1)]).map_err(|wrong| format!("after an interrupted query, {wrong}"))?;
    Ok(format!("a query ended {} after it was interrupted", duration(took)))
}
