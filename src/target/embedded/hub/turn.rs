//! What bounds the SQL of a request: its time, whether anybody still waits for it, the size of its values, and what no
//! statement may do on any connection. It must not know what is run.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::ffi::SQLITE_ATTACH;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::sandbox::Wish;

/// Steps of SQLite's machine between two looks at the turn: well below a millisecond.
const STEPS: i32 = 5_000;

/// A request's time to work.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    until: Instant,
    gone: Arc<AtomicBool>,
}

/// Who waits for a request. When it is dropped, nobody does.
#[derive(Debug)]
pub(super) struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    /// The turn of the request that this thread works on.
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

impl Turn {
    /// A turn of this length, and who waits for it.
    pub(super) fn new(time: Duration) -> (Self, Waiting) {
        let gone = Arc::new(AtomicBool::new(false));
        (Self { until: Instant::now() + time, gone: Arc::clone(&gone) }, Waiting(gone))
    }

    /// Works on a request, whose statements end with the turn.
    pub(super) fn take<T>(self, work: impl FnOnce() -> T) -> T {
        TURN.set(Some(self));
        let done = work();
        TURN.set(None);
        done
    }
}

/// Whether the request that this thread works on is out of time, or nobody waits for it any more.
pub(super) fn is_over() -> bool {
    TURN.with_borrow(|turn| {
        turn.as_ref().is_some_and(|turn| turn.gone.load(Ordering::Relaxed) || Instant::now() >= turn.until)
    })
}

/// Puts a connection under the turns of the requests that it serves.
pub(super) fn bind(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.progress_handler(STEPS, Some(is_over))?;
    connection.authorizer(Some(|context: AuthContext<'_>| judge(&context)))
}

/// Refuses what reaches beyond the database's own file: `ATTACH`, with which `VACUUM INTO` writes, too, other
/// directories for temporary files, and code of others.
pub(super) fn judge(context: &AuthContext<'_>) -> Authorization {
    let wish = match context.action {
        AuthAction::Attach { filename } => Wish::Attach(Some(filename)),
        AuthAction::Unknown { code: SQLITE_ATTACH, .. } => Wish::Attach(None),
        AuthAction::Function { function_name } => Wish::Function(function_name),
        AuthAction::Pragma { pragma_name, .. } => Wish::Pragma(pragma_name),
        _ => return Authorization::Allow,
    };
    if wish.is_refused() { Authorization::Deny } else { Authorization::Allow }
}
