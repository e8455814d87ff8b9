//! `/v1/`: the management API, with a key of its own. It registers databases for sync and enables their tables.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::database::Database;
use super::registry::RegistryError;
use super::reply::{Reply, text};
use super::shared::Shared;
use super::sql::parameter;
use super::switch::set_sync;
use super::tracked;

/// Answers a request below `/v1/`.
pub(super) fn answer(shared: &Shared, method: &str, path: &[&str], query: &str, body: &[u8]) -> Reply {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    match (method, path) {
        ("GET", ["orgs"]) => {
            data(&json!({ "organizationId": "embedded", "slug": "embedded", "name": "embedded", "status": "active" }))
        }
        ("POST", ["databases"]) => register(shared, &body),
        ("GET", ["databases"]) => list(shared, query),
        (method, ["databases", id, rest @ ..]) => match shared.registry.managed(id) {
            Some(database) => of_database(shared, method, id, rest, &database, &body),
            None => Reply::errors(404, "not_found", "managed database not found"),
        },
        _ => Reply::errors(404, "not_found", "no such path"),
    }
}

fn of_database(
    shared: &Shared,
    method: &str,
    id: &str,
    path: &[&str],
    database: &Arc<Database>,
    body: &Value,
) -> Reply {
    match (method, path) {
        ("GET", []) => data(&describe(id, &database.name)),
        ("DELETE", []) => match shared.registry.unmanage(id) {
            Ok(()) => data(&json!({})),
            Err(error) => registry_error(&error),
        },
        ("GET", ["connection"]) => connection(database),
        ("GET", ["cloudsync", "tables"]) => {
            tables(database).map_or_else(|error| sql_error(&error), |tables| data(&tables))
        }
        ("POST", ["cloudsync", verb @ ("enable" | "disable")]) => set_tables(database, body, *verb == "enable"),
        ("GET", ["devices"]) => devices(database).map_or_else(|error| sql_error(&error), |devices| data(&devices)),
        ("DELETE", ["devices", site]) => match forget_device(database, site) {
            Ok(true) => data(&json!({})),
            Ok(false) => Reply::errors(404, "not_found", "device not found"),
            Err(error) => sql_error(&error),
        },
        _ => Reply::errors(404, "not_found", "no such path"),
    }
}

fn data(data: &Value) -> Reply {
    Reply::json(200, &json!({ "data": data }))
}

fn sql_error(error: &rusqlite::Error) -> Reply {
    Reply::errors(500, "database_error", &text(error))
}

fn registry_error(error: &RegistryError) -> Reply {
    match error {
        RegistryError::Missing(name) => Reply::errors(404, "not_found", &format!("database {name} not found")),
        RegistryError::BadName(name) | RegistryError::Exists(name) => {
            Reply::errors(400, "bad_request", &format!("database {name} cannot be used"))
        }
        RegistryError::Sql(error) => sql_error(error),
    }
}

fn describe(id: &str, name: &str) -> Value {
    json!({ "managedDatabaseId": id, "databaseName": name, "provider": "sqlitecloud", "flavor": "sqlitecloud" })
}

fn register(shared: &Shared, body: &Value) -> Reply {
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    let Some(name) = field("databaseName") else {
        return Reply::errors(400, "bad_request", "the body needs `databaseName`");
    };
    match shared.registry.manage(name, field("label").unwrap_or(name)) {
        Ok(id) => data(&describe(&id, name)),
        Err(error) => registry_error(&error),
    }
}

fn list(shared: &Shared, query: &str) -> Reply {
    let wanted = parameter(query, "database");
    match shared.registry.names() {
        Ok(names) => {
            let matching = names.iter().filter(|name| wanted.as_ref().is_none_or(|wanted| wanted == *name));
            data(&matching.filter_map(|name| Some(describe(&shared.registry.managed_id(name)?, name))).collect())
        }
        Err(error) => sql_error(&error),
    }
}

fn connection(database: &Database) -> Reply {
    let probed = database.with(|worker| worker.connection.query_row("SELECT 1 FROM cloudsync_state", [], |_| Ok(())));
    let checked = Timestamp::now().to_string();
    match probed {
        Ok(()) => data(&json!({ "ok": true, "checkedAt": checked })),
        Err(error) => {
            let failure = json!({ "code": "database_error", "message": text(&error), "retryable": true });
            data(&json!({ "ok": false, "checkedAt": checked, "failure": failure }))
        }
    }
}

fn tables(database: &Database) -> rusqlite::Result<Value> {
    database.with(|worker| {
        let enabled = tracked::names(&worker.connection)?;
        let mut statement = worker.connection.prepare(
            "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             AND name NOT LIKE '%cloudsync%' ORDER BY name",
        )?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        names
            .map(|name| {
                let name = name?;
                let enabled = enabled.iter().any(|known| known.eq_ignore_ascii_case(&name));
                Ok(json!({ "name": name, "enabled": enabled }))
            })
            .collect()
    })
}

fn set_tables(database: &Database, body: &Value, enable: bool) -> Reply {
    let names: Vec<&str> =
        body.get("tables").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        return Reply::errors(400, "bad_request", "the body needs `tables`, a list of names");
    }
    for name in names {
        if let Err(problem) = set_sync(database, name, enable) {
            return Reply::errors(400, "bad_request", &problem);
        }
    }
    data(&json!({}))
}

fn devices(database: &Database) -> rusqlite::Result<Value> {
    database.with(|worker| {
        let mut statement = worker
            .connection
            .prepare("SELECT site, user, version, pushed, denied, failed FROM cloudsync_sites ORDER BY id")?;
        let devices = statement.query_map([], |row| {
            Ok(json!({
                "siteId": row.get::<_, String>(0)?, "userId": row.get::<_, Option<String>>(1)?,
                "version": row.get::<_, i64>(2)?, "pushed": row.get::<_, i64>(3)?,
                "denied": row.get::<_, i64>(4)?, "failed": row.get::<_, i64>(5)?,
            }))
        })?;
        devices.collect()
    })
}

fn forget_device(database: &Database, site: &str) -> rusqlite::Result<bool> {
    database.with(|worker| {
        let transaction = worker.connection.transaction()?;
        transaction.execute(
            "DELETE FROM cloudsync_versions WHERE site IN (SELECT id FROM cloudsync_sites WHERE site = ?1)",
            [site],
        )?;
        let known = transaction.execute("DELETE FROM cloudsync_sites WHERE site = ?1", [site])?;
        transaction.commit()?;
        Ok(known > 0)
    })
}
