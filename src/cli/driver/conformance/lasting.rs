//! Checks of what lasts: rows in files, and the process itself.

use std::time::{Duration, Instant};

use serde_json::json;

use super::bench::{DATABASES, Scene};
use crate::figure::duration;
use crate::session::driver::Ability;

/// How long a driver writes until it is killed.
const WRITING: Duration = Duration::from_millis(150);

pub(super) fn again(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    scene.insert(1, &[("a", 1)])?;
    scene.driver.done(1, "close", json!({}))?;
    scene.open(1).map_err(|wrong| format!("after a close, {wrong}"))?;
    scene.holds(1, &[("a", 1)]).map_err(|wrong| format!("after a close and an open, {wrong}"))?;
    scene.driver.done(1, "close", json!({}))?;
    let ended = scene.driver.end();
    if let Some(wrong) = ended {
        return Err(wrong);
    }
    let next = scene.again()?;
    next.open(1).map_err(|wrong| format!("in a new process, {wrong}"))?;
    next.holds(1, &[("a", 1)]).map_err(|wrong| format!("in a new process, {wrong}"))?;
    Ok("the rows are still there, also in a new process".to_owned())
}

pub(super) fn unknown_op(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let reply = scene.driver.ask(1, "stress_unknown_op", json!({}))?;
    let message = reply.fails()?.to_owned();
    scene.holds(1, &[]).map_err(|wrong| format!("after an op that is unknown, {wrong}"))?;
    Ok(format!("the error `{message}`"))
}

pub(super) fn unknown_fields(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let extra = json!({ "sql": "SELECT 1", "params": [], "stress_unknown_field": { "nested": [1, null, "text"] } });
    scene.driver.done(1, "query", extra)?;
    Ok("they are ignored".to_owned())
}

pub(super) fn end(scene: &Scene<'_>) -> Result<String, String> {
    scene.open_all(&[1, 2])?;
    scene.insert(1, &[("a", 1)])?;
    let started = Instant::now();
    match scene.driver.end() {
        Some(wrong) => Err(wrong),
        None => Ok(format!("the driver exits with 0, after {}", duration(started.elapsed()))),
    }
}

pub(super) fn kill(scene: &Scene<'_>) -> Result<String, String> {
    scene.open(1)?;
    let sent: Vec<(String, i64)> = (0..100).map(|n| (format!("sent {n:03}"), n)).collect();
    let rows: Vec<(&str, i64)> = sent.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    scene.insert(1, &rows)?;
    scene.driver.moved(1, "send", None)?;
    // It dies while it writes.
    let written = std::thread::scope(|threads| {
        let writes = threads
            .spawn(|| (0..i64::MAX).take_while(|n| scene.insert(1, &[(&format!("then {n:06}"), *n)]).is_ok()).count());
        std::thread::sleep(WRITING);
        scene.driver.kill();
        writes.join().unwrap_or_default()
    });
    let next = scene.again().map_err(|wrong| format!("after a kill, {wrong}"))?;
    next.open(1).map_err(|wrong| format!("after a kill, {wrong}"))?;
    let held = next.held(1).map_err(|wrong| format!("after a kill, {wrong}"))?;
    let lost = |held: &[(String, i64)]| sent.iter().filter(|row| !held.contains(row)).count();
    if lost(&held) > 0 {
        return Err(format!("after a kill, the database has lost {} of 100 rows that were sent", lost(&held)));
    }
    let stayed = held.len() - sent.len();
    if next.does(Ability::Bootstrap) {
        next.driver.moved(1, "sync", None).map_err(|wrong| format!("after a kill, {wrong}"))?;
        let new = DATABASES + 1;
        next.open(new)?;
        next.receive(new, None)?;
        let lost = lost(&next.held(new)?);
        if lost > 0 {
            return Err(format!("after a kill, a new device misses {lost} of 100 rows that were sent"));
        }
    }
    Ok(format!("all 100 rows that were sent are there, and {stayed} of {written} that were written later"))
}
