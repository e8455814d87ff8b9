//! Thresholds: `metric[{label="value", …}] [statistic] op value`, parsed into a limit that `analysis` can compare.
//! It must not know what was measured.

mod comparison;
mod label;
mod limit;
mod metric;
mod parse;
mod threshold_plan;

pub(crate) use comparison::{Operator, Statistic};
pub(crate) use label::{Label, Labels};
pub(crate) use limit::Limit;
pub(crate) use metric::{Metric, Unit};
pub(crate) use threshold_plan::ThresholdPlan;

use crate::scenario::Severity;

/// The thresholds that are always on: no errors, every database completed, no findings.
pub(crate) fn built_in() -> Vec<ThresholdPlan> {
    let always = |text: &str, metric, value| ThresholdPlan {
        pointer: None,
        text: text.to_owned(),
        metric,
        labels: Labels::default(),
        statistic: None,
        op: Operator::Equal,
        value,
        severity: Severity::Fail,
        abort: false,
    };
    vec![
        always("errors.total == 0", Metric::ErrorsTotal, Limit::Number(0.0)),
        always("databases.completed == all", Metric::DatabasesCompleted, Limit::All),
        always("findings.total == 0", Metric::FindingsTotal, Limit::Number(0.0)),
    ]
}

/// The scenario's own thresholds behind the built-in ones that none of them replaces: one does by being about the
/// same metric without labels.
pub(crate) fn with_built_in(own: Vec<ThresholdPlan>) -> Vec<ThresholdPlan> {
    let mut all = built_in();
    all.retain(|always| !own.iter().any(|one| one.metric == always.metric && one.labels == Labels::default()));
    all.extend(own);
    all
}
