//! Every name that SQLite takes for a table or a column syncs, both ways, with policies and without.

use serde_json::json;

use super::{Server, client, dump, receive, send};
use crate::sql::{quote, without_double_quotes};

/// Names that the client's or the hub's own SQL uses, keywords, and what needs quotes.
const NAMES: &[&str] = &[
    "excluded",
    "NEW",
    "old",
    "cs_data",
    "cs_live",
    "cs_at",
    "cs_pk1",
    "cs_seq",
    "cs_site",
    "cs_row",
    "cs_shown",
    "cs_old_owner",
    "cs__seq",
    "rowid",
    "_rowid_",
    "oid",
    "version",
    "seq",
    "d",
    "t",
    "select",
    "main",
    "a b",
    "it's",
    "a\"b",
    "a`b",
    "[x]",
    "semi;colon",
    "ünï",
    "1st",
    "-- x",
    "true",
    "false",
    "",
];

/// A table and its columns: key, owner, value.
struct Named {
    table: String,
    key: String,
    value: String,
    schema: String,
}

impl Named {
    /// `name` in every role, where the roles allow it.
    fn all(name: &str) -> Vec<Self> {
        let roles = [(name, name, "value"), ("plain", "id", name)];
        let mut all = Vec::new();
        for (table, key, value) in roles {
            for suffix in ["", " WITHOUT ROWID"] {
                let (table, key, value) = (table.to_owned(), key.to_owned(), value.to_owned());
                let schema = format!(
                    "CREATE TABLE {}({} TEXT PRIMARY KEY NOT NULL, owner TEXT, {} TEXT){suffix}",
                    quote(&table),
                    quote(&key),
                    quote(&value)
                );
                all.push(Self { table, key, value, schema });
            }
        }
        all
    }

    fn rows(&self, connection: &rusqlite::Connection) -> Vec<String> {
        let (key, value) = (quote(&self.key), quote(&self.value));
        dump(connection, &format!("SELECT {key}, owner, {value} FROM main.{} ORDER BY 1", quote(&self.table)))
    }

    /// Makes the table on the server; with policies, a user sees and writes what is the user's own.
    fn provide(&self, server: &Server, policies: bool) {
        let ok = |sql: String| {
            let (status, answer) = server.sql(&format!("USE DATABASE d; {sql}"));
            assert_eq!(status, 200, "{sql}: {answer}");
        };
        let table = quote(&self.table);
        ok(self.schema.clone());
        let path = format!("/v1/databases/{}/cloudsync/enable", server.id);
        let (status, answer) = server.call("POST", &path, "manage", &json!({ "tables": [&self.table] }));
        assert_eq!(status, 200, "{}: {answer}", self.schema);
        if policies {
            // The select policy reads the value and the key, too, so that the hub has to watch them. SQLite gives no
            // column of a subquery the name `true` or `false`, so no policy of the hub's can read those.
            let read = |name: &str| if matches!(name, "true" | "false") { "owner".to_owned() } else { quote(name) };
            let (key, value) = (read(&self.key), read(&self.value));
            let select =
                format!("auth_userid() = owner AND coalesce({value}, '') <> 'hidden' AND {table}.{key} IS NOT NULL");
            ok(format!("ENABLE RLS DATABASE d TABLE {table}"));
            for (operation, policy) in [
                ("SELECT", select),
                ("INSERT", format!("auth_userid() = NEW.owner AND NEW.{value} IS NOT 'denied'")),
                ("UPDATE", "auth_userid() = OLD.owner AND auth_userid() = NEW.owner".to_owned()),
                ("DELETE", "auth_userid() = OLD.owner".to_owned()),
            ] {
                let policy = without_double_quotes(&policy).replace('"', "\"\"");
                ok(format!("SET RLS DATABASE d TABLE {table} {operation} \"{policy}\""));
            }
        }
    }

    /// Inserts, updates, deletes and replaces on one side arrive on the other, in both directions.
    fn sync(&self, server: &Server, policies: bool) {
        let says = |step: &str| format!("{step}: {} policies {policies}", self.schema);
        let credential = if policies { server.token("ann") } else { "key".to_owned() };
        let [one, two] = [(); 2].map(|()| {
            let connection = client(&self.schema, &self.table);
            server.connect(&connection, &credential);
            connection
        });
        let (table, key, value) = (format!("main.{}", quote(&self.table)), quote(&self.key), quote(&self.value));
        let steps = [
            format!("INSERT INTO {table} VALUES ('a', 'ann', '1'), ('b', 'ann', '2'), ('c', 'ann', '3')"),
            format!("UPDATE {table} SET {value} = '4' WHERE {key} = 'a'; DELETE FROM {table} WHERE {key} = 'b'"),
            format!(
                "UPDATE {table} SET {key} = 'z' WHERE {key} = 'c'; INSERT OR REPLACE INTO {table} VALUES ('a', 'ann', '5')"
            ),
            format!("INSERT INTO {table} VALUES ('b', 'ann', '6')"),
        ];
        for (place, step) in steps.iter().enumerate() {
            let (from, to) = if place % 2 == 0 { (&one, &two) } else { (&two, &one) };
            from.execute_batch(step).unwrap_or_else(|error| panic!("{}: {error}", says(step)));
            let answer = send(from).unwrap_or_else(|error| panic!("{}: {error}", says(step)));
            assert_eq!((&answer["status"], answer.get("lastFailure")), (&json!("synced"), None), "{}", says(step));
            let answer = receive(to).unwrap_or_else(|error| panic!("{}: {error}", says(step)));
            assert_eq!(answer.get("error"), None, "{}", says(step));
            assert_eq!(self.rows(from), self.rows(to), "{}", says(step));
        }
        assert_eq!(self.rows(&one).len(), 3, "{}", says("all"));
        // The administrator's own writes arrive as well.
        for step in [
            format!("UPDATE {table} SET {value} = '7' WHERE {key} = 'a'"),
            format!("DELETE FROM {table} WHERE {key} = 'b'"),
            format!("INSERT INTO {table} VALUES ('e', 'ann', '8'), ('f', 'bob', '9'), ('g', 'ann', 'hidden')"),
        ] {
            let (status, answer) = server.sql(&format!("USE DATABASE d; {step}"));
            assert_eq!(status, 200, "{}: {answer}", says(&step));
        }
        for connection in [&one, &two] {
            let answer = receive(connection).unwrap_or_else(|error| panic!("{}: {error}", says("the server's")));
            assert_eq!(answer.get("error"), None, "{}", says("the server's"));
        }
        let reads_value = policies && !matches!(self.value.as_str(), "true" | "false");
        let expected = 5 - usize::from(policies) - usize::from(reads_value);
        assert_eq!((self.rows(&one).len(), self.rows(&one)), (expected, self.rows(&two)), "{}", says("the server's"));
        if reads_value {
            one.execute_batch(&format!("INSERT INTO {table} VALUES ('x', 'ann', 'denied')")).expect("a row");
            send(&one).expect("send");
            assert_eq!(
                server.value(&format!("SELECT count(*) FROM {table} WHERE {key} = 'x'")),
                0,
                "{}",
                says("denied")
            );
            // What leaves the user's sight leaves the user's databases.
            let hide = format!("UPDATE {table} SET {value} = 'hidden' WHERE {key} = 'a'");
            assert_eq!(server.sql(&format!("USE DATABASE d; {hide}")).0, 200, "{}", says(&hide));
            receive(&two).expect("receive");
            assert_eq!(self.rows(&two).len(), 2, "{}", says("hidden"));
        }
    }
}

#[test]
fn every_name_syncs_both_ways() {
    let mut broken = Vec::new();
    for policies in [false, true] {
        let server = Server::start(Vec::new());
        for name in NAMES {
            for named in Named::all(name) {
                let taken =
                    rusqlite::Connection::open_in_memory().expect("memory").execute_batch(&named.schema).is_ok();
                if !taken {
                    continue;
                }
                let run = || {
                    named.provide(&server, policies);
                    named.sync(&server, policies);
                };
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
                    broken.push(format!("{} policies {policies}", named.schema));
                }
                let table = quote(&named.table);
                server.sql(&format!("USE DATABASE d; CLOUDSYNC DISABLE {table}"));
                server.sql(&format!("USE DATABASE d; DROP TABLE {table}"));
                server.sql("USE DATABASE d; DELETE FROM cloudsync_rls");
            }
        }
    }
    assert!(broken.is_empty(), "{} tables do not sync:\n{}", broken.len(), broken.join("\n"));
}
