//! The parsed tree with its places: an arena, in which an alias is one node, however large its value is. Nothing here knows
//! the parser.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use saphyr_parser::ScalarStyle;
use serde_json::{Map, Value};

use super::{Lookalike, Meaning, escape, scalar};

/// The maximum number of ambiguous scalars to report; nobody reads more.
const MAX_LOOKALIKES: usize = 1_000;

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

    /// Ambiguous unquoted scalars, each at the place where it is written, and not again where an alias repeats it.
    pub(super) fn lookalikes(&self, text: &str) -> Vec<Lookalike> {
        let mut found = Vec::new();
        if let Some(root) = self.root() {
            self.collect_lookalikes(text, root, &mut String::new(), &mut found);
        }
        found
    }

    fn collect_lookalikes(&self, text: &str, id: usize, pointer: &mut String, found: &mut Vec<Lookalike>) {
        if found.len() >= MAX_LOOKALIKES {
            return;
        }
        let node = &self.0[id];
        let length = pointer.len();
        match &node.kind {
            Kind::Scalar { style: ScalarStyle::Plain, value } => {
                let written = text.get(node.span.clone()).unwrap_or_default();
                let meaning = match value {
                    Value::String(_) if scalar::is_old_boolean(written) => Meaning::Text,
                    Value::Number(_) if scalar::is_old_octal(written) => Meaning::Decimal,
                    _ => return,
                };
                found.push(Lookalike { pointer: pointer.clone(), text: written.to_string(), meaning });
            }
            Kind::Scalar { .. } | Kind::Alias(_) => {}
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    self.collect_lookalikes(text, *item, pointer, found);
                    pointer.truncate(length);
                }
            }
            Kind::Map { entries, .. } => {
                for entry in entries.iter().filter(|entry| entry.merged.is_none()) {
                    pointer.push('/');
                    pointer.push_str(&escape(&entry.key));
                    self.collect_lookalikes(text, entry.node, pointer, found);
                    pointer.truncate(length);
                }
            }
        }
    }
}
