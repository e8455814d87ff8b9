//! What the hub knows beside its databases' rows: which databases there are, their managed ids, and access tokens. Kept
//! in `hub.db`, so that a hub on the same data directory goes on where the last one stopped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::error::HubError;
use super::database::{Database, Tuning};
use super::files;
use super::policy::{Caller, User};
use crate::failure::Secret;

const TABLES: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS databases(name TEXT PRIMARY KEY NOT NULL, managed TEXT UNIQUE, label TEXT);
    CREATE TABLE IF NOT EXISTS tokens(id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, name TEXT NOT NULL, user TEXT NOT NULL,
        attributes TEXT, created TEXT NOT NULL, expires TEXT);
";

/// What the text of a token has behind its number.
const MARK: &str = "sqa_";

/// Databases and tokens.
#[derive(Debug)]
pub(super) struct Registry {
    data: PathBuf,
    api_key: Secret,
    tuning: Tuning,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: Connection,
    databases: HashMap<String, Arc<Database>>,
    /// Names by managed id.
    managed: HashMap<String, String>,
    /// By the digests of their texts.
    tokens: HashMap<String, Token>,
}

/// An access token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) attributes: Option<String>,
    pub(super) created: String,
    pub(super) expires: Option<String>,
}

impl Token {
    /// Its public description.
    pub(super) fn json(&self) -> Value {
        json!({
            "accessTokenId": self.id, "userId": self.user, "name": self.name, "attributes": self.attributes,
            "expiresAt": self.expires, "createdAt": self.created,
        })
    }

    fn is_valid(&self) -> bool {
        let expires = self.expires.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        expires.is_none_or(|expires| expires > Timestamp::now())
    }

    fn user(&self) -> User {
        let json = json!({
            "user_id": self.user, "name": self.name, "attributes": self.attributes, "created_at": self.created, "expires_at": self.expires,
        });
        User { id: self.user.clone(), json: json.to_string() }
    }
}

/// Why a database cannot be created or found.
#[derive(Debug)]
pub(super) enum RegistryError {
    /// The name could be no file name of ours.
    BadName(String),
    Exists(String),
    Missing(String),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for RegistryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Registry {
    pub(super) fn open(data: &Path, api_key: Secret, tuning: Tuning) -> Result<Self, HubError> {
        let path = data.join("hub.db");
        let inner = Inner::load(&path).map_err(|source| HubError::Database { path, source })?;
        let registry = Self { data: data.to_owned(), api_key, tuning, inner: Mutex::new(inner) };
        let names = registry.names().map_err(|source| HubError::Database { path: data.join("hub.db"), source })?;
        for name in names {
            let path = registry.path(&name);
            let database = Database::open(name.clone(), path.clone(), tuning);
            let database = database.map_err(|source| HubError::Database { path, source })?;
            registry.lock().databases.insert(name, Arc::new(database));
        }
        Ok(registry)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.join(format!("{name}.{}", files::DATABASE))
    }

    /// Who holds this bearer: the api key, a connection string with it, or a token.
    pub(super) fn caller(&self, bearer: &str) -> Option<Caller> {
        let in_string = bearer.split_once("apikey=").filter(|_| bearer.contains("://"));
        let key = in_string.map_or(bearer, |(_, rest)| rest.split('&').next().unwrap_or(rest));
        // Digests are compared, so that the time tells nothing of the key.
        if digest(key) == digest(self.api_key.expose()) {
            return Some(Caller::Admin);
        }
        let inner = self.lock();
        inner.tokens.get(&digest(bearer)).filter(|token| token.is_valid()).map(|token| Caller::User(token.user()))
    }

    /// A user other than this one, always the same.
    pub(super) fn other_user(&self, user: &User) -> Option<User> {
        let inner = self.lock();
        let others = inner.tokens.values().filter(|token| token.user != user.id && token.is_valid());
        others.min_by(|a, b| a.user.cmp(&b.user)).map(Token::user)
    }

    /// The names of all databases.
    pub(super) fn names(&self) -> rusqlite::Result<Vec<String>> {
        let inner = self.lock();
        let mut statement = inner.file.prepare_cached("SELECT name FROM databases ORDER BY name")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    /// A database by name.
    pub(super) fn database(&self, name: &str) -> Result<Arc<Database>, RegistryError> {
        self.lock().databases.get(name).cloned().ok_or_else(|| RegistryError::Missing(name.to_owned()))
    }

    /// A database by managed id.
    pub(super) fn managed(&self, id: &str) -> Option<Arc<Database>> {
        let inner = self.lock();
        inner.managed.get(id).and_then(|name| inner.databases.get(name)).cloned()
    }

    /// The managed id of a database, if it was registered.
    pub(super) fn managed_id(&self, name: &str) -> Option<String> {
        self.lock().managed.iter().find(|(_, known)| *known == name).map(|(id, _)| id.clone())
    }

    /// Creates a database.
    pub(super) fn create(&self, name: &str) -> Result<(), RegistryError> {
        if !is_valid_name(name) {
            return Err(RegistryError::BadName(name.to_owned()));
        }
        let mut inner = self.lock();
        if inner.databases.contains_key(name) {
            return Err(RegistryError::Exists(name.to_owned()));
        }
        let database = Database::open(name.to_owned(), self.path(name), self.tuning)?;
        inner.file.execute("INSERT OR IGNORE INTO databases(name) VALUES (?1)", [name])?;
        inner.databases.insert(name.to_owned(), Arc::new(database));
        Ok(())
    }

    /// Removes a database and its files.
    pub(super) fn remove(&self, name: &str) -> Result<(), RegistryError> {
        let mut inner = self.lock();
        let database = inner.databases.remove(name).ok_or_else(|| RegistryError::Missing(name.to_owned()))?;
        inner.file.execute("DELETE FROM databases WHERE name = ?1", [name])?;
        inner.managed.retain(|_, known| known != name);
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut path = database.path.clone().into_os_string();
            path.push(suffix);
            // A request under way may still use it; what is not there needs no removing.
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }

    /// Registers a database for sync: its managed id, which it keeps.
    pub(super) fn manage(&self, name: &str, label: &str) -> Result<String, RegistryError> {
        let mut inner = self.lock();
        if !inner.databases.contains_key(name) {
            return Err(RegistryError::Missing(name.to_owned()));
        }
        let known: Option<String> = inner
            .file
            .query_row("SELECT managed FROM databases WHERE name = ?1", [name], |row| row.get(0))
            .optional()?
            .flatten();
        if let Some(id) = known {
            return Ok(id);
        }
        let id = format!("db_{}", uuid::Uuid::new_v4().simple());
        inner
            .file
            .execute("UPDATE databases SET managed = ?2, label = ?3 WHERE name = ?1", params![name, id, label])?;
        inner.managed.insert(id.clone(), name.to_owned());
        Ok(id)
    }

    /// Ends a database's registration. It stays.
    pub(super) fn unmanage(&self, id: &str) -> Result<(), RegistryError> {
        let mut inner = self.lock();
        inner.managed.remove(id).ok_or_else(|| RegistryError::Missing(id.to_owned()))?;
        inner.file.execute("UPDATE databases SET managed = NULL WHERE managed = ?1", [id])?;
        Ok(())
    }

    /// Makes a token, and gives its text, of which only the digest is kept.
    pub(super) fn create_token(
        &self,
        name: &str,
        user: &str,
        attributes: Option<String>,
        expires: Option<Timestamp>,
    ) -> rusqlite::Result<(Token, Secret)> {
        let mut inner = self.lock();
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let created = Timestamp::now().to_string();
        let expires = expires.map(|expires| expires.to_string());
        let id = inner
            .file
            .prepare_cached(
                "INSERT INTO tokens(token, name, user, attributes, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .insert(params![secret, name, user, attributes, created, expires])?;
        let text = format!("{id}|{MARK}{secret}");
        let digest = digest(&text);
        inner.file.execute("UPDATE tokens SET token = ?2 WHERE id = ?1", params![id, digest])?;
        let token = Token { id, name: name.to_owned(), user: user.to_owned(), attributes, created, expires };
        inner.tokens.insert(digest, token.clone());
        Ok((token, text.into()))
    }

    /// A token that is still valid.
    pub(super) fn token(&self, token: &str) -> Option<Token> {
        self.lock().tokens.get(&digest(token)).filter(|token| token.is_valid()).cloned()
    }

    /// A user's valid tokens.
    pub(super) fn tokens_of(&self, user: &str) -> Vec<Token> {
        let inner = self.lock();
        let mut tokens: Vec<Token> =
            inner.tokens.values().filter(|token| token.user == user && token.is_valid()).cloned().collect();
        tokens.sort_by_key(|token| token.id);
        tokens
    }

    /// Revokes a token at once; whether there was one.
    pub(super) fn revoke(&self, token: &str) -> rusqlite::Result<bool> {
        let mut inner = self.lock();
        let digest = digest(token);
        inner.file.execute("DELETE FROM tokens WHERE token = ?1", [&digest])?;
        Ok(inner.tokens.remove(&digest).is_some())
    }
}

impl Inner {
    fn load(path: &Path) -> rusqlite::Result<Self> {
        let file = files::open(path)?;
        file.busy_timeout(std::time::Duration::from_secs(5))?;
        file.execute_batch(TABLES)?;
        let managed = file
            .prepare("SELECT managed, name FROM databases WHERE managed IS NOT NULL")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        hide_tokens(&file)?;
        let tokens = file
            .prepare("SELECT token, id, name, user, attributes, created, expires FROM tokens")?
            .query_map([], |row| {
                let token = Token {
                    id: row.get(1)?,
                    name: row.get(2)?,
                    user: row.get(3)?,
                    attributes: row.get(4)?,
                    created: row.get(5)?,
                    expires: row.get(6)?,
                };
                Ok((row.get(0)?, token))
            })?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self { file, databases: HashMap::new(), managed, tokens })
    }
}

/// Replaces the tokens that an earlier version kept as texts by their digests, and forgets those that have expired.
fn hide_tokens(file: &Connection) -> rusqlite::Result<()> {
    let texts = file
        .prepare(&format!("SELECT token FROM tokens WHERE token LIKE '%|{MARK}%'"))?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for text in texts {
        file.execute("UPDATE tokens SET token = ?2 WHERE token = ?1", [&text, &digest(&text)])?;
    }
    file.execute("DELETE FROM tokens WHERE expires < ?1", [Timestamp::now().to_string()])?;
    Ok(())
}

/// The digest of a key or token, in hexadecimal digits.
pub(super) fn digest(text: &str) -> String {
    crate::session::hex(&Sha256::digest(text))
}

/// Letters, digits, `-`, `_` and `.`, not starting with one of the last two: no way out of the data directory.
fn is_valid_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=100).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_name_cannot_leave_the_data_directory() {
        for name in ["test_stress_sync", "chinook.sqlite", "_a-1"] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", "..", ".hidden", "-rf", "a/b", "a\\b", "a b", "a\0", "é", &"x".repeat(101)] {
            assert!(!is_valid_name(name), "{name:?}");
        }
    }
}
