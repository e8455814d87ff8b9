//! The messages of the driver protocol, version 1: one JSON object per line. `stress help driver` describes them for
//! people, `schemas/driver.schema.json` for programs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::{Side, Told};

/// The version of the protocol.
pub(crate) const VERSION: u32 = 1;

/// What a driver is asked.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Request<'a> {
    /// Counted from 1. The answer repeats it.
    pub(crate) id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub(crate) op: Op<'a>,
}

/// An operation. Operations of different databases are in flight at the same time; a database has one at a time.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Op<'a> {
    /// The first request: who are you?
    Hello {
        /// The version of the protocol: 1.
        version: u32,
        /// The `settings` of the target in the scenario.
        settings: &'a Map<String, Value>,
        /// The number of databases of the scenario; higher numbers are new devices that are made at the end.
        databases: u32,
        /// The absolute path of a directory in which the driver may keep files.
        directory: &'a str,
    },
    /// Opens a database. It has the tables afterwards, however the engine has it: made here, or received.
    Open {
        /// The number of the database, from 1.
        db: u32,
        /// The absolute path of the database's file, which may be there from an earlier opening.
        file: &'a str,
        /// The user of the database.
        user: &'a str,
        /// Statements that make the tables.
        tables: &'a [String],
    },
    /// Begins a transaction.
    Begin {
        /// The number of the database.
        db: u32,
    },
    /// Commits the transaction.
    Commit {
        /// The number of the database.
        db: u32,
    },
    /// Takes the open transaction back. Does nothing where none is open.
    Rollback {
        /// The number of the database.
        db: u32,
    },
    /// Executes a statement once for each list of values. Without an open transaction each of them is a transaction.
    Exec {
        /// The number of the database.
        db: u32,
        /// The statement.
        sql: &'a str,
        /// The names of its parameters, such as `:id`, in the order of the values; empty where it has none.
        names: &'a [String],
        /// 1 to 1,000 lists of values.
        rows: &'a [Vec<Value>],
    },
    /// Reads rows. The answer may come in several lines.
    Query {
        /// The number of the database.
        db: u32,
        /// The query.
        sql: &'a str,
        /// The values of its `?`, in order.
        params: &'a [Value],
    },
    /// Sends what the database has changed.
    Send {
        /// The number of the database.
        db: u32,
        /// Options of the call.
        options: Options,
    },
    /// Receives what others have changed.
    Receive {
        /// The number of the database.
        db: u32,
        /// Options of the call.
        options: Options,
    },
    /// Sends and receives.
    Sync {
        /// The number of the database.
        db: u32,
        /// Options of the call.
        options: Options,
    },
    /// Asks whether the database has changes that were not sent.
    Unsent {
        /// The number of the database.
        db: u32,
    },
    /// Closes a database.
    Close {
        /// The number of the database.
        db: u32,
    },
    /// Reads rows on the server.
    ServerQuery {
        /// The query.
        sql: &'a str,
        /// The values of its `?`, in order.
        params: &'a [Value],
    },
    /// Interrupts a request, which is then answered with an error of the code `interrupted`.
    Interrupt {
        /// The `id` of the request.
        of: u64,
    },
}

/// Options of a sync call.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
pub(crate) struct Options {
    /// The largest number of parts that a receive takes, as the scenario says. An engine without parts ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_chunks: Option<u64>,
}

impl Op<'_> {
    /// The name of the operation.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Open { .. } => "open",
            Self::Begin { .. } => "begin",
            Self::Commit { .. } => "commit",
            Self::Rollback { .. } => "rollback",
            Self::Exec { .. } => "exec",
            Self::Query { .. } => "query",
            Self::Send { .. } => "send",
            Self::Receive { .. } => "receive",
            Self::Sync { .. } => "sync",
            Self::Unsent { .. } => "unsent",
            Self::Close { .. } => "close",
            Self::ServerQuery { .. } => "server_query",
            Self::Interrupt { .. } => "interrupt",
        }
    }
}

/// What a driver answers. Fields that are not described here are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Answer {
    /// The `id` of the request.
    pub(crate) id: u64,
    /// What failed.
    #[serde(default)]
    pub(crate) error: Option<EngineError>,
    /// Whether further lines of the same answer follow.
    #[serde(default)]
    pub(crate) more: bool,
    /// What the operation gives.
    #[serde(flatten)]
    pub(crate) given: Map<String, Value>,
}

/// An error of the engine.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct EngineError {
    /// The engine's own words.
    pub(crate) message: String,
    /// The engine's code, such as `SQLITE_BUSY`; `interrupted` for a request that was interrupted.
    #[serde(default)]
    pub(crate) code: Option<Code>,
    /// The HTTP status of the engine's server.
    #[serde(default)]
    pub(crate) http: Option<u16>,
    /// Where the error happened, as far as the driver knows.
    #[serde(default, rename = "where")]
    pub(crate) place: Option<Place>,
    /// Whether a retry can help, as far as the driver knows.
    #[serde(default)]
    pub(crate) retry: Option<bool>,
}

/// A code of an engine.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Code {
    /// A name.
    Text(String),
    /// A number.
    Number(i64),
}

/// Where an error happened.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// In the local database, or in the engine's client.
    Client,
    /// Between the client and the server.
    Network,
    /// In the server.
    Server,
}

impl EngineError {
    /// What the error's fields say.
    pub(super) fn told(&self) -> Told {
        Told {
            code: self.code.as_ref().map(|code| match code {
                Code::Text(text) => text.clone(),
                Code::Number(number) => number.to_string(),
            }),
            http: self.http,
            side: self.place.map(|place| match place {
                Place::Client => Side::Client,
                Place::Network => Side::Network,
                Place::Server => Side::Server,
            }),
            retry: self.retry,
        }
    }
}

/// The answer to `hello`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Hello {
    /// The driver's name.
    pub(crate) name: String,
    /// The engine.
    pub(crate) engine: Engine,
    /// What the engine promises.
    #[serde(default)]
    pub(crate) promises: Vec<Promise>,
    /// What the driver can be asked for.
    #[serde(default)]
    pub(crate) does: Vec<Ability>,
}

/// An engine.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Engine {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
}

/// What an engine promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Promise {
    /// All databases hold the same rows when everything was sent and received.
    Convergence,
    /// Of a row that several databases change, one database's row stays as a whole.
    RowMerge,
    /// Of a row that several databases change, each column stays as one of the databases wrote it.
    ColumnMerge,
    /// Of a row that several databases change, the row of the last push stays.
    LastPushWins,
    /// A database reads what it wrote.
    ReadYourWrites,
    /// A database does not go back to an earlier state of a row.
    MonotonicReads,
    /// A database sees all changes of another one's transaction or none.
    AtomicTransactions,
}

/// What a driver can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ability {
    /// Databases of different users see different rows.
    Rls,
    /// It answers `server_query`.
    ServerQuery,
    /// It can interrupt a request.
    Interrupt,
    /// A new database receives everything.
    Bootstrap,
    /// It knows whether a database has changes that were not sent.
    Unsent,
}

/// The answer to `exec`, also beside an error.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct Changed {
    /// The rows that all executions changed together; of a query, the rows that they gave. Beside an error: those that
    /// were changed before the error and stay.
    #[serde(default)]
    pub(crate) changed: u64,
}

/// The answer to `query` and `server_query`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Rows {
    /// The names of the columns.
    pub(crate) columns: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<Vec<Value>>,
}

/// The answer to `send`, `receive` and `sync`. What is not known is left out.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct Moved {
    /// Rows received.
    #[serde(default)]
    pub(crate) rows: Option<u64>,
    /// Bytes sent and received.
    #[serde(default)]
    pub(crate) bytes: Option<u64>,
    /// Parts sent and received.
    #[serde(default)]
    pub(crate) chunks: Option<u64>,
    /// Whether there is nothing more to receive.
    #[serde(default)]
    pub(crate) complete: Option<bool>,
}

impl std::fmt::Display for Moved {
    /// As the log has it: what is known.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers = [("rows", self.rows), ("bytes", self.bytes), ("chunks", self.chunks)];
        let known = numbers.into_iter().filter_map(|(name, number)| Some(format!("{name}={}", number?)));
        let complete = self.complete.map(|complete| format!("complete={complete}"));
        f.write_str(&known.chain(complete).collect::<Vec<_>>().join(", "))
    }
}

/// The answer to `unsent`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct Unsent {
    /// Whether there are changes that were not sent; null where nobody knows.
    pub(crate) unsent: Option<bool>,
}

/// The messages of the driver protocol of `stress`, version 1. Each message is one line of JSON: requests on the driver's
/// stdin, answers on its stdout. Every property here stands for one kind of message, or for what an answer holds beside
/// `id`, by the operation that is answered.
#[derive(JsonSchema)]
#[schemars(title = "stress driver protocol, version 1")]
#[expect(dead_code, reason = "only its schema is used")]
struct Protocol {
    /// What `stress` writes.
    request: Request<'static>,
    /// What a driver writes.
    answer: Answer,
    /// What the answer to `hello` holds.
    hello: Hello,
    /// What the answer to `exec` holds.
    exec: Changed,
    /// What the answer to `query` and `server_query` holds.
    query: Rows,
    /// What the answer to `send`, `receive` and `sync` holds.
    send: Moved,
    /// What the answer to `unsent` holds.
    unsent: Unsent,
}

/// The JSON schema (draft 2020-12) of the protocol. `schemas/driver.schema.json` is this value.
pub(crate) fn json_schema() -> Value {
    schemars::schema_for!(Protocol).to_value()
}
