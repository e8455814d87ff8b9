//! One SQLite connection from open to the guaranteed close. The order is always the same: open, load, pragmas, network,
//! credential; then network cleanup, terminate, close, also after an error or a panic. It must not know what is run
//! on the connection, or which target it syncs with.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, InterruptHandle, LoadExtensionGuard};

use super::credential::Credential;
use super::error::raw_error;
use super::fence::trusted;
use super::hex::hex;
use super::writes::{self, OnWrite};
use crate::failure::{Call, RawError, Secrets};

/// Where a connection gets its sync functions from.
#[derive(Debug, Clone)]
pub enum Loader {
    /// The CloudSync extension at this path.
    Extension(PathBuf),
    /// Functions registered by this program.
    Functions(fn(&Connection) -> rusqlite::Result<()>),
}

/// How the sync functions reach their server.
#[derive(Debug, Clone)]
pub struct Network {
    /// The server's address; the extension's own when absent.
    pub address: Option<String>,
    /// The managed database id.
    pub managed_database_id: String,
    /// What nobody may see of what the server says: all secrets of the run, as they become known.
    pub secrets: Secrets,
}

/// Everything that opening a session needs.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The database file.
    pub file: &'a Path,
    /// Where the sync functions come from.
    pub loader: &'a Loader,
    /// Pragmas, as statements.
    pub pragmas: &'a [String],
    /// Settings of the extension, by `cloudsync_set`.
    pub settings: &'a [(String, String)],
    /// How to reach the server, and what to authenticate with; a session without it only prepares the file.
    pub network: Option<(&'a Network, &'a Credential)>,
}

/// Switches SQLite's memory statistics off, which cost every allocation of every connection a common lock. Has an
/// effect before the first use of SQLite in the process only.
pub fn tune_sqlite() {
    // SAFETY: the option takes one int; SQLite refuses it, and changes nothing, once it is in use.
    let _ = unsafe { rusqlite::ffi::sqlite3_config(rusqlite::ffi::SQLITE_CONFIG_MEMSTATUS, 0) };
}

/// An open connection of this process.
pub(super) struct Local {
    /// Taken at close only.
    connection: Option<Connection>,
    networked: bool,
    /// Who hears of what is written. In a box of its own, so that its address stays.
    on_write: Option<Box<OnWrite>>,
    /// What an answer or an error may repeat and nobody may see.
    secrets: Secrets,
}

impl Local {
    /// Opens a connection. On an error everything that was done is undone in the right order.
    pub(super) fn open(opening: &Opening<'_>) -> Result<Self, RawError> {
        let raw = |error: &rusqlite::Error| raw_error(Call::Open, error);
        let connection = Connection::open(opening.file).map_err(|error| raw(&error))?;
        load(&connection, opening.loader).map_err(|error| raw(&error))?;
        connection.set_prepared_statement_cache_capacity(64);
        let mut session =
            Self { connection: Some(connection), networked: false, on_write: None, secrets: Secrets::default() };
        for pragma in opening.pragmas {
            session.run(Call::Open, pragma)?;
        }
        for (key, value) in opening.settings {
            session.call(Call::Open, "SELECT cloudsync_set(?1, ?2)", &[key, value])?;
        }
        if let Some((network, credential)) = opening.network {
            session.networked = true;
            session.secrets = network.secrets.clone();
            trusted(|| session.reach(network, credential))?;
        }
        Ok(session)
    }

    /// Says which server is meant, and as whom.
    fn reach(&self, network: &Network, credential: &Credential) -> Result<(), RawError> {
        let id = &network.managed_database_id;
        match &network.address {
            Some(address) => self.call(Call::Open, "SELECT cloudsync_network_init_custom(?1, ?2)", &[address, id])?,
            None => self.call(Call::Open, "SELECT cloudsync_network_init(?1)", &[id])?,
        };
        // An absent credential is never passed on: the extension crashes on NULL.
        match credential {
            Credential::Token(token) => {
                self.call(Call::Open, "SELECT cloudsync_network_set_token(?1)", &[token.expose()])?
            }
            Credential::ApiKey(key) => {
                self.call(Call::Open, "SELECT cloudsync_network_set_apikey(?1)", &[key.expose()])?
            }
            Credential::Nothing => None,
        };
        Ok(())
    }

    /// Logs in again after a logout, which forgot the settings, the server and the credential.
    pub(super) fn log_in(
        &self,
        network: &Network,
        credential: &Credential,
        settings: &[(String, String)],
    ) -> Result<(), RawError> {
        for (key, value) in settings {
            self.call(Call::Open, "SELECT cloudsync_set(?1, ?2)", &[key, value])?;
        }
        trusted(|| self.reach(network, credential))
    }

    /// The connection itself.
    ///
    /// # Panics
    ///
    /// Never: only [`Self::close`] takes the connection, and it takes the session with it.
    pub(super) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a session has its connection until it is closed")
    }

    /// Has every row heard of that is written from now on, whoever writes it but a sync function.
    pub(super) fn hear_writes(&mut self, on_write: OnWrite) {
        let on_write = self.on_write.insert(Box::new(on_write));
        if let Some(connection) = &self.connection {
            writes::begin(connection, on_write);
        }
    }

    /// A handle by which another thread interrupts what runs here.
    pub(super) fn interrupt_handle(&self) -> InterruptHandle {
        self.connection().get_interrupt_handle()
    }

    /// Runs a statement and passes over its rows.
    pub(super) fn run(&self, call: Call, sql: &str) -> Result<(), RawError> {
        self.connection().execute_batch(sql).map_err(|error| self.raw(call, &error))
    }

    /// Calls a sync function: one scalar as text; NULL as no text. Nobody hears of what it writes.
    pub(super) fn call(&self, call: Call, sql: &str, parameters: &[&str]) -> Result<Option<String>, RawError> {
        writes::unheard(self.connection(), || self.scalar(call, sql, parameters))
    }

    fn scalar(&self, call: Call, sql: &str, parameters: &[&str]) -> Result<Option<String>, RawError> {
        let raw = |error: &rusqlite::Error| self.raw(call, error);
        let mut statement = self.connection().prepare_cached(sql).map_err(|error| raw(&error))?;
        let row = statement.query_row(rusqlite::params_from_iter(parameters), |row| {
            Ok(match row.get_ref(0)? {
                ValueRef::Null => None,
                ValueRef::Integer(number) => Some(number.to_string()),
                ValueRef::Real(number) => Some(number.to_string()),
                ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Some(hex(bytes)),
            })
        });
        row.map(|text| text.map(|text| self.secrets.redact(text))).map_err(|error| raw(&error))
    }

    /// An error of this connection, which may repeat any secret of the run.
    fn raw(&self, call: Call, error: &rusqlite::Error) -> RawError {
        self.hide(raw_error(call, error))
    }

    /// The error of a statement of the scenario on this connection, which may have called a sync function.
    pub(super) fn hide(&self, error: RawError) -> RawError {
        error.hidden(&self.secrets)
    }

    /// Closes the connection: network cleanup, terminate, close. All three are tried; the first error is given.
    pub(super) fn close(mut self) -> Result<(), RawError> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), RawError> {
        let Some(connection) = self.connection.as_ref() else { return Ok(()) };
        if !connection.is_autocommit() {
            // A step that was cut off left its transaction open.
            let _ = connection.execute_batch("ROLLBACK");
        }
        let cleaned = if self.networked {
            self.call(Call::Close, "SELECT cloudsync_network_cleanup()", &[]).map(drop)
        } else {
            Ok(())
        };
        let terminated = self.call(Call::Close, "SELECT cloudsync_terminate()", &[]).map(drop);
        let Some(connection) = self.connection.take() else { return Ok(()) };
        if self.on_write.is_some() {
            writes::end(&connection);
        }
        connection.flush_prepared_statement_cache();
        let closed = connection.close().map_err(|(connection, error)| {
            // Nothing more can be done for it; dropping it would only try the same again.
            std::mem::forget(connection);
            raw_error(Call::Close, &error)
        });
        cleaned.and(terminated).and(closed)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // Only after an error or a panic: there is nobody left to tell.
        let _ = self.shut();
    }
}

fn load(connection: &Connection, loader: &Loader) -> rusqlite::Result<()> {
    rusqlite::vtab::series::load_module(connection)?;
    match loader {
        Loader::Functions(register) => register(connection),
        Loader::Extension(path) => {
            // SAFETY: no other thread uses this connection, and no SQL of a scenario runs while loading is enabled.
            let guard = unsafe { LoadExtensionGuard::new(connection) }?;
            // SAFETY: the path is the extension the user named; running its code is what the user asked for.
            let result = unsafe { connection.load_extension(path, None::<&str>) };
            drop(guard);
            result
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::functions::FunctionFlags;

    use super::*;
    use crate::failure::Secret;

    /// Sync functions whose server repeats the credential, in an error and in an answer.
    fn repeats(connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8;
        let quiet = [
            ("cloudsync_network_init", 1),
            ("cloudsync_network_set_token", 1),
            ("cloudsync_network_cleanup", 0),
            ("cloudsync_terminate", 0),
        ];
        for (name, arguments) in quiet {
            connection.create_scalar_function(name, arguments, flags, |_| Ok(0))?;
        }
        connection.create_scalar_function("cloudsync_network_receive_changes", 0, flags, |_| Ok("for t0ken/x+y"))?;
        connection.create_scalar_function("cloudsync_network_send_changes", 0, flags, |_| -> rusqlite::Result<i32> {
            Err(rusqlite::Error::UserFunctionError("refused t0ken%2Fx%2By".into()))
        })
    }

    #[test]
    fn what_a_server_repeats_of_the_credential_is_hidden() {
        let token = Secret::from("t0ken/x+y");
        let (credential, secrets) = (Credential::Token(token.clone()), Secrets::new([&token]));
        let network = Network { address: None, managed_database_id: "db_x".to_owned(), secrets };
        let opening = Opening {
            file: Path::new(":memory:"),
            loader: &Loader::Functions(repeats),
            pragmas: &[],
            settings: &[],
            network: Some((&network, &credential)),
        };
        let session = Local::open(&opening).expect("it opens");
        let error = session.call(Call::Send, "SELECT cloudsync_network_send_changes()", &[]).expect_err("refused");
        assert_eq!(error.message, "refused [hidden]");
        let answer = session.call(Call::Receive, "SELECT cloudsync_network_receive_changes()", &[]);
        assert_eq!(answer.expect("an answer").as_deref(), Some("for [hidden]"));
        session.close().expect("it closes");
    }
}
