//! The topics: what a scenario may say and what a report may say, in one place each.

use schemars::JsonSchema;
use serde_json::Value;

use super::super::exit::Exit;
use super::format;
use super::page::Page;
use crate::failure::{FailureKind, Side};
use crate::plan::CheckKind;
use crate::plan::threshold::{Metric, built_in};
use crate::scenario::FaultKind;
use crate::template::{GENERATED, NAMES};
use crate::verify::RowState;

/// Something to know about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Format,
    Variables,
    Metrics,
    Failures,
    Findings,
    Faults,
    ExitCodes,
}

impl Topic {
    pub(super) const ALL: [Self; 7] =
        [Self::Format, Self::Variables, Self::Metrics, Self::Failures, Self::Findings, Self::Faults, Self::ExitCodes];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Variables => "variables",
            Self::Metrics => "metrics",
            Self::Failures => "failures",
            Self::Findings => "findings",
            Self::Faults => "faults",
            Self::ExitCodes => "exit-codes",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Format => "Every key of a scenario",
            Self::Variables => "Names and functions of templates, and parameters of SQL",
            Self::Metrics => "What thresholds limit",
            Self::Failures => "The kinds of failures, and on whose side they are",
            Self::Findings => "What the checks on the data find",
            Self::Faults => "The failures that the embedded target plants",
            Self::ExitCodes => "What the process tells its caller",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    pub(super) fn page(self) -> Page {
        let page = Page::default().heading(self.title());
        match self {
            Self::Format => format::describe(page),
            Self::Variables => variables(page),
            Self::Metrics => metrics(page),
            Self::Failures => failures(page),
            Self::Findings => findings(page),
            Self::Faults => faults(page),
            Self::ExitCodes => page.terms(Exit::ALL.map(|exit| (exit.code().to_string(), exit.meaning()))),
        }
    }
}

fn variables(page: Page) -> Page {
    page.text(
        "`{{ … }}` in SQL is rendered once per phase and iteration, `:name` is bound per row, from `bind` or from the name \
         itself. An undefined name is an error at its place in the file. Always there, in both forms where they make sense:",
    )
    .terms(NAMES)
    .text("`:id` is `db<N>_r<iteration>_<row>` unless `bind` says otherwise. Generated values, in `bind`:")
    .terms(GENERATED)
    .text(
        "A generated value is a pure function of the seed, the database, the iteration, the row and its own name: the same \
         seed gives the same data everywhere. Names of the author's own:",
    )
    .terms([
        ("vars", "`vars: {table: notes}` makes `{{ table }}`; `--var table=x`, `--vars-file` and `STRESS_VAR_TABLE` override it."),
        ("matrix", "The value of the combination that runs."),
        ("bind", "`bind: {body: \"{{ text(200) }}\"}` makes `:body`."),
    ])
    .example(
        "vars: { table: notes }
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO {{ table }} (id, user_id, body, size) VALUES (:id, :user_id, :body, :size)
    bind: { body: \"{{ text(200) }}\", size: \"{{ int(1, 9) }}\" }",
    )
    .text(
        "SQL sees the functions of CloudSync under their public names on both targets, such as `cloudsync_uuid()`, and \
         `generate_series(1, n)`. Policies see `auth_userid()`: the user whose token it is.",
    )
}

fn metrics(page: Page) -> Page {
    let meanings = variants::<Metric>();
    let terms = Metric::ALL.into_iter().zip(meanings).map(|(metric, (_, meaning))| {
        let statistic = if metric.has_statistic() { " With a statistic." } else { "" };
        let labels: Vec<&str> = metric.labels().iter().map(|label| label.as_str()).collect();
        let labels = if labels.is_empty() { String::new() } else { format!(" Labels: {}.", labels.join(", ")) };
        (metric.as_str(), format!("{meaning}{statistic}{labels}"))
    });
    let always: Vec<String> = built_in().into_iter().map(|threshold| format!("`{}`", threshold.text)).collect();
    page.text("A threshold is `metric[{label=\"value\", …}] [statistic] operator value`:")
        .example(
            "thresholds:
  - send.duration p99 < 30s
  - receive.duration{phase=\"insert\"} mean <= 200ms
  - errors{kind=\"locked\", side=\"server\"} < 5
  - send.duration{phase=\"settle\"} max < 5s
  - bytes.rate >= 10MiB/s
  - { expr: rows.rate > 1000, severity: warn }
  - { expr: errors.total < 100, abort: true }",
        )
        .terms(terms)
        .text(
            "Statistics: `p50`, `p99.9` and the like, `min`, `max`, `mean`. Operators: `<`, `<=`, `>`, `>=`, `==`, `!=`. A \
             value is a number, a duration with its unit, a rate of bytes such as `10MiB/s`, or `all` databases. Settling is \
             no load: it is left out unless `phase=\"settle\"` asks for it.",
        )
        .text(&format!("Always on, until the scenario limits the same metric without labels: {}.", always.join(", ")))
}

fn failures(page: Page) -> Page {
    page.text(
        "A failure has a kind and a side. It is classified by codes first and by texts last, and reports tell it with the \
         message that it came with. `errors:` routes a class of them, `expect: {kinds: […]}` wants to see some:",
    )
    .example(
        "errors:
  - match: { kind: rate_limited, side: server }
    do: [{ retry: { times: 3, backoff: 500ms } }, count]",
    )
    .terms(variants::<FailureKind>())
    .heading("Sides")
    .terms(variants::<Side>())
}

fn findings(page: Page) -> Page {
    let checks = CheckKind::ALL.into_iter().zip(variants::<CheckKind>());
    let states = RowState::ALL.into_iter().zip(variants::<RowState>());
    page.text("`verify` compares data, never log lines. A check that does not hold has findings:")
        .example(
            "verify:
  - converged
  - server
  - query: { on: server, sql: SELECT count(*) FROM notes WHERE id LIKE 'malicious%', equals: 0 }",
        )
        .terms(checks.map(|(check, (_, meaning))| (check.as_str(), meaning)))
        .heading("What became of a row that is not the same everywhere")
        .terms(states.map(|(state, (_, meaning))| (state.as_str(), meaning)))
}

fn faults(page: Page) -> Page {
    page.text(
        "A check never seen red is no check: the embedded target does wrong what it is told to. `rate` or `at` says how \
         often, `databases` to whom. `stress selftest` plants each of them and looks whether it is found.",
    )
    .example(
        "target:
  embedded:
    faults:
      - { fault: drop_row, rate: 0.001 }
      - { fault: locked, at: [2, 3], databases: [1] }",
    )
    .terms(variants::<FaultKind>())
}

/// The names of an enum's variants with their documentation, in the order of their declaration.
pub(super) fn variants<T: JsonSchema>() -> Vec<(String, String)> {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    let variants = schema.get("oneOf").and_then(Value::as_array);
    let text = |variant: &Value, key: &str| variant.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = |variant: &Value| (text(variant, "const"), text(variant, "description"));
    variants.map(|variants| variants.iter().map(named).collect()).unwrap_or_default()
}
