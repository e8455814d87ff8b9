//! An SQLiteCloud project as its administrator meets it: the documented SQL commands, tokens and management calls over
//! HTTP on loopback, over a state in memory, and every way in which an answer can go wrong. It knows nothing of sync.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) const API_KEY: &str = "k3y/of+the=project&more";
pub(crate) const MANAGEMENT_KEY: &str = "m4nagement/key+with=signs";

/// How an answer goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wrong {
    /// This status with this body, instead of being done.
    Status(u16, &'static str),
    /// 429 with `Retry-After` in seconds.
    RateLimited(u64),
    /// Done, and half of the answer under the length of the whole.
    Torn,
    /// Done, and an answer that is cut JSON.
    CutJson,
    /// Done, and the connection ends instead of an answer.
    HungUp,
    /// An answer that does not come for this long.
    Slow(Duration),
    /// Done, by a clock of long ago.
    Clock,
    /// The server repeats what it was sent.
    Echo(u16),
    /// The server says all of this.
    Says(u16, fn() -> Vec<String>),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Asked {
    /// The method and path, or the SQL.
    pub(crate) fn what(&self) -> String {
        match self.body["sql"].as_str() {
            Some(sql) => sql.to_owned(),
            None => format!("{} {}", self.method, self.path),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Project {
    /// Tables by database.
    pub(crate) databases: BTreeMap<String, BTreeSet<String>>,
    /// Tables that sync is enabled for.
    pub(crate) enabled: BTreeSet<String>,
    pub(crate) policies: BTreeSet<String>,
    pub(crate) tokens: BTreeMap<String, Value>,
    pub(crate) managed: BTreeMap<String, String>,
    pub(crate) devices: BTreeSet<String>,
    pub(crate) asked: Vec<Asked>,
    /// The rows of all tables.
    rows: Option<rusqlite::Connection>,
    made: u32,
    /// What goes wrong: the request it strikes by a part of its text, how, and how often.
    wrong: Vec<(&'static str, Wrong, u32)>,
    /// The request, counted from 1, at which everything stops being answered.
    silent_at: Option<usize>,
}

/// The project while a test lasts.
pub(crate) struct StandIn {
    pub(crate) url: String,
    project: Arc<Mutex<Project>>,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let project = Arc::new(Mutex::new(Project::default()));
        let shared = Arc::clone(&project);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let project = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &project));
            }
        });
        Self { url, project }
    }

    pub(crate) fn project(&self) -> MutexGuard<'_, Project> {
        lock(&self.project)
    }

    /// Lets requests that contain `part` go wrong, this often.
    pub(crate) fn plant(&self, part: &'static str, wrong: Wrong, times: u32) {
        self.project().wrong.push((part, wrong, times));
    }

    /// From this request on nobody answers.
    pub(crate) fn falls_silent_at(&self, request: Option<usize>) {
        let mut project = self.project();
        project.silent_at = request.map(|request| request + project.asked.len());
    }

    /// All requests since the last look, as text.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.project().asked).iter().map(Asked::what).collect()
    }

    /// The lines of a target that meets this project; no sync call reaches anybody.
    pub(crate) fn target(&self, more: &str) -> String {
        let url = &self.url;
        format!(
            "target:\n  cloudsync:\n    address: http://127.0.0.1:9\n    connection_string: \"{{{{ env.TEST_CONNECTION }}}}\"\n    admin_address: {url}\n    management_address: {url}\n    admin_timeout: 8s\n{more}"
        )
    }
}

fn lock(project: &Mutex<Project>) -> MutexGuard<'_, Project> {
    project.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &TcpStream, project: &Mutex<Project>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let (mut length, mut bearer) = (0, String::new());
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).is_err() || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.trim().split_once(':').unwrap_or_default();
        match name.to_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => value.trim().trim_start_matches("Bearer ").clone_into(&mut bearer),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let asked = Asked { method, path, body: serde_json::from_slice(&body).unwrap_or(Value::Null) };
    answer(stream, project, &asked, &bearer, &body);
}

fn answer(stream: &TcpStream, project: &Mutex<Project>, asked: &Asked, bearer: &str, body: &[u8]) {
    let mut state = lock(project);
    state.asked.push(asked.clone());
    if state.silent_at.is_some_and(|at| state.asked.len() >= at) {
        drop(state);
        // Longer than any test; the process that waits is killed.
        std::thread::sleep(Duration::from_secs(120));
        return;
    }
    let what = asked.what();
    let planted = state.wrong.iter_mut().find(|(part, _, times)| *times > 0 && what.contains(part));
    let wrong = planted.map(|(_, wrong, times)| {
        *times -= 1;
        *wrong
    });
    if let Some(Wrong::Status(status, text)) = wrong {
        return write(stream, status, "", text.as_bytes(), text.len());
    }
    if let Some(Wrong::Echo(status)) = wrong {
        let text = json!({ "error": { "detail": format!("{bearer} sent {}", String::from_utf8_lossy(body)) } });
        let text = text.to_string();
        return write(stream, status, "", text.as_bytes(), text.len());
    }
    if let Some(Wrong::Says(status, texts)) = wrong {
        let text = json!({ "error": { "detail": texts().join(" ") } }).to_string();
        return write(stream, status, "", text.as_bytes(), text.len());
    }
    if let Some(Wrong::RateLimited(seconds)) = wrong {
        return write(stream, 429, &format!("Retry-After: {seconds}\r\n"), b"", 0);
    }
    let (status, document) = state.answer(asked, bearer);
    drop(state);
    let text = if document.is_null() { String::new() } else { document.to_string() };
    match wrong {
        Some(Wrong::HungUp) => {}
        Some(Wrong::Torn) => write(stream, status, "", &text.as_bytes()[..text.len() / 2], text.len()),
        Some(Wrong::CutJson) => write(stream, status, "", &text.as_bytes()[..text.len() / 2], text.len() / 2),
        Some(Wrong::Slow(time)) => {
            std::thread::sleep(time);
            write(stream, status, "", text.as_bytes(), text.len());
        }
        Some(Wrong::Clock) => {
            write(stream, status, "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n", text.as_bytes(), text.len());
        }
        _ => write(stream, status, "", text.as_bytes(), text.len()),
    }
}

fn write(mut stream: &TcpStream, status: u16, headers: &str, body: &[u8], length: usize) {
    let date = if headers.contains("Date:") {
        String::new()
    } else {
        format!("Date: {}\r\n", jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT"))
    };
    let length = if status == 204 { String::new() } else { format!("Content-Length: {length}\r\n") };
    let head = format!("HTTP/1.1 {status} Status\r\n{date}{length}{headers}Connection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn error(status: u16, detail: &str) -> (u16, Value) {
    (status, json!({ "error": { "status": status.to_string(), "title": "Error", "detail": detail } }))
}

fn errors(status: u16, code: &str, detail: &str) -> (u16, Value) {
    (status, json!({ "errors": [{ "status": status.to_string(), "code": code, "detail": detail }] }))
}

#[expect(clippy::needless_pass_by_value, reason = "what it is given is made for it")]
fn data(data: Value) -> (u16, Value) {
    (200, json!({ "data": data }))
}

impl Project {
    fn answer(&mut self, asked: &Asked, bearer: &str) -> (u16, Value) {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let body = &asked.body;
        if parts[0] == "v1" {
            if bearer != MANAGEMENT_KEY {
                return errors(401, "unauthorized", "unknown key");
            }
            return self.manage(&asked.method, &parts[1..], query, body);
        }
        let known = bearer == API_KEY || self.tokens.contains_key(bearer);
        match (asked.method.as_str(), &parts[1..]) {
            ("GET", ["health"]) => data(json!({ "version": "1" })),
            _ if !known => error(401, "unknown key or token"),
            ("GET", ["tokens", "authorized"]) => (204, Value::Null),
            _ if bearer != API_KEY => error(403, "this takes the api key"),
            ("POST", ["weblite", "sql"]) => {
                self.sql(body["database"].as_str(), body["sql"].as_str().unwrap_or_default())
            }
            ("POST", ["tokens"]) => {
                self.made += 1;
                let token = format!("{}|sqa_s3cret+{}", self.made, self.made);
                self.tokens.insert(token.clone(), body.clone());
                data(json!({ "accessTokenId": self.made, "token": token, "userId": body["userId"] }))
            }
            ("DELETE", ["tokens"]) => match self.tokens.remove(body["token"].as_str().unwrap_or_default()) {
                Some(_) => data(json!("OK")),
                None => error(404, "no such token"),
            },
            _ => error(404, "no such path"),
        }
    }

    /// The last statement's answer.
    fn sql(&mut self, database: Option<&str>, sql: &str) -> (u16, Value) {
        let mut last = data(json!("OK"));
        for statement in sql.split(";\n") {
            last = self.statement(database, statement.trim());
            if last.0 != 200 {
                break;
            }
        }
        last
    }

    fn statement(&mut self, database: Option<&str>, statement: &str) -> (u16, Value) {
        let names = |names: Vec<&String>| data(names.into_iter().map(|name| json!({ "name": name })).collect());
        let words: Vec<String> =
            statement.split_whitespace().map(|word| word.trim_matches(['"', '(']).to_owned()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match &words[..] {
            ["LIST", "DATABASES"] => return names(self.databases.keys().collect()),
            ["CREATE", "DATABASE", name, "IF", "NOT", "EXISTS"] => {
                self.databases.entry((*name).to_owned()).or_default();
                return data(json!("OK"));
            }
            ["REMOVE", "DATABASE", name, "IF", "EXISTS"] => {
                self.databases.remove(*name);
                return data(json!("OK"));
            }
            _ => {}
        }
        let Some(tables) = database.and_then(|database| self.databases.get_mut(database)) else {
            return error(404, "database does not exist");
        };
        match &words[..] {
            ["LIST", "TABLES"] => return names(tables.iter().collect()),
            ["CLOUDSYNC", "DISABLE", table] => {
                tables.remove(&format!("{table}_cloudsync"));
                self.enabled.remove(*table);
            }
            ["DROP", "TABLE", "IF", "EXISTS", table] => {
                assert!(!self.enabled.contains(*table), "{table} is dropped while sync is enabled for it");
                tables.remove(*table);
                self.run(statement);
                self.policies.retain(|policy| !policy.contains(&format!(" {table} ")));
            }
            ["CREATE", "TABLE", table, ..] => {
                if !tables.insert((*table).to_owned()) {
                    return error(400, &format!("table {table} already exists"));
                }
                self.run(statement);
            }
            ["CREATE", ..] => {}
            ["ENABLE", "RLS", "DATABASE", _, "TABLE", table] => {
                self.policies.insert(format!("on {table} "));
            }
            ["SET", "RLS", "DATABASE", _, "TABLE", table, operation, ..] => {
                self.policies.insert(format!("{operation} {table} "));
            }
            ["SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH", ..] => return self.run(statement),
            _ => return error(400, &format!("Unable to find command {statement}")),
        }
        data(json!("OK"))
    }

    /// What SQLite answers.
    fn run(&mut self, statement: &str) -> (u16, Value) {
        use rusqlite::types::ValueRef;
        let connection =
            self.rows.get_or_insert_with(|| rusqlite::Connection::open_in_memory().expect("there is memory"));
        let answer = || -> rusqlite::Result<Value> {
            let mut statement = connection.prepare(statement)?;
            let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let row = |row: &rusqlite::Row<'_>| {
                let value = |at: usize| -> rusqlite::Result<Value> {
                    Ok(match row.get_ref(at)? {
                        ValueRef::Null => Value::Null,
                        ValueRef::Integer(number) => json!(number),
                        ValueRef::Real(number) => json!(number),
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => json!(String::from_utf8_lossy(bytes)),
                    })
                };
                names.iter().enumerate().map(|(at, name)| Ok((name.clone(), value(at)?))).collect()
            };
            let rows: Vec<serde_json::Map<String, Value>> =
                statement.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
            Ok(json!(rows))
        };
        answer().map_or_else(|failed| error(400, &failed.to_string()), data)
    }

    fn manage(&mut self, method: &str, parts: &[&str], query: &str, body: &Value) -> (u16, Value) {
        let unknown = || errors(404, "not_found", "managed database not found");
        match (method, parts) {
            ("GET", ["orgs"]) => data(json!({ "organizationId": "1", "slug": "tests", "name": "tests" })),
            ("GET", ["databases"]) => {
                assert!(query.contains("projectId=127"), "{query}");
                let list = self.managed.iter().map(
                    |(database, id)| json!({ "managedDatabaseId": id, "databaseName": database, "projectId": "127" }),
                );
                data(list.collect())
            }
            ("POST", ["databases"]) => {
                let name = body["databaseName"].as_str().unwrap_or_default().to_owned();
                if self.managed.contains_key(&name) {
                    return errors(409, "already_exists", "resource already exists");
                }
                if !self.databases.contains_key(&name) {
                    return errors(400, "database_unreachable", "no such database");
                }
                let id = format!("db_{}", self.managed.len() + 1);
                self.managed.insert(name, id.clone());
                data(json!({ "managedDatabaseId": id }))
            }
            (_, ["databases", id, rest @ ..]) => {
                let Some(database) = self.managed.iter().find(|(_, known)| known == id).map(|(name, _)| name.clone())
                else {
                    return unknown();
                };
                self.managed(method, &database, rest, body)
            }
            _ => unknown(),
        }
    }

    fn managed(&mut self, method: &str, database: &str, parts: &[&str], body: &Value) -> (u16, Value) {
        let named = body["tables"].as_array().into_iter().flatten().filter_map(Value::as_str);
        match (method, parts) {
            ("DELETE", []) => {
                self.managed.remove(database);
                data(json!({}))
            }
            ("GET", ["connection"]) => data(json!({ "ok": true })),
            ("GET", ["cloudsync", "tables"]) => {
                let tables = self.databases.get(database).into_iter().flatten();
                data(tables.map(|name| json!({ "name": name, "enabled": self.enabled.contains(name) })).collect())
            }
            ("POST", ["cloudsync", verb]) => {
                for table in named {
                    let tables = self.databases.entry(database.to_owned()).or_default();
                    if !tables.contains(table) {
                        return errors(400, "bad_request", "no such table");
                    }
                    let companion = format!("{table}_cloudsync");
                    if *verb == "enable" {
                        tables.insert(companion);
                        self.enabled.insert(table.to_owned());
                    } else {
                        tables.remove(&companion);
                        self.enabled.remove(table);
                    }
                }
                data(json!({}))
            }
            ("GET", ["devices"]) => data(self.devices.iter().map(|site| json!({ "siteId": site })).collect()),
            ("DELETE", ["devices", site]) if self.devices.remove(*site) => data(json!({})),
            ("DELETE", ["devices", _]) => errors(404, "not_found", "no such device"),
            _ => errors(404, "not_found", "no such path"),
        }
    }
}
