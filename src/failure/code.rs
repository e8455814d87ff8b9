//! Classification by codes: SQLite's result codes, HTTP statuses, the server's machine-readable codes.

use super::kind::{FailureKind, Side};
use super::raw::Call;
use super::verdict::Verdict;

/// Classifies SQLite's result code. `None` for `SQLITE_ERROR`, which has no specific meaning.
pub(super) fn sqlite(call: Call, primary: i32, extended: i32) -> Option<Verdict> {
    let (kind, side) = match primary {
        5 | 6 => (FailureKind::Locked, Side::Client),
        8 | 10 | 13 | 14 => (FailureKind::Disk, Side::Client),
        // `stress` itself interrupts a call that exceeds its time limit.
        9 => (FailureKind::Timeout, if call.is_remote() { Side::Network } else { Side::Client }),
        11 | 26 => (FailureKind::Corrupt, Side::Client),
        18 => (FailureKind::TooLarge, Side::Client),
        19 => (FailureKind::Constraint, Side::Client),
        _ => return None,
    };
    Some(Verdict { code: Some(name(primary, extended)), ..Verdict::new(kind, side) })
}

/// The name of the extended result code if it is more specific than the primary one, otherwise of the primary code.
fn name(primary: i32, extended: i32) -> String {
    let known = match extended {
        261 => "SQLITE_BUSY_RECOVERY",
        517 => "SQLITE_BUSY_SNAPSHOT",
        773 => "SQLITE_BUSY_TIMEOUT",
        262 => "SQLITE_LOCKED_SHAREDCACHE",
        275 => "SQLITE_CONSTRAINT_CHECK",
        787 => "SQLITE_CONSTRAINT_FOREIGNKEY",
        1299 => "SQLITE_CONSTRAINT_NOTNULL",
        1555 => "SQLITE_CONSTRAINT_PRIMARYKEY",
        1811 => "SQLITE_CONSTRAINT_TRIGGER",
        2067 => "SQLITE_CONSTRAINT_UNIQUE",
        _ => match primary {
            5 => "SQLITE_BUSY",
            6 => "SQLITE_LOCKED",
            8 => "SQLITE_READONLY",
            9 => "SQLITE_INTERRUPT",
            10 => "SQLITE_IOERR",
            11 => "SQLITE_CORRUPT",
            13 => "SQLITE_FULL",
            14 => "SQLITE_CANTOPEN",
            18 => "SQLITE_TOOBIG",
            19 => "SQLITE_CONSTRAINT",
            26 => "SQLITE_NOTADB",
            _ => return format!("SQLite {extended}"),
        },
    };
    known.to_owned()
}

/// Classifies an engine's code that is SQLite's, by its name. `None` for other codes.
pub(super) fn named(call: Call, code: &str) -> Option<Verdict> {
    let primary = match code.strip_prefix("SQLITE_")?.split('_').next()? {
        "BUSY" => 5,
        "LOCKED" => 6,
        "READONLY" => 8,
        "INTERRUPT" => 9,
        "IOERR" => 10,
        "CORRUPT" => 11,
        "FULL" => 13,
        "CANTOPEN" => 14,
        "TOOBIG" => 18,
        "CONSTRAINT" => 19,
        "NOTADB" => 26,
        _ => return None,
    };
    sqlite(call, primary, primary).map(|verdict| Verdict { code: Some(code.to_owned()), ..verdict })
}

/// Classifies an HTTP status. `None` if the status only means that the server failed.
pub(super) fn http(status: u16) -> Option<Verdict> {
    let (kind, side, retryable) = match status {
        401 | 403 => (FailureKind::Auth, Side::Configuration, false),
        404 => (FailureKind::NotFound, Side::Server, true),
        408 | 504 => (FailureKind::Timeout, Side::Server, true),
        413 => (FailureKind::TooLarge, Side::Server, false),
        429 => (FailureKind::RateLimited, Side::Server, true),
        503 => (FailureKind::Unavailable, Side::Server, true),
        _ => return None,
    };
    Some(Verdict { retryable, http: Some(status), ..Verdict::new(kind, side) })
}

/// Classifies a machine-readable code of the server. `None` for codes that only mean that something failed.
pub(super) fn server(code: &str) -> Option<Verdict> {
    let (kind, side) = match code {
        "tenant_unreachable" | "database_paused" | "database_unreachable" => (FailureKind::Unavailable, Side::Server),
        "database_auth_failed" | "database_permission_denied" | "unauthorized" | "forbidden" | "10004" => {
            (FailureKind::Auth, Side::Configuration)
        }
        "database_cloudsync_not_ready" => (FailureKind::NotInitialised, Side::Server),
        "not_found" => (FailureKind::NotFound, Side::Server),
        "already_exists" => (FailureKind::Http, Side::Server),
        "rate_limited" | "too_many_requests" => (FailureKind::RateLimited, Side::Server),
        "payload_too_large" | "row_too_large" => (FailureKind::TooLarge, Side::Server),
        _ => return None,
    };
    Some(Verdict { code: Some(code.to_owned()), ..Verdict::new(kind, side) })
}
