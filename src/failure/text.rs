//! Classification by message, for errors without a specific code: the real messages of the fact sheet, in lower case.

use super::code;
use super::kind::{FailureKind as Kind, Side};
use super::raw::Call;
use super::verdict::{Failure, Verdict};

/// How a text must occur in a message.
enum Text {
    /// Anywhere.
    Holds(&'static str),
    /// As the whole message.
    Is(&'static str),
}

use Text::{Holds, Is};

/// Texts that mean the same on both sides.
const DATABASE: &[(Text, Kind)] = &[
    (Holds("database is locked"), Kind::Locked),
    (Holds("database table is locked"), Kind::Locked),
    (Holds("database is busy"), Kind::Locked),
    (Holds("sqlite_busy"), Kind::Locked),
    (Holds("schema hash is unknown"), Kind::SchemaMismatch),
    (Holds("cloudsync is not initialized"), Kind::NotInitialised),
    (Holds("cloudsync has no tables configured for sync"), Kind::NotInitialised),
    (Holds("cloudsync settings reference tables whose sync metadata is missing"), Kind::NotInitialised),
    (Holds("cloudsync_error[payload_too_large]"), Kind::TooLarge),
    (Holds("cloudsync_error[row_too_large]"), Kind::TooLarge),
    (Holds("maximum number of payload rows reached"), Kind::TooLarge),
    (Holds("constraint failed"), Kind::Constraint),
    (Holds("database disk image is malformed"), Kind::Corrupt),
    (Holds("file is not a database"), Kind::Corrupt),
    (Holds("database or disk is full"), Kind::Disk),
    (Holds("attempt to write a readonly database"), Kind::Disk),
    (Holds("disk i/o error"), Kind::Disk),
    (Holds("unable to open database file"), Kind::Disk),
];

/// Texts that only a server uses.
const SERVER: &[(Text, Kind, Side)] = &[
    (Holds("authorization denied"), Kind::Auth, Side::Configuration),
    (Holds("unauthorized"), Kind::Auth, Side::Configuration),
    (Holds("invalid token"), Kind::Auth, Side::Configuration),
    (Holds("token expired"), Kind::Auth, Side::Configuration),
    (Holds("token is expired"), Kind::Auth, Side::Configuration),
    (Holds("invalid api key"), Kind::Auth, Side::Configuration),
    (Holds("too many requests"), Kind::RateLimited, Side::Server),
    (Holds("rate limit"), Kind::RateLimited, Side::Server),
    (Holds("database paused"), Kind::Unavailable, Side::Server),
    (Holds("managed database not found"), Kind::NotFound, Side::Server),
    (Holds("resource already exists"), Kind::Http, Side::Server),
    (Holds("column index out of bounds"), Kind::Sql, Side::Server),
    (Holds("unexpected result"), Kind::BadAnswer, Side::Server),
    (Holds("parse error"), Kind::BadAnswer, Side::Server),
];

/// Texts of the extension, of the curl inside it, and of our own HTTP client.
const CALLS: &[(Text, Kind, Side)] = &[
    (Holds("failed to connect to"), Kind::Network, Side::Network),
    (Holds("could not resolve host"), Kind::Network, Side::Network),
    (Holds("failed to lookup address"), Kind::Network, Side::Network),
    (Holds("connection timed out"), Kind::Timeout, Side::Network),
    (Holds("operation timed out"), Kind::Timeout, Side::Network),
    (Holds("timeout was reached"), Kind::Timeout, Side::Network),
    (Holds("operation too slow"), Kind::Timeout, Side::Network),
    (Holds("timed out"), Kind::Timeout, Side::Network),
    (Holds("timeout:"), Kind::Timeout, Side::Network),
    (Holds("recv failure"), Kind::Network, Side::Network),
    (Holds("send failure"), Kind::Network, Side::Network),
    (Holds("connection refused"), Kind::Network, Side::Network),
    (Holds("connection reset"), Kind::Network, Side::Network),
    (Holds("reset by peer"), Kind::Network, Side::Network),
    (Holds("broken pipe"), Kind::Network, Side::Network),
    (Holds("empty reply from server"), Kind::Network, Side::Network),
    (Holds("bytes missing"), Kind::Network, Side::Network),
    (Holds("bytes remaining to read"), Kind::Network, Side::Network),
    (Holds("peer disconnected"), Kind::Network, Side::Network),
    (Holds("unexpected end of file"), Kind::Network, Side::Network),
    (Holds("no complete answer:"), Kind::Network, Side::Network),
    (Holds("received http/0.9 when not allowed"), Kind::Network, Side::Network),
    (Holds("ssl certificate problem"), Kind::Network, Side::Network),
    (Holds("ssl connect error"), Kind::Network, Side::Network),
    (Holds("invalid peer certificate"), Kind::Network, Side::Network),
    (Holds("url rejected"), Kind::Configuration, Side::Configuration),
    (Holds("no url set"), Kind::Configuration, Side::Configuration),
    (Holds("unable to retrieve cloudsync network context"), Kind::Configuration, Side::Configuration),
    (Holds("manageddatabaseid cannot be empty"), Kind::Configuration, Side::Configuration),
    (Holds("address cannot be empty"), Kind::Configuration, Side::Configuration),
    (Holds("unable to compute/retrieve site_id"), Kind::Configuration, Side::Configuration),
    // HTTP errors without a body, in the extension's words.
    (Is("memory error."), Kind::Http, Side::Server),
    (Holds("unable to retrieve current status from remote host"), Kind::Http, Side::Server),
    (Holds("unable to apply changes to remote host"), Kind::Http, Side::Server),
    (Holds("unable to upload payload chunk to remote host"), Kind::Http, Side::Server),
    (Holds("unable to receive upload url"), Kind::Http, Side::Server),
    (Holds("missing 'url' in upload response"), Kind::BadAnswer, Side::Server),
    // Answers the extension could not use.
    (Holds("unable to parse check response"), Kind::BadAnswer, Side::Server),
    (Holds("invalid check chunks response"), Kind::BadAnswer, Side::Server),
    (Holds("check chunk is missing url or payload"), Kind::BadAnswer, Side::Server),
    (Holds("non-final check response missing next cursor"), Kind::BadAnswer, Side::Server),
    (Holds("check response exceeded requested maxchunks"), Kind::BadAnswer, Side::Server),
    (Holds("invalid inline payload in check response"), Kind::BadAnswer, Side::Server),
    (Holds("inline payload apply failed"), Kind::ClientApply, Side::Client),
    (Is("receive failed"), Kind::BadAnswer, Side::Server),
    (Is("check failed"), Kind::BadAnswer, Side::Server),
    (Holds("error on cloudsync_payload_apply"), Kind::ClientApply, Side::Client),
    (Holds("unable to apply payload changes"), Kind::ClientApply, Side::Client),
];

/// Classifies the message of a call, together with its HTTP status if that is known.
pub(super) fn classify(call: Call, http: Option<u16>, message: &str) -> Failure {
    let status = http.or_else(|| status_in(call, message));
    let verdict = said(call, status, message);
    Verdict { http: verdict.http.or(status), ..verdict }.failure(message)
}

fn said(call: Call, status: Option<u16>, message: &str) -> Verdict {
    let lower = message.to_lowercase();
    if let Some((_, reason)) = lower.split_once("server rejected check (non-retryable)") {
        let verdict = server(reason).unwrap_or_else(|| Verdict::new(Kind::ServerPrepare, Side::Server));
        return Verdict { retryable: false, ..verdict };
    }
    if lower.contains("callback aborted") || lower == "interrupted" {
        return Verdict::new(Kind::Timeout, if call.is_remote() { Side::Network } else { Side::Client });
    }
    if call.is_remote() {
        remote(status, &lower).unwrap_or_else(|| Verdict::new(unknown_answer(call), Side::Server))
    } else {
        local(call, &lower)
    }
}

/// The kind of a server's message that no rule knows: an SQL error if the call was SQL, otherwise an HTTP error.
const fn unknown_answer(call: Call) -> Kind {
    match call {
        Call::Admin => Kind::Sql,
        Call::Open | Call::Sql | Call::Send | Call::Receive | Call::Sync | Call::Close => Kind::Http,
    }
}

fn remote(status: Option<u16>, lower: &str) -> Option<Verdict> {
    if let Some(verdict) = status.and_then(|status| refused(status, lower)) {
        return Some(verdict);
    }
    if is_bad_protocol(lower) {
        return Some(Verdict::new(Kind::Configuration, Side::Configuration));
    }
    // The extension's own words are checked before the server's, because they name the step that quotes the server.
    if let Some((_, kind, side)) = CALLS.iter().find(|(text, ..)| text.fits(lower)) {
        return Some(Verdict::new(*kind, *side));
    }
    server(lower)
}

/// Classifies an HTTP status together with its text: a limit of the plan is not a wrong credential.
pub(super) fn refused(status: u16, lower: &str) -> Option<Verdict> {
    let verdict = code::http(status)?;
    let side = if verdict.kind == Kind::Auth && lower.contains("limit") { Side::Server } else { verdict.side };
    Some(Verdict { side, ..verdict })
}

/// Classifies a server's text, from a body or a failed job, in lower case.
pub(super) fn server(lower: &str) -> Option<Verdict> {
    if let Some((_, kind)) = DATABASE.iter().find(|(text, _)| text.fits(lower)) {
        return Some(Verdict::new(*kind, Side::Server));
    }
    SERVER.iter().find(|(text, ..)| text.fits(lower)).map(|(_, kind, side)| Verdict::new(*kind, *side))
}

/// Classifies a text of SQLite or the extension about the local database file, in lower case.
pub(super) fn database(lower: &str) -> Option<Verdict> {
    let (_, kind) = DATABASE.iter().find(|(text, _)| text.fits(lower))?;
    Some(Verdict::new(*kind, Side::Client))
}

/// Classifies the message of an engine that a driver drives, on the side that the driver names.
pub(super) fn engine(side: Option<Side>, message: &str) -> Option<Verdict> {
    let lower = message.to_lowercase();
    let call = || CALLS.iter().find(|(text, ..)| text.fits(&lower)).map(|(_, kind, side)| Verdict::new(*kind, *side));
    match side {
        Some(Side::Server) => server(&lower),
        Some(Side::Network) => call(),
        Some(Side::Client | Side::Configuration | Side::Harness) => database(&lower),
        None => call().or_else(|| database(&lower)).or_else(|| server(&lower)),
    }
}

fn local(call: Call, lower: &str) -> Verdict {
    if let Some(verdict) = database(lower) {
        return match verdict.kind {
            Kind::NotInitialised => Verdict { side: Side::Configuration, ..verdict },
            _ => verdict,
        };
    }
    if let Some((_, kind, side)) = CALLS.iter().find(|(text, kind, _)| *kind == Kind::Configuration && text.fits(lower))
    {
        return Verdict::new(*kind, *side);
    }
    match call {
        Call::Open if is_missing_extension(lower) => Verdict::new(Kind::Configuration, Side::Configuration),
        Call::Open | Call::Sql | Call::Send | Call::Receive | Call::Sync | Call::Close | Call::Admin => {
            Verdict::new(Kind::Sql, Side::Client)
        }
    }
}

fn is_missing_extension(lower: &str) -> bool {
    [
        "cannot open shared object file",
        "image not found",
        "no such file",
        "module could not be found",
        "undefined symbol",
    ]
    .iter()
    .any(|text| lower.contains(text))
}

/// `Protocol "ftp" not supported`.
fn is_bad_protocol(lower: &str) -> bool {
    lower.starts_with("protocol \"") && lower.ends_with("not supported")
}

/// The HTTP status in the body of a gateway's own error page: `<title>502 Bad Gateway</title>`,
/// `500 Internal Server Error`, `HTTP 500`. Only these places count: elsewhere, 500 may be a number of rows.
fn status_in(call: Call, message: &str) -> Option<u16> {
    if !call.is_remote() {
        return None;
    }
    let after_title = message.find("<title>").map(|at| &message[at + "<title>".len()..]);
    let after_http = message.strip_prefix("HTTP ").or_else(|| message.strip_prefix("http status: "));
    let text = after_title.or(after_http).unwrap_or(message).trim_start();
    let (number, rest) = text.split_at_checked(3)?;
    let status: u16 = number.parse().ok()?;
    let ends = rest.is_empty() || rest.starts_with([' ', ':', '<', '\n']);
    let named = after_title.is_some() || after_http.is_some() || rest.trim_start().starts_with(char::is_uppercase);
    (ends && named && (400..600).contains(&status)).then_some(status)
}

impl Text {
    fn fits(&self, lower: &str) -> bool {
        match self {
            Self::Holds(text) => lower.contains(text),
            Self::Is(text) => lower.trim() == *text,
        }
    }
}
