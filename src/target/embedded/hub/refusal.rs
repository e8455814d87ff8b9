//! Why a statement of the administrator was refused.

use super::registry::RegistryError;
use super::reply::text;

/// Code of everything else.
pub(super) const GENERIC: i32 = 10005;

/// Why a statement was refused.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: i32,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: i32, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(400, error.sqlite_error().map_or(1, |error| error.extended_code), text(&error))
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::BadName(name) => Self::new(400, GENERIC, format!("{name} cannot be the name of a database")),
            RegistryError::Exists(name) => Self::new(409, GENERIC, format!("database {name} already exists")),
            RegistryError::Missing(name) => Self::new(404, 10001, format!("database {name} does not exist")),
            RegistryError::Sql(error) => error.into(),
        }
    }
}
