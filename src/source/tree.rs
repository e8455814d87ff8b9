//! From the parser's events to the tree: limits, duplicate keys, merge keys, anchors. All problems except syntax errors are
//! collected, so that one pass reports all of them. Nothing here knows what a scenario is.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;

use super::frame::{Frame, Key, KeyUse, Open, OpenMap, Skipped};
use super::node::{Entry, Kind, MAX_DEPTH, MAX_KEY, MAX_NODES, Node, Nodes};
use super::{Problem, offset, scalar, syntax};

/// A parsed text.
pub(super) struct Tree {
    pub(super) nodes: Nodes,
    pub(super) problems: Vec<Problem>,
    pub(super) complete: bool,
}

/// Parsing cannot continue. The problem is already in the list.
struct Stop;

/// Parses `text`.
pub(super) fn build(text: &str) -> Tree {
    let mut builder = Builder {
        text,
        bytes: offset::ByteTable::new(text),
        nodes: Vec::new(),
        frames: Vec::new(),
        anchors: HashMap::new(),
        skipped: None,
        count: 0,
        documents: 0,
        problems: Vec::new(),
    };
    let mut complete = builder.run().is_ok();
    let Builder { nodes, mut problems, .. } = builder;
    let is_null = |node: &Node| matches!(&node.kind, Kind::Scalar { value: Value::Null, .. });
    if complete && nodes.last().is_none_or(is_null) {
        complete = false;
        if problems.is_empty() {
            problems.push(syntax::empty(text));
        }
    }
    problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    let nodes = if complete { Nodes(nodes) } else { Nodes::default() };
    Tree { nodes, problems, complete }
}

struct Builder<'t> {
    text: &'t str,
    bytes: offset::ByteTable,
    nodes: Vec<Node>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, usize>,
    skipped: Option<Skipped>,
    count: usize,
    documents: usize,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        for event in Parser::new_from_str(self.text) {
            match event {
                Ok((event, span)) => {
                    let span = self.bytes.range(&span);
                    if self.documents > 0 && matches!(event, Event::DocumentStart(_)) {
                        self.problems.push(syntax::second_document(span));
                        return Ok(());
                    }
                    self.event(event, span)?;
                }
                Err(error) => {
                    let at = self.bytes.offset(error.marker().index());
                    let template =
                        self.skipped.as_ref().filter(|skipped| skipped.template).map(|skipped| skipped.start);
                    let opened = self.frames.last().map(|frame| frame.start);
                    let problem = syntax::explain(self.text, error.info(), at, template, opened);
                    // If the line has an unquoted template, that is the cause of this error.
                    let line = offset::line_start(self.text, problem.span.start);
                    let known = |known: &Problem| {
                        known.code == "yaml::template" && offset::line_start(self.text, known.span.start) == line
                    };
                    if !self.problems.iter().rev().take(50).any(known) {
                        self.problems.push(problem);
                    }
                    return Err(Stop);
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Stop> {
        if self.skipped.is_some() {
            return self.skip(&event, &span);
        }
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.scalar(&text, style, anchor, tag.is_some(), span)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.open(Open::List(Vec::new()), anchor, &span)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.open(Open::Map(OpenMap::default()), anchor, &span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(&span);
                Ok(())
            }
        }
    }

    fn refuse_tag(&mut self, tagged: bool, span: &Range<usize>) {
        if tagged {
            self.problems.push(syntax::tag(self.text, span));
        }
    }

    fn open(&mut self, open: Open, anchor: usize, span: &Range<usize>) -> Result<(), Stop> {
        let start = offset::skip_properties(self.text, span).start;
        let template = matches!(open, Open::Map(_)) && self.text[start..].starts_with("{{");
        if template || self.awaits_key() {
            self.skipped = Some(Skipped { start, open: 1, template });
            return Ok(());
        }
        self.spend(1, span)?;
        if self.frames.len() >= MAX_DEPTH {
            self.problems.push(syntax::too_deep(self.text, span.start));
            return Err(Stop);
        }
        self.frames.push(Frame { start, anchor, weight: 1, height: 0, open });
        Ok(())
    }

    fn skip(&mut self, event: &Event<'_>, span: &Range<usize>) -> Result<(), Stop> {
        self.spend(1, span)?;
        let Some(skipped) = &mut self.skipped else { return Ok(()) };
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => skipped.open += 1,
            Event::MappingEnd | Event::SequenceEnd => skipped.open -= 1,
            _ => {}
        }
        if skipped.open > MAX_DEPTH {
            self.problems.push(syntax::too_deep(self.text, span.start));
            return Err(Stop);
        }
        if skipped.open > 0 {
            return Ok(());
        }
        let (start, template) = (skipped.start, skipped.template);
        self.skipped = None;
        let end = (span.start + usize::from(span.end > span.start)).max(start + 1);
        let span = start..offset::floor(self.text, end);
        if template {
            // The template is read as the text that the author meant, so that parsing can continue.
            self.problems.push(syntax::template(self.text, span.clone()));
            let raw = self.text[span.clone()].to_string();
            return self.scalar(&raw, ScalarStyle::DoubleQuoted, 0, false, span);
        }
        self.problems.push(syntax::collection_as_key(self.text, &span));
        self.set_key(Key { text: String::new(), span, use_: KeyUse::Drop });
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tagged: bool,
        span: Range<usize>,
    ) -> Result<(), Stop> {
        let weight = 1 + text.len() / 256;
        self.spend(weight, &span)?;
        let span = offset::scalar_span(self.text, text, style, &span);
        let is_key = self.awaits_key();
        let value = if style == ScalarStyle::Plain && !tagged && !is_key {
            scalar::plain(text).unwrap_or_else(|bad| {
                self.problems.push(syntax::bad_number(text, bad, span.clone()));
                Value::from(0)
            })
        } else {
            Value::String(text.to_string())
        };
        let node = Node { span: span.clone(), kind: Kind::Scalar { value, style }, weight, height: 0 };
        if !is_key {
            self.finish(node, anchor);
            return Ok(());
        }
        if anchor != 0 {
            self.anchors.insert(anchor, self.nodes.len());
            self.nodes.push(node);
        }
        self.key(text, style, span);
        Ok(())
    }

    fn key(&mut self, text: &str, style: ScalarStyle, span: Range<usize>) {
        // Pointers contain keys, so a long key would be copied into every pointer below it.
        if text.len() > MAX_KEY {
            self.problems.push(syntax::long_key(self.text, &span));
            return self.set_key(Key { text: String::new(), span, use_: KeyUse::Drop });
        }
        let plain = style == ScalarStyle::Plain;
        let Some(Frame { open: Open::Map(map), .. }) = self.frames.last_mut() else { return };
        let (use_, first) = if plain && text == "<<" {
            let first = map.merge_key.replace(span.clone());
            (if first.is_some() { KeyUse::Drop } else { KeyUse::Merge }, first)
        } else {
            match map.index.entry(text.to_string()) {
                Slot::Occupied(slot) => {
                    (KeyUse::Drop, map.entries.get(*slot.get()).map(|entry| entry.key_span.clone()))
                }
                Slot::Vacant(slot) => {
                    slot.insert(map.entries.len());
                    (KeyUse::Keep, None)
                }
            }
        };
        if let Some(first) = first {
            self.problems.push(syntax::duplicate_key(text, span.clone(), first));
        } else if text.is_empty() {
            self.problems.push(syntax::empty_key(self.text, &span));
        }
        self.set_key(Key { text: text.to_string(), span, use_ });
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<(), Stop> {
        let Some(&target) = self.anchors.get(&anchor) else {
            self.problems.push(syntax::self_alias(self.text, span));
            return Err(Stop);
        };
        let Node { weight, height, .. } = self.nodes[target];
        // The alias counts before it is expanded, which stops an alias bomb.
        if self.count + weight > MAX_NODES {
            self.problems.push(syntax::alias_bomb(self.text, span));
            return Err(Stop);
        }
        self.count += weight;
        if self.frames.len() + height > MAX_DEPTH {
            self.problems.push(syntax::too_deep(self.text, span.start));
            return Err(Stop);
        }
        if self.awaits_key() {
            if let Kind::Scalar { value: Value::String(text), .. } = &self.nodes[target].kind {
                let text = text.clone();
                self.key(&text, ScalarStyle::DoubleQuoted, span);
            } else {
                self.problems.push(syntax::collection_as_key(self.text, &span));
                self.set_key(Key { text: String::new(), span, use_: KeyUse::Drop });
            }
            return Ok(());
        }
        self.finish(Node { span, kind: Kind::Alias(target), weight, height }, 0);
        Ok(())
    }

    fn close(&mut self, span: &Range<usize>) {
        let Some(mut frame) = self.frames.pop() else { return };
        let flow = self.text[frame.start..].starts_with(['{', '[']) && span.end > span.start;
        let kind = match frame.open {
            Open::List(items) => Kind::List(items),
            Open::Map(mut map) => {
                let (weight, height) = map.merge(&self.nodes);
                frame.weight += weight;
                frame.height = frame.height.max(height);
                Kind::Map { entries: map.entries, index: map.index }
            }
        };
        let end = if flow { span.start + 1 } else { self.nodes.last().map_or(frame.start, |last| last.span.end) };
        let span = frame.start..offset::floor(self.text, end.max(frame.start));
        self.finish(Node { span, kind, weight: frame.weight, height: frame.height + 1 }, frame.anchor);
    }

    /// Adds a finished node to its map or list.
    fn finish(&mut self, node: Node, anchor: usize) {
        let id = self.nodes.len();
        let (weight, height) = (node.weight, node.height);
        self.nodes.push(node);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        let Some(frame) = self.frames.last_mut() else { return };
        match &mut frame.open {
            Open::List(items) => {
                frame.weight += weight;
                frame.height = frame.height.max(height);
                items.push(id);
            }
            Open::Map(map) => {
                let Some(key) = map.key.take() else { return };
                match key.use_ {
                    KeyUse::Keep => {
                        frame.weight += weight + 1;
                        frame.height = frame.height.max(height);
                        map.entries.push(Entry { key: key.text, key_span: key.span, node: id, merged: None });
                    }
                    KeyUse::Merge => self.merge_from(id),
                    KeyUse::Drop => {}
                }
            }
        }
    }

    fn merge_from(&mut self, id: usize) {
        let ids = match &self.nodes[id].kind {
            Kind::List(items) => items.clone(),
            Kind::Scalar { .. } | Kind::Map { .. } | Kind::Alias(_) => vec![id],
        };
        for id in ids {
            let span = self.nodes[id].span.clone();
            let target = match self.nodes[id].kind {
                Kind::Alias(target) => target,
                Kind::Scalar { .. } | Kind::List(_) | Kind::Map { .. } => id,
            };
            if !matches!(self.nodes[target].kind, Kind::Map { .. }) {
                self.problems.push(syntax::bad_merge(span));
            } else if let Some(Frame { open: Open::Map(map), .. }) = self.frames.last_mut() {
                map.merges.push((target, span));
            }
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { open: Open::Map(OpenMap { key: None, .. }), .. }))
    }

    fn set_key(&mut self, key: Key) {
        if let Some(Frame { open: Open::Map(map), .. }) = self.frames.last_mut() {
            map.key = Some(key);
        }
    }

    fn spend(&mut self, weight: usize, span: &Range<usize>) -> Result<(), Stop> {
        self.count += weight;
        if self.count > MAX_NODES {
            self.problems.push(syntax::too_many(self.text, span.start));
            return Err(Stop);
        }
        Ok(())
    }
}
