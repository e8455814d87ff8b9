//! A push that a planted failure keeps.

use super::super::wire::SiteId;
use super::policy::Caller;

/// Planted: a push kept to be stored once more.
#[derive(Debug, Clone)]
pub(super) struct Stash {
    pub(super) site: SiteId,
    pub(super) caller: Caller,
    pub(super) body: Vec<u8>,
}
