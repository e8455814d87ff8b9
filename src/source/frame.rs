//! Maps and lists that are still open while the tree is built, and the entries that `<<` adds to a map at its end.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ops::Range;

use super::node::{Entry, Kind, Node};

/// A map or list that is still open.
pub(super) struct Frame {
    pub(super) start: usize,
    pub(super) anchor: usize,
    pub(super) weight: usize,
    pub(super) height: usize,
    pub(super) open: Open,
}

pub(super) enum Open {
    List(Vec<usize>),
    Map(OpenMap),
}

#[derive(Default)]
pub(super) struct OpenMap {
    pub(super) entries: Vec<Entry>,
    pub(super) index: HashMap<String, usize>,
    pub(super) key: Option<Key>,
    pub(super) merge_key: Option<Range<usize>>,
    pub(super) merges: Vec<(usize, Range<usize>)>,
}

/// A key whose value has not been read yet.
pub(super) struct Key {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// What to do with its value.
    pub(super) use_: KeyUse,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyUse {
    Keep,
    Merge,
    Drop,
}

/// A collection that is skipped: an unquoted template, or a map or list as a key.
pub(super) struct Skipped {
    pub(super) start: usize,
    pub(super) open: usize,
    pub(super) template: bool,
}

impl OpenMap {
    /// Adds the entries of `<<` that the map does not have itself. Returns their weight and height.
    pub(super) fn merge(&mut self, nodes: &[Node]) -> (usize, usize) {
        let (mut weight, mut height) = (0, 0);
        for (target, place) in std::mem::take(&mut self.merges) {
            let Kind::Map { entries, .. } = &nodes[target].kind else { continue };
            for entry in entries {
                if let Slot::Vacant(slot) = self.index.entry(entry.key.clone()) {
                    slot.insert(self.entries.len());
                    let node = &nodes[entry.node];
                    weight += node.weight + 1;
                    height = height.max(node.height);
                    self.entries.push(Entry { merged: Some(place.clone()), ..entry.clone() });
                }
            }
        }
        (weight, height)
    }
}
