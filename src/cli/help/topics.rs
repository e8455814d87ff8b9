//! The topics: reference pages about scenarios and reports.

use super::super::exit::Exit;
use super::page::Page;
use super::variants::variants;
use super::{driver, format, tried};
use crate::failure::{FailureKind, Side};
use crate::plan::CheckKind;
use crate::plan::differences::DIFFERENCES;
use crate::plan::threshold::{Metric, built_in};
use crate::scenario::FaultKind;
use crate::template::{GENERATED, NAMES};
use crate::verify::RowState;

/// A reference page of `stress help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Format,
    Variables,
    Metrics,
    Failures,
    Findings,
    Faults,
    Embedded,
    Driver,
    ExitCodes,
    Tried,
}

impl Topic {
    pub(super) const ALL: [Self; 10] = [
        Self::Format,
        Self::Variables,
        Self::Metrics,
        Self::Failures,
        Self::Findings,
        Self::Faults,
        Self::Embedded,
        Self::Driver,
        Self::ExitCodes,
        Self::Tried,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Variables => "variables",
            Self::Metrics => "metrics",
            Self::Failures => "failures",
            Self::Findings => "findings",
            Self::Faults => "faults",
            Self::Embedded => "embedded",
            Self::Driver => "driver",
            Self::ExitCodes => "exit-codes",
            Self::Tried => "tried",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Format => "Every key of a scenario",
            Self::Variables => "Template variables and functions, and SQL parameters",
            Self::Metrics => "Metrics, for use in thresholds",
            Self::Failures => "Kinds of failures, and the sides they happen on",
            Self::Findings => "Checks of the data, and their findings",
            Self::Faults => "Faults that the embedded target can inject",
            Self::Embedded => "Where the embedded target differs from CloudSync",
            Self::Driver => "The target `driver`: test a sync engine of your own",
            Self::ExitCodes => "Exit codes of the process",
            Self::Tried => "What has been tried: runs that are disturbed on purpose",
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
            Self::Embedded => embedded(page),
            Self::Driver => driver::describe(page),
            Self::Tried => tried::describe(page),
            Self::ExitCodes => page.terms(Exit::ALL.map(|exit| (exit.code().to_string(), exit.meaning()))),
        }
    }
}

fn variables(page: Page) -> Page {
    page.text(
        "`{{ name }}` in SQL is replaced once per phase and iteration. `:name` is an SQL parameter, bound anew for each row; \
         its value comes from `bind` or from the names below. An undefined name is an error. These names are always \
         defined, as `{{ name }}` and as `:name` unless stated otherwise:",
    )
    .terms(NAMES)
    .text("Without `bind`, `:id` is `db<N>_r<iteration>_<row>`. These functions generate values, in `bind`:")
    .terms(GENERATED)
    .text(
        "A generated value depends only on the seed, the database, the iteration, the row and its own name, so the same \
         seed gives the same data on every machine. A scenario defines its own names in three places:",
    )
    .terms([
        ("vars", "`vars: {table: notes}` defines `{{ table }}`. `--var table=x`, `--vars-file` and `STRESS_VAR_TABLE` override it."),
        ("matrix", "`matrix: {journal: [wal, delete]}` defines `{{ journal }}`, with one of the values in each run."),
        ("bind", "`bind: {body: \"{{ text(200) }}\"}` defines `:body`."),
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
        "On the targets `embedded` and `cloudsync`, SQL can call the public functions of CloudSync, such as `cloudsync_uuid()`, and \
         `generate_series(1, n)`. Policies can call `auth_userid()`: the user who makes the request.",
    )
}

fn embedded(page: Page) -> Page {
    let terms = DIFFERENCES.iter().map(|difference| {
        (difference.subject, format!("Embedded: {}. CloudSync: {}.", difference.embedded, difference.cloudsync))
    });
    page.text(
        "The embedded target merges as CloudSync documents it: of each column, the version that was written more often wins, \
         so that two databases can change different columns of one row, and three increments win over two; a deletion wins \
         over a concurrent update, and a new insertion over the deletion. It differs in these points. `validate` warns of a \
         scenario for the embedded target that depends on one, where the scenario shows it.",
    )
    .terms(terms)
}

fn metrics(page: Page) -> Page {
    let meanings = variants::<Metric>();
    let terms = Metric::ALL.into_iter().zip(meanings).map(|(metric, (_, meaning))| {
        let statistic = if metric.has_statistic() { " Takes a statistic." } else { "" };
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
  - send.bytes max < 5MB
  - receive.incomplete{phase=\"insert\"} == 0
  - { expr: rows.rate > 1000, severity: warn }
  - { expr: errors.total < 100, abort: true }",
        )
        .terms(terms)
        .text(
            "Statistics: percentiles such as `p50` and `p99.9`, `min`, `max`, `mean`. Operators: `<`, `<=`, `>`, `>=`, `==`, \
             `!=`. A value is a number, a duration with its unit, a size such as `5MB`, a byte rate such as `10MiB/s`, or `all` (all databases). \
             Latencies and rates leave out the sync calls of settling, unless the label is `phase=\"settle\"`.",
        )
        .text(&format!(
            "These thresholds always apply, unless the scenario has a threshold for the same metric without labels: {}.",
            always.join(", ")
        ))
}

fn failures(page: Page) -> Page {
    page.text(
        "Every failure has a kind and a side. `stress` classifies a failure by its error codes, and by its message only if \
         no code decides. Reports show the original message. `errors:` sets the actions for a class of failures; \
         `expect: {verdict: fail, kinds: […]}` requires that certain kinds occur:",
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
    page.text("`verify` compares the data in the databases and on the server. Each violation of a check is a finding:")
        .example(
            "verify:
  - converged
  - server
  - query: { on: server, sql: SELECT count(*) FROM notes WHERE id LIKE 'malicious%', equals: 0 }",
        )
        .terms(checks.map(|(check, (_, meaning))| (check.as_str(), meaning)))
        .heading("States of a row that differs between databases")
        .terms(states.map(|(state, (_, meaning))| (state.as_str(), meaning)))
}

fn faults(page: Page) -> Page {
    page.text(
        "The embedded target injects the faults that a scenario lists, so that you can see each check fail. `rate` or `at` \
         sets how often a fault occurs, `databases` which databases it affects. `stress selftest` injects every fault and \
         tests that the run reports it.",
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
