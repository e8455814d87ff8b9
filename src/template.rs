//! Strict templates: text with `{{ … }}`, compiled once, rendered with typed variables.

/// A text with `{{ … }}` in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Text(pub(crate) String);

/// An expression, such as that of `when`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(pub(crate) String);

/// A whole number, or a text that gives one.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// The number itself.
    Fixed(u64),
    /// To be rendered.
    Rendered(Text),
}
