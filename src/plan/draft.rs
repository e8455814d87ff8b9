//! What building a plan needs, and nothing else: the problems found so far, and the scope in which the run's texts are
//! rendered. A part of the plan that has a problem is left out, and the plan is not given then.

use std::ops::Range;

use serde_json::{Map, Value};

use super::grant::Grant;
use super::names::Names;
use super::tables::SqlProblem;
use super::value::common;
use crate::scenario::Issue;
use crate::template::{Expression, Scope, TemplateProblem, Text};

/// A plan in the making.
pub(super) struct Draft<'s> {
    /// Every problem and warning so far.
    pub(super) issues: Vec<Issue>,
    /// The scope of the run as a whole.
    pub(super) scope: Scope,
    /// The parameters that every phase can bind, with their texts.
    pub(super) parameters: Vec<(String, Text)>,
    /// What the user lets the scenario reach.
    pub(super) grant: &'s Grant,
    vars: &'s Map<String, Value>,
}

impl<'s> Draft<'s> {
    pub(super) fn new(vars: &'s Map<String, Value>, scope: Scope, grant: &'s Grant) -> Self {
        Self { issues: Vec::new(), scope, parameters: common(vars), grant, vars }
    }

    /// Whether nothing worse than a warning was found.
    pub(super) fn is_sound(&self) -> bool {
        self.issues.iter().all(|issue| issue.warning)
    }

    /// A text rendered once for the run.
    pub(super) fn rendered(&mut self, pointer: &str, source: &str) -> Option<String> {
        let text = self.text(pointer, source, Names::Run)?;
        text.render(&self.scope).map_err(|problem| self.template(pointer, problem)).ok()
    }

    /// A value rendered once for the run, with its type.
    pub(super) fn rendered_value(&mut self, pointer: &str, value: &Value) -> Option<Value> {
        let Value::String(source) = value else { return Some(value.clone()) };
        let text = self.text(pointer, source, Names::Run)?;
        let value = text.value(&self.scope).map_err(|problem| self.template(pointer, problem)).ok()?;
        serde_json::to_value(&value).ok()
    }

    /// Compiles a text and checks the names it uses.
    pub(super) fn text(&mut self, pointer: &str, source: &str, names: Names) -> Option<Text> {
        let text = Text::compile(source).map_err(|problem| self.template(pointer, problem)).ok()?;
        let known = text.variables().into_iter().all(|(name, range)| self.knows(pointer, &name, range, names));
        known.then_some(text)
    }

    /// Compiles an expression and checks the names it uses.
    pub(super) fn expression(&mut self, pointer: &str, source: &str) -> Option<Expression> {
        let expression = Expression::compile(source).map_err(|problem| self.template(pointer, problem)).ok()?;
        let mut names = expression.variables().into_iter();
        names.all(|(name, range)| self.knows(pointer, &name, range, Names::Phase)).then_some(expression)
    }

    fn knows(&mut self, pointer: &str, name: &str, range: Option<Range<usize>>, names: Names) -> bool {
        let Err(problem) = names.check(name, self.vars, self.grant) else { return true };
        self.issues.push(Issue::new(pointer, "template::name", problem.message).range(range).help(problem.help));
        false
    }

    /// Notes a problem of a template.
    pub(super) fn template(&mut self, pointer: &str, problem: TemplateProblem) {
        self.issues.push(Issue::new(pointer, "template::syntax", problem.message).range(problem.range));
    }

    /// Notes a problem of SQL whose text was rendered from `source`: its place holds in `source` up to the first
    /// template.
    pub(super) fn sql(&mut self, pointer: &str, source: &str, problem: SqlProblem) {
        let first_template = source.find("{{").or_else(|| source.find("{%")).unwrap_or(source.len());
        let range = problem.range.filter(|range| range.end <= first_template);
        let missing = problem.message.strip_prefix("no such ").and_then(|rest| rest.split_once(": "));
        let missing = missing.or_else(|| problem.message.split_once(" has no column named ")).map(|(_, name)| name);
        let range = range.or_else(|| find_word(source, missing?));
        let issue = Issue::new(pointer, "sql::prepare", format!("the SQL does not prepare: {}", problem.message));
        self.issues.push(issue.range(range).maybe_help(problem.help));
    }
}

/// Where a name stands in a text as a word of its own.
fn find_word(text: &str, word: &str) -> Option<Range<usize>> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(start, found)| start..start + found.len())
        .find(|range| !text[..range.start].ends_with(part_of_word) && !text[range.end..].starts_with(part_of_word))
}
