//! Reading a threshold: one pass over its text, every problem with its bytes and with what to write instead.

use std::ops::Range;

use crate::failure::{FailureKind, Side};
use crate::scenario::{Severity, Threshold};
use crate::suggest::suggest;

use super::limit::number;
use super::{Label, Labels, Limit, Metric, Operator, Statistic, ThresholdPlan, Unit};
use crate::plan::CheckKind;

/// What is wrong with a threshold's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdProblem {
    /// The bytes of the text that are at fault.
    pub range: Range<usize>,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl ThresholdPlan {
    /// The threshold that stands at `pointer` in a scenario. `phases` are the names that the label `phase` can have
    /// besides `settle`, `databases` how many databases the label `database` can name.
    pub fn new(
        pointer: &str,
        threshold: &Threshold,
        phases: &[String],
        databases: u32,
    ) -> Result<Self, ThresholdProblem> {
        match threshold {
            Threshold::Text(text) => parse(pointer, text, phases, databases),
            Threshold::Options(options) => {
                let plan = parse(pointer, &options.expr, phases, databases)?;
                if options.abort && !plan.metric.unit().only_grows() {
                    return Err(ThresholdProblem {
                        range: 0..options.expr.len(),
                        message: format!("`abort` does not work with `{}`, which can still get better", plan.metric),
                        help: Some("use `abort` with `errors` and `findings`, which only grow".to_owned()),
                    });
                }
                Ok(Self { severity: options.severity, abort: options.abort, ..plan })
            }
        }
    }
}

/// Reads `metric[{label="value", …}] [statistic] op value`; the rest as [`ThresholdPlan::new`] takes it.
fn parse(pointer: &str, text: &str, phases: &[String], databases: u32) -> Result<ThresholdPlan, ThresholdProblem> {
    let mut reader = Reader { text, at: 0 };
    let metric = reader.metric()?;
    let labels = reader.labels(metric, phases, databases)?;
    let statistic = reader.statistic(metric)?;
    let op = reader.operator()?;
    let value = reader.limit(metric.unit())?;
    Ok(ThresholdPlan {
        pointer: Some(pointer.to_owned()),
        text: text.trim().to_owned(),
        metric,
        labels,
        statistic,
        op,
        value,
        severity: Severity::Fail,
        abort: false,
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// A piece of the text and where it stands.
struct Token<'a> {
    text: &'a str,
    range: Range<usize>,
}

impl<'a> Reader<'a> {
    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> Token<'a> {
        self.skip_space();
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let range = self.at..self.at + length;
        self.at = range.end;
        Token { text: &self.text[range.clone()], range }
    }

    fn eat(&mut self, expected: char) -> bool {
        self.skip_space();
        let found = self.text[self.at..].starts_with(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    /// What is wrong at this place: the next character, or the end.
    fn here(&self, message: impl Into<String>, help: impl Into<String>) -> ThresholdProblem {
        let next = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
        // At the end of the text the whole of it is shown: an empty range has nothing to underline.
        let range = if next == 0 { 0..self.text.len() } else { self.at..self.at + next };
        ThresholdProblem { range, message: message.into(), help: Some(help.into()) }
    }

    fn metric(&mut self) -> Result<Metric, ThresholdProblem> {
        let name = self.take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if name.text.is_empty() {
            return Err(self.here("a threshold begins with a metric", "write it as in `send.duration p99 < 30s`"));
        }
        let names = Metric::ALL.map(Metric::as_str);
        Metric::ALL
            .into_iter()
            .find(|metric| metric.as_str() == name.text)
            .ok_or_else(|| unknown("metric", &name, &names))
    }

    fn labels(&mut self, metric: Metric, phases: &[String], databases: u32) -> Result<Labels, ThresholdProblem> {
        let mut labels = Labels::default();
        self.skip_space();
        let start = self.at;
        if !self.eat('{') {
            return Ok(labels);
        }
        if metric.labels().is_empty() {
            let end = self.text[start..].find('}').map_or(self.text.len(), |length| start + length + 1);
            let help = if metric.unit() == Unit::Failures {
                "write `errors{…}` for errors of a kind, side, phase or database"
            } else {
                "leave the braces out"
            };
            return Err(problem(start..end, format!("`{metric}` has no labels"), help));
        }
        while !self.eat('}') {
            let name = self.take_while(|c| c.is_alphanumeric() || c == '_');
            if name.text.is_empty() {
                return Err(self.here("a label is missing", label_help(metric)));
            }
            let Some(label) = metric.labels().iter().find(|label| label.as_str() == name.text) else {
                let names: Vec<&str> = metric.labels().iter().map(|label| label.as_str()).collect();
                return Err(unknown(&format!("label of `{metric}`"), &name, &names));
            };
            if !self.eat('=') {
                return Err(self.here(format!("`{}` has no value", name.text), label_help(metric)));
            }
            let value = self.label_value()?;
            labels.set(*label, &value, phases, databases)?;
            if !self.eat(',') {
                if self.eat('}') {
                    break;
                }
                return Err(self.here("the labels are not closed", "close them with `}`"));
            }
        }
        Ok(labels)
    }

    fn label_value(&mut self) -> Result<Token<'a>, ThresholdProblem> {
        let quote = if self.eat('"') {
            '"'
        } else if self.eat('\'') {
            '\''
        } else {
            return Ok(self.take_while(|c| !c.is_whitespace() && !matches!(c, ',' | '}')));
        };
        let start = self.at;
        let Some(length) = self.text[start..].find(quote) else {
            return Err(problem(
                start - 1..self.text.len(),
                "the quote is not closed",
                format!("close it with `{quote}`"),
            ));
        };
        self.at = start + length + quote.len_utf8();
        Ok(Token { text: &self.text[start..start + length], range: start..start + length })
    }

    fn statistic(&mut self, metric: Metric) -> Result<Option<Statistic>, ThresholdProblem> {
        let name = self.take_while(|c| c.is_alphanumeric() || c == '.');
        match (name.text.is_empty(), metric.has_statistic()) {
            (true, false) => Ok(None),
            (true, true) => {
                let (many, example) = match metric.unit() {
                    Unit::Bytes => ("sizes", "max < 5MB"),
                    Unit::Chunks => ("numbers", "max <= 1"),
                    Unit::Duration
                    | Unit::RowsPerSecond
                    | Unit::BytesPerSecond
                    | Unit::Calls
                    | Unit::Failures
                    | Unit::Findings
                    | Unit::Databases => ("durations", "p99 < 30s"),
                };
                Err(self.here(
                    format!("`{metric}` is many {many}: a statistic says which"),
                    format!("write `{metric} {example}`, or another of p50, p90, p95, p99, p99.9, min, max, mean"),
                ))
            }
            (false, false) => {
                let help = format!("write `{metric}`, then `<`, `<=`, `>`, `>=`, `==` or `!=`");
                Err(problem(name.range, format!("`{metric}` has no statistics"), help))
            }
            (false, true) => statistic(&name).map(Some),
        }
    }

    fn operator(&mut self) -> Result<Operator, ThresholdProblem> {
        let token = self.take_while(|c| matches!(c, '<' | '>' | '=' | '!'));
        let help = "write one of `<`, `<=`, `>`, `>=`, `==`, `!=`";
        Ok(match token.text {
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "==" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "" => return Err(self.here("a comparison is missing", help)),
            "=" => return Err(problem(token.range, "`=` does not compare", "write `==`")),
            _ => return Err(problem(token.range, format!("`{}` is no comparison", token.text), help)),
        })
    }

    fn limit(&mut self, unit: Unit) -> Result<Limit, ThresholdProblem> {
        let token = self.take_while(|_| true);
        let text = token.text.trim_end();
        let range = token.range.start..token.range.start + text.len();
        if text.is_empty() {
            return Err(self.here("a value to compare with is missing", format!("write {}", unit.example())));
        }
        unit.read(text).ok_or_else(|| {
            problem(range, format!("`{text}` is not {}", unit.wanted()), format!("write {}", unit.example()))
        })
    }
}

fn statistic(name: &Token<'_>) -> Result<Statistic, ThresholdProblem> {
    match name.text {
        "min" => return Ok(Statistic::Min),
        "max" => return Ok(Statistic::Max),
        "mean" => return Ok(Statistic::Mean),
        _ => {}
    }
    let digits = name.text.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
    match digits.map(number) {
        Some(Some(percent)) if percent > 0.0 && percent < 100.0 => Ok(Statistic::Percentile(percent)),
        Some(_) => {
            let help = "write one between 0 and 100, such as `p99` or `p99.9`, or `max` for the longest";
            Err(problem(name.range.clone(), format!("`{}` is not a percentile", name.text), help))
        }
        None => Err(unknown("statistic", name, &["p50", "p90", "p95", "p99", "p99.9", "min", "max", "mean"])),
    }
}

impl Labels {
    fn set(
        &mut self,
        label: Label,
        value: &Token<'_>,
        phases: &[String],
        databases: u32,
    ) -> Result<(), ThresholdProblem> {
        match label {
            Label::Kind => {
                let kind = FailureKind::ALL.into_iter().find(|kind| kind.as_str() == value.text);
                let names = FailureKind::ALL.map(FailureKind::as_str);
                self.kind = Some(kind.ok_or_else(|| unknown("kind of failure", value, &names))?);
            }
            Label::Side => {
                let side = Side::ALL.into_iter().find(|side| side.as_str() == value.text);
                self.side = Some(side.ok_or_else(|| unknown("side", value, &Side::ALL.map(Side::as_str)))?);
            }
            Label::Check => {
                let check = CheckKind::ALL.into_iter().find(|check| check.as_str() == value.text);
                let names = CheckKind::ALL.map(CheckKind::as_str);
                self.check = Some(check.ok_or_else(|| unknown("check", value, &names))?);
            }
            Label::Phase => {
                let names: Vec<&str> = phases.iter().map(String::as_str).chain(["settle"]).collect();
                if !names.contains(&value.text) {
                    return Err(unknown("phase", value, &names));
                }
                self.phase = Some(value.text.to_owned());
            }
            Label::Database => {
                let database = value.text.parse().ok().filter(|database| (1..=databases).contains(database));
                self.database = Some(database.ok_or_else(|| {
                    let help = format!("databases are counted from 1 to {databases}");
                    problem(value.range.clone(), format!("there is no database `{}`", value.text), help)
                })?);
            }
        }
        Ok(())
    }
}

fn label_help(metric: Metric) -> String {
    let labels: Vec<String> = metric.labels().iter().map(|label| format!("{}=\"…\"", label.as_str())).collect();
    format!("write `{metric}{{{}}}`, or only some of them", labels.join(", "))
}

fn problem(range: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> ThresholdProblem {
    ThresholdProblem { range, message: message.into(), help: Some(help.into()) }
}

/// A name that is not among those there are, with the nearest one or all of them.
fn unknown(what: &str, name: &Token<'_>, names: &[&str]) -> ThresholdProblem {
    let help = suggest(name.text, names.iter().copied(), "there are");
    problem(name.range.clone(), format!("unknown {what} `{}`", name.text), help)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::threshold::{Metric, with_built_in};
    use crate::scenario::{Threshold, ThresholdOptions};

    fn phases() -> Vec<String> {
        ["delete", "insert", "update"].map(str::to_owned).to_vec()
    }

    fn read(text: &str) -> Result<ThresholdPlan, ThresholdProblem> {
        parse("/thresholds/0", text, &phases(), 4)
    }

    #[test]
    fn every_form_is_read() {
        let plan = read("check.duration{phase=\"insert\", database=2} p99.9 <= 1m 30s").expect("it is right");
        assert_eq!(plan.metric, Metric::CheckDuration);
        assert_eq!((plan.labels.phase.as_deref(), plan.labels.database), (Some("insert"), Some(2)));
        assert_eq!((plan.statistic, plan.op), (Some(Statistic::Percentile(99.9)), Operator::LessOrEqual));
        assert_eq!(plan.value, Limit::Duration(Duration::from_secs(90)));
        for (text, value) in [
            ("errors.total==0", Limit::Number(0.0)),
            ("errors{kind=\"locked\",side='server'} <= 5", Limit::Number(5.0)),
            ("rows.rate > 1000", Limit::Number(1000.0)),
            ("rows.rate > 1000.5/s", Limit::Number(1000.5)),
            ("bytes.rate >= 1MB/s", Limit::BytesPerSecond(1e6)),
            ("bytes.rate >= 10KiB/s", Limit::BytesPerSecond(10240.0)),
            ("settle.duration < 500ms", Limit::Duration(Duration::from_millis(500))),
            ("databases.completed == all", Limit::All),
            ("databases.completed >= 3", Limit::Number(3.0)),
            ("findings.total{check=converged} != 1", Limit::Number(1.0)),
            ("phase.duration{phase=\"update\"} mean < 2s", Limit::Duration(Duration::from_secs(2))),
            ("send.duration{phase=settle} max < 2s", Limit::Duration(Duration::from_secs(2))),
        ] {
            assert_eq!(read(text).expect(text).value, value, "{text}");
        }
    }

    #[test]
    fn every_metric_is_read_with_all_its_labels_and_the_examples_of_its_unit() {
        for metric in Metric::ALL {
            let labels = metric.labels().iter().map(|label| match label {
                Label::Kind => "kind=locked",
                Label::Side => "side=server",
                Label::Phase => "phase=insert",
                Label::Database => "database=4",
                Label::Check => "check=query",
            });
            let labels: Vec<&str> = labels.collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let statistic = if metric.has_statistic() { "p99" } else { "" };
            let examples: Vec<&str> = metric.unit().example().split('`').skip(1).step_by(2).collect();
            assert!(!examples.is_empty(), "{metric}");
            for example in examples {
                let text = format!("{metric}{labels} {statistic} <= {example}");
                let plan = read(&text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
                assert_eq!(plan.metric, metric);
            }
        }
    }

    #[test]
    fn every_mistake_is_shown_at_its_place_with_what_to_write() {
        for (text, at_fault, help) in [
            ("", "", "send.duration p99 < 30s"),
            ("sned.duration p99 < 30s", "sned.duration", "`send.duration`"),
            ("errors{knid=\"locked\"} == 0", "knid", "`kind`"),
            ("errors{kind=\"loked\"} == 0", "loked", "`locked`"),
            ("errors{side=\"serwer\"} == 0", "serwer", "`server`"),
            ("errors.total{kind=\"locked\"} == 0", "{kind=\"locked\"}", "errors{"),
            ("send.duration{phase=\"inesrt\"} p99 < 1s", "inesrt", "`insert`"),
            ("send.duration{database=9} p99 < 1s", "9", "from 1 to 4"),
            ("send.duration{phase=\"é\"} p99 < 1s", "é", "`delete`, `insert`, `update`, `settle`"),
            ("send.duration{phase=\"insert} p99 < 1s", "\"insert} p99 < 1s", "close it"),
            ("send.duration{phase=\"insert\" p99 < 1s", "p", "close them"),
            ("send.duration < 1s", "<", "p99"),
            ("send.duration p100 < 1s", "p100", "between 0 and 100"),
            ("send.duration p0 < 1s", "p0", "between 0 and 100"),
            ("send.duration p9x < 1s", "p9x", "between 0 and 100"),
            ("send.duration maxx < 1s", "maxx", "`max`"),
            ("send.duration p99 < 30", "30", "`30s`"),
            ("send.duration p99 < -30s", "-30s", "`30s`"),
            ("errors.total p99 == 0", "p99", "`==`"),
            ("errors.total = 0", "=", "`==`"),
            ("errors.total =< 0", "=<", "`<=`"),
            ("errors.total == 1e3", "1e3", "whole number"),
            ("errors.total == 0.5", "0.5", "whole number"),
            ("errors.total == NaN", "NaN", "whole number"),
            ("errors.total == 0 and more", "0 and more", "whole number"),
            ("bytes.rate > 1MB", "1MB", "`1MB/s`"),
            ("bytes.rate > 1000", "1000", "`1MB/s`"),
            ("findings.total{check=\"convergd\"} == 0", "convergd", "`converged`"),
        ] {
            let problem = read(text).expect_err(text);
            assert_eq!(&text[problem.range.clone()], at_fault, "{text}: {problem:?}");
            let shown = problem.help.clone().unwrap_or_default();
            assert!(shown.contains(help), "{text}: {problem:?}");
        }
    }

    #[test]
    fn what_stops_in_the_middle_is_shown_whole() {
        for text in
            ["errors.total", "errors.total ==", "errors{", "errors{kind", "errors{kind=\"locked\"", "send.duration p9"]
        {
            let problem = read(text).expect_err(text);
            assert!(!problem.range.is_empty() && problem.range.end <= text.len(), "{text}: {problem:?}");
        }
    }

    #[test]
    fn a_threshold_of_the_scenario_replaces_the_one_that_is_always_on() {
        let own = vec![
            read("errors.total <= 5").expect("it is right"),
            read("findings.total{check=isolation} == 0").expect("it is right"),
        ];
        let texts: Vec<String> = with_built_in(own).into_iter().map(|plan| plan.text).collect();
        assert_eq!(
            texts,
            [
                "databases.completed == all",
                "findings.total == 0",
                "errors.total <= 5",
                "findings.total{check=isolation} == 0"
            ]
        );
    }

    #[test]
    fn only_what_grows_can_end_a_run_early() {
        let threshold = |expr: &str| {
            Threshold::Options(ThresholdOptions { expr: expr.into(), severity: Severity::Warn, abort: true })
        };
        let new = |text| ThresholdPlan::new("/thresholds/0", &threshold(text), &phases(), 4);
        let plan = new("errors.total < 5").expect("it is right");
        assert_eq!((plan.abort, plan.severity), (true, Severity::Warn));
        assert!(new("rows.rate > 5").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_problems_stay_inside_the_text(text in ".{0,60}") {
            if let Err(problem) = read(&text) {
                prop_assert!(text.get(problem.range).is_some());
            }
        }

        #[test]
        fn no_near_miss_makes_it_panic(
            text in "(errors|send\\.duration)( |\\{|phase|kind|=|\"|é|insert|locked|\\}|,| p99| <| 3|s){0,8}"
        ) {
            if let Err(problem) = read(&text) {
                prop_assert!(text.get(problem.range).is_some());
            }
        }
    }
}
