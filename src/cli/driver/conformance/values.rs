//! Checks of values: every kind of them comes back as it went.

use rusqlite::types::Value as Sql;

use super::bench::Scene;
use crate::session::driver::Promise;

/// The largest integer that every reader of JSON holds exactly.
const EXACT: i64 = (1 << 53) - 1;

fn all() -> Vec<(&'static str, Sql)> {
    let text = |text: &str| Sql::Text(text.to_owned());
    vec![
        ("NULL", Sql::Null),
        ("the integer 0", Sql::Integer(0)),
        ("the integer -1", Sql::Integer(-1)),
        ("the integer 2^53 - 1", Sql::Integer(EXACT)),
        ("the integer 2^53", Sql::Integer(EXACT + 1)),
        ("the integer 2^53 + 1", Sql::Integer(EXACT + 2)),
        ("the largest integer", Sql::Integer(i64::MAX)),
        ("the smallest integer", Sql::Integer(i64::MIN)),
        ("the real 0.1", Sql::Real(0.1)),
        ("the real 1.0", Sql::Real(1.0)),
        ("the real -0.0", Sql::Real(-0.0)),
        ("the real 1e300", Sql::Real(1e300)),
        ("the smallest real", Sql::Real(5e-324)),
        ("the real Infinity", Sql::Real(f64::INFINITY)),
        ("the real -Infinity", Sql::Real(f64::NEG_INFINITY)),
        ("an empty text", text("")),
        ("a text with quotes", text("it's \"quoted\", \\ and ?")),
        ("a text with newlines", text("one\ntwo\r\n\tthree")),
        ("a text with NUL", text("before\0after")),
        ("a text that is not ASCII", text("äöü – 日本語 🦀 e\u{301}")),
        ("a text of 100 kB", text(&"0123456789".repeat(10_000))),
        ("an empty blob", Sql::Blob(Vec::new())),
        ("a blob", Sql::Blob(vec![0, 255, 10, 34, 128])),
        ("a blob of 100 kB", Sql::Blob(vec![0x5a; 100_000])),
    ]
}

/// A value for a message.
fn told(value: &Sql) -> String {
    match value {
        Sql::Text(text) => format!("the text {:?}", text.chars().take(30).collect::<String>()),
        Sql::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
        Sql::Null => "NULL".to_owned(),
        Sql::Integer(number) => format!("the integer {number}"),
        Sql::Real(number) => format!("the real {number:?}"),
    }
}

/// That what came back is what went.
fn compare(found: &[Vec<Sql>]) -> Result<String, String> {
    let all = all();
    if found.len() != all.len() {
        return Err(format!("{} values went, and {} came back", all.len(), found.len()));
    }
    let wrong: Vec<String> = all
        .iter()
        .zip(found)
        .filter_map(|((name, value), row)| match row.as_slice() {
            // The sign of zero may get lost.
            [found] if found == value => None,
            [found] => Some(format!("{name} came back as {}", told(found))),
            _ => Some(format!("{name} came back as {} values", row.len())),
        })
        .collect();
    if wrong.is_empty() {
        Ok(format!("{} of all kinds came back as they went", all.len()))
    } else {
        Err(wrong.join("; "))
    }
}

fn write(scene: &Scene<'_>, db: u32) -> Result<(), String> {
    let row = |(n, (_, value)): (usize, (&str, Sql))| vec![Sql::Text(scene.key(&format!("{n:02}"))), value];
    let rows: Vec<Vec<Sql>> = all().into_iter().enumerate().map(row).collect();
    scene.driver.exec(db, "INSERT INTO stress_check (id, n, v) VALUES (:id, 1, :v)", &[":id", ":v"], &rows).map(drop)
}

fn read(scene: &Scene<'_>, db: u32) -> Result<String, String> {
    let sql = format!("SELECT v FROM stress_check WHERE id LIKE '{}%' ORDER BY id", scene.key(""));
    compare(&scene.driver.rows(db, &sql, &[])?)
}

pub(super) fn stored(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    write(scene, 1)?;
    read(scene, 1)
}

pub(super) fn bound(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let found: Result<Vec<Vec<Sql>>, String> = all()
        .into_iter()
        .map(|(name, value)| {
            let rows = scene.driver.rows(1, "SELECT ?", &[value]).map_err(|wrong| format!("{name}: {wrong}"))?;
            Ok(rows.into_iter().next().unwrap_or_default())
        })
        .collect();
    compare(&found?)
}

pub(super) fn synced(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    write(scene, 1)?;
    scene.driver.moved(1, "send", None)?;
    scene.receive(2, None)?;
    scene.promised(Promise::Convergence, read(scene, 2))
}
