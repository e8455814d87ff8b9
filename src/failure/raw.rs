//! An error as it came. It is made by the constructors here alone, so that secrets are hidden where it is made.

use super::kind::Side;
use super::secrets::Secrets;

/// The call that returned an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Opening a database: loading the extension, setting pragmas, initialising sync.
    Open,
    /// A statement of the scenario.
    Sql,
    /// `cloudsync_network_send_changes`.
    Send,
    /// `cloudsync_network_receive_changes` or `…_check_changes`.
    Receive,
    /// `cloudsync_network_sync`.
    Sync,
    /// Closing a database.
    Close,
    /// SQL on the server, over HTTP.
    Admin,
}

impl Call {
    /// Whether the call talks to a server, so that its message can come from the server.
    pub(super) const fn is_remote(self) -> bool {
        match self {
            Self::Send | Self::Receive | Self::Sync | Self::Admin => true,
            Self::Open | Self::Sql | Self::Close => false,
        }
    }
}

/// An error before its classification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawError {
    /// The call that returned the error.
    pub call: Call,
    /// SQLite's result code and extended result code, if SQLite returned the error.
    pub sqlite: Option<(i32, i32)>,
    /// The HTTP status, if an HTTP call of `stress` itself returned the error.
    pub http: Option<u16>,
    /// Whose words it is in.
    pub(super) origin: Origin,
    /// The full message.
    pub message: String,
}

/// Whose words an error is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// SQLite's, the extension's, or those of `stress`.
    Here,
    /// Those of a driver's engine.
    Engine(Told),
    /// A driver broke the protocol, ended, or did not answer.
    Driver,
}

/// What a driver says about an error of its engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The engine's code.
    pub code: Option<String>,
    /// The HTTP status of the engine's server.
    pub http: Option<u16>,
    /// The side on which the error happened.
    pub side: Option<Side>,
    /// Whether a retry can help.
    pub retry: Option<bool>,
}

impl RawError {
    /// Of what a server or a library said, which may repeat these secrets.
    pub fn heard(call: Call, message: String, secrets: &Secrets) -> Self {
        Self::said(call, secrets.redact(message))
    }

    /// Of words that cannot hold a secret: our own, or of a library that was given none.
    pub fn said(call: Call, message: impl Into<String>) -> Self {
        Self { call, sqlite: None, http: None, origin: Origin::Here, message: message.into() }
    }

    /// Of the engine of a driver, which may repeat these secrets.
    pub fn of_engine(call: Call, message: String, told: Told, secrets: &Secrets) -> Self {
        Self { http: told.http, origin: Origin::Engine(told), ..Self::heard(call, message, secrets) }
    }

    /// Of a driver that broke the protocol, ended, or did not answer. Its last words may repeat these secrets.
    pub fn of_driver(call: Call, message: String, secrets: &Secrets) -> Self {
        Self { origin: Origin::Driver, ..Self::heard(call, message, secrets) }
    }

    /// With these secrets hidden.
    #[must_use]
    pub fn hidden(self, secrets: &Secrets) -> Self {
        Self { message: secrets.redact(self.message), ..self }
    }

    /// With SQLite's codes.
    #[must_use]
    pub fn with_codes(self, sqlite: Option<(i32, i32)>) -> Self {
        Self { sqlite, ..self }
    }

    /// With an HTTP status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { http: Some(status), ..self }
    }
}
