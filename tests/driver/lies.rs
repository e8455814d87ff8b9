//! Every lie of the liar in a run: what is wrong with data turns the verdict red, what is wrong with the protocol is a
//! failure of the kind `driver`, what does no harm passes, and nothing hangs.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::{Place, Report};
use crate::scene::{DELETE, HOT, INSERT, UPDATE, each, liar, python, scenario};

/// What a run with a lie ends in.
enum Ends {
    /// The lie does no harm, or none that a check is promised to see: why.
    Pass(&'static str),
    /// The run passes or finds it, as the databases meet: why.
    Either(&'static str),
    /// These checks fail, and the reason for the verdict has this text.
    Data(&'static [&'static str], &'static str),
    /// An error of this kind and side, whose message has this text.
    Error(&'static str, &'static str, &'static str),
    /// The run does not begin: what is told.
    NotRun(&'static str),
    /// The run passes, and this is told beside it.
    Told(&'static str),
}

use Ends::{Data, Either, Error, NotRun, Pass, Told};

struct Case {
    lie: &'static str,
    settings: &'static str,
    phases: &'static [&'static str],
    /// The longest that a request may take.
    timeout: &'static str,
    ends: Ends,
}

const fn case(lie: &'static str, settings: &'static str, ends: Ends) -> Case {
    // Rows that are sent again and again would heal what is lost once.
    Case { lie, settings, phases: &[INSERT], timeout: "30s", ends }
}

const fn all(lie: &'static str, settings: &'static str, ends: Ends) -> Case {
    Case { phases: &[INSERT, UPDATE, DELETE], ..case(lie, settings, ends) }
}

/// One in which somebody waits for an answer in vain.
const fn hung(lie: &'static str, settings: &'static str, ends: Ends) -> Case {
    Case { timeout: "4s", ..case(lie, settings, ends) }
}

const fn driver(text: &'static str) -> Ends {
    Error("driver", "harness", text)
}

/// The ways of a loss that others do not share.
const SPREAD: &[&str] = &["written", "converged", "server"];
const MISSING: &str = "was acknowledged and is missing on the server";
const MISSING_ROWS: &str = "were acknowledged and are missing on the server";
const NOBODY: &str = "but no database wrote them";
const OTHER: &str = "has values other than those last written";
const AGAIN: &str = "was deleted and is on the server again";
const DIFFERS: &str = "converged: table t differs";

const CASES: &[Case] = &[
    // Rows that get lost, come back, change or appear.
    case("lose_row", "db: 2", Data(SPREAD, MISSING)),
    case("lose_row_everywhere", "db: 2", Data(&["written"], MISSING)),
    case("forget_send", "db: 2", Data(SPREAD, MISSING_ROWS)),
    case("half_push", "db: 2", Data(SPREAD, MISSING_ROWS)),
    all("lose_delete", "db: 2", Data(SPREAD, AGAIN)),
    all("resurrect", "db: 2", Data(&["written"], AGAIN)),
    Case {
        phases: &[INSERT, UPDATE],
        ..case("stale", "db: 2", Data(&["written"], "is on the server in an earlier version"))
    },
    case("phantom", "db: 2", Data(&["written"], NOBODY)),
    case("duplicate", "db: 2", Data(&["written"], NOBODY)),
    case("corrupt_value", "db: 2", Data(SPREAD, OTHER)),
    case("corrupt_value_everywhere", "db: 2", Data(&["written"], OTHER)),
    case("swap_user", "db: 2", Data(&["written"], OTHER)),
    case("drop_received_row", "db: 2", Data(&["converged", "server"], DIFFERS)),
    case("corrupt_received_value", "db: 2", Data(&["converged", "server"], DIFFERS)),
    case("skip_receive", "times: 0, db: 2", Data(&["converged", "server"], DIFFERS)),
    all("drop_received_delete", "db: 2", Data(&["converged", "server"], DIFFERS)),
    all("back_in_time", "times: 0, db: 2", Data(&["converged", "server"], DIFFERS)),
    case("empty_bootstrap", "times: 0", Data(&["bootstrap"], "bootstrap: table t differs")),
    case("server_hides_row", "times: 0", Data(&["written", "bootstrap", "server"], MISSING)),
    Case {
        phases: &[INSERT, HOT],
        ..case(
            "overwrite_waiting",
            "times: 0, db: 2",
            Either("of writes at the same time any may stay; `stress driver check` sees the broken promise"),
        )
    },
    // Answers that are wrong, and harm no row.
    case("never_complete", "times: 0", Pass("settling ends when nothing moves any more")),
    case("nothing_unsent", "times: 0", Pass("every write is followed by a send")),
    case("wrong_count", "", Pass("numbers of rows are the driver's; the rows are right")),
    // Answers that are none.
    case("late", "seconds: 0.3", Pass("within the time")),
    hung("late", "seconds: 8", driver("did not answer `send` within 4s")),
    hung("silent", "", driver("did not answer `send` within 4s")),
    case("torn", "", driver("ended with exit status: 0 in the middle of the line")),
    case("nonsense", "", driver("it wrote a line that is no answer: `all is well`")),
    case("noise", "", driver("it wrote a line that is no answer: `debug: about to answer`")),
    case("bad_utf8", "", driver("it wrote a line that is no answer")),
    case("no_object", "", driver("it wrote a line that is no answer")),
    case("text_id", "", driver("it wrote a line that is no answer")),
    case("wrong_id", "", driver("which nobody waits for")),
    case("unasked", "", driver("which nobody waits for")),
    case("twice", "", driver("which nobody waits for")),
    case("bad_shape", "", driver("its answer to `query` has another form")),
    case("bad_shape", "op: exec", driver("its answer to `exec` has another form")),
    case("bad_shape", "op: receive", driver("its answer to `receive` has another form")),
    case("empty_answer", "", driver("its answer to `query` has another form")),
    case("short_row", "times: 0", driver("columns and a row of")),
    case("huge_line", "", Pass("a long line is no wrong one")),
    case("stderr_flood", "", Pass("what is written to stderr is kept, and holds up nobody")),
    // Errors of the engine.
    case(
        "fails",
        "error: { message: database is locked, where: client }",
        Error("locked", "client", "database is locked"),
    ),
    case(
        "fails",
        "error: { message: database is locked, where: server }",
        Error("locked", "server", "database is locked"),
    ),
    case("fails", "error: { message: gone, http: 503, where: server }", Error("unavailable", "server", "gone")),
    case("fails", "done: true, error: { message: lost, where: network }", Error("network", "network", "lost")),
    // A driver that is gone.
    hung("no_hello", "", NotRun("did not answer `hello` within 4s")),
    case("wrong_version", "", NotRun("this driver speaks version 2 of the protocol, not 1")),
    case("dies_in", "op: hello", NotRun("its last words: the liar dies in hello")),
    case("dies_in", "op: open", NotRun("its last words: the liar dies in open")),
    case("dies_in", "op: begin", driver("its last words: the liar dies in begin")),
    case("dies_in", "op: exec", driver("its last words: the liar dies in exec")),
    case("dies_in", "op: query", driver("its last words: the liar dies in query")),
    case("dies_in", "op: commit", driver("its last words: the liar dies in commit")),
    case("dies_in", "op: send", driver("ended with exit status: 3; its last words: the liar dies in send")),
    case("dies_in", "op: send, done: true", driver("its last words: the liar dies in send")),
    case("dies_in", "op: receive", driver("its last words: the liar dies in receive")),
    case("dies_in", "op: unsent", driver("its last words: the liar dies in unsent")),
    case("dies_in", "op: server_query", driver("its last words: the liar dies in server_query")),
    case("dies_in", "op: close, after: 3", driver("its last words: the liar dies in close")),
    case("dies_by_signal", "", driver("signal: 9")),
    case("closes_stdout", "", driver("ended with exit status: 1")),
    hung("stops_reading", "", driver("did not answer `send` within 4s")),
    hung("slow", "", driver("did not answer `query` within 4s")),
    hung("ignores_interrupt", "", driver("did not answer `query` within 4s")),
    case("never_ends", "", Told("did not end within 5s after its stdin was closed, and was killed")),
];

/// How long a case may take, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(60);

fn judge(case: &Case) -> Result<(), String> {
    let Case { lie, settings, phases, timeout, ends } = case;
    let scale = "databases: 3, iterations: 1, rows: 20";
    let comma = if settings.is_empty() { "" } else { ", " };
    let place = Place::new();
    let text = scenario(&liar(), &format!("lie: {lie}{comma}{settings}"), timeout, scale, phases);
    place.write("scenario.yaml", &text);
    let done = place.stress(&["run", "scenario.yaml", "--json", "--no-progress", "--seed", "7"]).within(LIMIT).done();
    let code = match ends {
        Either(_) if done.code == Some(1) => 1,
        Pass(_) | Told(_) | Either(_) => 0,
        Data(..) | Error(..) => 1,
        NotRun(_) => 3,
    };
    let wrong = |what: String| Err(format!("{lie} ({settings}): {what}: {done}"));
    if done.code != Some(code) {
        let why = if let Pass(why) | Either(why) = ends { *why } else { "see the table" };
        return wrong(format!("it should end with {code} ({why})"));
    }
    let err = done.err.split_whitespace().collect::<Vec<_>>().join(" ");
    let report = (code != 3).then(|| Report::parse(&done.out));
    let (checks, errors, rule) = match &report {
        Some(report) => (report.failed_checks(), report.errors(), report.rule().1),
        None => Default::default(),
    };
    let words = report.as_ref().map(|report| report.0["errors"].to_string()).unwrap_or_default();
    match ends {
        Told(text) | NotRun(text) if !err.contains(text) => wrong(format!("it does not tell `{text}`")),
        Data(failed, _) if checks != *failed => wrong(format!("the checks {checks:?} failed")),
        Data(_, text) if !rule.contains(text) => wrong(format!("its reason is `{rule}`")),
        Data(..) | Either(_) if !errors.is_empty() => wrong(format!("its errors are {errors:?}")),
        Error(kind, side, _) if errors != [(*kind, *side)] => wrong(format!("its errors are {errors:?}")),
        Error(_, _, text) if !words.contains(text) => wrong(format!("its errors do not say `{text}`: {words}")),
        Error(..) if !checks.is_empty() => wrong(format!("the checks {checks:?} failed too")),
        _ => Ok(()),
    }
}

#[test]
fn every_lie_is_found_and_named() {
    if !python("every_lie_is_found_and_named") {
        return;
    }
    let wrong = each(CASES, judge);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n\n"));
}

#[test]
fn the_table_has_every_lie() {
    if !python("the_table_has_every_lie") {
        return;
    }
    let done = Place::new().shell(&format!("python3 '{}' --list", liar())).done().exits(0);
    let there: BTreeSet<&str> = done.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(there, CASES.iter().map(|case| case.lie).collect());
}
