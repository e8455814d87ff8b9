//! What this process shows to nobody, whoever prints: the secrets of the file that is read, then those of the run that is
//! under way.

use std::sync::{PoisonError, RwLock};

use crate::failure::{Secret, Secrets};

static HIDDEN: RwLock<Option<Secrets>> = RwLock::new(None);

/// Hides these from now on, instead of those before.
pub(super) fn hide(secrets: Secrets) {
    *HIDDEN.write().unwrap_or_else(PoisonError::into_inner) = Some(secrets);
}

/// Hides this one as well.
pub(super) fn add(secret: &Secret) {
    HIDDEN.write().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().add(secret);
}

/// The text without them.
pub(super) fn redact(text: String) -> String {
    match &*HIDDEN.read().unwrap_or_else(PoisonError::into_inner) {
        Some(secrets) => secrets.redact(text),
        None => text,
    }
}

/// The same for a panic: whoever panics while it changes them must not wait for itself.
pub(super) fn redact_at_once(text: String) -> Option<String> {
    HIDDEN.try_read().ok().map(|hidden| match &*hidden {
        Some(secrets) => secrets.redact(text),
        None => text,
    })
}

/// All of them.
pub(super) fn values() -> Vec<Secret> {
    HIDDEN.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(Secrets::values).unwrap_or_default()
}
