//! What the embedded target costs per row: capture, push, pull with apply. Run it alone on the machine:
//! `cargo run --release --example hub_throughput -- 100000`.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use rusqlite::Connection;
use serde_json::{Value, json};
use stress::target::embedded::{Hub, HubOptions, register};

const TABLE: &str = "CREATE TABLE test_sync(id TEXT PRIMARY KEY NOT NULL, user_id TEXT NOT NULL DEFAULT '', name TEXT NOT NULL DEFAULT '', value INTEGER NOT NULL DEFAULT 0)";

fn main() -> Result<(), Box<dyn Error>> {
    let rows: u32 = std::env::args().nth(1).map_or(Ok(100_000), |rows| rows.parse())?;
    let directory = tempfile::TempDir::new()?;
    let options = HubOptions::new(directory.path().join("hub"));
    let (api_key, management_key) = (options.api_key.clone(), options.management_key.clone());
    let hub = Hub::start(options)?;
    let post = |path: &str, key: &str, body: Value| -> Result<Value, Box<dyn Error>> {
        let request = ureq::post(format!("{}{path}", hub.url())).header("Authorization", format!("Bearer {key}"));
        Ok(serde_json::from_reader(request.send(body.to_string())?.body_mut().as_reader())?)
    };
    post(
        "/v2/weblite/sql",
        &api_key,
        json!({ "sql": format!("CREATE DATABASE d; USE DATABASE d; {TABLE}; CLOUDSYNC ENABLE test_sync") }),
    )?;
    let answer = post("/v1/databases", &management_key, json!({ "databaseName": "d" }))?;
    let id = answer["data"]["managedDatabaseId"].as_str().ok_or("no id")?.to_owned();
    let open = |name: &str, sync: bool| -> Result<Connection, Box<dyn Error>> {
        let connection = Connection::open(directory.path().join(name))?;
        rusqlite::vtab::series::load_module(&connection)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY")?;
        connection.execute_batch(TABLE)?;
        if sync {
            register(&connection)?;
            let start = "SELECT cloudsync_init('test_sync'), cloudsync_network_init_custom(?1, ?2), cloudsync_network_set_apikey(?3)";
            connection.query_row(start, [hub.url(), &id, &api_key], |_| Ok(()))?;
        }
        Ok(connection)
    };
    let (plain, one, two) = (open("plain.db", false)?, open("one.db", true)?, open("two.db", true)?);
    let show = |what: &str, started: Instant| -> std::io::Result<()> {
        let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(rows);
        writeln!(std::io::stdout(), "{what:<28}{micros:>7.2} µs/row")
    };
    let steps = [
        (
            "insert",
            format!(
                "INSERT INTO test_sync SELECT 'db1_r' || value, 'user', 'some name ' || value, value FROM generate_series(1, {rows})"
            ),
        ),
        ("update", "UPDATE test_sync SET value = value + 1".to_owned()),
        ("delete", "DELETE FROM test_sync".to_owned()),
    ];
    for (name, sql) in steps {
        let started = Instant::now();
        plain.execute_batch(&sql)?;
        show(&format!("{name}, no capture"), started)?;
        let started = Instant::now();
        one.execute_batch(&sql)?;
        show(&format!("{name}, captured"), started)?;
        let started = Instant::now();
        one.query_row("SELECT cloudsync_network_send_changes()", [], |_| Ok(()))?;
        show(&format!("{name}, send and push"), started)?;
        let started = Instant::now();
        two.query_row("SELECT cloudsync_network_receive_changes()", [], |_| Ok(()))?;
        show(&format!("{name}, pull and apply"), started)?;
    }
    hub.stop();
    Ok(())
}
