//! A text at a row. What does not depend on the row is rendered once, so that a row costs only what differs in it.

use minijinja::value::Value;

use super::expression::Expression;
use super::problem::TemplateProblem;
use super::scope::Scope;
use super::text::{Part, Text, append};

/// A text in which every part that does not depend on the row is already rendered.
#[derive(Debug, Clone)]
pub enum Folded {
    /// The same value for every row.
    Constant(Value),
    /// A text that can differ from row to row.
    Varying(RowText),
}

/// A text that can differ from row to row.
#[derive(Debug, Clone)]
pub enum RowText {
    /// The number of the row.
    Row,
    /// Text that contains the number of the row, or expressions.
    Pieces(Vec<Piece>),
    /// Evaluated for every row.
    Value(Text),
}

/// A piece of a text that can differ from row to row.
#[derive(Debug, Clone)]
pub enum Piece {
    /// The same value for every row.
    Literal(String),
    /// The number of the row.
    Row,
    /// Evaluated for every row.
    Expression(Expression),
}

/// What a text is at a row.
#[derive(Debug)]
pub enum RowValue<'t> {
    /// The number of the row.
    Row(u64),
    /// A text, in the caller's buffer.
    Text(&'t str),
    /// A value with a type of its own.
    Value(Value),
}

impl RowText {
    /// The value at a row. `scope` gives the row's scope, which costs an allocation and which most rows do not need;
    /// `buffer` takes a text, so that rows share one.
    pub fn at<'t>(
        &self,
        scope: impl Fn() -> Scope,
        row: u64,
        buffer: &'t mut String,
    ) -> Result<RowValue<'t>, TemplateProblem> {
        match self {
            Self::Row => Ok(RowValue::Row(row)),
            Self::Value(text) => text.value(&scope()).map(RowValue::Value),
            Self::Pieces(pieces) => {
                buffer.clear();
                let mut scope_of_row = None;
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => buffer.push_str(literal),
                        Piece::Row => buffer.push_str(itoa::Buffer::new().format(row)),
                        Piece::Expression(expression) => {
                            // All expressions of a text draw from one scope, one after another.
                            let scope = scope_of_row.get_or_insert_with(&scope);
                            append(&expression.evaluate(scope)?, buffer);
                        }
                    }
                }
                Ok(RowValue::Text(buffer))
            }
        }
    }
}

impl Text {
    /// Renders every part of the text that does not depend on the row.
    pub fn fold(&self, scope: &Scope) -> Result<Folded, TemplateProblem> {
        if let [Part::Expression(expression)] = self.parts() {
            return Ok(if !expression.varies_by_row() {
                Folded::Constant(expression.evaluate(scope)?)
            } else if expression.source() == "row" {
                Folded::Varying(RowText::Row)
            } else {
                Folded::Varying(RowText::Value(self.clone()))
            });
        }
        let mut pieces = vec![Piece::Literal(String::new())];
        for part in self.parts() {
            match part {
                Part::Expression(expression) if expression.source() == "row" => pieces.push(Piece::Row),
                Part::Expression(expression) if expression.varies_by_row() => {
                    pieces.push(Piece::Expression(expression.clone()));
                }
                Part::Statements(_) if part.varies_by_row() => {
                    return Ok(Folded::Varying(RowText::Value(self.clone())));
                }
                Part::Literal(_) | Part::Expression(_) | Part::Statements(_) => {
                    if !matches!(pieces.last(), Some(Piece::Literal(_))) {
                        pieces.push(Piece::Literal(String::new()));
                    }
                    if let Some(Piece::Literal(text)) = pieces.last_mut() {
                        part.render_into(self.source(), scope, text)?;
                    }
                }
            }
        }
        if pieces.len() == 1
            && let Some(Piece::Literal(text)) = pieces.pop()
        {
            return Ok(Folded::Constant(Value::from(text)));
        }
        Ok(Folded::Varying(RowText::Pieces(pieces)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Salt, Variables};
    use super::*;

    #[test]
    fn folding_gives_what_rendering_gives() {
        let vars = json!({"table": "notes"}).as_object().expect("a map").clone();
        let scope = Scope::new(Variables { vars, scale: serde_json::Map::new(), seed: 7 });
        let scope = scope.database(3, 2, "018e").iteration(4).salted(Salt::of("id"));
        for source in [
            "db{{ db }}_{{ row }}",
            "{{ row }}",
            "{{ row + 1 }}-{{ int(1, 999) }}-{{ int(1, 999) }}",
            "plain",
            "{{ db }}",
            "{{ uuid() }}",
            "{% if row > 5 %}{{ uuid() }}{% else %}{{ text(5) }}{% endif %}",
        ] {
            let text = Text::compile(source).expect(source);
            let folded = text.fold(&scope).expect(source);
            for row in [1, 10, 12_345_678_901] {
                let whole = text.render(&scope.row(row)).expect(source);
                let mut buffer = String::new();
                let by_row = match &folded {
                    Folded::Constant(value) => value.to_string(),
                    Folded::Varying(text) => match text.at(|| scope.row(row), row, &mut buffer).expect(source) {
                        RowValue::Row(row) => row.to_string(),
                        RowValue::Text(text) => text.to_owned(),
                        RowValue::Value(value) => value.to_string(),
                    },
                };
                assert_eq!(whole, by_row, "{source}");
            }
        }
    }
}
