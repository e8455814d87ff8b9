//! The connection string of an SQLiteCloud project, taken apart. It must not know what is done with its parts. No
//! message repeats the text, which holds a secret.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::error::TargetError;
use crate::failure::Secret;

const SCHEME: &str = "sqlitecloud://";
const DEFAULT_PORT: u16 = 8860;
const FORM: &str = "its form is `sqlitecloud://host:8860/database?apikey=…`; the dashboard's page `Connect` shows it";

/// `sqlitecloud://[user:password@]host[:port][/database]?apikey=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConnectionString {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: Option<String>,
    pub(super) api_key: Secret,
}

impl ConnectionString {
    pub(super) fn parse(text: &str) -> Result<Self, TargetError> {
        let wrong = |what: &str| TargetError::new(format!("the connection string {what}"), FORM);
        let text = text.trim();
        let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        let rest = &text[scheme.ok_or_else(|| wrong("does not start with `sqlitecloud://`"))?.len()..];
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = location.split_once('/').unwrap_or((location, ""));
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong("has a port that is not a number"))?),
            None => (address, DEFAULT_PORT),
        };
        let name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if host.is_empty() || !host.chars().all(name) {
            return Err(wrong(if host.is_empty() { "names no host" } else { "has a host that is not a name" }));
        }
        let decoded = |text: &str, what: &str| {
            let text = percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
            text.map_err(|_| wrong(&format!("has percent signs in its {what} that are not UTF-8")))
        };
        let value = |wanted: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            // Keys are written with `-` or `_`, in any case.
            pairs.find(|(key, _)| key.replace('-', "_").eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let Some(api_key) = value("apikey").filter(|key| !key.replace("%20", "").trim().is_empty()) else {
            return Err(no_key(value("token").is_some(), user.is_some()));
        };
        let database = decoded(database.trim_end_matches('/'), "database")?;
        Ok(Self {
            host: host.to_owned(),
            port,
            database: Some(database).filter(|name| !name.is_empty()),
            api_key: decoded(api_key, "apikey")?.into(),
        })
    }

    /// The project's id: the first label of its host.
    pub(super) fn project(&self) -> &str {
        self.host.split('.').next().unwrap_or(&self.host)
    }

    /// The string by which the sync service reaches the project.
    pub(super) fn for_registration(&self) -> Secret {
        let key = utf8_percent_encode(self.api_key.expose(), NON_ALPHANUMERIC);
        format!("{SCHEME}{}:{}?apikey={key}", self.host, self.port).into()
    }
}

fn no_key(token: bool, user: bool) -> TargetError {
    let (what, help) = if token {
        ("has an access token, which is a user's, and no `apikey`", "put the project's api key into it as `apikey=…`")
    } else if user {
        (
            "has a user and a password and no `apikey`",
            "the HTTP interfaces accept only an api key: create one in the dashboard and write `?apikey=…`",
        )
    } else {
        ("has no `apikey`", FORM)
    };
    TargetError::new(format!("the connection string {what}"), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ConnectionString {
        ConnectionString::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_documented_form_is_taken_apart() {
        let parsed = parse("sqlitecloud://abc.g1.sqlite.cloud:8861/my%20db.sqlite?timeout=3&apikey=k%2Fy%2B");
        assert_eq!((parsed.host.as_str(), parsed.port), ("abc.g1.sqlite.cloud", 8861));
        assert_eq!((parsed.database.as_deref(), parsed.api_key.expose()), (Some("my db.sqlite"), "k/y+"));
        assert_eq!(parsed.project(), "abc");
        for text in ["sqlitecloud://h?apikey=k", "sqlitecloud://h/?apikey=k", "SQLiteCloud://h?ApiKey=k&compress=1"] {
            let parsed = parse(text);
            assert_eq!((parsed.port, parsed.database, parsed.api_key.expose()), (8860, None, "k"), "{text}");
        }
        // The api key wins over a user.
        assert_eq!(parse("sqlitecloud://me:pass%40word@h/d?apikey=k").host, "h");
        assert_eq!(parse("sqlitecloud://h/d?token=t&apikey=k").api_key.expose(), "k");
    }

    #[test]
    fn what_the_service_is_given_is_encoded_again() {
        let parsed = parse("sqlitecloud://h/d?apikey=a%26b");
        assert_eq!(parsed.for_registration().expose(), "sqlitecloud://h:8860?apikey=a%26b");
    }

    #[test]
    fn a_wrong_connection_string_is_named_and_never_repeated() {
        for (text, what) in [
            ("http://h?apikey=hush", "does not start with"),
            ("é", "does not start with"),
            ("sqlitecloud://?apikey=hush", "names no host"),
            ("sqlitecloud://h:hush?apikey=k", "port that is not a number"),
            ("sqlitecloud://h hush?apikey=k", "host that is not a name"),
            ("sqlitecloud://h/hush", "has no `apikey`"),
            ("sqlitecloud://h/hush?apikey=", "has no `apikey`"),
            ("sqlitecloud://h/hush?apikey=%20", "has no `apikey`"),
            ("sqlitecloud://h/%FFhush?apikey=k", "not UTF-8"),
            ("sqlitecloud://me:hush@h/d", "a user and a password"),
            ("sqlitecloud://h/d?token=hush", "an access token"),
        ] {
            let Err(error) = ConnectionString::parse(text) else { panic!("{text}") };
            let error = error.to_string();
            assert!(error.contains(what) && !error.contains("hush"), "{text}: {error}");
        }
    }
}
