//! A phase's SQL on one connection: statements prepared once, parameters bound per row, rows counted as really changed.

use rusqlite::types::{ToSqlOutput, Value as SqlValue};
use rusqlite::{Connection, Statement};

use crate::failure::{Call, RawError};
use crate::plan::SqlPlan;
use crate::session::raw_error;
use crate::template::{RowText, Scope, TemplateProblem, Text};

/// What came of a phase's SQL: rows changed until the end, or until it failed.
pub(super) struct Ran {
    pub(super) rows: u64,
    pub(super) error: Option<RawError>,
}

/// Runs a phase's SQL. `cut` says between rows whether to stop.
pub(super) fn run(connection: &Connection, sql: &SqlPlan, scope: &Scope, name: &str, cut: &dyn Fn() -> bool) -> Ran {
    let mut rows = 0;
    let error = run_counting(connection, sql, scope, name, cut, &mut rows).err();
    if error.is_some() && !connection.is_autocommit() {
        // The error that is told is the first one; a failed rollback leaves the next BEGIN to fail and be told.
        if connection.execute_batch("ROLLBACK").is_ok() {
            rows = 0;
        }
    }
    Ran { rows, error }
}

fn run_counting(
    connection: &Connection,
    sql: &SqlPlan,
    scope: &Scope,
    name: &str,
    cut: &dyn Fn() -> bool,
    changed: &mut u64,
) -> Result<(), RawError> {
    let count = match &sql.rows {
        None => None,
        Some(number) => Some(number.value(scope).map_err(|problem| template_error(&problem))?),
    };
    let scope = &scope.rows(count.unwrap_or(1));
    let last = count.unwrap_or(1);
    let mut bound = Vec::new();
    for text in &sql.statements {
        bound.push(Bound::new(connection, sql, text, scope, name)?);
    }
    let batch = sql.batch.unwrap_or(u64::MAX);
    // One statement is a transaction of its own. SQLite then keeps no statement journal for it, in whose way the
    // journals of the statements that the extension's triggers run would be.
    let begin_commit = batch > 1 && (last > 1 || bound.len() > 1);
    let sqlite = |error: rusqlite::Error| raw_error(Call::Sql, &error);
    for row in 1..=last {
        if row % 256 == 0 && cut() {
            return Err(interrupted());
        }
        if begin_commit && (row - 1) % batch == 0 {
            connection.execute_batch("BEGIN").map_err(sqlite)?;
        }
        for statement in &mut bound {
            *changed += statement.run(connection, sql, scope, name, row)?;
        }
        if begin_commit && (row % batch == 0 || row == last) {
            connection.execute_batch("COMMIT").map_err(sqlite)?;
        }
    }
    Ok(())
}

/// The phase's SQL in one line, as rendered for the first row.
pub(super) fn in_words(sql: &SqlPlan, scope: &Scope) -> String {
    let count = sql.rows.as_ref().and_then(|number| number.value(scope).ok());
    let scope = scope.rows(count.unwrap_or(1)).row(1);
    let text = |text: &Text| text.render(&scope).map_or_else(|problem| problem.message, |text| one_line(&text));
    let statements: Vec<String> = sql.statements.iter().map(text).collect();
    let times = count.map(|count| format!(" -- for {count} rows")).unwrap_or_default();
    format!("{}{times}", statements.join("; "))
}

/// SQL without its line ends and indents.
pub(super) fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A statement with its parameters, as it runs for each row.
enum Bound<'c, 't> {
    /// Prepared once.
    Held { statement: Statement<'c>, varying: Vec<(usize, String, RowText)>, text: String },
    /// Rendered and prepared for each row, because its text differs.
    Rendered(&'t Text),
}

impl<'c, 't> Bound<'c, 't> {
    fn new(
        connection: &'c Connection,
        sql: &SqlPlan,
        text: &'t Text,
        scope: &Scope,
        name: &str,
    ) -> Result<Self, RawError> {
        if text.varies_by_row() {
            return Ok(Self::Rendered(text));
        }
        let rendered = text.render(scope).map_err(|problem| template_error(&problem))?;
        let (statement, varying) = prepare(connection, sql, &rendered, scope, name)?;
        Ok(Self::Held { statement, varying, text: String::new() })
    }

    fn run(
        &mut self,
        connection: &Connection,
        sql: &SqlPlan,
        scope: &Scope,
        name: &str,
        row: u64,
    ) -> Result<u64, RawError> {
        match self {
            Self::Held { statement, varying, text } => {
                for (index, parameter, value) in varying {
                    bind_row(statement, *index, value, scope, (name, parameter), row, text)?;
                }
                execute(connection, statement)
            }
            Self::Rendered(text) => {
                let scope = scope.salted(name).row(row);
                let rendered = text.render(&scope).map_err(|problem| template_error(&problem))?;
                let (mut statement, varying) = prepare(connection, sql, &rendered, &scope, name)?;
                let mut text = String::new();
                for (index, parameter, value) in &varying {
                    bind_row(&mut statement, *index, value, &scope, (name, parameter), row, &mut text)?;
                }
                execute(connection, &mut statement)
            }
        }
    }
}

type Varying = Vec<(usize, String, RowText)>;

/// Prepares a statement and binds what is the same for every row.
fn prepare<'c>(
    connection: &'c Connection,
    sql: &SqlPlan,
    rendered: &str,
    scope: &Scope,
    name: &str,
) -> Result<(Statement<'c>, Varying), RawError> {
    let sqlite = |error: rusqlite::Error| raw_error(Call::Sql, &error);
    let mut statement = connection.prepare(rendered).map_err(sqlite)?;
    let mut varying = Vec::new();
    for index in 1..=statement.parameter_count() {
        let Some(parameter) = statement.parameter_name(index).map(|name| name[1..].to_owned()) else { continue };
        let text = sql.parameter(&parameter).map_err(|problem| template_error(&problem))?;
        let salt = format!("{name}/{parameter}");
        match text.fold(&scope.salted(&salt)).map_err(|problem| template_error(&problem))? {
            RowText::Constant(value) => {
                let value = sql_value(&value, &parameter)?;
                statement.raw_bind_parameter(index, value).map_err(sqlite)?;
            }
            folded => varying.push((index, parameter, folded)),
        }
    }
    Ok((statement, varying))
}

fn bind_row(
    statement: &mut Statement<'_>,
    index: usize,
    value: &RowText,
    scope: &Scope,
    (name, parameter): (&str, &str),
    row: u64,
    text: &mut String,
) -> Result<(), RawError> {
    let sqlite = |error: rusqlite::Error| raw_error(Call::Sql, &error);
    // A scope costs an allocation; most rows need none.
    let at_row = || scope.salted(&format!("{name}/{parameter}")).row(row);
    match value {
        RowText::Constant(_) => Ok(()),
        RowText::Row => statement.raw_bind_parameter(index, row.cast_signed()).map_err(sqlite),
        RowText::Pieces(pieces) => {
            text.clear();
            let mut scope_of_row = None;
            for piece in pieces {
                piece
                    .render_into(|| scope_of_row.get_or_insert_with(at_row).clone(), row, text)
                    .map_err(|problem| template_error(&problem))?;
            }
            statement.raw_bind_parameter(index, text.as_str()).map_err(sqlite)
        }
        RowText::Value(template) => {
            let value = template.value(&at_row()).map_err(|problem| template_error(&problem))?;
            statement.raw_bind_parameter(index, sql_value(&value, parameter)?).map_err(sqlite)
        }
    }
}

/// Runs a bound statement; gives the rows it changed, or read when it only reads.
fn execute(connection: &Connection, statement: &mut Statement<'_>) -> Result<u64, RawError> {
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

/// A value of a template as SQLite takes it.
fn sql_value(value: &minijinja::Value, parameter: &str) -> Result<ToSqlOutput<'static>, RawError> {
    use minijinja::value::ValueKind;
    let owned = match value.kind() {
        ValueKind::None | ValueKind::Undefined => SqlValue::Null,
        ValueKind::Bool => SqlValue::Integer(i64::from(value.is_true())),
        ValueKind::Number => match i64::try_from(value.clone()) {
            Ok(number) if value.is_integer() => SqlValue::Integer(number),
            _ => SqlValue::Real(f64::try_from(value.clone()).unwrap_or(f64::NAN)),
        },
        ValueKind::String => SqlValue::Text(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Bytes => SqlValue::Blob(value.as_bytes().unwrap_or_default().to_vec()),
        _ => {
            let message = format!("`:{parameter}` is `{value}`, which is not a single value");
            return Err(RawError { call: Call::Sql, sqlite: None, http: None, message });
        }
    };
    Ok(ToSqlOutput::Owned(owned))
}

pub(super) fn template_error(problem: &TemplateProblem) -> RawError {
    RawError { call: Call::Sql, sqlite: None, http: None, message: problem.message.clone() }
}

fn interrupted() -> RawError {
    RawError { call: Call::Sql, sqlite: Some((9, 9)), http: None, message: "interrupted".to_owned() }
}
