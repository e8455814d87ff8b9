//! An expression: the inside of `{{ … }}`, or a `when`. Compiled once, however often a scenario has it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use minijinja::value::Value;

use super::depth::check_expression;
use super::environment::ENVIRONMENT;
use super::generate::GENERATORS;
use super::problem::TemplateProblem;
use super::scope::Scope;

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

    pub(super) fn compile_at(source: &str, offset: usize) -> Result<Self, TemplateProblem> {
        let trimmed = source.trim();
        let offset = offset + (source.len() - source.trim_start().len());
        check_expression(trimmed, offset)?;
        let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = if let Some(compiled) = known.get(trimmed) {
            Arc::clone(compiled)
        } else {
            let expression = ENVIRONMENT
                .compile_expression_owned(trimmed.to_owned())
                .map_err(|error| TemplateProblem::of(&error, trimmed, offset))?;
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
            .map_err(|error| TemplateProblem::of(&error, &self.source, self.offset))?;
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

    pub(super) fn varies_by_row(&self) -> bool {
        self.compiled.variables.iter().any(|name| depends_on_row(name))
    }
}

/// Whether the value of a variable or function can differ from row to row.
pub(super) fn depends_on_row(name: &str) -> bool {
    name == "row" || GENERATORS.contains(&name)
}
