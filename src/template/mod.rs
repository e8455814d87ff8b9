//! Strict templates: text with `{{ … }}`, compiled once, rendered with typed variables. An undefined name is an error
//! at its place. It must not know which field of a scenario a template came from.

mod draws;
mod environment;
mod expression;
mod generate;
mod number;
mod problem;
mod row;
mod scope;
mod text;

pub use expression::Expression;
pub use generate::{GENERATED, GENERATORS};
pub use number::Number;
pub use problem::TemplateProblem;
pub use row::{Folded, RowText, RowValue};
pub use scope::{NAMES, Salt, Scope, Variables};
pub use text::Text;

#[cfg(test)]
mod tests;
