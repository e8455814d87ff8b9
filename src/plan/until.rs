//! What ends repeated receives, decided. It must not know how often a receive is made, nor who asks the query.

use serde_json::Value;

use super::draft::Draft;
use super::names::Names;
use super::phase::first;
use super::tables::Tables;
use crate::scenario::{Issue, ReceiveUntil, UntilName, UntilQuery};
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

/// Decides what stands at `pointer`; none when it is wrong.
pub(super) fn decide(draft: &mut Draft<'_>, tables: &Tables, pointer: &str, until: &ReceiveUntil) -> Option<UntilPlan> {
    match until {
        ReceiveUntil::Name(UntilName::Rows) => Some(UntilPlan::Rows),
        ReceiveUntil::Name(UntilName::Quiet) => Some(UntilPlan::Quiet),
        ReceiveUntil::Query(query) => {
            let sql = sql(draft, tables, &format!("{pointer}/sql"), query);
            let equals = equals(draft, &format!("{pointer}/equals"), query);
            Some(UntilPlan::Query(UntilQueryPlan { sql: sql?, equals: equals? }))
        }
    }
}

fn sql(draft: &mut Draft<'_>, tables: &Tables, pointer: &str, query: &UntilQuery) -> Option<Text> {
    let text = draft.text(pointer, &query.sql, Names::Phase)?;
    let rendered = text.render(&first(&draft.scope, pointer));
    let rendered = rendered.map_err(|problem| draft.template(pointer, problem)).ok()?;
    let prepared = tables.prepare(&rendered).map_err(|problem| draft.sql(pointer, &query.sql, problem)).ok()?;
    let mut refuse = |message: String, help: &str| {
        draft.issues.push(Issue::new(pointer, "sync::until", message).help(help));
    };
    if prepared.columns != 1 || !prepared.readonly {
        let message = "the query of `until` must be a SELECT that returns one column".to_owned();
        refuse(message, "write a query such as `SELECT count(*) FROM …`");
    }
    if query.sql.to_ascii_lowercase().contains("cloudsync_network_") {
        let message =
            "the query of `until` calls a sync function, but it only asks whether to receive again".to_owned();
        refuse(message, "query the scenario's own tables");
    }
    if let Some(parameter) = prepared.parameters.into_iter().next() {
        let name = parameter.map_or_else(|| "a parameter".to_owned(), |name| format!("the parameter `:{name}`"));
        refuse(format!("{name} has no value in the query of `until`"), "use a template instead, such as `{{ db }}`");
    }
    Some(text)
}

fn equals(draft: &mut Draft<'_>, pointer: &str, query: &UntilQuery) -> Option<Text> {
    let source = match &query.equals {
        Value::String(source) => source.clone(),
        Value::Null => "{{ none }}".to_owned(),
        value @ (Value::Bool(_) | Value::Number(_)) => format!("{{{{ {value} }}}}"),
        Value::Array(_) | Value::Object(_) => {
            let message = "`equals` is a list or a map, but the query returns a single value";
            draft.issues.push(Issue::new(pointer, "sync::until", message).help("write a number, a text or null"));
            return None;
        }
    };
    let text = draft.text(pointer, &source, Names::Phase)?;
    let value = text.value(&first(&draft.scope, pointer)).map(drop);
    value.map_err(|problem| draft.template(pointer, problem)).ok()?;
    Some(text)
}
