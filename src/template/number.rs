//! A whole number of a scenario: fixed, or given by a template.

use super::problem::TemplateProblem;
use super::scope::Scope;
use super::text::Text;

/// A whole number, or a text that gives one.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// The number itself.
    Fixed(u64),
    /// To be rendered.
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
                    message: format!("`{}` gives `{value}`, and a whole number from 0 is wanted", text.source()),
                })
            }
        }
    }
}
