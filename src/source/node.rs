//! The parsed tree with its places: an arena, in which an alias is one node, however large its value is. Nothing here knows
//! the parser.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use saphyr_parser::ScalarStyle;
use serde_json::{Map, Value};

/// The maximum depth of nested maps and lists, with aliases expanded.
pub(super) const MAX_DEPTH: usize = 64;
/// The maximum number of values in a file, with aliases expanded. A text counts once more for every 256 bytes.
pub(super) const MAX_NODES: usize = 200_000;
/// The maximum length of a key, in bytes.
pub(super) const MAX_KEY: usize = 256;

/// All nodes of a document; the last one is the root.
#[derive(Clone, Default)]
pub(super) struct Nodes(pub(super) Vec<Node>);

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} nodes", self.0.len())
    }
}

/// A node with its bytes in the file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    /// The number of nodes after aliases are expanded; long texts count as several.
    pub(super) weight: usize,
    /// The number of levels after aliases are expanded.
    pub(super) height: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar { value: Value, style: ScalarStyle },
    List(Vec<usize>),
    Map { entries: Vec<Entry>, index: HashMap<String, usize> },
    Alias(usize),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: usize,
    /// The `*alias` after `<<` that added the entry.
    pub(super) merged: Option<Range<usize>>,
}

impl Nodes {
    pub(super) fn root(&self) -> Option<usize> {
        self.0.len().checked_sub(1)
    }

    /// The node that an alias refers to, or the node itself, with the place of the alias.
    pub(super) fn resolve(&self, id: usize) -> (usize, Option<Range<usize>>) {
        let node = &self.0[id];
        match node.kind {
            // An alias to an alias cannot be written, so one step is enough.
            Kind::Alias(target) => (target, Some(node.span.clone())),
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map { .. } => (id, None),
        }
    }

    /// The document as a value. The builder has already limited its depth and size.
    pub(super) fn value(&self) -> Value {
        self.root().map_or(Value::Null, |root| self.value_of(root))
    }

    fn value_of(&self, id: usize) -> Value {
        match &self.0[id].kind {
            Kind::Scalar { value, .. } => value.clone(),
            Kind::List(items) => items.iter().map(|item| self.value_of(*item)).collect(),
            Kind::Map { entries, .. } => {
                let entry = |entry: &Entry| (entry.key.clone(), self.value_of(entry.node));
                Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
            }
            Kind::Alias(target) => self.value_of(*target),
        }
    }
}
