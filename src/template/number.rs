//! A whole number of a scenario: fixed, or given by a template.

use super::problem::TemplateProblem;
use super::scope::Scope;
use super::text::Text;

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
