//! A phase's SQL on one connection: statements prepared once, parameters bound per row, rows counted as really changed.

use rusqlite::types::Value;
use rusqlite::{self as sqlite, Connection};

use crate::failure::{Call, RawError};
use crate::ledger::Page;
use crate::plan::{AtRow, Binding, SqlPlan, SqlValue, Statement, Varying};
use crate::session::raw_error;
use crate::sql::one_line;
use crate::template::{Scope, TemplateProblem};

/// What came of a phase's SQL: rows changed until the end, or until it failed. After a crash, those that are committed.
pub(super) struct Ran {
    pub(super) rows: u64,
    pub(super) error: Option<RawError>,
}

/// Runs a phase's SQL. `page` takes what is written, and `cut` says between rows whether to stop. Where the device `dies`
/// within it, everything ends after half of the rows, with the transaction open.
pub(super) fn run(
    connection: &Connection,
    sql: &SqlPlan,
    scope: &Scope,
    page: Option<&Page>,
    dies: bool,
    cut: &dyn Fn() -> bool,
) -> Ran {
    let mut running = Running { connection, sql, page, rows: 0, committed: 0, began: false };
    let error = running.all(scope, dies, cut).err();
    if error.is_some() {
        running.take_back();
    } else if running.began {
        if let Some(page) = page {
            page.take_back();
        }
        running.rows = running.committed;
    }
    Ran { rows: running.rows, error }
}

/// A phase's SQL under way.
struct Running<'a> {
    connection: &'a Connection,
    sql: &'a SqlPlan,
    page: Option<&'a Page>,
    /// Rows changed so far.
    rows: u64,
    /// Those of them that are committed, where transactions are begun here.
    committed: u64,
    /// Whether a transaction was begun here and not committed.
    began: bool,
}

impl Running<'_> {
    fn all(&mut self, scope: &Scope, dies: bool, cut: &dyn Fn() -> bool) -> Result<(), RawError> {
        let count = match &self.sql.rows {
            None => None,
            Some(number) => Some(number.value(scope).map_err(|problem| template_error(&problem))?),
        };
        let last = count.unwrap_or(1);
        let scope = &scope.rows(last);
        let mut statements = Vec::new();
        for statement in &self.sql.statements {
            statements.push((Held::new(self.connection, self.sql, statement, scope)?, statement.syncs));
        }
        let batch = self.sql.batch.unwrap_or(u64::MAX);
        // One statement is a transaction of its own. SQLite then keeps no statement journal for it, in whose way the
        // journals of the statements that the extension's triggers run would be.
        let begin_commit = dies || batch > 1 && (last > 1 || statements.len() > 1);
        let dies_at = dies.then(|| last.div_ceil(2));
        for row in 1..=last {
            if row % 256 == 0 && cut() {
                return Err(interrupted());
            }
            if begin_commit && (row - 1) % batch == 0 {
                self.begin()?;
            }
            for (statement, syncs) in &mut statements {
                self.statement(statement, *syncs, scope, row)?;
            }
            if dies_at == Some(row) {
                return Ok(());
            }
            if begin_commit && (row % batch == 0 || row == last) {
                self.connection.execute_batch("COMMIT").map_err(|error| raw_error(Call::Sql, &error))?;
                (self.began, self.committed) = (false, self.rows);
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), RawError> {
        self.connection.execute_batch("BEGIN").map_err(|error| raw_error(Call::Sql, &error))?;
        self.began = true;
        if let Some(page) = self.page {
            page.begin();
        }
        Ok(())
    }

    fn statement(
        &mut self,
        statement: &mut Held<'_, '_>,
        syncs: bool,
        scope: &Scope,
        row: u64,
    ) -> Result<(), RawError> {
        if let Some(page) = self.page.filter(|_| !self.began) {
            page.begin();
        }
        let mut run = || statement.run(scope, row);
        // What a receive within the statement brings was written elsewhere.
        let changed = match self.page.filter(|_| syncs) {
            Some(page) => page.unheard(run),
            None => run(),
        };
        self.rows += changed?;
        Ok(())
    }

    /// After an error: nothing of the transaction is there.
    fn take_back(&mut self) {
        let gone = if self.connection.is_autocommit() {
            // Outside a transaction, rows before the one that failed stay after OR FAIL.
            self.began || self.page.is_some_and(|page| !page.is_there(self.connection))
        } else {
            // The error that is told is the first one; a failed rollback leaves the next BEGIN to fail and be told.
            let gone = self.connection.execute_batch("ROLLBACK").is_ok();
            if gone {
                self.rows = 0;
            }
            gone
        };
        if let Some(page) = self.page.filter(|_| gone) {
            page.take_back();
        }
    }
}

/// The phase's SQL in one line, as rendered for the first row.
pub(super) fn in_words(sql: &SqlPlan, scope: &Scope) -> String {
    let count = sql.rows.as_ref().and_then(|number| number.value(scope).ok());
    let scope = scope.rows(count.unwrap_or(1));
    let text = |statement: &Statement| {
        statement.render(&scope, 1).map_or_else(|problem| problem.message, |text| one_line(&text))
    };
    let statements: Vec<String> = sql.statements.iter().map(text).collect();
    let times = count.map(|count| format!(" -- for {count} rows")).unwrap_or_default();
    format!("{}{times}", statements.join("; "))
}

/// A statement as it runs for each row.
enum Held<'c, 'p> {
    /// Prepared once.
    Prepared(Prepared<'c, 'p>),
    /// Rendered and prepared for each row, because its text differs.
    Rendered(&'c Connection, &'p SqlPlan, &'p Statement),
}

impl<'c, 'p> Held<'c, 'p> {
    fn new(
        connection: &'c Connection,
        sql: &'p SqlPlan,
        statement: &'p Statement,
        scope: &Scope,
    ) -> Result<Self, RawError> {
        if statement.varies_by_row() {
            return Ok(Self::Rendered(connection, sql, statement));
        }
        Prepared::new(connection, sql, statement, scope, 1).map(Self::Prepared)
    }

    fn run(&mut self, scope: &Scope, row: u64) -> Result<u64, RawError> {
        match self {
            Self::Prepared(prepared) => prepared.run(scope, row),
            Self::Rendered(connection, sql, statement) => {
                Prepared::new(connection, sql, statement, scope, row)?.run(scope, row)
            }
        }
    }
}

/// A prepared statement, with what is the same for every row bound.
struct Prepared<'c, 'p> {
    connection: &'c Connection,
    statement: sqlite::Statement<'c>,
    varying: Vec<(usize, Varying<'p>)>,
    /// What the texts of the rows are written into.
    buffer: String,
}

impl<'c, 'p> Prepared<'c, 'p> {
    fn new(
        connection: &'c Connection,
        sql: &'p SqlPlan,
        statement: &Statement,
        scope: &Scope,
        row: u64,
    ) -> Result<Self, RawError> {
        let sqlite = |error: rusqlite::Error| raw_error(Call::Sql, &error);
        let text = statement.render(scope, row).map_err(|problem| template_error(&problem))?;
        let mut statement = connection.prepare(&text).map_err(sqlite)?;
        let mut varying = Vec::new();
        for index in 1..=statement.parameter_count() {
            let Some(name) = statement.parameter_name(index) else { continue };
            let parameter = sql.parameter(&name[1..]).ok_or_else(|| no_value(name))?;
            match parameter.fold(scope).map_err(|problem| template_error(&problem))? {
                Binding::Constant(value) => {
                    statement.raw_bind_parameter(index, owned(value)).map_err(sqlite)?;
                }
                Binding::Varying(parameter) => varying.push((index, parameter)),
            }
        }
        Ok(Self { connection, statement, varying, buffer: String::new() })
    }

    fn run(&mut self, scope: &Scope, row: u64) -> Result<u64, RawError> {
        let Self { connection, statement, varying, buffer } = self;
        for (index, parameter) in varying {
            let value = parameter.at(scope, row, buffer).map_err(|problem| template_error(&problem))?;
            let bound = match value {
                AtRow::Row(row) => statement.raw_bind_parameter(*index, row),
                AtRow::Text(text) => statement.raw_bind_parameter(*index, text),
                AtRow::Value(value) => statement.raw_bind_parameter(*index, owned(value)),
            };
            bound.map_err(|error| raw_error(Call::Sql, &error))?;
        }
        execute(connection, statement)
    }
}

/// Runs a bound statement; gives the rows it changed, or read when it only reads.
fn execute(connection: &Connection, statement: &mut sqlite::Statement<'_>) -> Result<u64, RawError> {
    let sqlite = |error: rusqlite::Error| raw_error(Call::Sql, &error);
    if statement.column_count() == 0 {
        return statement.raw_execute().map(|rows| rows as u64).map_err(sqlite);
    }
    let readonly = statement.readonly();
    let mut read = 0;
    let mut rows = statement.raw_query();
    while rows.next().map_err(sqlite)?.is_some() {
        read += 1;
    }
    drop(rows);
    Ok(if readonly { read } else { connection.changes() })
}

/// A value of the plan as SQLite takes it.
fn owned(value: SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(number) => Value::Integer(number),
        SqlValue::Real(number) => Value::Real(number),
        SqlValue::Text(text) => Value::Text(text),
        SqlValue::Blob(bytes) => Value::Blob(bytes),
    }
}

fn no_value(parameter: &str) -> RawError {
    RawError::said(Call::Sql, format!("the parameter `{parameter}` has no value"))
}

pub(super) fn template_error(problem: &TemplateProblem) -> RawError {
    RawError::said(Call::Sql, problem.message.clone())
}

fn interrupted() -> RawError {
    RawError::said(Call::Sql, "interrupted").with_codes(Some((9, 9)))
}
