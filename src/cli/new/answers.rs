//! What a new scenario is to be, and its text. Whoever asked for the answers, a person or the arguments, is not known
//! here; a secret is never among them.

use clap::ValueEnum;

use super::table::Table;

const TEMPLATE: &str = include_str!("scenario.yaml");
/// The sync server that the extension knows by itself.
pub(super) const ADDRESS: &str = "https://cloudsync.sqlite.ai";
/// Where a scenario takes its secrets from.
pub(super) const CONNECTION_VARIABLE: &str = "SQLITECLOUD_CONNECTION";
pub(super) const MANAGEMENT_VARIABLE: &str = "CLOUDSYNC_MANAGEMENT_KEY";

/// The answers; those by default make a scenario that runs as it is.
#[derive(Clone)]
pub(super) struct Answers {
    pub(super) name: String,
    pub(super) cloud: Option<Cloud>,
    pub(super) scale: Scale,
    pub(super) rls: bool,
    pub(super) table: Table,
}

/// How the real target is reached.
#[derive(Clone)]
pub(super) struct Cloud {
    pub(super) address: String,
    /// The database, where the connection string does not name the one that is meant.
    pub(super) database: Option<String>,
    /// The database, where it may be changed although it is not called `test_…`.
    pub(super) allowed: Option<String>,
    /// Whether a key of the management API enables sync; else a person does, on the dashboard.
    pub(super) managed: bool,
}

/// A scale that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Preset {
    /// 1,000 rows, 5 iterations, 2 databases
    Small,
    /// 10,000 rows, 10 iterations, 4 databases
    Medium,
    /// 100,000 rows, 50 iterations, 4 databases
    Large,
}

/// How much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) databases: u64,
    pub(super) iterations: u64,
    pub(super) rows: u64,
    /// As the scenario writes it.
    pub(super) time_limit: &'static str,
}

impl Preset {
    pub(super) const fn scale(self) -> Scale {
        match self {
            Self::Small => Scale { databases: 2, iterations: 5, rows: 1_000, time_limit: "10m" },
            Self::Medium => Scale { databases: 4, iterations: 10, rows: 10_000, time_limit: "10m" },
            // What the time limit cuts is never a PASS, and 50 iterations of this size take longer than the others.
            Self::Large => Scale { databases: 4, iterations: 50, rows: 100_000, time_limit: "60m" },
        }
    }
}

impl Answers {
    /// The scenario.
    pub(super) fn text(&self) -> String {
        let Self { name, cloud, scale: Scale { databases, iterations, rows, time_limit }, rls, table } = self;
        let part = |wanted: bool, text: String| if wanted { text } else { String::new() };
        let quoted = table.quoted();
        let bind = table.bind().map(|bind| format!("    bind: {{ {bind} }}\n"));
        let update = table.update().map(|set| {
            format!(
                "  - name: update\n    kind: update\n    sql: >-\n      UPDATE {quoted} SET {set}\n    sync: [send, receive]\n\n"
            )
        });
        let policies = format!(
            "rls:                               # who may see and write which row
  policies:
    {}:
      select: auth_userid() = user_id
      insert: auth_userid() = NEW.user_id
      update: auth_userid() = NEW.user_id AND auth_userid() = OLD.user_id
      delete: auth_userid() = OLD.user_id\n\n",
            table.name()
        );
        let isolation = "  - isolation                      # nobody holds a row that the select policy forbids\n";
        let parts = [
            ("__NAME__", name.clone()),
            (
                "__DESCRIPTION__",
                format!("{databases} databases delete, insert and update the same table, all at once."),
            ),
            ("__VARS__", table.vars()),
            (
                "__SCALE__",
                format!(
                    "{{ databases: {databases}, iterations: {iterations}, rows: {rows}, time_limit: {time_limit} }}"
                ),
            ),
            ("__TARGET__", cloud.as_ref().map_or_else(embedded, Cloud::text)),
            ("__TABLE__", table.name()),
            ("__SQL__", table.sql()),
            ("__RLS__", part(*rls, policies)),
            ("__QUOTED__", quoted.to_owned()),
            ("__INSERT__", table.insert()),
            ("__BIND__", bind.unwrap_or_default()),
            ("__UPDATE__", update.unwrap_or_default()),
            ("__ISOLATION__", part(*rls, isolation.to_owned())),
        ];
        parts.into_iter().fold(TEMPLATE.to_owned(), |text, (place, part)| text.replace(place, &part))
    }

    /// What a person does next, as lines of shell: `file` is the scenario's path.
    pub(super) fn next(&self, file: &str) -> String {
        let mut lines = Vec::new();
        if let Some(cloud) = &self.cloud {
            lines.push(format!("export {CONNECTION_VARIABLE}='sqlitecloud://<host>:8860/<database>?apikey=<apikey>'"));
            if cloud.managed {
                lines.push(format!("export {MANAGEMENT_VARIABLE}='<key of the management API>'"));
            }
            lines.push("stress extension install".to_owned());
            lines.push(format!("stress doctor {file}"));
        }
        lines.push(format!("stress plan {file}"));
        lines.push(format!("stress run {file}"));
        format!("  {}\n", lines.join("\n  "))
    }
}

fn embedded() -> String {
    " embedded                   # a hub on this machine; `stress schema` shows the options of `cloudsync`".to_owned()
}

impl Cloud {
    fn text(&self) -> String {
        // JSON's texts are YAML's.
        let json = |text: &str| serde_json::Value::from(text).to_string();
        let mut lines = vec![String::new(), "  cloudsync:".to_owned()];
        if self.address != ADDRESS {
            lines.push(format!("    address: {}", json(&self.address)));
        }
        lines.push(format!("    connection_string: \"{{{{ env.{CONNECTION_VARIABLE} }}}}\""));
        if let Some(database) = &self.database {
            lines.push(format!("    database: {}", json(database)));
        }
        if let Some(database) = &self.allowed {
            lines.push(format!("    allow_databases: [{}]", json(database)));
        }
        if self.managed {
            lines.push(format!("    management_key: \"{{{{ env.{MANAGEMENT_VARIABLE} }}}}\""));
        }
        lines.push(
            "    provision: true                # database, table, policies and sync, made anew for every run"
                .to_owned(),
        );
        lines.join("\n")
    }
}
