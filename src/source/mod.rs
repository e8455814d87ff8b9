//! A scenario file as text, value and places. Only this room reads and parses scenario files. Problems elsewhere have a
//! JSON pointer; only this room turns the pointer into bytes. Nothing here knows what a scenario means.

mod file;
mod frame;
mod lookalike;
mod node;
mod offset;
mod pointer;
mod problem;
mod scalar;
mod span;
mod syntax;
mod tree;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use file::ReadProblem;
pub use lookalike::{Lookalike, Meaning};
pub use pointer::{join, segments};
pub use problem::Problem;
pub use span::Place;

/// A YAML file, parsed.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path of the file, or a name for text that is not from a file.
    pub path: PathBuf,
    /// The text as written.
    pub text: String,
    /// The value of the document; null if the text is not [complete](Self::is_complete).
    pub value: Value,
    /// The problems in the YAML, in the order of the text.
    pub problems: Vec<Problem>,
    positions: node::Nodes,
    complete: bool,
}

impl Source {
    /// Reads and parses a file. `Err` means that the file cannot be read; problems in its text are in `problems`.
    pub fn read(path: &Path) -> Result<Self, ReadProblem> {
        Ok(Self::parse(path, file::read(path)?))
    }

    /// Parses `text`; `path` is the name in problems.
    pub fn parse(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        let tree::Tree { nodes, problems, complete } = tree::build(&text);
        let value = nodes.value();
        Self { path: path.into(), text, value, problems, positions: nodes, complete }
    }

    /// Whether the parser reached the end of the text, so that the value can be checked.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The bytes of the value at `pointer`, of its key, or of a part of the value's text. If the part cannot be located,
    /// returns the whole value; if the pointer does not exist, its nearest parent.
    pub fn span(&self, pointer: &str, at_key: bool, inside: Option<Range<usize>>) -> Range<usize> {
        self.place(pointer, at_key, inside).span
    }

    /// Like [`span`](Self::span), with the alias that refers to the value.
    pub fn place(&self, pointer: &str, at_key: bool, inside: Option<Range<usize>>) -> Place {
        span::place(&self.text, &self.positions, pointer, at_key, inside)
    }

    /// The unquoted values that YAML 1.1 readers take for something else. Keys are not included.
    pub fn lookalikes(&self) -> Vec<Lookalike> {
        lookalike::lookalikes(&self.positions, &self.text)
    }
}

#[cfg(test)]
mod tests;
