//! The author's own queries, put to the server or to every database.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::Value;

use super::subject::Subject;
use crate::failure::{self, Call, Failure, FailureKind, Side};
use crate::plan::{DatabasePlan, Question};
use crate::record::{Holder, QueryAnswer};
use crate::scenario::QueryOn;
use crate::session::{Interrupt, Rows, hex, open_reader, raw_error};

/// What a query was answered: the value of its first row, and the number of its rows; or why it could not be.
type Answer = Result<(Value, u64), Box<Failure>>;

/// The answers to the queries among the plan's checks.
pub(super) fn answers(subject: &Subject<'_>) -> Vec<QueryAnswer> {
    let mut answers = Vec::new();
    for (check, plan) in subject.plan.checks.iter().enumerate() {
        let Question::Query { on, sql, .. } = &plan.question else { continue };
        let mut answer = |holder, answer: Answer| {
            answers.push(match answer {
                Ok((value, rows)) => QueryAnswer { check, holder, value, rows: Some(rows), failure: None },
                Err(failure) => QueryAnswer { check, holder, value: Value::Null, rows: None, failure: Some(*failure) },
            });
        };
        match on {
            QueryOn::Server => answer(Holder::Server, ask_server(subject, sql)),
            QueryOn::Databases => {
                for database in &subject.plan.databases {
                    answer(Holder::Database(database.index), ask_database(subject, database, sql));
                }
            }
        }
    }
    answers
}

fn ask_server(subject: &Subject<'_>, sql: &str) -> Answer {
    if let Some(driver) = subject.target.driver() {
        return driver
            .server_query(sql)
            .map(|rows| first_of(&rows))
            .map_err(|error| Box::new(failure::classify(&error)));
    }
    let Some((admin, database)) = &subject.target.admin else {
        let message = "the target has no administrator";
        return Err(Box::new(Failure::new(FailureKind::Configuration, Side::Configuration, message)));
    };
    let rows = admin.rows_within(subject.limits.left(), Some(database), sql);
    let rows = rows.map_err(|error| Box::new(failure::classify(&error)))?;
    let value = rows.first().and_then(|row| row.values().next()).cloned().unwrap_or(Value::Null);
    Ok((value, rows.len() as u64))
}

fn ask_database(subject: &Subject<'_>, database: &DatabasePlan, sql: &str) -> Answer {
    let file = subject.database_file(database.index);
    let asked = open_reader(&file, subject.user_id(database.user)).and_then(|reader| {
        // The author's SQL may never end: it is cut with the run.
        let place = database.index as usize - 1;
        subject.limits.interrupt(place, Some(Interrupt::of(&reader)));
        let answer = ask(&reader, sql);
        subject.limits.interrupt(place, None);
        answer
    });
    asked.map_err(|error| Box::new(failure::classify(&raw_error(Call::Sql, &error))))
}

/// The value of the first row of a query's answer, null without one; and the number of its rows.
fn ask(reader: &Connection, sql: &str) -> rusqlite::Result<(Value, u64)> {
    let mut statement = reader.prepare(sql)?;
    let mut found = statement.query([])?;
    let (mut value, mut rows) = (Value::Null, 0);
    while let Some(row) = found.next()? {
        if rows == 0 {
            value = value_of(row.get_ref(0)?);
        }
        rows += 1;
    }
    Ok((value, rows))
}

/// The value of the first row of some, null without one; and the number of the rows.
pub(crate) fn first_of(rows: &Rows) -> (Value, u64) {
    let first = rows.first().and_then(|row| row.first());
    (first.map_or(Value::Null, |value| value_of(value.into())), rows.len() as u64)
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::from(number),
        // JSON has no infinity.
        ValueRef::Real(number) if number.is_infinite() => Value::from(number.to_string()),
        ValueRef::Real(number) => Value::from(number),
        ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => Value::from(hex(bytes)),
    }
}
