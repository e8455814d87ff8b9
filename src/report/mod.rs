//! A judged run in the forms people and programs read: one plain function per format, from an analysis to text. Nothing
//! is judged or measured here, and nothing is printed.

mod beside;
pub(crate) mod html;
mod json;
mod markdown;
mod rows;
mod terminal;
mod text;

pub use html::{Standing, html, html_for, html_waiting};
pub use json::{Report, json, schema};
pub use markdown::markdown;
pub use terminal::terminal;

#[cfg(test)]
mod tests;
