//! Sync calls as written → sync calls decided: their defaults, and the query that receives wait for, prepared against the
//! tables.

use std::time::Duration;

use serde_json::Value;

use super::draft::Draft;
use super::names::Names;
use super::phase::first;
use super::sync::{ReceivePlan, SyncPlan};
use super::tables::Tables;
use super::until::{UntilPlan, UntilQueryPlan};
use crate::scenario::{
    HumanDuration, Issue, ReceiveOptions, ReceiveUntil, SyncCall, SyncName, SyncOptions, UntilName, UntilQuery,
};
use crate::template::Text;

/// Decides the sync call that stands at `pointer`; none when it is wrong.
pub(super) fn decide(draft: &mut Draft<'_>, tables: &Tables, pointer: &str, call: &SyncCall) -> Option<SyncPlan> {
    let mut receive = |check, options: &ReceiveOptions| {
        let word = if check { "check" } else { "receive" };
        let until = match &options.until {
            Some(until) => Some(until_plan(draft, tables, &format!("{pointer}/{word}/until"), until)?),
            None => None,
        };
        Some(SyncPlan::Receive(ReceivePlan {
            check,
            until,
            attempts: options.attempts.unwrap_or(40),
            every: options.every.map_or(Duration::from_millis(250), HumanDuration::get),
            max_chunks: options.max_chunks,
        }))
    };
    Some(match call {
        SyncCall::Name(SyncName::Send) => SyncPlan::Send,
        SyncCall::Name(SyncName::Receive) => receive(false, &ReceiveOptions::default())?,
        SyncCall::Name(SyncName::Check) => receive(true, &ReceiveOptions::default())?,
        SyncCall::Name(SyncName::Sync) => SyncPlan::Sync(None),
        SyncCall::Name(SyncName::Logout) => SyncPlan::Logout,
        SyncCall::Name(SyncName::ResetSyncVersion) => SyncPlan::ResetSyncVersion,
        SyncCall::Options(SyncOptions::Receive(options)) => receive(false, options)?,
        SyncCall::Options(SyncOptions::Check(options)) => receive(true, options)?,
        SyncCall::Options(SyncOptions::Sync(options)) => {
            let wait = options.wait.map_or(Duration::from_millis(100), HumanDuration::get);
            SyncPlan::Sync(Some((wait, options.retries.unwrap_or(1))))
        }
        SyncCall::Options(SyncOptions::Wait(wait)) => SyncPlan::Wait(wait.get()),
    })
}

/// Decides what stands at `pointer`; none when it is wrong.
fn until_plan(draft: &mut Draft<'_>, tables: &Tables, pointer: &str, until: &ReceiveUntil) -> Option<UntilPlan> {
    match until {
        ReceiveUntil::Name(UntilName::Rows) => Some(UntilPlan::Rows),
        ReceiveUntil::Name(UntilName::Quiet) => Some(UntilPlan::Quiet),
        ReceiveUntil::Query(query) => {
            let sql = sql(draft, tables, &format!("{pointer}/sql"), query);
            let equals = equals(draft, &format!("{pointer}/equals"), query);
            Some(UntilPlan::Query(UntilQueryPlan::of(sql?, equals?)))
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
