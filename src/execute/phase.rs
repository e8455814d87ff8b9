//! A phase's SQL on one connection: statements prepared once, parameters bound per row, rows counted as really changed.

use rusqlite::types::ValueRef;

use crate::failure::{Call, RawError};
use crate::ledger::Page;
use crate::plan::{AtRow, Binding, SqlPlan, SqlValue, Statement, Varying};
use crate::session::{Session, Statement as Executed};
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
    session: &Session,
    sql: &SqlPlan,
    scope: &Scope,
    page: Option<&Page>,
    dies: bool,
    cut: &dyn Fn() -> bool,
) -> Ran {
    let mut running = Running { session, sql, page, rows: 0, committed: 0, began: false };
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
    session: &'a Session,
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
            statements.push((Held::new(self.session, self.sql, statement, scope)?, statement.syncs));
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
            let commits = begin_commit && row % batch == 0;
            if commits || row == last {
                for (statement, _) in &mut statements {
                    self.finish(statement)?;
                }
            }
            if commits || begin_commit && row == last {
                self.session.commit()?;
                (self.began, self.committed) = (false, self.rows);
            }
        }
        Ok(())
    }

    /// Sees that no execution of a statement waits.
    fn finish(&mut self, statement: &mut Held<'_, '_>) -> Result<(), RawError> {
        let finished = statement.finish();
        self.rows += finished.as_ref().map_or_else(|_| statement.stayed(), |rows| *rows);
        finished.map(drop)
    }

    fn begin(&mut self) -> Result<(), RawError> {
        self.session.begin()?;
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
        self.rows += changed.as_ref().map_or_else(|_| statement.stayed(), |rows| *rows);
        changed.map(drop)
    }

    /// After an error: nothing of the transaction is there.
    fn take_back(&mut self) {
        let gone = if self.session.is_autocommit() {
            // Outside a transaction, rows before the one that failed stay after OR FAIL.
            let is_gone = |page: &Page| self.session.connection().is_some_and(|connection| !page.is_there(connection));
            self.began || self.page.is_some_and(is_gone)
        } else {
            // The error that is told is the first one; a failed rollback leaves the next BEGIN to fail and be told.
            let gone = self.session.roll_back().is_ok();
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
    Rendered(&'c Session, &'p SqlPlan, &'p Statement, u64),
}

impl<'c, 'p> Held<'c, 'p> {
    fn new(session: &'c Session, sql: &'p SqlPlan, statement: &'p Statement, scope: &Scope) -> Result<Self, RawError> {
        if statement.varies_by_row() {
            return Ok(Self::Rendered(session, sql, statement, 0));
        }
        Prepared::new(session, sql, statement, scope, 1).map(Self::Prepared)
    }

    fn run(&mut self, scope: &Scope, row: u64) -> Result<u64, RawError> {
        match self {
            Self::Prepared(prepared) => prepared.run(scope, row),
            Self::Rendered(session, sql, statement, stayed) => {
                let mut prepared = Prepared::new(session, sql, statement, scope, row)?;
                let changed = prepared.run(scope, row).and_then(|rows| Ok(rows + prepared.executed.finish()?));
                *stayed = prepared.executed.stayed();
                changed
            }
        }
    }

    fn finish(&mut self) -> Result<u64, RawError> {
        match self {
            Self::Prepared(prepared) => prepared.executed.finish(),
            Self::Rendered(..) => Ok(0),
        }
    }

    fn stayed(&self) -> u64 {
        match self {
            Self::Prepared(prepared) => prepared.executed.stayed(),
            Self::Rendered(_, _, _, stayed) => *stayed,
        }
    }
}

/// A prepared statement, with what is the same for every row bound.
struct Prepared<'c, 'p> {
    executed: Executed<'c>,
    varying: Vec<(usize, Varying<'p>)>,
    /// What the texts of the rows are written into.
    buffer: String,
}

impl<'c, 'p> Prepared<'c, 'p> {
    fn new(
        session: &'c Session,
        sql: &'p SqlPlan,
        statement: &Statement,
        scope: &Scope,
        row: u64,
    ) -> Result<Self, RawError> {
        let text = statement.render(scope, row).map_err(|problem| template_error(&problem))?;
        let mut executed = session.prepare(&text, sql.statements.len() == 1)?;
        let mut varying = Vec::new();
        for (index, name) in executed.parameters() {
            let parameter = sql.parameter(&name[1..]).ok_or_else(|| no_value(&name))?;
            match parameter.fold(scope).map_err(|problem| template_error(&problem))? {
                Binding::Constant(value) => executed.bind(index, borrowed(&value))?,
                Binding::Varying(parameter) => varying.push((index, parameter)),
            }
        }
        Ok(Self { executed, varying, buffer: String::new() })
    }

    fn run(&mut self, scope: &Scope, row: u64) -> Result<u64, RawError> {
        let Self { executed, varying, buffer } = self;
        for (index, parameter) in varying {
            let value = parameter.at(scope, row, buffer).map_err(|problem| template_error(&problem))?;
            match value {
                AtRow::Row(row) => executed.bind(*index, ValueRef::Integer(row)),
                AtRow::Text(text) => executed.bind(*index, ValueRef::Text(text.as_bytes())),
                AtRow::Value(value) => executed.bind(*index, borrowed(&value)),
            }?;
        }
        executed.run()
    }
}

/// A value of the plan as a statement takes it.
fn borrowed(value: &SqlValue) -> ValueRef<'_> {
    match value {
        SqlValue::Null => ValueRef::Null,
        SqlValue::Integer(number) => ValueRef::Integer(*number),
        SqlValue::Real(number) => ValueRef::Real(*number),
        SqlValue::Text(text) => ValueRef::Text(text.as_bytes()),
        SqlValue::Blob(bytes) => ValueRef::Blob(bytes),
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
