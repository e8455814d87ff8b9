//! The classification of errors: the kind of a failure, the side on which it happened, and whether a retry can help.
//! A pure function from SQLite codes, server answers and messages to a [`Failure`]. Nothing here knows who reported the
//! error or what it means for the verdict.

mod answer;
mod code;
mod engine;
mod escapes;
mod fingerprint;
mod invariant;
mod kind;
mod raw;
mod secret;
mod secrets;
mod text;
mod verdict;

pub use answer::classify_answer;
pub use invariant::Versions;
pub use kind::{FailureKind, Side};
pub use raw::{Call, RawError, Told};
pub use secret::Secret;
pub use secrets::Secrets;
pub use verdict::Failure;

use raw::Origin;

/// Classifies an error: by its codes first, by the server's answer second, by its message last.
pub fn classify(error: &RawError) -> Failure {
    match &error.origin {
        Origin::Here => {}
        Origin::Engine(told) => return engine::classify(error, told),
        Origin::Driver => return Failure::new(FailureKind::Driver, Side::Harness, error.message.clone()),
    }
    let by_code = error.sqlite.and_then(|(primary, extended)| code::sqlite(error.call, primary, extended));
    let failure = by_code.map_or_else(
        || answer::from_message(error).unwrap_or_else(|| text::classify(error.call, error.http, &error.message)),
        |verdict| verdict.failure(&error.message),
    );
    Failure { http: failure.http.or(error.http), message: error.message.clone(), ..failure }
}

#[cfg(test)]
mod tests;
