//! What a connection authenticates with.

/// What a connection authenticates with. Its text is never shown.
#[derive(Clone)]
pub enum Credential {
    /// A user's access token: row-level security applies.
    Token(String),
    /// The project's api key: row-level security does not apply.
    ApiKey(String),
    /// Nothing: the requests go out unauthenticated.
    Nothing,
}

impl Credential {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Token(text) | Self::ApiKey(text) => text,
            Self::Nothing => "",
        }
    }
}
