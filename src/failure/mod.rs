//! The error taxonomy: what a failure is called, on whose side it happened, and whether trying again is worth it.
//! A pure table from SQLite codes, answers and texts to a [`Failure`]. It must not know who reported the error or what
//! it means for the verdict.

mod answer;
mod code;
mod fingerprint;
mod invariant;
mod kind;
mod raw;
mod secret;
mod secrets;
mod text;
mod verdict;

pub use answer::classify_answer;
pub use fingerprint::fingerprint;
pub use invariant::Versions;
pub use kind::{FailureKind, Side};
pub use raw::{Call, RawError};
pub use secret::Secret;
pub use secrets::Secrets;
pub use verdict::Failure;

/// What an error is: codes first, the answer of the server second, texts last.
pub fn classify(error: &RawError) -> Failure {
    let by_code = error.sqlite.and_then(|(primary, extended)| code::sqlite(error.call, primary, extended));
    let failure = by_code.map_or_else(
        || answer::from_message(error).unwrap_or_else(|| text::classify(error.call, error.http, &error.message)),
        |verdict| verdict.failure(&error.message),
    );
    Failure { http: failure.http.or(error.http), message: error.message.clone(), ..failure }
}

#[cfg(test)]
mod tests;
