//! Plain scalars that older YAML readers take for something else than they are here.

use saphyr_parser::ScalarStyle;
use serde_json::Value;

use super::node::{Kind, Nodes};
use super::pointer::escape;
use super::scalar;

/// The maximum number of ambiguous scalars to report; nobody reads more.
const MAX_LOOKALIKES: usize = 1_000;

/// An unquoted scalar that YAML 1.1 readers take for something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookalike {
    /// The JSON pointer of the value.
    pub pointer: String,
    /// The scalar as written, such as `no` or `010`.
    pub text: String,
    /// Its meaning in YAML 1.2.
    pub meaning: Meaning,
}

/// The meaning of an ambiguous scalar in YAML 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// `yes`, `no`, `on`, `off`: text, not a boolean.
    Text,
    /// `010`: ten, not eight.
    Decimal,
}

/// Ambiguous unquoted scalars, each at the place where it is written, and not again where an alias repeats it.
pub(super) fn lookalikes(nodes: &Nodes, text: &str) -> Vec<Lookalike> {
    let mut found = Vec::new();
    if let Some(root) = nodes.root() {
        collect(nodes, text, root, &mut String::new(), &mut found);
    }
    found
}

fn collect(nodes: &Nodes, text: &str, id: usize, pointer: &mut String, found: &mut Vec<Lookalike>) {
    if found.len() >= MAX_LOOKALIKES {
        return;
    }
    let node = &nodes.0[id];
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
                collect(nodes, text, *item, pointer, found);
                pointer.truncate(length);
            }
        }
        Kind::Map { entries, .. } => {
            for entry in entries.iter().filter(|entry| entry.merged.is_none()) {
                pointer.push('/');
                pointer.push_str(&escape(&entry.key));
                collect(nodes, text, entry.node, pointer, found);
                pointer.truncate(length);
            }
        }
    }
}
