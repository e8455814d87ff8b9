//! The table of a new scenario, and statements that fill and change it: those of the default, or made for the columns
//! that SQLite finds in the author's own SQL.

use rusqlite::Connection;

use super::super::problem::Problem;
use crate::sql::quote;

/// The table of results, with the rows of the original shell script.
const NAME: &str = "test_sync";
const COLUMNS: &str = "(id TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', name TEXT, value INTEGER)";

/// The column by which policies know whose a row is.
pub(super) const USER: &str = "user_id";

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    name: String,
    /// Its name in SQL.
    quoted: String,
    /// The author's own SQL; absent for the default.
    own: Option<String>,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    /// Its name in SQL.
    quoted: String,
    kind: Kind,
    key: bool,
}

/// What is put into a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Bytes,
}

impl Default for Table {
    fn default() -> Self {
        let sql = format!("CREATE TABLE {NAME} {COLUMNS}");
        let table = Self::of(&sql).expect("the default is a table");
        Self { own: None, quoted: "{{ table }}".to_owned(), ..table }
    }
}

impl Table {
    /// The table that a statement creates, or what is wrong with it. CloudSync's own rules are the scenario's to check.
    pub(super) fn of(sql: &str) -> Result<Self, Problem> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        let failed = |error: rusqlite::Error| {
            Problem::usage(match error {
                rusqlite::Error::SqlInputError { msg, .. } => msg,
                rusqlite::Error::SqliteFailure(_, Some(message)) => message,
                other => other.to_string(),
            })
        };
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.execute_batch(sql).map_err(failed)?;
        let texts = |sql: &str, of: &str| -> rusqlite::Result<Vec<(String, String, bool)>> {
            let mut statement = connection.prepare(sql)?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            statement.query_map([of], row)?.collect()
        };
        let tables = "SELECT name, '', 0 FROM sqlite_schema WHERE type = ?1";
        let [(name, ..)] = &texts(tables, "table").map_err(failed)?[..] else {
            return Err(Problem::usage("it must create one table: CREATE TABLE notes (id TEXT PRIMARY KEY, …)"));
        };
        // Hidden columns, 2 and 3, are generated ones: nothing is put into them.
        let columns = "SELECT name, type, pk > 0 FROM pragma_table_xinfo(?1) WHERE hidden = 0";
        let columns = texts(columns, name).map_err(failed)?;
        let table = quote(name);
        let columns = columns.into_iter().map(|(name, declared, key)| Column {
            quoted: as_plain_as_can_be(&name, |name| {
                connection.prepare(&format!("SELECT {name} FROM {table}")).is_ok()
            }),
            kind: Kind::of(&declared),
            name,
            key,
        });
        Ok(Self {
            name: name.clone(),
            quoted: as_plain_as_can_be(name, |name| connection.prepare(&format!("SELECT 1 FROM {name}")).is_ok()),
            own: Some(sql.to_owned()),
            columns: columns.collect(),
        })
    }

    /// Whether rows can be told apart by their user.
    pub(super) fn has_users(&self) -> bool {
        self.columns.iter().any(|column| column.name == USER)
    }

    /// Its name, as a text of YAML.
    pub(super) fn name(&self) -> String {
        if self.own.is_none() { "\"{{ table }}\"".to_owned() } else { serde_json::Value::from(&*self.name).to_string() }
    }

    /// Its name in SQL.
    pub(super) fn quoted(&self) -> &str {
        &self.quoted
    }

    /// The variable that the default has for its name.
    pub(super) fn vars(&self) -> String {
        if self.own.is_some() {
            return String::new();
        }
        format!(
            "vars:                              # names of your own: {{{{ table }}}} below; --var table=notes\n  table: {}\n\n",
            self.name
        )
    }

    /// What a person sees of it.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.name, self.own.as_deref().unwrap_or(COLUMNS))
    }

    /// `CREATE TABLE …`.
    pub(super) fn sql(&self) -> String {
        self.own.clone().unwrap_or_else(|| format!("CREATE TABLE {{{{ table }}}} {COLUMNS}"))
    }

    /// `INSERT INTO …` with a value for every column.
    pub(super) fn insert(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| column.quoted.clone()).collect();
        let values: Vec<String> = self.columns.iter().map(|column| self.value(column)).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.quoted(), names.join(", "), values.join(", "))
    }

    /// The parameters of [`Self::insert`] that are the scenario's own, as a map of YAML.
    pub(super) fn bind(&self) -> Option<String> {
        let values: Vec<String> = self.columns.iter().map(|column| self.value(column)).collect();
        let has = |value: &str| values.iter().any(|other| other == value);
        let generated = [(":text", "text: \"{{ text(40) }}\""), (":bytes", "bytes: \"{{ bytes(40) }}\"")];
        let bound: Vec<&str> = generated.into_iter().filter(|(name, _)| has(name)).map(|(_, bind)| bind).collect();
        (!bound.is_empty()).then(|| bound.join(", "))
    }

    /// What an update sets; none for a table that has nothing to change.
    pub(super) fn update(&self) -> Option<String> {
        let free = || self.columns.iter().filter(|column| !column.key && column.name != USER);
        let of = |kind| free().find(move |column| column.kind == kind).map(|column| &column.quoted);
        let number = of(Kind::Number).map(|name| format!("{name} = {name} + 1"));
        number.or_else(|| of(Kind::Text).map(|name| format!("{name} = substr({name}, 2) || substr({name}, 1, 1)")))
    }

    fn value(&self, column: &Column) -> String {
        let id = self.columns.iter().find(|column| column.key && column.kind == Kind::Text && column.name != USER);
        let value = match column.kind {
            _ if column.name == USER => ":user_id",
            _ if id.is_some_and(|id| id.name == column.name) => ":id",
            Kind::Bytes if column.key => "CAST(:id AS BLOB)",
            // Whatever the other columns of the key are: no two rows of a run have the same.
            Kind::Number if column.key && id.is_none() => "(:db * 1000000 + :iteration) * 1000000 + :row",
            Kind::Text => ":text",
            Kind::Number => ":row",
            Kind::Bytes => ":bytes",
        };
        value.to_owned()
    }
}

impl Kind {
    /// By the rules of SQLite's affinities.
    fn of(declared: &str) -> Self {
        let declared = declared.to_uppercase();
        let has = |part: &&str| declared.contains(*part);
        if has(&"INT") {
            Self::Number
        } else if ["CHAR", "CLOB", "TEXT", "ANY", "JSON", "UUID"].iter().any(has) {
            Self::Text
        } else if declared.is_empty() || has(&"BLOB") {
            Self::Bytes
        } else {
            Self::Number
        }
    }
}

/// A name as SQL takes it, without quotes where that is understood.
fn as_plain_as_can_be(name: &str, understood: impl Fn(&str) -> bool) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && understood(name);
    if plain { name.to_owned() } else { quote(name) }
}
