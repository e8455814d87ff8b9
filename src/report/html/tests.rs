use super::{Standing, html, html_for, html_waiting};
use crate::analysis::{Analysis, analyze};
use crate::failure::{Call, Failure, FailureKind, Side};
use crate::fixture::{diverge, fail, failure, plan, record};
use crate::record::{EndReason, Ended, GrowthSample, LogExcerpt, Record, StepKind, TableSize};

const HOSTILE: &str = "</script><script>bad()</script><!-- \"'&\u{1b}\u{202e}\u{2028}";

fn judged(change: impl FnOnce(&mut Record)) -> (Record, Analysis) {
    let plan = plan(2);
    let mut record = record(&plan);
    change(&mut record);
    let analysis = analyze(&record, &plan);
    (record, analysis)
}

fn failed(record: &mut Record) {
    diverge(record);
    let locked = "{\"errors\":[{\"status\":\"500\",\"detail\":\"database is locked\"}]}";
    for (database, iteration) in [(1, 3), (2, 3), (2, 4)] {
        fail(record, database, iteration, "insert", StepKind::Send, failure(Call::Send, 1, locked));
    }
    record.workers[0].growth = (1..=5)
        .map(|iteration| GrowthSample {
            iteration,
            file: 40_960 * iteration,
            wal: 8_192,
            tables: vec![TableSize { table: "test_sync".into(), rows: 1_000, metadata: Some(1_000 * iteration) }],
        })
        .collect();
    let lines = |text: &str| vec![text.to_owned()];
    record.workers[1].log = Some(LogExcerpt { lines: 90, first: lines("[DB2] inserted"), last: lines("[DB2] error") });
}

fn unknown(record: &mut Record) {
    record.ended = Some(Ended { at: 600_000, reason: EndReason::Interrupted });
    (record.settle, record.state) = (None, None);
}

/// What a page says, without its pictures.
fn content(page: &str) -> String {
    let (_, rest) = page.split_once("<main").expect("it has a main part");
    let (content, _) = rest.split_once("</main>").expect("it ends");
    let mut parts = content.split("<svg");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("<svg");
        text.push_str(part.split_once("</svg>").map_or("", |(_, behind)| behind));
    }
    text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_run_is_told_on_a_page() {
    for (name, (record, analysis)) in [("pass", judged(|_| {})), ("fail", judged(failed)), ("unknown", judged(unknown))]
    {
        insta::assert_snapshot!(name, content(&html(&record, &analysis)));
    }
}

#[test]
fn a_page_asks_nobody_for_anything() {
    let (record, analysis) = judged(failed);
    let page = html(&record, &analysis);
    for sign in [" src=", "url(", "@import", "href=\"http", "connect-src"] {
        assert!(!page.contains(sign), "{sign}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(html_for(&record, &analysis, Standing::Ended).contains("connect-src 'self'"));
}

#[test]
fn the_same_record_gives_the_same_page() {
    let pages = [0, 1].map(|_| {
        let (record, analysis) = judged(failed);
        html(&record, &analysis)
    });
    assert_eq!(pages[0], pages[1]);
}

#[test]
fn text_from_elsewhere_stays_text() {
    let (record, analysis) = judged(|record| {
        failed(record);
        record.path = HOSTILE.into();
        record.scenario.description = HOSTILE.into();
        for event in record.workers.iter_mut().flat_map(|worker| &mut worker.events) {
            event.phase = HOSTILE.into();
        }
        let failure = Failure::new(FailureKind::Http, Side::Server, HOSTILE);
        fail(record, 1, 2, HOSTILE, StepKind::Send, failure);
    });
    let page = html(&record, &analysis);
    assert_eq!(page.matches("</script").count(), 3);
    assert_eq!(page.matches("<script").count(), 3);
    assert!(!page.contains(['\u{1b}', '\u{202e}', '\u{2028}']) && !page.contains("<!--"));
    let (_, data) = page.split_once("id=\"data\">").expect("it has data");
    let (data, _) = data.split_once("</script>").expect("they end");
    assert!(serde_json::from_str::<serde_json::Value>(data).is_ok());
}

#[test]
fn a_run_that_goes_on_is_not_judged_yet() {
    let (record, analysis) = judged(|record| {
        unknown(record);
        record.ended = None;
    });
    let page = html_for(&record, &analysis, Standing::Following);
    assert!(page.contains("RUNNING") && page.contains("no verdict yet") && !page.contains("UNKNOWN"));
    assert!(html_for(&record, &analysis, Standing::Ended).contains("UNKNOWN"));
    assert!(html_waiting("it has no record.json").contains("it has no record.json"));
}

#[test]
fn a_run_that_did_nothing_has_a_page() {
    let (record, analysis) = judged(|record| {
        record.workers.clear();
        unknown(record);
    });
    assert!(html(&record, &analysis).contains("nothing ran"));
}
