//! The author's own queries, put to the server or to every database.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use super::subject::Subject;
use crate::failure::{self, Call, Failure, FailureKind, Side};
use crate::plan::{DatabasePlan, Question};
use crate::record::{Holder, QueryAnswer};
use crate::scenario::QueryOn;
use crate::session::{hex, open_reader, raw_error};

/// What a query was answered, or why it could not be.
type Answer = (Value, Option<Failure>);

/// The answers to the queries among the plan's checks.
pub(super) fn answers(subject: &Subject<'_>) -> Vec<QueryAnswer> {
    let mut answers = Vec::new();
    for (check, plan) in subject.plan.checks.iter().enumerate() {
        let Question::Query { on, sql, .. } = &plan.question else { continue };
        let mut answer = |holder, (value, failure): Answer| {
            answers.push(QueryAnswer { check, holder, value, failure });
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
    let Some((admin, database)) = &subject.target.admin else {
        let message = "the target has no administrator";
        return (Value::Null, Some(Failure::new(FailureKind::Configuration, Side::Configuration, message)));
    };
    match admin.sql_within(subject.limits.left(), Some(database), sql) {
        Ok(rows) => (rows.first().and_then(|row| row.values().next()).cloned().unwrap_or(Value::Null), None),
        Err(error) => (Value::Null, Some(failure::classify(&error))),
    }
}

fn ask_database(subject: &Subject<'_>, database: &DatabasePlan, sql: &str) -> Answer {
    let file = subject.database_file(database.index);
    let asked = open_reader(&file, subject.user_id(database.user)).and_then(|reader| {
        // The author's SQL may never end: it is cut with the run.
        let place = database.index as usize - 1;
        subject.limits.interrupt(place, Some(reader.get_interrupt_handle()));
        let answer = ask(&reader, sql);
        subject.limits.interrupt(place, None);
        answer
    });
    match asked {
        Ok(value) => (value, None),
        Err(error) => (Value::Null, Some(failure::classify(&raw_error(Call::Sql, &error)))),
    }
}

fn ask(reader: &Connection, sql: &str) -> rusqlite::Result<Value> {
    let mut statement = reader.prepare(sql)?;
    let value = statement.query_row([], |row| {
        Ok(match row.get_ref(0)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::from(number),
            ValueRef::Real(number) => Value::from(number),
            ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
            ValueRef::Blob(bytes) => Value::from(hex(bytes)),
        })
    });
    Ok(value.optional()?.unwrap_or(Value::Null))
}
