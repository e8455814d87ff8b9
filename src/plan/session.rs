//! How connections are opened: their pragmas, their credentials, and whether databases are reused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::Draft;
use super::names::is_identifier;
use super::target::TargetPlan;
use super::{Action, StepPlan};
use crate::scenario::{Cleanup, Issue, Scenario, WrongCredential, join};

/// The pragma that has SQLite enforce foreign keys.
const FOREIGN_KEYS: &str = "foreign_keys";

/// The pragmas of every connection.
pub(super) struct Pragmas {
    /// As statements.
    pub(super) statements: Vec<String>,
    /// Whether foreign keys are enforced.
    pub(super) foreign_keys: bool,
}

/// Decides the pragmas of every connection.
pub(super) fn pragmas(draft: &mut Draft<'_>, scenario: &Scenario, target: &TargetPlan, steps: &[&StepPlan]) -> Pragmas {
    // Foreign keys off is SQLite's own default, which the bundled build turns round.
    let mut pragmas = BTreeMap::from(
        [
            ("journal_mode", "wal"),
            ("busy_timeout", "5000"),
            ("synchronous", "normal"),
            ("temp_store", statement_journals(target, steps)),
            (FOREIGN_KEYS, "off"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    for (name, value) in &scenario.session.pragmas {
        if let Some(value) = pragma(draft, &join("/session/pragmas", name), name, value) {
            pragmas.insert(name.to_ascii_lowercase(), value);
        }
    }
    let foreign_keys = pragmas.get(FOREIGN_KEYS).is_some_and(|value| is_on(value));
    let statements = pragmas.into_iter().map(|(name, value)| format!("PRAGMA {name} = {value}")).collect();
    Pragmas { statements, foreign_keys }
}

/// Whether SQLite takes the value of a pragma for true.
fn is_on(value: &str) -> bool {
    match value.parse::<i64>() {
        Ok(number) => number != 0,
        Err(_) => ["on", "yes", "true"].iter().any(|word| value.eq_ignore_ascii_case(word)),
    }
}

/// The value of one of the scenario's own pragmas.
fn pragma(draft: &mut Draft<'_>, pointer: &str, name: &str, value: &Value) -> Option<String> {
    let code = "session::pragma";
    if !is_identifier(name) {
        let message = format!("`{name}` is not a valid pragma name");
        draft.issues.push(Issue::new(pointer, code, message).at_key());
        return None;
    }
    let rendered = match value {
        Value::String(source) => draft.rendered(pointer, source)?,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            draft.issues.push(Issue::new(pointer, code, "a pragma's value must be a number or a text"));
            return None;
        }
    };
    if !rendered.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        let message = format!("`{rendered}` is not a valid pragma value");
        draft.issues.push(Issue::new(pointer, code, message));
        return None;
    }
    Some(rendered)
}

/// Where SQLite keeps statement journals. Memory takes half the time of files, with one exception: behind the journal of
/// a statement that changes many rows within a transaction lie those of the statements that the extension's triggers
/// run, and in memory SQLite walks the former for each of the latter. 100,000 rows updated so took over two minutes, with
/// files two seconds. A statement that is its own transaction has no journal.
fn statement_journals(target: &TargetPlan, steps: &[&StepPlan]) -> &'static str {
    let several = |step: &&StepPlan| match &step.action {
        Action::Sql(sql) => sql.rows.is_none() && sql.statements.len() > 1 && sql.batch != Some(1),
        Action::Admin(_) | Action::Alter(_) | Action::Wait(_) | Action::Nothing => false,
    };
    if target.kind().loads_the_extension() && steps.iter().any(several) { "file" } else { "memory" }
}

/// Whether the databases that authenticate wrongly are there, and can.
pub(super) fn check_credentials(draft: &mut Draft<'_>, scenario: &Scenario, target: &TargetPlan, databases: usize) {
    let code = "session::credentials";
    for (at, rule) in scenario.session.credentials.iter().enumerate() {
        let pointer = format!("/session/credentials/{at}");
        for (place, index) in rule.databases.iter().enumerate() {
            if *index == 0 || *index as usize > databases {
                let message = format!("there is no database {index}: the databases are numbered from 1 to {databases}");
                draft.issues.push(Issue::new(format!("{pointer}/databases/{place}"), code, message));
            }
        }
        if rule.uses == WrongCredential::Expired && (scenario.rls.is_none() || !target.has_administrator()) {
            let message = "`expired` needs `rls`, and an administrator connection that creates the token";
            let help = "declare `rls` and add a `connection_string` to the target, or use `wrong`";
            draft.issues.push(Issue::new(format!("{pointer}/use"), code, message).help(help));
        }
    }
}

/// Rows that one side loses between two runs would look like rows that sync lost.
pub(super) fn check_reuse(draft: &mut Draft<'_>, scenario: &Scenario, target: &TargetPlan, steps: &[&StepPlan]) {
    if !scenario.session.reuse {
        return;
    }
    let mut refuse = |pointer: String, message: &str, help: &str| {
        draft.issues.push(Issue::new(pointer, "session::reuse", message).at_key().help(help));
    };
    if let TargetPlan::Cloudsync(options) = target {
        let dropped = "the run would drop the server's tables, but the reused databases keep their rows";
        if options.provision {
            let help = "remove `provision`: `stress provision FILE` prepares the server once";
            refuse("/target/cloudsync/provision".to_owned(), dropped, help);
        }
        if options.cleanup == Some(Cleanup::Drop) {
            let help = "remove `cleanup`: `stress cleanup FILE` drops the tables and removes the databases";
            refuse("/target/cloudsync/cleanup".to_owned(), dropped, help);
        }
    }
    for step in steps.iter().filter(|step| step.action.is_hostile()) {
        let message =
            "rows that the server denies stay in the reused databases, and a later run would report them as lost";
        refuse(format!("{}/hostile", step.pointer), message, "remove `session.reuse`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pragma_is_on_where_sqlite_takes_it_to_be() {
        let asked = |value: &str| {
            let connection = rusqlite::Connection::open_in_memory().expect("memory");
            connection.execute_batch(&format!("PRAGMA foreign_keys = {value}")).expect("a pragma");
            connection.query_row("PRAGMA foreign_keys", [], |row| row.get::<_, bool>(0)).expect("a row")
        };
        for value in ["on", "ON", "yes", "true", "True", "1", "2", "off", "no", "false", "0", "extra", "wal"] {
            assert_eq!(is_on(value), asked(value), "{value}");
        }
    }
}
