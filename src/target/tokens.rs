//! The users' access tokens: made side by side, checked, and revoked. They live in memory only.

use std::time::Duration;

use super::admin::Admin;
use super::attendant::Attendant;
use super::error::TargetError;
use crate::failure::{RawError, Secret};
use crate::plan::Plan;

/// How much longer than the run may take its tokens are good: for its preparation, and for clocks that differ. A token
/// can be revoked by whoever has its text, and by nobody else: those of a run that is killed have to expire.
const BEYOND: Duration = Duration::from_secs(10 * 60);
/// What becomes of tokens that could not be revoked.
pub(super) const EXPIRY: &str = "the access tokens expire ten minutes after the run's time limit";
/// Requests under way at once.
const AT_ONCE: usize = 8;

/// A token per user, in their order, each one that the server accepts. When one fails, those made are revoked.
pub(super) fn create(
    admin: &Admin,
    plan: &Plan,
    run: &str,
    attendant: &mut Attendant<'_>,
) -> Result<Vec<Secret>, TargetError> {
    attendant.goes_on()?;
    let expires = jiff::Timestamp::now().checked_add(plan.time_limit.saturating_add(BEYOND));
    let expires = expires.unwrap_or(jiff::Timestamp::MAX);
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let made = side_by_side(&plan.users, |user| {
        let token = admin.create_token(&format!("stress-{run}-{}", user.index), &user.id, &expires)?;
        match admin.check_token(&token) {
            // A server that cannot be asked says nothing against the token.
            Err(error) if error.http != Some(404) => {
                let _ = admin.revoke_token(&token);
                Err(error)
            }
            _ => Ok(token),
        }
    });
    let failed = made.iter().find_map(|made| made.as_ref().err().cloned());
    let tokens: Vec<Secret> = made.into_iter().flatten().collect();
    if let Some(error) = failed {
        let _ = revoke(admin, &tokens);
        return Err(admin.failed("create the users' access tokens", &error));
    }
    attendant.say(&format!("users: {} access tokens created, which expire {expires}", tokens.len()));
    Ok(tokens)
}

/// Makes the tokens worthless. All are tried; the first error is given.
pub(super) fn revoke(admin: &Admin, tokens: &[Secret]) -> Result<(), RawError> {
    side_by_side(tokens, |token| admin.revoke_token(token)).into_iter().collect()
}

/// The same for each item, a few at once; the results in the order of the items.
pub(super) fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let work = &work;
    let mut done = Vec::with_capacity(items.len());
    for group in items.chunks(AT_ONCE) {
        std::thread::scope(|threads| {
            let started: Vec<_> = group.iter().map(|item| threads.spawn(move || work(item))).collect();
            done.extend(
                started
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
            );
        });
    }
    done
}
