//! A database in memory for SQL that nobody has read yet: scenarios come from pull requests. Nothing here runs but
//! declarations, of which only the shape is kept; nothing reaches a file or a setting of the process; and everything
//! ends. It must not know what the SQL is for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::ffi::SQLITE_ATTACH;
use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Batch, Connection, Statement};

use crate::sandbox::{self, Wish};
use crate::sql::quote;

/// The public functions of the sync extension, so that SQL that calls them prepares.
const FUNCTIONS: [&str; 32] = [
    "auth_json",
    "auth_userid",
    "cloudsync_begin_alter",
    "cloudsync_cleanup",
    "cloudsync_clear_filter",
    "cloudsync_commit_alter",
    "cloudsync_db_version",
    "cloudsync_db_version_next",
    "cloudsync_disable",
    "cloudsync_enable",
    "cloudsync_init",
    "cloudsync_is_enabled",
    "cloudsync_network_check_changes",
    "cloudsync_network_cleanup",
    "cloudsync_network_has_unsent_changes",
    "cloudsync_network_init",
    "cloudsync_network_init_custom",
    "cloudsync_network_logout",
    "cloudsync_network_receive_changes",
    "cloudsync_network_reset_sync_version",
    "cloudsync_network_send_changes",
    "cloudsync_network_set_apikey",
    "cloudsync_network_set_token",
    "cloudsync_network_status",
    "cloudsync_network_sync",
    "cloudsync_set",
    "cloudsync_set_column",
    "cloudsync_set_filter",
    "cloudsync_siteid",
    "cloudsync_terminate",
    "cloudsync_uuid",
    "cloudsync_version",
];

/// Pragmas that only read the schema. SQLite carries out most others while it prepares them.
const READING: [&str; 17] = [
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "page_count",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// What to do about a declaration that reaches beyond.
const REMOVE: &str = "remove it: what declares tables reaches only its own databases";

/// The most steps of SQLite's own machine for the declarations of a scenario. A hundred tables take about ten thousand.
const STEPS: u64 = 1_000_000;
/// The most queries that a view may be made of.
const SELECTS: usize = 100;
/// How often the steps are counted.
const STRIDE: i32 = 100;
/// The limits of SQLite. It follows expressions, views, triggers and foreign keys by recursion, on the small stacks of
/// the workers too.
const LIMITS: [(Limit, i32); 10] = [
    (Limit::SQLITE_LIMIT_LENGTH, 16 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 16 << 20),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 250),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 1_000),
    (Limit::SQLITE_LIMIT_SCHEMA, 1_000),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 500),
    (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

type Ear = Box<dyn FnMut(&AuthContext<'_>) + Send>;

/// The database.
pub(super) struct Guard {
    connection: Connection,
    watch: Arc<Mutex<Watch>>,
}

/// What is noticed of a statement while it is prepared.
#[derive(Default)]
struct Watch {
    sandbox: bool,
    fate: Use,
    /// Who listens.
    ear: Option<Ear>,
    /// What was refused, and what to do.
    refused: Option<(String, &'static str)>,
    /// What the statement does to the schema.
    effect: Effect,
    /// The view that it declares.
    view: Option<String>,
    /// All views so far.
    views: Vec<String>,
    /// Whether something was dropped or changed since views were looked at.
    dropped: bool,
    /// Whether queries have no rows, and are not even looked at.
    hollow: bool,
    /// The steps so far.
    steps: u64,
}

/// What becomes of a statement.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Use {
    /// It is only prepared.
    #[default]
    Prepared,
    /// What it declares is declared.
    Declared,
}

/// What a statement does to the schema.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Effect {
    /// Nothing.
    #[default]
    None,
    /// It changes or drops something, or declares an index, a view or a trigger.
    Changes,
    /// It declares a table.
    Declares,
    /// It creates a table with the rows of a query.
    Fills,
}

impl Guard {
    /// In a sandbox, statements that are only prepared are refused as well for what they would reach.
    pub(super) fn new(sandbox: bool) -> Result<Self, rusqlite::Error> {
        let mut connection = Connection::open_in_memory()?;
        for name in FUNCTIONS {
            connection.create_scalar_function(name, -1, FunctionFlags::SQLITE_UTF8, |_| Ok(rusqlite::types::Null))?;
        }
        rusqlite::vtab::series::load_module(&connection)?;
        connection.execute_batch("PRAGMA temp_store = memory")?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        for (limit, most) in LIMITS {
            connection.set_limit(limit, most)?;
        }
        let watch = Arc::new(Mutex::new(Watch { sandbox, ..Watch::default() }));
        let authorizer = Arc::clone(&watch);
        connection.authorizer(Some(move |context: AuthContext<'_>| locked(&authorizer).judge(&context)))?;
        let counter = Arc::clone(&watch);
        connection.progress_handler(STRIDE, Some(move || locked(&counter).spend()))?;
        Ok(Self { connection, watch })
    }

    /// The connection, for questions of our own and for statements that are prepared and never run.
    pub(super) fn connection(&self) -> &Connection {
        locked(&self.watch).forget();
        &self.connection
    }

    /// Prepares a single statement, which is never run.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'_>, rusqlite::Error> {
        locked(&self.watch).forget();
        // `Connection::prepare` calls itself for every further statement of the text.
        let mut batch = Batch::new(&self.connection, sql);
        let Some(first) = batch.next()? else { return self.connection.prepare("") };
        self.check_vacuum(&first)?;
        if batch.next()?.is_some() { Err(rusqlite::Error::MultipleStatement) } else { Ok(first) }
    }

    /// Declares what these statements declare. What they would do with rows is left: only their shape counts.
    pub(super) fn declare(&self, sql: &str) -> Result<(), rusqlite::Error> {
        let mut batch = Batch::new(&self.connection, sql);
        loop {
            locked(&self.watch).forget();
            locked(&self.watch).fate = Use::Declared;
            let Some(mut statement) = batch.next()? else { return Ok(()) };
            self.check_vacuum(&statement)?;
            let effect = locked(&self.watch).effect;
            let view = locked(&self.watch).view.take();
            match effect {
                Effect::Changes | Effect::Declares if statement.is_explain() == 0 => drop(statement.raw_execute()?),
                Effect::Fills if statement.is_explain() == 0 => self.declare_hollow(&statement)?,
                Effect::None | Effect::Changes | Effect::Declares | Effect::Fills => {}
            }
            drop(statement);
            if let Some(view) = view {
                self.check_views(&view)?;
            }
        }
    }

    /// Refuses `VACUUM INTO`, of which SQLite tells nobody before it runs, where it would be run or is in a sandbox.
    fn check_vacuum(&self, statement: &Statement<'_>) -> Result<(), rusqlite::Error> {
        let asks = {
            let watch = locked(&self.watch);
            watch.fate == Use::Declared || watch.sandbox
        };
        let sql = statement.expanded_sql().unwrap_or_default();
        if !asks || statement.is_explain() != 0 || !sql.to_ascii_lowercase().contains("vacuum") {
            return Ok(());
        }
        let mut explained = self.connection.prepare(&format!("EXPLAIN {sql}"))?;
        let mut rows = explained.query([])?;
        while let Some(row) = rows.next()? {
            let (opcode, file): (String, i64) = (row.get("opcode")?, row.get("p2")?);
            if opcode == "Vacuum" && file != 0 {
                locked(&self.watch).refuse_named("VACUUM INTO");
                return Err(rusqlite::Error::InvalidQuery);
            }
        }
        Ok(())
    }

    /// Whether views are simple enough: SQLite copies each as often as it is named, in views of views again, and nothing
    /// stops it. So none is declared before those that it names, and each is looked at before another names it.
    fn check_views(&self, new: &str) -> Result<(), rusqlite::Error> {
        let views = {
            let mut watch = locked(&self.watch);
            watch.views.push(new.to_owned());
            if std::mem::take(&mut watch.dropped) { watch.views.clone() } else { vec![new.to_owned()] }
        };
        for view in &views {
            let sql = format!("SELECT 1 FROM {}", quote(view));
            if view == new {
                drop(self.connection.prepare(&sql)?);
            }
            let selects = self.heard(&sql, |selects: &mut usize, context| {
                *selects += usize::from(matches!(context.action, AuthAction::Select));
            });
            if selects > SELECTS {
                let message =
                    format!("the view `{view}` is made of more than {SELECTS} queries, which a scenario may not do");
                locked(&self.watch).refused = Some((message, "make it of fewer views"));
                return Err(rusqlite::Error::InvalidQuery);
            }
        }
        Ok(())
    }

    /// Creates a table that a query would fill, without its rows.
    fn declare_hollow(&self, statement: &Statement<'_>) -> Result<(), rusqlite::Error> {
        let sql = statement.expanded_sql().unwrap_or_default();
        locked(&self.watch).hollow = true;
        let done = self.connection.prepare(&sql).and_then(|mut statement| statement.raw_execute());
        locked(&self.watch).hollow = false;
        done.map(drop)
    }

    /// What an ear makes of everything that SQLite says while it prepares a statement.
    pub(super) fn heard<T: Default + Send + 'static>(
        &self,
        sql: &str,
        hear: impl Fn(&mut T, &AuthContext<'_>) + Send + 'static,
    ) -> T {
        let heard = Arc::new(Mutex::new(T::default()));
        let ear = Arc::clone(&heard);
        locked(&self.watch).ear = Some(Box::new(move |context| hear(&mut locked(&ear), context)));
        // What does not prepare is told elsewhere.
        drop(Batch::new(&self.connection, sql).next());
        locked(&self.watch).ear = None;
        std::mem::take(&mut *locked(&heard))
    }

    /// Why the last statement was refused, and what to do, where that was not SQLite's own doing.
    pub(super) fn refusal(&self) -> Option<(String, String)> {
        let watch = locked(&self.watch);
        if watch.steps > STEPS {
            let message = format!("SQLite needs more than {STEPS} steps for the statements up to this one");
            return Some((message, "use fewer and simpler tables, views and triggers".to_owned()));
        }
        watch.refused.as_ref().map(|(message, help)| (message.clone(), (*help).to_owned()))
    }
}

/// Whether this is a function of the extension.
pub(super) fn is_of_extension(function: &str) -> bool {
    FUNCTIONS.iter().any(|name| name.eq_ignore_ascii_case(function))
}

impl Watch {
    /// Forgets what was noticed of the statement before.
    fn forget(&mut self) {
        (self.refused, self.effect, self.view, self.fate) = (None, Effect::None, None, Use::Prepared);
    }

    fn declares(&self) -> bool {
        self.fate == Use::Declared
    }

    fn judge(&mut self, context: &AuthContext<'_>) -> Authorization {
        if let Some(ear) = &mut self.ear {
            ear(context);
        }
        let action = context.action;
        // A statement that is only prepared reaches nothing here, and a run does what its scenario says.
        if (self.sandbox || self.declares()) && wish(&action).is_some_and(Wish::is_refused) {
            return self.refuse(&action);
        }
        match action {
            // SQLite carries out pragmas while it prepares them.
            AuthAction::Pragma { pragma_name, .. } if !is_among(&READING, pragma_name) => Authorization::Ignore,
            AuthAction::Select if self.hollow => Authorization::Ignore,
            action => {
                self.note(&action);
                Authorization::Allow
            }
        }
    }

    fn refuse(&mut self, action: &AuthAction<'_>) -> Authorization {
        let what = match action {
            AuthAction::Function { function_name } => format!("the function {function_name}()"),
            AuthAction::Pragma { pragma_name, .. } => format!("PRAGMA {pragma_name}"),
            _ => "ATTACH".to_owned(),
        };
        self.refuse_named(&what);
        Authorization::Deny
    }

    fn refuse_named(&mut self, what: &str) {
        let message = format!("it reaches beyond the scenario's own tables: {what} is not allowed");
        self.refused = Some((message, if self.declares() { REMOVE } else { sandbox::HELP }));
    }

    fn note(&mut self, action: &AuthAction<'_>) {
        self.effect = self.effect.and(action);
        match action {
            AuthAction::CreateView { view_name } | AuthAction::CreateTempView { view_name } => {
                self.view = Some((*view_name).to_owned());
            }
            AuthAction::DropView { .. }
            | AuthAction::DropTempView { .. }
            | AuthAction::DropTable { .. }
            | AuthAction::DropTempTable { .. }
            | AuthAction::AlterTable { .. } => self.dropped = true,
            _ => {}
        }
    }

    /// Counts steps. Whether they are too many.
    fn spend(&mut self) -> bool {
        self.steps += u64::from(STRIDE.unsigned_abs());
        self.steps > STEPS
    }
}

impl Effect {
    /// The effect of a statement that also does this.
    fn and(self, action: &AuthAction<'_>) -> Self {
        match action {
            AuthAction::Select if self == Self::Declares => Self::Fills,
            AuthAction::CreateTable { .. } | AuthAction::CreateTempTable { .. } => Self::Declares,
            AuthAction::CreateIndex { .. }
            | AuthAction::CreateTempIndex { .. }
            | AuthAction::CreateTrigger { .. }
            | AuthAction::CreateTempTrigger { .. }
            | AuthAction::CreateView { .. }
            | AuthAction::CreateTempView { .. }
            | AuthAction::CreateVtable { .. }
            | AuthAction::AlterTable { .. }
            | AuthAction::DropTable { .. }
            | AuthAction::DropTempTable { .. }
            | AuthAction::DropIndex { .. }
            | AuthAction::DropTempIndex { .. }
            | AuthAction::DropTrigger { .. }
            | AuthAction::DropTempTrigger { .. }
            | AuthAction::DropView { .. }
            | AuthAction::DropTempView { .. }
            | AuthAction::DropVtable { .. }
                if self == Self::None =>
            {
                Self::Changes
            }
            _ => self,
        }
    }
}

/// What a statement wants of the world beyond its database.
fn wish<'a>(action: &AuthAction<'a>) -> Option<Wish<'a>> {
    match *action {
        AuthAction::Attach { filename } => Some(Wish::Attach(Some(filename))),
        AuthAction::Unknown { code: SQLITE_ATTACH, .. } => Some(Wish::Attach(None)),
        AuthAction::Function { function_name } => Some(Wish::Function(function_name)),
        AuthAction::Pragma { pragma_name, .. } => Some(Wish::Pragma(pragma_name)),
        _ => None,
    }
}

/// Whether a name is one of these, which are in lower case.
fn is_among(names: &[&str], name: &str) -> bool {
    names.contains(&name.to_ascii_lowercase().as_str())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
