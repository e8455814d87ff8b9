//! The client half of the embedded target: SQL functions under the public names, so that a scenario cannot tell which
//! target it meets. This file is their list; what they do stands beside it.

mod alter;
mod apply;
mod capture;
mod column_option;
mod error;
mod filter;
mod halt;
mod http;
mod local;
mod send;
mod state;
pub(crate) mod transport;
mod triggers;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use rusqlite::functions::{ConnectionRef, Context, FunctionFlags};
use rusqlite::types::Value;
use serde_json::json;

use super::tracking;
use error::{failure, keep_code, prepare_again};
use state::State;
use transport::Transport;

/// Adds the functions to a connection that talks HTTP and pushes so many rows at once.
pub(crate) fn register(connection: &Connection, push_rows: u32) -> rusqlite::Result<()> {
    register_with(connection, push_rows, Box::new(http::Http::new(halt::interrupt(connection))))
}

/// Adds the functions to a connection.
pub(crate) fn register_with(
    connection: &Connection,
    push_rows: u32,
    transport: Box<dyn Transport>,
) -> rusqlite::Result<()> {
    let state = Arc::new(State::new(push_rows, transport));
    tracking::register(connection)?;
    register_capture(connection, &state)?;
    register_configuration(connection, &state)?;
    register_sync(connection, &state)
}

type Answer = rusqlite::Result<Value>;

/// Adds one function for each number of arguments.
fn define(
    connection: &Connection,
    state: &Arc<State>,
    name: &str,
    arities: std::ops::RangeInclusive<i32>,
    run: fn(&Call<'_>) -> Answer,
) -> rusqlite::Result<()> {
    for arity in arities {
        let state = Arc::clone(state);
        connection.create_scalar_function(
            name,
            arity,
            FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY,
            move |context: &mut Context<'_>| {
                // SAFETY: the reference lives no longer than this call, on the thread that runs the statement.
                let connection = unsafe { context.get_connection() }?;
                run(&Call { context, connection, state: &state }).map_err(keep_code)
            },
        )?;
    }
    Ok(())
}

/// One call of a function.
struct Call<'a> {
    context: &'a Context<'a>,
    connection: ConnectionRef<'a>,
    state: &'a State,
}

impl Call<'_> {
    fn text(&self, index: usize) -> rusqlite::Result<Option<String>> {
        let value: Value = if index < self.context.len() { self.context.get(index)? } else { Value::Null };
        Ok(match value {
            Value::Null => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Real(number) => Some(number.to_string()),
            Value::Text(text) => Some(text),
            Value::Blob(blob) => Some(String::from_utf8_lossy(&blob).into_owned()),
        })
    }

    fn integer(&self, index: usize) -> rusqlite::Result<Option<i64>> {
        Ok(self.text(index)?.and_then(|text| text.parse().ok()))
    }

    fn table(&self) -> rusqlite::Result<String> {
        let name = self.text(0)?;
        name.ok_or_else(|| failure("cloudsync_init requires a non-null table parameter"))
    }
}

fn register_capture(connection: &Connection, state: &Arc<State>) -> rusqlite::Result<()> {
    let flag = Arc::clone(state);
    // The one function that triggers call, once per changed row: no connection, no allocation.
    connection.create_scalar_function("cloudsync_is_applying", 0, FunctionFlags::SQLITE_UTF8, move |_| {
        if flag.terminated.load(Ordering::Relaxed) {
            return Err(failure("cloudsync was terminated on this connection: call SELECT cloudsync_init again"));
        }
        Ok(flag.applying.load(Ordering::Relaxed))
    })?;
    let captures = Arc::clone(state);
    // Called by the triggers of tables with a UNIQUE constraint besides the key.
    connection.create_scalar_function(
        "cloudsync_captures_replaced",
        0,
        FunctionFlags::SQLITE_UTF8,
        move |context: &mut Context<'_>| {
            // SAFETY: the reference lives no longer than this call, on the thread that runs the statement.
            let connection = unsafe { context.get_connection() }?;
            if captures.capture_replaced(&connection)? { Err(prepare_again()) } else { Ok(true) }
        },
    )?;
    define(connection, state, "cloudsync_version", 0..=0, |_| {
        Ok(Value::Text(format!("embedded-{}", env!("CARGO_PKG_VERSION"))))
    })?;
    define(connection, state, "cloudsync_init", 1..=3, |call| {
        let site = capture::init(&call.connection, &call.table()?, call.text(1)?.as_deref(), call.integer(2)?)?;
        call.state.terminated.store(false, Ordering::Relaxed);
        Ok(Value::Text(super::wire::site_text(&site)))
    })?;
    define(connection, state, "cloudsync_siteid", 0..=0, |call| {
        Ok(Value::Blob(local::site(&call.connection)?.unwrap_or_default().to_vec()))
    })?;
    define(connection, state, "cloudsync_uuid", 0..=0, |_| Ok(Value::Text(uuid::Uuid::now_v7().to_string())))?;
    define(connection, state, "cloudsync_db_version", 0..=0, |call| {
        local::require_site(&call.connection)?;
        Ok(Value::Integer(local::version(&call.connection)?))
    })?;
    define(connection, state, "cloudsync_db_version_next", 0..=1, |call| {
        local::require_site(&call.connection)?;
        capture::next_version(&call.connection, call.integer(0)?.unwrap_or(0)).map(Value::Integer)
    })?;
    define(connection, state, "cloudsync_is_enabled", 1..=1, |call| {
        Ok(Value::Integer(i64::from(capture::is_enabled(&call.connection, &call.table()?)?)))
    })?;
    define(connection, state, "cloudsync_enable", 1..=1, |call| {
        capture::set_enabled(&call.connection, &call.table()?, true).map(|()| Value::Null)
    })?;
    define(connection, state, "cloudsync_disable", 1..=1, |call| {
        capture::set_enabled(&call.connection, &call.table()?, false).map(|()| Value::Null)
    })?;
    define(connection, state, "cloudsync_cleanup", 1..=1, |call| {
        capture::cleanup(&call.connection, &call.table()?).map(|()| Value::Null)
    })?;
    define(connection, state, "cloudsync_set_filter", 2..=2, |call| {
        filter::set(&call.connection, call.text(0)?.as_deref(), call.text(1)?.as_deref()).map(|()| Value::Integer(1))
    })?;
    define(connection, state, "cloudsync_clear_filter", 1..=1, |call| {
        filter::clear(&call.connection, call.text(0)?.as_deref()).map(|()| Value::Integer(1))
    })?;
    define(connection, state, "cloudsync_begin_alter", 1..=1, |call| {
        alter::begin(&call.connection, call.state, call.text(0)?.as_deref()).map(|()| Value::Null)
    })?;
    define(connection, state, "cloudsync_commit_alter", 1..=1, |call| {
        alter::commit(&call.connection, call.state, call.text(0)?.as_deref()).map(|()| Value::Null)
    })?;
    define(connection, state, "cloudsync_set_column", 4..=4, |call| {
        let texts = [call.text(0)?, call.text(1)?, call.text(2)?, call.text(3)?];
        column_option::set(&call.connection, texts.each_ref().map(Option::as_deref)).map(|()| Value::Null)
    })?;
    define(connection, state, "cloudsync_set", 2..=2, |call| {
        let key = call.text(0)?.ok_or_else(|| failure("cloudsync_set requires a key"))?;
        local::set(&call.connection, &key, call.text(1)?.as_deref()).map(|()| Value::Null)
    })?;
    define(connection, state, "cloudsync_terminate", 0..=0, |call| {
        call.state.terminated.store(true, Ordering::Relaxed);
        Ok(Value::Integer(1))
    })
}

fn register_configuration(connection: &Connection, state: &Arc<State>) -> rusqlite::Result<()> {
    define(connection, state, "cloudsync_network_init", 1..=1, |_| {
        Err(failure(
            "the embedded target has no built-in address: call cloudsync_network_init_custom(address, managedDatabaseId) with the hub's",
        ))
    })?;
    define(connection, state, "cloudsync_network_init_custom", 2..=2, |call| {
        let required = |index, name: &str| -> rusqlite::Result<String> {
            let text = call.text(index)?.filter(|text| !text.is_empty());
            text.ok_or_else(|| failure(format!("{name} cannot be empty")))
        };
        let endpoint = (required(0, "address")?, required(1, "managedDatabaseId")?);
        call.state.network().endpoint = Some(endpoint);
        // Before its first write, so that no statement has to run twice.
        if capture::has_unique(&call.connection)? {
            call.state.capture_replaced(&call.connection)?;
        }
        Ok(Value::Integer(0))
    })?;
    for name in ["cloudsync_network_set_token", "cloudsync_network_set_apikey"] {
        define(connection, state, name, 1..=1, |call| {
            let credential = call.text(0)?.ok_or_else(|| failure("the credential must not be NULL"))?;
            call.state.network().credential = Some(credential.into());
            Ok(Value::Integer(0))
        })?;
    }
    define(connection, state, "cloudsync_network_cleanup", 0..=0, |call| {
        let mut network = call.state.network();
        network.endpoint = None;
        network.transport.close();
        Ok(Value::Integer(0))
    })?;
    define(connection, state, "cloudsync_network_reset_sync_version", 0..=0, |call| {
        capture::reset(&call.connection).map(|()| Value::Null)
    })?;
    define(connection, state, "cloudsync_network_logout", 0..=0, |call| {
        let silence = call.state.silence(&call.connection)?;
        capture::logout(&call.connection)?;
        drop(silence);
        let mut network = call.state.network();
        (network.endpoint, network.credential) = (None, None);
        Ok(Value::Integer(0))
    })
}

fn register_sync(connection: &Connection, state: &Arc<State>) -> rusqlite::Result<()> {
    define(connection, state, "cloudsync_network_send_changes", 0..=0, |call| {
        let send = send::send(&call.connection, &mut call.state.network())?;
        Ok(Value::Text(json!({ "send": send }).to_string()))
    })?;
    for name in ["cloudsync_network_receive_changes", "cloudsync_network_check_changes"] {
        define(connection, state, name, 0..=1, |call| {
            let receive = apply::receive(&call.connection, call.state, call.integer(0)?)?;
            Ok(Value::Text(json!({ "receive": receive }).to_string()))
        })?;
    }
    // The hub never says "not ready yet", so there is nothing to wait for: the arguments are taken and unused.
    let sync: fn(&Call<'_>) -> Answer = |call| {
        let send = send::send(&call.connection, &mut call.state.network())?;
        let receive = apply::receive(&call.connection, call.state, None)?;
        Ok(Value::Text(json!({ "send": send, "receive": receive }).to_string()))
    };
    define(connection, state, "cloudsync_network_sync", 0..=0, sync)?;
    define(connection, state, "cloudsync_network_sync", 2..=2, sync)?;
    define(connection, state, "cloudsync_network_has_unsent_changes", 0..=0, |call| {
        let unsent = send::has_unsent(&call.connection, &mut call.state.network())?;
        Ok(Value::Integer(i64::from(unsent)))
    })?;
    define(connection, state, "cloudsync_network_status", 0..=0, |call| {
        let version = send::server_version(&call.connection, &mut call.state.network())?;
        let status = json!({ "lastOptimisticVersion": version, "lastConfirmedVersion": version, "gaps": null });
        Ok(Value::Text(status.to_string()))
    })
}
