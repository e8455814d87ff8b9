//! The declared tables as SQLite understands them: columns, primary keys, CloudSync's table rules, and whether a
//! statement prepares against them. Asks SQLite in memory; nothing here touches a file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext};

use super::guard::{Guard, is_of_extension};
use super::table::{Collation, KeyColumn, Triggered};
use crate::scenario::Issue;
use crate::sql::quote;
use crate::suggest::suggest;

/// The declared tables, in memory.
pub(super) struct Tables {
    guard: Guard,
    /// Whether the rules of CloudSync hold: a driver's engine has its own.
    cloudsync: bool,
    names: Vec<String>,
    /// Tables whose rows no phase may change.
    grow_only: Vec<String>,
}

/// What SQLite says is wrong with a statement.
pub(super) struct SqlProblem {
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Bytes of the statement at fault.
    pub(super) range: Option<Range<usize>>,
}

/// A table's columns, as far as the plan needs them.
pub(super) struct Columns {
    pub(super) all: Vec<String>,
    pub(super) places: Vec<i32>,
    pub(super) primary_key: Vec<String>,
    pub(super) key: Vec<KeyColumn>,
}

/// A column as it is merged.
pub(super) struct MergedColumn {
    pub(super) name: String,
    pub(super) declared: String,
    pub(super) kind: MergedKind,
}

/// What a column is for a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MergedKind {
    Key,
    Generated,
    /// Whatever is written there becomes a text, but NULL and blobs.
    Text,
    Other,
}

/// What a policy reads.
#[derive(Default)]
pub(super) struct Reads {
    /// Columns of the row itself, in lower case.
    pub(super) columns: BTreeSet<String>,
    /// Other tables, in lower case.
    pub(super) tables: BTreeSet<String>,
    /// Whether the policy also asks the clock or chance, or other rows of the same table.
    pub(super) anything: bool,
}

/// SQLite's functions whose answer depends on more than their arguments.
const CHANGEABLE: [&str; 13] = [
    "changes",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "julianday",
    "last_insert_rowid",
    "random",
    "randomblob",
    "strftime",
    "time",
    "unixepoch",
];

impl Tables {
    pub(super) fn new(sandbox: bool, cloudsync: bool) -> Result<Self, rusqlite::Error> {
        Ok(Self { guard: Guard::new(sandbox)?, cloudsync, names: Vec::new(), grow_only: Vec::new() })
    }

    /// Creates a table and checks the rules for it.
    pub(super) fn create(&mut self, pointer: &str, name: &str, sql: &str, issues: &mut Vec<Issue>) -> Option<Columns> {
        let sql_pointer = format!("{pointer}/sql");
        if let Err(error) = self.guard.declare(sql) {
            let problem = self.explain(&error);
            let message = format!("the table's SQL does not run: {}", problem.message);
            let issue = Issue::new(sql_pointer, "sql::create", message).range(problem.range);
            issues.push(issue.maybe_help(problem.help));
            return None;
        }
        let columns = self.columns(name).ok().filter(|columns| !columns.is_empty());
        let Some(columns) = columns else {
            let message = format!("the SQL does not create a table called `{name}`");
            let help = format!("write `CREATE TABLE {name} (…)`, or name the table it creates under `name`");
            issues.push(Issue::new(sql_pointer, "sql::create", message).help(help));
            return None;
        };
        self.names.push(name.to_owned());
        if self.cloudsync {
            Self::check_rules(&sql_pointer, name, &columns, issues);
            Self::check_name(pointer, name, issues);
        } else if columns.iter().all(|column| column.key == 0) {
            let message = format!("table `{name}` has no primary key, by which its rows are compared");
            let help = "declare a key that is unique across all databases, such as `id TEXT PRIMARY KEY`";
            issues.push(Issue::new(sql_pointer, "target::driver", message).help(help));
        }
        Some(self.plan_of(name, &columns))
    }

    /// The columns of a table as it is now, as far as the plan needs them.
    pub(super) fn columns_of(&self, name: &str) -> Option<Columns> {
        let columns = self.columns(name).ok().filter(|columns| !columns.is_empty())?;
        Some(self.plan_of(name, &columns))
    }

    fn plan_of(&self, name: &str, columns: &[Column]) -> Columns {
        let mut keys: Vec<&Column> = columns.iter().filter(|column| column.key > 0).collect();
        keys.sort_by_key(|column| column.key);
        let primary_key: Vec<String> = keys.into_iter().map(|column| column.name.clone()).collect();
        let held = || columns.iter().filter(|column| !column.generated);
        let collations = self.key_collations(name).unwrap_or_default();
        let key = primary_key.iter().map(|column| KeyColumn {
            place: held().position(|held| held.name == *column).unwrap_or_default(),
            collation: collations
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(column))
                .map_or(Collation::Binary, |(_, collation)| *collation),
        });
        Columns {
            all: held().map(|column| column.name.clone()).collect(),
            places: held().map(|column| column.place).collect(),
            key: key.collect(),
            primary_key,
        }
    }

    /// The table that a statement alters, as the scenario calls it where it is one of its own.
    pub(super) fn altered(&self, sql: &str) -> Option<String> {
        let hear = |altered: &mut Option<String>, context: &AuthContext<'_>| {
            if let AuthAction::AlterTable { table_name, .. } = context.action {
                *altered = Some(table_name.to_owned());
            }
        };
        let is_any = sql.to_ascii_lowercase().contains("alter");
        let table = is_any.then(|| self.guard.heard(sql, hear)).flatten()?;
        Some(self.names.iter().find(|name| name.eq_ignore_ascii_case(&table)).cloned().unwrap_or(table))
    }

    /// Whether the scenario declares a table of this name.
    pub(super) fn has(&self, table: &str) -> bool {
        self.names.iter().any(|name| name == table)
    }

    /// Alters a table, and checks CloudSync's rules for what it is then.
    pub(super) fn alter(&self, pointer: &str, table: &str, sql: &str) -> Result<Vec<Issue>, SqlProblem> {
        let explained = |error: rusqlite::Error| self.explain(&error);
        let before = self.columns(table).map_err(explained)?;
        self.guard.declare(sql).map_err(explained)?;
        let after = self.columns(table).map_err(explained)?;
        let code = "cloudsync::alter";
        if after.is_empty() {
            let message = format!("`{table}` must keep its name: CloudSync knows a table by it");
            let help = "an `alter` step can add, drop and rename columns";
            return Ok(vec![Issue::new(pointer, code, message).help(help)]);
        }
        let mut issues = Vec::new();
        Self::check_rules(pointer, table, &after, &mut issues);
        let key = |columns: &[Column]| -> Vec<String> {
            columns.iter().filter(|column| column.key > 0).map(|column| column.name.clone()).collect()
        };
        if key(&before) != key(&after) {
            let message = format!(
                "a column of the primary key of `{table}` is renamed: CloudSync would forget what it knows of every row, and which rows were deleted"
            );
            issues.push(Issue::new(pointer, code, message).help("rename other columns only"));
        }
        let is_new = |column: &&Column| !before.iter().any(|known| known.name == column.name);
        for column in after.iter().filter(is_new).filter(|_| after.len() > before.len()) {
            let default = column.default.as_deref().map(str::trim);
            let what = if default.is_some_and(|default| !is_constant(default)) {
                "a default that is not a constant"
            } else if column.not_null && default.is_some_and(|default| default.eq_ignore_ascii_case("null")) {
                "the default NULL and is NOT NULL"
            } else if column.is_stored {
                "a stored value"
            } else {
                continue;
            };
            let message = format!("the new column `{}` has {what}, but `{table}` may have rows", column.name);
            let help = "SQLite adds columns with constant defaults only: `DEFAULT 0`, `DEFAULT 'text'`";
            issues.push(Issue::new(pointer, code, message).help(help));
        }
        Ok(issues)
    }

    /// From here on, what is declared can be taken back.
    pub(super) fn mark(&self) -> Result<(), SqlProblem> {
        self.guard.connection().execute_batch("SAVEPOINT stress").map_err(|error| self.explain(&error))
    }

    /// Takes back what was declared since the mark.
    pub(super) fn take_back(&self) -> Result<(), SqlProblem> {
        let done = self.guard.connection().execute_batch("ROLLBACK TO stress; RELEASE stress");
        done.map_err(|error| self.explain(&error))
    }

    /// The collations of the primary key's columns, as its index compares them.
    fn key_collations(&self, table: &str) -> Result<Vec<(String, Collation)>, rusqlite::Error> {
        let sql = "SELECT x.name, x.coll FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) AS x \
                   WHERE l.origin = 'pk' AND x.key";
        let mut statement = self.guard.connection().prepare(sql)?;
        let rows =
            statement.query_map([table], |row| Ok((row.get(0)?, Collation::named(&row.get::<_, String>(1)?))))?;
        rows.collect()
    }

    /// Whether a table has a UNIQUE constraint or index besides its primary key.
    pub(super) fn has_unique(&self, table: &str) -> bool {
        let sql = "SELECT 1 FROM pragma_index_list(?1) WHERE \"unique\" AND origin <> 'pk'";
        self.guard.connection().prepare(sql).and_then(|mut statement| statement.exists([table])).unwrap_or(false)
    }

    /// The columns of a table, as far as the way in which they are merged depends on them.
    pub(super) fn merged(&self, table: &str) -> Vec<MergedColumn> {
        let merged = |column: Column| MergedColumn {
            kind: match column.key {
                _ if column.generated => MergedKind::Generated,
                1.. => MergedKind::Key,
                _ if column.is_text() => MergedKind::Text,
                _ => MergedKind::Other,
            },
            name: column.name,
            declared: column.declared,
        };
        self.columns(table).unwrap_or_default().into_iter().map(merged).collect()
    }

    /// What triggers do to tables, named in lower case, while a row of `table` is written.
    pub(super) fn triggered(&self, table: &str, columns: &[String]) -> BTreeMap<String, Triggered> {
        let name = quote(table);
        let same: Vec<String> = columns.iter().map(|column| format!("{0} = {0}", quote(column))).collect();
        let statements = [
            format!("INSERT INTO {name} DEFAULT VALUES"),
            format!("UPDATE {name} SET {}", same.join(", ")),
            format!("DELETE FROM {name}"),
        ];
        let mut written: BTreeMap<String, Triggered> = BTreeMap::new();
        for statement in statements {
            let hear = |written: &mut Vec<(String, Triggered)>, context: &AuthContext<'_>| {
                let (table, done) = match context.action {
                    AuthAction::Insert { table_name } => {
                        (table_name, Triggered { inserts: true, ..Triggered::default() })
                    }
                    AuthAction::Delete { table_name } => {
                        (table_name, Triggered { deletes: true, ..Triggered::default() })
                    }
                    AuthAction::Update { table_name, column_name } => {
                        let updates = BTreeSet::from([column_name.to_ascii_lowercase()]);
                        (table_name, Triggered { updates, ..Triggered::default() })
                    }
                    _ => return,
                };
                if context.accessor.is_some() {
                    written.push((table.to_ascii_lowercase(), done));
                }
            };
            for (table, done) in self.guard.heard(&statement, hear) {
                written.entry(table).or_default().add(done);
            }
        }
        written
    }

    /// What a policy reads. One that does not prepare reads nothing.
    pub(super) fn reads(&self, table: &str, operation: &str, policy: &str) -> Reads {
        let own = table.to_ascii_lowercase();
        let name = own.clone();
        let hear = move |(reads, selects): &mut (Reads, u32), context: &AuthContext<'_>| match context.action {
            // Without a name where no column is read.
            AuthAction::Read { column_name: "", table_name } if table_name.eq_ignore_ascii_case(&name) => {}
            AuthAction::Read { table_name, column_name } if table_name.eq_ignore_ascii_case(&name) => {
                reads.columns.insert(column_name.to_ascii_lowercase());
            }
            AuthAction::Read { table_name, .. } => {
                reads.tables.insert(table_name.to_ascii_lowercase());
            }
            AuthAction::Select => *selects += 1,
            AuthAction::Function { function_name } => {
                reads.anything |= CHANGEABLE.contains(&function_name.to_ascii_lowercase().as_str());
            }
            _ => {}
        };
        let (mut reads, selects) = self.guard.heard(&policy_sql(table, operation, policy), hear);
        reads.anything |= selects > 1 && names_as_source(policy, &own);
        reads
    }

    /// The first function of the extension that a statement calls.
    pub(super) fn extension_function(&self, sql: &str) -> Option<String> {
        let hear = |called: &mut Option<String>, context: &AuthContext<'_>| {
            if let AuthAction::Function { function_name } = context.action
                && is_of_extension(function_name)
            {
                called.get_or_insert_with(|| function_name.to_owned());
            }
        };
        self.guard.heard(sql, hear)
    }

    /// From now on, statements that change rows of this table are forbidden.
    pub(super) fn forbid_changes(&mut self, table: &str) {
        self.grow_only.push(table.to_owned());
    }

    /// What a statement does to tables whose rows may not be changed: the table, and `UPDATE` or `DELETE`.
    pub(super) fn forbidden(&self, sql: &str) -> Vec<(&str, &'static str)> {
        if self.grow_only.is_empty() {
            return Vec::new();
        }
        let hear = |done: &mut Vec<(String, &str)>, context: &AuthContext<'_>| {
            let (table, operation) = match context.action {
                AuthAction::Insert { table_name } => (table_name, "INSERT"),
                AuthAction::Update { table_name, .. } => (table_name, "UPDATE"),
                AuthAction::Delete { table_name } => (table_name, "DELETE"),
                _ => return,
            };
            if context.accessor.is_none() {
                done.push((table.to_ascii_lowercase(), operation));
            }
        };
        let heard = self.guard.heard(sql, hear);
        let of = |table: &str| {
            let own = move |(one, _): &&(String, &'static str)| one.eq_ignore_ascii_case(table);
            heard.iter().filter(own).map(|(_, operation)| *operation).collect::<Vec<_>>()
        };
        let forbidden = |table: &&String| {
            let done = of(table);
            // An upsert may find nothing to update.
            let inserts = done.contains(&"INSERT");
            done.into_iter().find(|operation| *operation != "INSERT").filter(|_| !inserts)
        };
        self.grow_only.iter().filter_map(|table| Some((table.as_str(), forbidden(&table)?))).collect()
    }

    /// Declares what goes with the tables, such as an index.
    pub(super) fn run(&self, sql: &str) -> Result<(), SqlProblem> {
        self.guard.declare(sql).map_err(|error| self.explain(&error))
    }

    /// Prepares a statement and returns the names of its parameters, without the colon.
    pub(super) fn prepare(&self, sql: &str) -> Result<Prepared, SqlProblem> {
        let (statement, rest) = match self.guard.prepare(sql) {
            Ok(statement) => (statement, ""),
            Err(rusqlite::Error::MultipleStatement) => {
                return Err(SqlProblem {
                    message: "this text contains several statements".to_owned(),
                    help: Some("write them as a list: `sql: [first, second]`".to_owned()),
                    range: None,
                });
            }
            Err(error) => return Err(self.explain(&error)),
        };
        debug_assert!(rest.is_empty(), "one statement has no rest");
        let parameters = (1..=statement.parameter_count())
            .map(|index| statement.parameter_name(index).map(|name| name[1..].to_owned()))
            .collect();
        Ok(Prepared { parameters, columns: statement.column_count(), readonly: statement.readonly() })
    }

    /// Prepares a policy of a table as the server would ask it. A text in double quotes is no text here: SQLite would
    /// take a mistyped column for one.
    pub(super) fn prepare_policy(&self, table: &str, operation: &str, policy: &str) -> Result<(), SqlProblem> {
        let strict = |on: bool| self.guard.connection().set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, !on);
        strict(true).map_err(|error| self.explain(&error))?;
        let prepared = self.prepare(&policy_sql(table, operation, policy));
        strict(false).map_err(|error| self.explain(&error))?;
        prepared.map(drop).map_err(|problem| {
            let shift = |at: usize| at.checked_sub(POLICY_HEAD.len()).filter(|at| *at <= policy.len());
            let range = problem.range.and_then(|range| Some(shift(range.start)?..shift(range.end)?));
            SqlProblem { range, ..problem }
        })
    }

    /// Prepares a filter as CloudSync's triggers would ask it: as what it made of its text, where no name is known but
    /// `NEW`. The second table is there so that a column without a prefix would be ambiguous.
    pub(super) fn prepare_filter(&self, table: &str, filter: &str, in_trigger: &str) -> Result<(), String> {
        let name = quote(table);
        let query = |expression: &str| {
            format!("SELECT 1 FROM {name} AS NEW, {name} AS \"stress other\" WHERE 1 AND ({expression})")
        };
        // Something may close a bracket that it did not open: AND binds stronger than OR.
        let both = [query(in_trigger), format!("SELECT 1 FROM {name} WHERE {filter}")];
        both.iter().try_for_each(|sql| self.prepare(sql).map(drop)).map_err(|problem| problem.message)
    }

    fn columns(&self, table: &str) -> Result<Vec<Column>, rusqlite::Error> {
        let sql = "SELECT name, type, \"notnull\", dflt_value, pk, hidden, cid FROM pragma_table_xinfo(?1)";
        let mut statement = self.guard.connection().prepare(sql)?;
        let rows = statement.query_map([table], |row| {
            Ok(Column {
                name: row.get(0)?,
                declared: row.get(1)?,
                not_null: row.get(2)?,
                default: row.get(3)?,
                key: row.get(4)?,
                generated: row.get::<_, i64>(5)? > 1,
                is_stored: row.get::<_, i64>(5)? == 3,
                place: row.get(6)?,
            })
        })?;
        rows.collect()
    }

    /// The rules of `cloudsync_init`, before it is called.
    fn check_rules(sql: &str, table: &str, columns: &[Column], issues: &mut Vec<Issue>) {
        let code = "cloudsync::table";
        let keys: Vec<&Column> = columns.iter().filter(|column| column.key > 0).collect();
        match keys.as_slice() {
            [] => issues.push(
                Issue::new(sql, code, format!("table `{table}` has no primary key, which CloudSync requires"))
                    .help("declare a key that is unique across all databases, such as `id TEXT PRIMARY KEY`"),
            ),
            [only] if only.is_integer() => issues.push(
                Issue::new(
                    sql,
                    code,
                    format!(
                        "table `{table}` has a single integer primary key, `{}`, which CloudSync does not accept",
                        only.name
                    ),
                )
                .help(format!("keys must be unique across all databases: write `{} TEXT PRIMARY KEY`", only.name)),
            ),
            _ => {}
        }
        for column in columns
            .iter()
            .filter(|column| column.key == 0 && column.not_null && column.default.is_none() && !column.generated)
        {
            let message = format!(
                "column `{}` of `{table}` is NOT NULL without a DEFAULT, which CloudSync does not accept",
                column.name
            );
            let help = format!("add a default: `{} {} NOT NULL DEFAULT …`", column.name, column.declared);
            issues.push(Issue::new(sql, code, message).help(help));
        }
    }

    /// The rules of `cloudsync_init` for the name of a table.
    fn check_name(pointer: &str, table: &str, issues: &mut Vec<Issue>) {
        let code = "cloudsync::table";
        if table.to_ascii_lowercase().ends_with("_cloudsync") {
            let message =
                format!("the name `{table}` ends in `_cloudsync`, which is reserved for CloudSync's own tables");
            issues.push(Issue::new(format!("{pointer}/name"), code, message).help("choose another name"));
        }
        if table.chars().count() > 512 {
            let message = "the table's name is longer than CloudSync's 512 characters";
            issues.push(Issue::new(format!("{pointer}/name"), code, message).help("choose a shorter name"));
        }
    }

    fn explain(&self, error: &rusqlite::Error) -> SqlProblem {
        if let Some((message, help)) = self.guard.refusal() {
            return SqlProblem { message, help: Some(help), range: None };
        }
        let (message, range) = match error {
            rusqlite::Error::SqlInputError { msg, sql, offset, .. } => {
                let range = usize::try_from(*offset).ok().filter(|at| *at < sql.len()).map(|start| {
                    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
                    let length: usize = sql[start..].chars().take_while(|c| word(*c)).map(char::len_utf8).sum();
                    let first = sql[start..].chars().next().map_or(0, char::len_utf8);
                    start..start + length.max(first)
                });
                (msg.clone(), range)
            }
            rusqlite::Error::SqliteFailure(_, Some(message)) => (message.clone(), None),
            other => (other.to_string(), None),
        };
        let help = message.strip_prefix("no such table: ").and_then(|missing| self.nearest_table(missing));
        let help =
            help.or_else(|| message.strip_prefix("no such column: ").and_then(|missing| self.nearest_column(missing)));
        SqlProblem { message, help, range }
    }

    fn nearest_table(&self, missing: &str) -> Option<String> {
        let names = self.names.iter().map(String::as_str);
        (!self.names.is_empty()).then(|| suggest(missing, names, "the scenario's tables"))
    }

    fn nearest_column(&self, missing: &str) -> Option<String> {
        let columns = self.names.iter().flat_map(|table| self.columns(table).unwrap_or_default());
        let columns: Vec<String> = columns.map(|column| column.name).collect();
        let missing = missing.rsplit('.').next().unwrap_or(missing);
        (!columns.is_empty()).then(|| suggest(missing, columns.iter().map(String::as_str), "the columns"))
    }
}

/// What stands before a policy when SQLite prepares it.
const POLICY_HEAD: &str = "SELECT (";

/// A query that asks a policy of a table.
fn policy_sql(table: &str, operation: &str, policy: &str) -> String {
    let table = quote(table);
    let from = match operation {
        "select" => table,
        "insert" => format!("{table} AS NEW"),
        "update" => format!("{table} AS OLD, {table} AS NEW"),
        _ => format!("{table} AS OLD"),
    };
    format!("{POLICY_HEAD}{policy}) FROM {from}")
}

/// Whether a policy may read rows of a table, given its name in lower case, and not only columns of the row in question.
fn names_as_source(policy: &str, table: &str) -> bool {
    let policy = policy.to_ascii_lowercase();
    policy.match_indices(table).any(|(at, _)| {
        let rest = policy[at + table.len()..].trim_start_matches(['"', '`', ']']);
        !rest.trim_start().starts_with('.')
    })
}

/// Whether SQLite takes a default for a constant, so that it can add the column to a table with rows.
fn is_constant(default: &str) -> bool {
    let default = default.trim();
    let unsigned = default.trim_start_matches(['+', '-']).trim_start();
    let is_number = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    let is_word = ["null", "true", "false"].iter().any(|word| default.eq_ignore_ascii_case(word));
    let text = default.strip_prefix(['x', 'X']).unwrap_or(default);
    let is_text = ['\'', '"'].into_iter().any(|quote| {
        let inside = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        inside.is_some_and(|inside| {
            !inside.replace([quote, quote].iter().collect::<String>().as_str(), "").contains(quote)
        })
    });
    is_number || is_word || is_text
}

/// What a prepared statement wants and gives.
pub(super) struct Prepared {
    /// The names of its parameters without the colon; `None` for a `?`.
    pub(super) parameters: Vec<Option<String>>,
    pub(super) columns: usize,
    pub(super) readonly: bool,
}

struct Column {
    name: String,
    declared: String,
    not_null: bool,
    /// Its default, as SQL.
    default: Option<String>,
    /// Place in the primary key, from 1; 0 outside it.
    key: i64,
    generated: bool,
    /// Whether it is generated and stored.
    is_stored: bool,
    /// Counted from 0, generated columns included.
    place: i32,
}

impl Column {
    fn is_integer(&self) -> bool {
        // SQLite's affinity rule: a type that contains INT is an integer.
        self.declared.to_ascii_uppercase().contains("INT")
    }

    /// Whether SQLite makes texts of what is written there.
    fn is_text(&self) -> bool {
        let declared = self.declared.to_ascii_uppercase();
        !self.is_integer() && ["CHAR", "CLOB", "TEXT"].iter().any(|part| declared.contains(part))
    }
}
