//! A text with `{{ … }}` in it, compiled once and rendered in a scope.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Value, ValueKind};

use super::depth::check_statements;
use super::environment::ENVIRONMENT;
use super::expression::{Expression, depends_on_row};
use super::problem::TemplateProblem;
use super::scope::Scope;

/// A text that may contain `{{ … }}`.
#[derive(Clone)]
pub struct Text {
    source: String,
    parts: Arc<[Part]>,
}

/// A piece of a text.
#[derive(Clone)]
pub(super) enum Part {
    /// Plain text.
    Literal(String),
    /// `{{ expression }}`.
    Expression(Expression),
    /// A whole template with statements (`{% … %}`), rendered in one piece.
    Statements(BTreeSet<String>),
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({:?})", self.source)
    }
}

impl Text {
    /// Compiles a text.
    pub fn compile(source: &str) -> Result<Self, TemplateProblem> {
        let parts = if has_statements(source) { vec![compile_statements(source)?] } else { compile_parts(source)? };
        Ok(Self { source: source.to_owned(), parts: parts.into() })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The variables that the text uses, such as `db` or `scale.rows`, each with its byte range if known.
    pub fn variables(&self) -> BTreeMap<String, Option<Range<usize>>> {
        let mut variables = BTreeMap::new();
        for part in &*self.parts {
            match part {
                Part::Literal(_) => {}
                Part::Expression(expression) => {
                    for (name, place) in expression.variables() {
                        variables.entry(name).or_insert(place);
                    }
                }
                Part::Statements(names) => {
                    for name in names {
                        let offset = self.source.find(name.as_str());
                        variables.entry(name.clone()).or_insert(offset.map(|start| start..start + name.len()));
                    }
                }
            }
        }
        variables
    }

    /// Whether the value can differ from row to row.
    pub fn varies_by_row(&self) -> bool {
        self.parts.iter().any(Part::varies_by_row)
    }

    /// The text with every `{{ … }}` replaced by its value.
    pub fn render(&self, scope: &Scope) -> Result<String, TemplateProblem> {
        let mut text = String::with_capacity(self.source.len());
        for part in &*self.parts {
            part.render_into(&self.source, scope, &mut text)?;
        }
        Ok(text)
    }

    /// The value of the text. A single `{{ … }}` gives the value of its expression, with its type; everything else gives
    /// the rendered text.
    pub fn value(&self, scope: &Scope) -> Result<Value, TemplateProblem> {
        match &*self.parts {
            [Part::Expression(expression)] => expression.evaluate(scope),
            _ => self.render(scope).map(Value::from),
        }
    }
}

impl Part {
    pub(super) fn varies_by_row(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Expression(expression) => expression.varies_by_row(),
            Self::Statements(names) => names.iter().any(|name| depends_on_row(name)),
        }
    }

    pub(super) fn render_into(&self, source: &str, scope: &Scope, text: &mut String) -> Result<(), TemplateProblem> {
        match self {
            Self::Literal(literal) => text.push_str(literal),
            Self::Expression(expression) => append(&expression.evaluate(scope)?, text),
            Self::Statements(_) => text.push_str(
                &ENVIRONMENT
                    .render_str(source, Value::from_object(scope.clone()))
                    .map_err(|error| TemplateProblem::of(&error, source, 0))?,
            ),
        }
        Ok(())
    }
}

pub(super) fn append(value: &Value, text: &mut String) {
    match value.as_str() {
        Some(string) => text.push_str(string),
        None if value.kind() == ValueKind::None => text.push_str("NULL"),
        None => {
            use fmt::Write;
            write!(text, "{value}").expect("writing to a String cannot fail");
        }
    }
}

fn has_statements(source: &str) -> bool {
    ["{%", "{#", "{{-", "-}}"].iter().any(|marker| source.contains(marker))
}

fn compile_statements(source: &str) -> Result<Part, TemplateProblem> {
    check_statements(source)?;
    let template = ENVIRONMENT.template_from_str(source);
    let template = template.map_err(|error| TemplateProblem::of(&error, source, 0))?;
    Ok(Part::Statements(template.undeclared_variables(true).into_iter().collect()))
}

fn compile_parts(source: &str) -> Result<Vec<Part>, TemplateProblem> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find("{{").map(|found| at + found) {
        if open > at {
            parts.push(Part::Literal(source[at..open].to_owned()));
        }
        let inside = open + 2;
        let close = end_of_expression(&source[inside..]).map(|found| inside + found).ok_or_else(|| {
            TemplateProblem { range: Some(open..inside), message: "`{{` is not closed by `}}`".to_owned() }
        })?;
        parts.push(Part::Expression(Expression::compile_at(&source[inside..close], inside)?));
        at = close + 2;
    }
    if at < source.len() {
        parts.push(Part::Literal(source[at..].to_owned()));
    }
    Ok(parts)
}

/// The position of the `}}` that closes the expression. Strings and maps inside the expression are skipped.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_u32;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => {
                bytes.next();
            }
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.peek().is_some_and(|(_, next)| *next == b'}') => return Some(at),
            (Some(_) | None, _) => {}
        }
    }
    None
}
