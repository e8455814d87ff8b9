//! Every reader of what strangers write, as a function from bytes: what `fuzz/` and the tests throw bytes at. None may
//! panic, hang or point outside of the text, whatever the bytes; what is read is read the same when it is written again.
//! It is built for tests, and with the feature `fuzzing`.

use std::ops::Range;
use std::path::Path;

use serde_json::Map;

use crate::diagnostic::render;
use crate::failure::{Call, RawError, classify, classify_answer};
use crate::load::{Overrides, load_source};
use crate::plan::threshold::ThresholdPlan;
use crate::scenario::Threshold;
use crate::source::Source;
use crate::target::fuzzing as target;
use crate::template::{Expression, Scope, Text, Variables};
use crate::{analysis, cli, report};

/// A reader: whether it takes the bytes for what it reads.
pub type Reader = fn(&[u8]) -> bool;

/// All readers, under the names that they have in `fuzz/`.
pub const READERS: &[(&str, Reader)] = &[
    ("scenario", scenario),
    ("template", template),
    ("threshold", threshold),
    ("connection", target::connection),
    ("push", target::push),
    ("pull", target::pull),
    ("page", target::page),
    ("statements", target::statements),
    ("query", target::query),
    ("answer", answer),
    ("record", record),
];

/// Gives bytes to the reader with this name.
///
/// # Panics
/// If there is no such reader, or if it does what none may do.
pub fn read(name: &str, bytes: &[u8]) -> bool {
    let (_, reader) = READERS.iter().find(|(known, _)| *known == name).expect("a reader with this name");
    reader(bytes)
}

/// The bytes as text; none where they are not.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn is_inside(text: &str, range: &Range<usize>) {
    assert!(text.get(range.clone()).is_some(), "{range:?} is no place in the text");
}

fn scenario(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let loaded = load_source(Source::parse("x.yaml", text), &Overrides::default());
    let (good, diagnostics) = match loaded {
        Ok(loaded) => (true, loaded.diagnostics()),
        Err(error) => (false, error.diagnostics()),
    };
    assert!(good || !diagnostics.is_empty(), "it is refused without a word");
    diagnostics.iter().filter_map(crate::diagnostic::Diagnostic::span).for_each(|span| is_inside(text, &span));
    render(&diagnostics, false, 100);
    good
}

fn template(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let scope = Scope::new(Variables { vars: Map::new(), scale: Map::new(), seed: 1 })
        .database(1, 1, "u")
        .iteration(1)
        .repeat(1)
        .rows(3)
        .row(2);
    let told = |problem: crate::template::TemplateProblem| {
        problem.range.iter().for_each(|range| is_inside(text, range));
        assert!(!problem.message.is_empty(), "it is refused without a word");
    };
    if let Err(problem) = Expression::compile(text).and_then(|expression| expression.holds(&scope)) {
        told(problem);
    }
    let compiled = Text::compile(text).map_err(told);
    let Ok(compiled) = compiled else { return false };
    compiled.variables().values().flatten().for_each(|range| is_inside(text, range));
    compiled.value(&scope).map_err(told).is_ok()
}

fn threshold(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let read = |text: &str| ThresholdPlan::new("/thresholds/0", &Threshold::Text(text.into()), &["insert".into()], 3);
    match read(text) {
        Ok(plan) => {
            assert_eq!(read(&plan.text).as_ref(), Ok(&plan));
            true
        }
        Err(problem) => {
            is_inside(text, &problem.range);
            false
        }
    }
}

/// The answer of a sync call, or the message of an error.
fn answer(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let calls = [Call::Open, Call::Sql, Call::Send, Call::Receive, Call::Sync, Call::Close, Call::Admin];
    for call in calls {
        classify(&RawError::said(call, text.to_owned()));
    }
    let Ok(document) = serde_json::from_str(text) else { return false };
    for (call, settled) in calls.into_iter().flat_map(|call| [(call, true), (call, false)]) {
        classify_answer(call, &document, settled);
    }
    true
}

/// A record, judged and told.
fn record(bytes: &[u8]) -> bool {
    let Some((record, plan)) = cli::recorded(bytes, Path::new("run")) else { return false };
    let analysis = analysis::analyze(&record, &plan);
    report::terminal(&analysis, 100);
    report::markdown(&analysis);
    report::junit(&analysis);
    report::csv(&record);
    report::json(&analysis);
    report::html(&record, &analysis);
    report::prometheus(&record, &analysis);
    report::otlp(&record, &analysis).for_each(drop);
    true
}

#[cfg(test)]
mod tests;
