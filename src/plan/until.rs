//! What ends repeated receives, decided. It must not know how often a receive is made, nor who asks the query.

use serde_json::Value;

use crate::template::{Scope, TemplateProblem, Text};

/// What ends repeated receives.
#[derive(Debug, Clone, PartialEq)]
pub enum UntilPlan {
    /// Rows came.
    Rows,
    /// Two receives in a row brought nothing.
    Quiet,
    /// A query on the database gives a value.
    Query(UntilQueryPlan),
}

/// A query on the database, and the value that it must give.
#[derive(Debug, Clone, PartialEq)]
pub struct UntilQueryPlan {
    sql: Text,
    equals: Text,
}

impl UntilQueryPlan {
    /// Of the texts of a query and of its value.
    pub(super) fn of(sql: Text, equals: Text) -> Self {
        Self { sql, equals }
    }

    /// The query of a repetition.
    pub fn sql(&self, scope: &Scope) -> Result<String, TemplateProblem> {
        self.sql.render(scope)
    }

    /// The value of a repetition.
    pub fn equals(&self, scope: &Scope) -> Result<Value, TemplateProblem> {
        let not_plain = |_| TemplateProblem { range: None, message: "`equals` is not a single value".to_owned() };
        serde_json::to_value(self.equals.value(scope)?).map_err(not_plain)
    }
}
