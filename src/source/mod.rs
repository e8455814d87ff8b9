//! A scenario file as text, value and places: the one YAML parse and the one reader of scenario files. Every problem
//! elsewhere names a JSON pointer; only this room turns it into bytes. It must not know what a scenario means.

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

pub use file::{MAX_BYTES, ReadProblem};
pub use lookalike::{Lookalike, Meaning};
pub use node::{MAX_DEPTH, MAX_NODES};
pub use pointer::{join, segments};
pub use problem::Problem;
pub use span::Place;

/// A YAML file, parsed.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it was read from, or a name for text that came from elsewhere.
    pub path: PathBuf,
    /// The text as written.
    pub text: String,
    /// What it says; as far as it could be read when it is not [complete](Self::is_complete).
    pub value: Value,
    /// Everything wrong with it as YAML, in the order of the text.
    pub problems: Vec<Problem>,
    positions: node::Nodes,
    complete: bool,
}

impl Source {
    /// Reads and parses a file. Only what cannot be read at all is an `Err`; what is wrong in the text is in `problems`.
    pub fn read(path: &Path) -> Result<Self, ReadProblem> {
        Ok(Self::parse(path, file::read(path)?))
    }

    /// Parses `text`; `path` is the name that problems give.
    pub fn parse(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        let tree::Tree { nodes, problems, complete } = tree::build(&text);
        let value = nodes.value();
        Self { path: path.into(), text, value, problems, positions: nodes, complete }
    }

    /// Whether the text was read to its end, so that its value is worth checking.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The bytes of the value at `pointer`, of its key, or of a part of the value's text. A place that cannot be mapped
    /// falls back to the whole value, a pointer that does not exist to its nearest parent.
    pub fn span(&self, pointer: &str, at_key: bool, inside: Option<Range<usize>>) -> Range<usize> {
        self.place(pointer, at_key, inside).span
    }

    /// As [`span`](Self::span), with the alias through which the value is reached.
    pub fn place(&self, pointer: &str, at_key: bool, inside: Option<Range<usize>>) -> Place {
        span::place(&self.text, &self.positions, pointer, at_key, inside)
    }

    /// The unquoted scalars that older YAML readers take for something else. Keys are not among them.
    pub fn lookalikes(&self) -> Vec<Lookalike> {
        lookalike::lookalikes(&self.positions, &self.text)
    }
}

#[cfg(test)]
mod tests;
