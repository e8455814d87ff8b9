//! Classification of what a driver says about an error of its engine: by its fields first, by its message last.

use super::code;
use super::kind::{FailureKind as Kind, Side};
use super::raw::{RawError, Told};
use super::text;
use super::verdict::{Failure, Verdict};

/// The code of a request that was interrupted as `stress` asked for.
const INTERRUPTED: &str = "interrupted";

pub(super) fn classify(error: &RawError, told: &Told) -> Failure {
    let verdict = by_fields(error, told).or_else(|| text::engine(told.side, &error.message));
    let verdict = verdict.unwrap_or_else(|| unknown(error, told));
    let failure = Verdict {
        side: told.side.unwrap_or(verdict.side),
        retryable: told.retry.unwrap_or(verdict.retryable),
        http: told.http.or(verdict.http),
        code: told.code.clone().or(verdict.code),
        kind: verdict.kind,
    };
    failure.failure(&error.message)
}

fn by_fields(error: &RawError, told: &Told) -> Option<Verdict> {
    let by_code = |code: &str| match code {
        // What `stress` cut off is told as SQLite's interrupt is.
        INTERRUPTED => code::named(error.call, "SQLITE_INTERRUPT"),
        code => code::named(error.call, code).or_else(|| code::server(code)),
    };
    let by_code = told.code.as_deref().and_then(by_code);
    by_code.or_else(|| text::refused(told.http?, &error.message.to_lowercase()))
}

/// The kind of an error of which nothing but its place is known.
fn unknown(error: &RawError, told: &Told) -> Verdict {
    let side = told.side.unwrap_or(if error.call.is_remote() { Side::Server } else { Side::Client });
    let kind = match side {
        Side::Network => Kind::Network,
        Side::Server => Kind::Http,
        Side::Client | Side::Configuration | Side::Harness => Kind::Sql,
    };
    Verdict::new(kind, side)
}
