//! The one way from a phase's SQL to what SQLite gets at a row: the text of a statement, and the value of a parameter.
//! The run, `stress plan` and `--verbose` all go through here, so that what is shown is what is written.

use std::fmt;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::Map;

use crate::template::{Folded, RowText, RowValue, Salt, Scope, TemplateProblem, Text};

/// A statement of a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    text: Text,
    /// The names of its parameters, as SQLite finds them in the text of the first database's first row.
    pub parameters: Vec<String>,
    /// Whether it calls a sync function.
    pub syncs: bool,
    /// Whether it begins or ends a transaction.
    pub controls: bool,
    salt: Salt,
}

impl Statement {
    /// A statement of this phase, and its source.
    pub(super) fn new(phase: &str, text: Text, source: &str) -> Self {
        let lower = source.to_ascii_lowercase();
        let controls = CONTROLS.iter().any(|word| lower.trim_start().starts_with(word));
        Self { text, parameters: Vec::new(), syncs: lower.contains("cloudsync_"), controls, salt: Salt::of(phase) }
    }

    /// Whether its text can differ from row to row.
    pub fn varies_by_row(&self) -> bool {
        self.text.varies_by_row()
    }

    /// Its text as written.
    pub fn source(&self) -> &str {
        self.text.source()
    }

    /// Its text at a row. `scope` is that of the repetition, with the number of rows.
    pub fn render(&self, scope: &Scope, row: u64) -> Result<String, TemplateProblem> {
        self.text.render(&scope.salted(self.salt).row(row))
    }
}

/// With what a statement begins that begins or ends a transaction.
const CONTROLS: [&str; 6] = ["begin", "commit", "end", "release", "rollback", "savepoint"];
/// The row id that `:id` gives without a `bind` of its own: the seed's.
const DEFAULT_ID: &str = "db{{ db }}_r{{ iteration }}_{{ row }}";
/// Parameters that every statement can use.
const PARAMETERS: [&str; 9] = ["db", "id", "iteration", "repeat", "row", "rows", "seed", "user", "user_id"];

/// The parameters that every phase can bind, with their texts: those that are always there, and the author's variables
/// that are single values.
pub(super) fn common(vars: &Map<String, serde_json::Value>) -> Vec<(String, Text)> {
    let single =
        vars.iter().filter(|(_, value)| !value.is_object() && !value.is_array()).map(|(name, _)| name.as_str());
    let texts = PARAMETERS.into_iter().chain(single).map(|name| {
        let text = if name == "id" { DEFAULT_ID.to_owned() } else { format!("{{{{ {name} }}}}") };
        Some((name.to_owned(), Text::compile(&text).ok()?))
    });
    // A variable whose name is none in a template has no text; its name is a problem of its own.
    texts.flatten().collect()
}

/// A parameter that a phase's statements can bind.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name, without the colon.
    pub name: String,
    text: Text,
    salt: Salt,
}

impl Parameter {
    /// A parameter of this phase. Phase and name set its generated values apart from all others of a row.
    pub(super) fn new(phase: &str, name: &str, text: Text) -> Self {
        Self { name: name.to_owned(), text, salt: Salt::of(&format!("{phase}/{name}")) }
    }

    /// What it is bound to for all rows of a repetition, as far as that does not depend on the row.
    pub fn fold(&self, scope: &Scope) -> Result<Binding<'_>, TemplateProblem> {
        Ok(match self.text.fold(&scope.salted(self.salt))? {
            Folded::Constant(value) => Binding::Constant(self.sql_value(&value)?),
            Folded::Varying(text) => Binding::Varying(Varying { parameter: self, text }),
        })
    }

    /// What it is bound to at a row.
    pub fn value(&self, scope: &Scope, row: u64) -> Result<SqlValue, TemplateProblem> {
        match self.fold(scope)? {
            Binding::Constant(value) => Ok(value),
            Binding::Varying(varying) => Ok(match varying.at(scope, row, &mut String::new())? {
                AtRow::Row(row) => SqlValue::Integer(row),
                AtRow::Text(text) => SqlValue::Text(text.to_owned()),
                AtRow::Value(value) => value,
            }),
        }
    }

    fn sql_value(&self, value: &Value) -> Result<SqlValue, TemplateProblem> {
        SqlValue::of(value).ok_or_else(|| {
            let message = format!("`:{}` is `{value}`, which is not a single value", self.name);
            TemplateProblem { range: None, message }
        })
    }
}

/// What a parameter is bound to in a repetition of its phase.
#[derive(Debug)]
pub enum Binding<'p> {
    /// The same value for every row.
    Constant(SqlValue),
    /// Another value at each row.
    Varying(Varying<'p>),
}

/// A parameter whose value can differ from row to row.
#[derive(Debug)]
pub struct Varying<'p> {
    parameter: &'p Parameter,
    text: RowText,
}

/// What a parameter is bound to at a row.
#[derive(Debug)]
pub enum AtRow<'t> {
    /// The number of the row.
    Row(i64),
    /// A text, in the caller's buffer.
    Text(&'t str),
    /// Any other value.
    Value(SqlValue),
}

impl Varying<'_> {
    /// The value at a row. `buffer` takes a text, so that rows share one.
    pub fn at<'t>(&self, scope: &Scope, row: u64, buffer: &'t mut String) -> Result<AtRow<'t>, TemplateProblem> {
        let at_row = || scope.salted(self.parameter.salt).row(row);
        Ok(match self.text.at(at_row, row, buffer)? {
            RowValue::Row(row) => AtRow::Row(row.cast_signed()),
            RowValue::Text(text) => AtRow::Text(text),
            RowValue::Value(value) => AtRow::Value(self.parameter.sql_value(&value)?),
        })
    }
}

/// A value as SQLite stores it. Shown as an SQL literal.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// `NULL`.
    Null,
    /// A whole number; `true` and `false` are 1 and 0.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl SqlValue {
    /// A value of a template; none for a list or a mapping.
    fn of(value: &Value) -> Option<Self> {
        Some(match value.kind() {
            ValueKind::None | ValueKind::Undefined => Self::Null,
            ValueKind::Bool => Self::Integer(i64::from(value.is_true())),
            ValueKind::Number => match i64::try_from(value.clone()) {
                Ok(number) if value.is_integer() => Self::Integer(number),
                _ => Self::Real(f64::try_from(value.clone()).unwrap_or(f64::NAN)),
            },
            ValueKind::String => Self::Text(value.as_str().unwrap_or_default().to_owned()),
            ValueKind::Bytes => Self::Blob(value.as_bytes().unwrap_or_default().to_vec()),
            _ => return None,
        })
    }

    /// The bytes it takes in a row: texts and blobs by their length, all else by eight.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
        }
    }
}

impl fmt::Display for SqlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // SQLite takes what is not a number as NULL.
            Self::Real(number) if number.is_nan() => f.write_str("NULL"),
            Self::Real(number) if number.is_infinite() => f.write_str(if *number > 0.0 { "9e999" } else { "-9e999" }),
            // The shortest digits that read back as the same number, with a point or an exponent.
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Blob(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_a_literal_that_gives_it_back() {
        for (value, literal) in [
            (SqlValue::Null, "NULL"),
            (SqlValue::Integer(-7), "-7"),
            (SqlValue::Real(2.0), "2.0"),
            (SqlValue::Real(0.1), "0.1"),
            (SqlValue::Real(f64::INFINITY), "9e999"),
            (SqlValue::Text("O'Neill".into()), "'O''Neill'"),
            (SqlValue::Blob(vec![0, 255]), "x'00ff'"),
        ] {
            assert_eq!(value.to_string(), literal);
        }
    }
}
