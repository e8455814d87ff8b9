//! A number of the scenario that may be a template.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A whole number, or a template that evaluates to one: `1000` or `"{{ scale.rows }}"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a whole number, or a template that evaluates to one")]
pub enum Count {
    /// The number itself.
    Number(u64),
    /// A template, evaluated when the number is needed.
    Template(#[schemars(regex(pattern = r"\{\{"))] String),
}
