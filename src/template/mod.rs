//! Strict templates: text with `{{ … }}`, compiled once, rendered with typed variables. An undefined name is an error
//! at its place in the text. The parts that do not depend on the row are rendered once per phase, so that each row only
//! renders the rest. Nothing here knows which field of a scenario a template came from.

mod generate;
mod scope;

pub use generate::{GENERATED, GENERATORS};
pub use scope::{NAMES, Scope, Variables};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// The maximum number of instructions for one rendering: enough for any real statement, and a stop for `range(10**9)`.
const FUEL: u64 = 5_000_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment.add_filter("ident", |name: String| format!("\"{}\"", name.replace('"', "\"\"")));
    environment.add_filter("quote", |text: String| format!("'{}'", text.replace('\'', "''")));
    generate::register(&mut environment);
    environment
});

/// A problem in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The bytes of the template's text that are wrong, if known.
    pub range: Option<Range<usize>>,
    /// The problem, in words.
    pub message: String,
}

/// A text that may contain `{{ … }}`.
#[derive(Clone)]
pub struct Text {
    source: String,
    parts: Arc<[Part]>,
}

/// A piece of a text.
#[derive(Clone)]
enum Part {
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

    /// The variables that the text uses, such as `db` or `scale.rows`, each with its byte range if known.
    pub fn variables(&self) -> BTreeMap<String, Option<Range<usize>>> {
        let mut variables = BTreeMap::new();
        for part in &*self.parts {
            match part {
                Part::Literal(_) => {}
                Part::Expression(expression) => {
                    for name in &expression.compiled.variables {
                        let offset = expression.source.find(name.as_str()).map(|found| expression.offset + found);
                        variables.entry(name.clone()).or_insert(offset.map(|start| start..start + name.len()));
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

    /// Renders every part of the text that does not depend on the row.
    pub fn fold(&self, scope: &Scope) -> Result<RowText, TemplateProblem> {
        if let [Part::Expression(expression)] = &*self.parts {
            return Ok(if !expression.varies_by_row() {
                RowText::Constant(expression.evaluate(scope)?)
            } else if expression.source == "row" {
                RowText::Row
            } else {
                RowText::Value(self.clone())
            });
        }
        let mut pieces = vec![Piece::Literal(String::new())];
        for part in &*self.parts {
            match part {
                Part::Expression(expression) if expression.source == "row" => pieces.push(Piece::Row),
                Part::Expression(expression) if expression.varies_by_row() => {
                    pieces.push(Piece::Expression(expression.clone()));
                }
                Part::Statements(_) if part.varies_by_row() => return Ok(RowText::Value(self.clone())),
                Part::Literal(_) | Part::Expression(_) | Part::Statements(_) => {
                    if !matches!(pieces.last(), Some(Piece::Literal(_))) {
                        pieces.push(Piece::Literal(String::new()));
                    }
                    if let Some(Piece::Literal(text)) = pieces.last_mut() {
                        part.render_into(&self.source, scope, text)?;
                    }
                }
            }
        }
        if pieces.len() == 1
            && let Some(Piece::Literal(text)) = pieces.pop()
        {
            return Ok(RowText::Constant(Value::from(text)));
        }
        Ok(RowText::Pieces(pieces))
    }
}

/// A text in which every part that does not depend on the row is already rendered.
#[derive(Debug, Clone)]
pub enum RowText {
    /// The same value for every row.
    Constant(Value),
    /// The number of the row.
    Row,
    /// Text that contains the number of the row, or expressions.
    Pieces(Vec<Piece>),
    /// A text that must be evaluated for every row.
    Value(Text),
}

/// A piece of a text that differs from row to row.
#[derive(Debug, Clone)]
pub enum Piece {
    /// The same text for every row.
    Literal(String),
    /// The number of the row.
    Row,
    /// An expression that must be evaluated for every row.
    Expression(Expression),
}

impl Piece {
    /// Appends the piece's text for row number `row`. Calls `scope` for the row's scope only if an expression needs it.
    pub fn render_into(
        &self,
        scope: impl FnOnce() -> Scope,
        row: u64,
        text: &mut String,
    ) -> Result<(), TemplateProblem> {
        match self {
            Self::Literal(literal) => text.push_str(literal),
            Self::Row => {
                text.push_str(itoa::Buffer::new().format(row));
            }
            Self::Expression(expression) => append(&expression.evaluate(&scope())?, text),
        }
        Ok(())
    }
}

impl Part {
    fn varies_by_row(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Expression(expression) => expression.varies_by_row(),
            Self::Statements(names) => names.iter().any(|name| depends_on_row(name)),
        }
    }

    fn render_into(&self, source: &str, scope: &Scope, text: &mut String) -> Result<(), TemplateProblem> {
        match self {
            Self::Literal(literal) => text.push_str(literal),
            Self::Expression(expression) => append(&expression.evaluate(scope)?, text),
            Self::Statements(_) => text.push_str(
                &ENVIRONMENT
                    .render_str(source, Value::from_object(scope.clone()))
                    .map_err(|error| problem(&error, 0))?,
            ),
        }
        Ok(())
    }
}

/// An expression, such as the condition in `when`.
#[derive(Clone)]
pub struct Expression {
    source: String,
    /// The byte at which the expression starts in the surrounding text.
    offset: usize,
    compiled: Arc<Compiled>,
}

struct Compiled {
    expression: minijinja::Expression<'static, 'static>,
    variables: BTreeSet<String>,
}

/// Compiled expressions by their text. A scenario repeats the same few expressions, and each compiled one takes 9 KB.
static COMPILED: LazyLock<Mutex<HashMap<String, Arc<Compiled>>>> = LazyLock::new(Mutex::default);

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}

impl Expression {
    /// Compiles an expression.
    pub fn compile(source: &str) -> Result<Self, TemplateProblem> {
        Self::compile_at(source, 0)
    }

    fn compile_at(source: &str, offset: usize) -> Result<Self, TemplateProblem> {
        let trimmed = source.trim();
        let offset = offset + (source.len() - source.trim_start().len());
        let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = if let Some(compiled) = known.get(trimmed) {
            Arc::clone(compiled)
        } else {
            let expression =
                ENVIRONMENT.compile_expression_owned(trimmed.to_owned()).map_err(|error| problem(&error, offset))?;
            let variables = expression.undeclared_variables(true).into_iter().collect();
            let compiled = Arc::new(Compiled { expression, variables });
            known.insert(trimmed.to_owned(), Arc::clone(&compiled));
            compiled
        };
        Ok(Self { source: trimmed.to_owned(), offset, compiled })
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variables that the expression uses, each with its byte range.
    pub fn variables(&self) -> BTreeMap<String, Option<Range<usize>>> {
        let place = |name: &String| {
            let start = self.offset + self.source.find(name.as_str())?;
            Some(start..start + name.len())
        };
        self.compiled.variables.iter().map(|name| (name.clone(), place(name))).collect()
    }

    /// The value of the expression. An undefined value is an error.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, TemplateProblem> {
        let value = self
            .compiled
            .expression
            .eval(Value::from_object(scope.clone()))
            .map_err(|error| problem(&error, self.offset))?;
        if value.is_undefined() {
            return Err(TemplateProblem {
                range: Some(self.offset..self.offset + self.source.len()),
                message: format!("`{}` is not defined", self.source),
            });
        }
        Ok(value)
    }

    /// Whether the expression is true.
    pub fn holds(&self, scope: &Scope) -> Result<bool, TemplateProblem> {
        self.evaluate(scope).map(|value| value.is_true())
    }

    fn varies_by_row(&self) -> bool {
        self.compiled.variables.iter().any(|name| depends_on_row(name))
    }
}

/// A whole number, or a template that evaluates to one.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// The number itself.
    Fixed(u64),
    /// The template.
    Rendered(Text),
}

impl Number {
    /// The number.
    pub fn value(&self, scope: &Scope) -> Result<u64, TemplateProblem> {
        match self {
            Self::Fixed(number) => Ok(*number),
            Self::Rendered(text) => {
                let value = text.value(scope)?;
                let number = u64::try_from(value.clone()).ok().or_else(|| value.as_str()?.trim().parse().ok());
                number.ok_or_else(|| TemplateProblem {
                    range: None,
                    message: format!("`{}` is `{value}`, but must be a whole number, 0 or more", text.source()),
                })
            }
        }
    }
}

/// Whether the value of a variable or function can differ from row to row.
fn depends_on_row(name: &str) -> bool {
    name == "row" || GENERATORS.contains(&name)
}

fn append(value: &Value, text: &mut String) {
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
    let template = ENVIRONMENT.template_from_str(source);
    let template = template.map_err(|error| problem(&error, 0))?;
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

fn problem(error: &minijinja::Error, offset: usize) -> TemplateProblem {
    let range = error.range().map(|range| range.start + offset..range.end + offset);
    let message = match (error.kind(), error.detail()) {
        (minijinja::ErrorKind::OutOfFuel, _) => "the template takes too many steps to render".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    };
    TemplateProblem { range, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope() -> Scope {
        let vars = json!({"table": "notes", "limit": 5}).as_object().expect("a map").clone();
        let scale = json!({"rows": 10}).as_object().expect("a map").clone();
        Scope::new(Variables { vars, scale, seed: 7 }).database(3, 2, "018e").iteration(4).salted("id")
    }

    fn render(source: &str) -> String {
        Text::compile(source).expect(source).render(&scope().row(9)).expect(source)
    }

    #[test]
    fn variables_of_the_author_and_of_the_run_are_rendered() {
        assert_eq!(render("db{{ db }}_r{{ iteration }}_{{ row }}"), "db3_r4_9");
        assert_eq!(render("DELETE FROM {{ table }} LIMIT {{ limit + scale.rows }}"), "DELETE FROM notes LIMIT 15");
        assert_eq!(render("{% if db == 3 %}é{{ user }}{% endif %}"), "é2");
        assert_eq!(render("{{ {'a': '}}'}['a'] }}"), "}}");
    }

    #[test]
    fn a_single_expression_keeps_its_type() {
        let value = |source: &str| Text::compile(source).expect(source).value(&scope().row(9)).expect(source);
        assert_eq!(value("{{ row * 2 }}"), Value::from(18));
        assert_eq!(value("{{ none }}").kind(), ValueKind::None);
        assert_eq!(value("x{{ row }}"), Value::from("x9"));
    }

    #[test]
    fn folding_gives_what_rendering_gives() {
        for source in
            ["db{{ db }}_{{ row }}", "{{ row }}", "{{ row + 1 }}-{{ int(1, 9) }}", "plain", "{{ db }}", "{{ uuid() }}"]
        {
            let text = Text::compile(source).expect(source);
            let folded = text.fold(&scope()).expect(source);
            for row in [1, 10, 12_345_678_901] {
                let whole = text.render(&scope().row(row)).expect(source);
                let scope = scope().row(row);
                let by_row = match &folded {
                    RowText::Constant(value) => value.to_string(),
                    RowText::Row => row.to_string(),
                    RowText::Value(text) => text.render(&scope).expect(source),
                    RowText::Pieces(pieces) => {
                        let mut text = String::new();
                        for piece in pieces {
                            piece.render_into(|| scope.clone(), row, &mut text).expect(source);
                        }
                        text
                    }
                };
                assert_eq!(whole, by_row, "{source}");
            }
        }
    }

    #[test]
    fn an_undefined_name_is_an_error_at_its_place() {
        let text = Text::compile("é {{ tabel }}").expect("it compiles");
        assert_eq!(text.variables(), BTreeMap::from([("tabel".to_owned(), Some(6..11))]));
        assert!(text.render(&scope()).is_err());
    }

    #[test]
    fn what_is_not_closed_or_does_not_parse_is_an_error_at_its_place() {
        let problem = Text::compile("a {{ b").expect_err("not closed");
        assert_eq!(problem.range, Some(2..4));
        let problem = Text::compile("a {{ b + }}").expect_err("not an expression");
        assert!(problem.range.is_some(), "{problem:?}");
    }

    #[test]
    fn a_template_without_end_runs_out_of_fuel() {
        let text = Text::compile("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}")
            .expect("it compiles");
        assert!(text.render(&scope()).expect_err("too long").message.contains("too many steps"));
    }
}
