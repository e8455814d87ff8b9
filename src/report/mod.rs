//! Reports of a judged run, for people and programs: one function per format, from an analysis to text. Nothing here
//! judges, measures or prints.

mod beside;
mod csv;
pub(crate) mod html;
mod json;
mod junit;
mod markdown;
mod otlp;
mod prometheus;
mod rows;
mod terminal;
mod text;

pub use csv::csv;
pub use html::{Standing, html, html_for, html_waiting};
pub use json::{Report, json, schema};
pub use junit::{junit, junit_unmade};
pub use markdown::markdown;
pub use otlp::{Export, otlp};
pub use prometheus::prometheus;
pub use terminal::terminal;

#[cfg(test)]
mod tests;
