//! What a connection authenticates with.

use crate::failure::Secret;

/// What a connection authenticates with.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A user's access token: row-level security applies.
    Token(Secret),
    /// The project's api key: row-level security does not apply.
    ApiKey(Secret),
    /// Nothing: the requests go out unauthenticated.
    Nothing,
}
