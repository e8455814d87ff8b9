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
        code: verdict.code.or_else(|| told.code.clone()),
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

#[cfg(test)]
mod tests {
    use super::super::raw::Call;
    use super::super::secrets::Secrets;
    use super::*;

    fn told(call: Call, message: &str, told: Told) -> (Kind, Side, bool) {
        let failure = super::super::classify(&RawError::of_engine(call, message.to_owned(), told, &Secrets::default()));
        (failure.kind, failure.side, failure.retryable)
    }

    fn at(side: Side) -> Told {
        Told { side: Some(side), ..Told::default() }
    }

    #[test]
    fn the_fields_are_taken_first_and_the_message_last() {
        let code = |code: &str| Told { code: Some(code.to_owned()), ..Told::default() };
        let http = |http: u16| Told { http: Some(http), ..Told::default() };
        for (call, message, fields, wanted) in [
            (Call::Sql, "x", code("SQLITE_BUSY_SNAPSHOT"), (Kind::Locked, Side::Client, true)),
            (Call::Sql, "x", code("SQLITE_CONSTRAINT_UNIQUE"), (Kind::Constraint, Side::Client, false)),
            (Call::Send, "x", code("payload_too_large"), (Kind::TooLarge, Side::Server, false)),
            (Call::Send, "x", http(503), (Kind::Unavailable, Side::Server, true)),
            (Call::Send, "x", http(401), (Kind::Auth, Side::Configuration, false)),
            (Call::Send, "database is locked", at(Side::Server), (Kind::Locked, Side::Server, true)),
            (Call::Sql, "Database is busy", at(Side::Client), (Kind::Locked, Side::Client, true)),
            (
                Call::Receive,
                "Connection refused (os error 111)",
                at(Side::Network),
                (Kind::Network, Side::Network, true),
            ),
            (Call::Receive, "connection reset by peer", Told::default(), (Kind::Network, Side::Network, true)),
            (Call::Sql, "file is not a database", Told::default(), (Kind::Corrupt, Side::Client, false)),
            (Call::Send, "whatever", Told::default(), (Kind::Http, Side::Server, true)),
            (Call::Send, "whatever", at(Side::Network), (Kind::Network, Side::Network, true)),
            (Call::Sql, "no such table: t", Told::default(), (Kind::Sql, Side::Client, false)),
            // The driver's own word on a retry stands.
            (Call::Sql, "x", Told { retry: Some(false), ..code("SQLITE_BUSY") }, (Kind::Locked, Side::Client, false)),
            (
                Call::Send,
                "database is locked",
                Told { retry: Some(true), ..at(Side::Client) },
                (Kind::Locked, Side::Client, true),
            ),
        ] {
            assert_eq!(told(call, message, fields.clone()), wanted, "{message} {fields:?}");
        }
    }

    #[test]
    fn what_was_cut_off_is_told_as_an_interrupted_statement_is() {
        let fields = Told { code: Some(INTERRUPTED.to_owned()), ..Told::default() };
        let error = RawError::of_engine(Call::Sql, "stopped".to_owned(), fields, &Secrets::default());
        let failure = super::super::classify(&error);
        assert_eq!((failure.kind, failure.code.as_deref()), (Kind::Timeout, Some("SQLITE_INTERRUPT")));
    }

    #[test]
    fn a_driver_that_is_gone_is_the_harness_s() {
        let error = RawError::of_driver(Call::Send, "it ended with exit code 3".to_owned(), &Secrets::default());
        let failure = super::super::classify(&error);
        assert_eq!((failure.kind, failure.side, failure.retryable), (Kind::Driver, Side::Harness, false));
    }
}
