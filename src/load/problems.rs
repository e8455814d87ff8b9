//! What is wrong with a scenario or with what was asked of it: as it is found, and as it is given back.

use std::collections::BTreeSet;
use std::fmt;

use crate::diagnostic::{Diagnostic, diagnose, shown_path};
use crate::scenario::Issue;
use crate::source::{ReadProblem, Source};

/// Everything that is wrong with a scenario, or with what was asked of it.
#[derive(Debug, Clone)]
pub struct LoadError {
    /// The file, when it could be read.
    pub source: Option<Box<Source>>,
    /// Problems of its meaning, warnings among them. Those of its YAML are the source's own.
    pub problems: Vec<Issue>,
    /// Problems that are in no file's text: an unreadable file, an unknown profile, an override that does not fit.
    pub messages: Vec<Diagnostic>,
}

impl LoadError {
    /// All of it, what is in no text first, then in the order of the text.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all = self.messages.clone();
        if let Some(source) = &self.source {
            all.extend(diagnose(source, &self.problems));
        }
        all
    }
}

impl From<ReadProblem> for LoadError {
    fn from(problem: ReadProblem) -> Self {
        let message = Diagnostic::free(shown_path(&problem.path), problem.code, problem.message).help(problem.help);
        Self { source: None, problems: Vec::new(), messages: vec![message] }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.diagnostics().iter().map(Diagnostic::line).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for LoadError {}

/// What was found so far, each thing once.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) issues: Vec<Issue>,
    pub(super) messages: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn message(&mut self, message: Diagnostic) {
        if !self.messages.iter().any(|known| known.line() == message.line()) {
            self.messages.push(message);
        }
    }

    /// The issues without repetitions: a problem of the base is found again under every profile.
    pub(super) fn in_order(&mut self) -> Vec<Issue> {
        let mut seen = BTreeSet::new();
        let mut issues = std::mem::take(&mut self.issues);
        issues.retain(|issue| {
            let range = issue.range.as_ref().map(|range| (range.start, range.end));
            seen.insert((issue.pointer.clone(), issue.at_key, range, issue.code, issue.message.clone()))
        });
        issues
    }
}
