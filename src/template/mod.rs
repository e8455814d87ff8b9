//! Strict templates: text with `{{ … }}`, compiled once, rendered with typed variables. An undefined name is an error
//! at its place. It must not know which field of a scenario a template came from.

mod depth;
mod draws;
mod environment;
mod expression;
mod generate;
mod number;
mod problem;
mod row;
mod scope;
mod text;

pub(crate) use expression::Expression;
pub(crate) use generate::{GENERATED, GENERATORS};
pub(crate) use number::Number;
pub(crate) use problem::TemplateProblem;
pub(crate) use row::{Folded, RowText, RowValue};
pub(crate) use scope::{NAMES, Salt, Scope, Variables};
pub(crate) use text::Text;

#[cfg(test)]
mod tests;
