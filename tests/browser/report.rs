//! `report.html` in a browser.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium::{Chromium, Session};
use crate::runs::{HOSTILE, Run};
use crate::{browser, page};

/// A page on disk.
struct File {
    path: PathBuf,
    _directory: TempDir,
}

impl File {
    fn new(html: &str) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let path = directory.path().join("report.html");
        std::fs::write(&path, html).expect("there is room for a page");
        Self { path, _directory: directory }
    }

    fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }
}

/// Opens the report of a run, and waits until it is alive.
fn opened(browser: &mut Chromium, run: &Run) -> Session {
    let file = File::new(&run.html());
    let mut tab = browser.tab();
    tab.width(1200);
    tab.open(&file.url());
    tab.until("'ready' in document.documentElement.dataset");
    tab
}

fn every() -> [(&'static str, Run); 5] {
    [
        ("ruined", Run::ruined(50, 3, 100)),
        ("passed", Run::passed(3, 6)),
        ("diverged", Run::diverged()),
        ("interrupted", Run::interrupted()),
        ("hostile", Run::hostile()),
    ]
}

/// The middle of a chart's field.
fn middle(tab: &mut Session, chart: &str) -> (f64, f64) {
    let place = tab.evaluate(&format!(
        r#"(() => {{
          const field = document.querySelector('.chart[data-chart="{chart}"] .u-over');
          field.scrollIntoView({{ block: "center", behavior: "instant" }});
          const box = field.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"#
    ));
    (place[0].as_f64().expect("a number"), place[1].as_f64().expect("a number"))
}

#[test]
fn a_report_opens_without_an_error_or_a_request_and_draws_every_chart() {
    let mut browser = browser!("a_report_opens_without_an_error_or_a_request_and_draws_every_chart");
    for (name, run) in every() {
        let mut tab = opened(&mut browser, &run);
        assert_eq!(page::blank_charts(&mut tab), [""; 0], "{name}");
        assert_eq!(tab.evaluate("document.querySelectorAll('.chart canvas').length > 2"), true, "{name}");
        assert_eq!(tab.complaints(), [""; 0], "{name}");
        let beyond: Vec<&str> =
            tab.requests().into_iter().filter(|url| !url.starts_with("file:") && !url.starts_with("data:")).collect();
        assert_eq!((beyond, tab.requests().len()), (vec![], 1), "{name}");
    }
}

#[test]
fn nothing_can_be_fetched_from_a_report() {
    let mut browser = browser!("nothing_can_be_fetched_from_a_report");
    let mut tab = opened(&mut browser, &Run::passed(2, 3));
    let fetched = "fetch('http://127.0.0.1:9/').then(() => 'fetched', (error) => String(error))";
    assert!(tab.evaluate(fetched).as_str().is_some_and(|told| told.contains("Failed to fetch")));
    assert!(
        tab.complaints().iter().any(|told| told.contains("Content Security Policy")),
        "it is the policy that forbids it"
    );
    // A script without the page's nonce does not run, however it came in.
    tab.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.bad = 1' }))",
    );
    assert_eq!(tab.evaluate("window.bad === undefined"), true);
}

#[test]
fn the_cursor_is_common_to_the_charts_and_tells_their_values() {
    let mut browser = browser!("the_cursor_is_common_to_the_charts_and_tells_their_values");
    let mut tab = opened(&mut browser, &Run::passed(3, 6));
    let told =
        "[...document.querySelectorAll('#group-time .live output')].filter((output) => output.textContent).length";
    assert_eq!(tab.evaluate(told), 0);
    let place = middle(&mut tab, "throughput");
    tab.mouse("mouseMoved", place);
    // Two lines of rows, three quantiles.
    tab.until(&format!("{told} >= 5"));
    let at =
        tab.evaluate("[...document.querySelectorAll('#group-time .u-cursor-x')].map((line) => line.style.transform)");
    let at: Vec<&Value> = at.as_array().expect("a list").iter().collect();
    assert!(at.len() >= 2 && at.iter().all(|one| *one == at[0]), "{at:?}");
}

#[test]
fn lines_are_hidden_and_shown_and_views_are_chosen() {
    let mut browser = browser!("lines_are_hidden_and_shown_and_views_are_chosen");
    let mut tab = opened(&mut browser, &Run::diverged());
    let before = page::pixels(&mut tab, "throughput", 0);
    let button = r#"document.querySelector('.chart[data-chart="throughput"] .legend button')"#;
    for (pressed, drawn) in [("false", false), ("true", true)] {
        tab.evaluate(&format!("{button}.click()"));
        assert_eq!(tab.evaluate(&format!("{button}.getAttribute('aria-pressed')")), pressed);
        tab.evaluate("new Promise(requestAnimationFrame)");
        let now = page::pixels(&mut tab, "throughput", 0);
        // The key's own colour is all that is left of a hidden line.
        assert_eq!(now > before / 2, drawn, "{now} of {before}");
    }
    for view in ["by step", "by phase", "by database"] {
        let choose = format!(
            "[...document.querySelectorAll('#time .tools button')].find((button) => button.textContent === '{view}').click()"
        );
        tab.evaluate(&choose);
        assert_eq!(tab.evaluate("document.querySelector('#time .tools [aria-pressed=true]').textContent"), view);
        assert_eq!(tab.evaluate("document.activeElement.textContent"), view, "the focus stays");
        assert_eq!(page::blank_charts(&mut tab), [""; 0], "{view}");
    }
    let names = tab.evaluate(
        r#"[...document.querySelectorAll('.chart[data-chart="throughput"] .name')].map((name) => name.textContent)"#,
    );
    assert_eq!(names, json!(["database 1", "database 2", "database 3"]));
    assert_eq!(tab.complaints(), [""; 0]);
}

#[test]
fn a_chart_is_zoomed_with_the_mouse_and_the_others_follow() {
    let mut browser = browser!("a_chart_is_zoomed_with_the_mouse_and_the_others_follow");
    let mut tab = opened(&mut browser, &Run::passed(3, 12));
    let before = ["throughput", "latency"].map(|chart| page::picture(&mut tab, chart));
    let (x, y) = middle(&mut tab, "throughput");
    tab.mouse("mouseMoved", (x - 100.0, y));
    tab.mouse("mousePressed", (x - 100.0, y));
    tab.mouse("mouseMoved", (x + 50.0, y));
    tab.mouse("mouseMoved", (x + 100.0, y));
    tab.mouse("mouseReleased", (x + 100.0, y));
    tab.evaluate("new Promise(requestAnimationFrame)");
    let zoomed = ["throughput", "latency"].map(|chart| page::picture(&mut tab, chart));
    assert!(before[0] != zoomed[0] && before[1] != zoomed[1]);
    tab.evaluate("[...document.querySelectorAll('#time .tools button')].at(-1).click()");
    tab.evaluate("new Promise(requestAnimationFrame)");
    assert!(
        before == ["throughput", "latency"].map(|chart| page::picture(&mut tab, chart)),
        "all of it is shown again"
    );
}

#[test]
fn everything_can_be_done_with_keys_alone() {
    let mut browser = browser!("everything_can_be_done_with_keys_alone");
    let mut tab = opened(&mut browser, &Run::diverged());
    tab.press("Tab");
    assert_eq!(tab.evaluate("document.activeElement.className"), "skip");
    tab.press("Enter");
    assert_eq!(tab.evaluate("document.activeElement.id"), "content");
    // On to the first chart, through whatever lies between, and the focus is seen everywhere.
    for _ in 0..60 {
        tab.press("Tab");
        let seen = "(() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2; })()";
        assert_eq!(tab.evaluate(seen), true, "{}", tab.evaluate("document.activeElement.outerHTML.slice(0, 200)"));
        if tab.evaluate("document.activeElement.className") == "canvas" {
            break;
        }
    }
    assert_eq!(tab.evaluate("document.activeElement.getAttribute('role')"), "application");
    tab.press("ArrowRight");
    tab.until("document.getElementById('status').textContent.startsWith('Rows per second at')");
    let first = tab.evaluate("document.getElementById('status').textContent");
    tab.press("ArrowRight");
    assert_ne!(tab.evaluate("document.getElementById('status').textContent"), first);
    let whole = page::picture(&mut tab, "throughput");
    tab.press("+");
    tab.evaluate("new Promise(requestAnimationFrame)");
    assert!(page::picture(&mut tab, "throughput") != whole);
    tab.press("Escape");
    tab.evaluate("new Promise(requestAnimationFrame)");
    assert!(page::picture(&mut tab, "throughput") == whole);
}

#[test]
fn a_report_is_light_or_dark_as_its_reader_prefers_or_chooses() {
    let mut browser = browser!("a_report_is_light_or_dark_as_its_reader_prefers_or_chooses");
    let mut tab = opened(&mut browser, &Run::diverged());
    let ground = "getComputedStyle(document.body).backgroundColor";
    tab.prefer("prefers-color-scheme", "light");
    let light = (tab.evaluate(ground), page::picture(&mut tab, "latency"));
    tab.prefer("prefers-color-scheme", "dark");
    tab.until(&format!("{ground} !== '{}'", light.0.as_str().expect("a colour")));
    tab.until("document.getElementById('theme').textContent === 'Light'");
    let dark = (tab.evaluate(ground), page::picture(&mut tab, "latency"));
    assert!(light.0 != dark.0 && light.1 != dark.1);
    tab.evaluate("document.getElementById('theme').click()");
    assert_eq!(tab.evaluate(ground), light.0, "what was chosen counts");
    assert_eq!(page::blank_charts(&mut tab), [""; 0]);
}

#[test]
fn every_text_can_be_read_in_light_and_in_dark() {
    let mut browser = browser!("every_text_can_be_read_in_light_and_in_dark");
    for (name, run) in every() {
        for scheme in ["light", "dark"] {
            let mut tab = opened(&mut browser, &run);
            tab.prefer("prefers-color-scheme", scheme);
            tab.until("document.getElementById('theme').textContent !== ''");
            tab.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))");
            assert_eq!(page::faint_texts(&mut tab), [""; 0], "{name} in {scheme}");
            assert_eq!(page::faint_lines(&mut tab), [""; 0], "{name} in {scheme}");
        }
    }
}

#[test]
fn a_report_says_everything_to_who_does_not_see_it() {
    let mut browser = browser!("a_report_says_everything_to_who_does_not_see_it");
    for (name, run) in every() {
        let mut tab = opened(&mut browser, &run);
        assert_eq!(page::barriers(&mut tab), [""; 0], "{name}");
    }
    let mut tab = opened(&mut browser, &Run::passed(2, 3));
    tab.prefer("prefers-reduced-motion", "reduce");
    assert_eq!(tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior"), "auto");
}

#[test]
fn a_report_fits_a_phone() {
    let mut browser = browser!("a_report_fits_a_phone");
    for (name, run) in every() {
        let mut tab = opened(&mut browser, &run);
        assert_eq!(page::overflowing(&mut tab), [""; 0], "{name}");
        assert_eq!(page::blank_charts(&mut tab), [""; 0], "{name}");
    }
}

#[test]
fn text_from_elsewhere_stays_text() {
    let mut browser = browser!("text_from_elsewhere_stays_text");
    let mut tab = opened(&mut browser, &Run::hostile());
    assert_eq!(tab.evaluate("window.bad === undefined"), true);
    assert_eq!(
        tab.evaluate("document.querySelectorAll('.bad[class=bad]:not(div):not(td), img, main script').length"),
        0
    );
    assert_eq!(tab.evaluate("document.querySelectorAll('script').length"), 3);
    let text = tab.evaluate("document.body.textContent");
    let text = text.as_str().expect("it is text");
    for shown in [HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[3], HOSTILE[5], "red \\u{1b}[31m \\u{202e}txt\\u{0}"] {
        assert!(text.contains(shown), "{shown}");
    }
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{0}']));
    // What is looked at alive is the same.
    tab.evaluate("[...document.querySelectorAll('#time .tools button')].find((button) => button.textContent === 'by phase').click()");
    let names = tab.evaluate("[...document.querySelectorAll('.live .name')].map((name) => name.textContent).join()");
    assert!(names.as_str().is_some_and(|names| names.contains(HOSTILE[0])), "{names}");
    assert_eq!(tab.evaluate("window.bad === undefined"), true);
    assert_eq!(tab.complaints(), [""; 0]);
}

#[test]
fn without_scripts_the_pictures_are_there() {
    let mut browser = browser!("without_scripts_the_pictures_are_there");
    let file = File::new(&Run::diverged().html());
    let mut tab = browser.tab();
    tab.width(1200);
    tab.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    tab.open(&file.url());
    assert_eq!(tab.evaluate("document.querySelectorAll('canvas').length"), 0);
    let seen = "[...document.querySelectorAll('.chart .still svg')].filter((svg) => svg.getBoundingClientRect().height > 50 && svg.querySelector('.line, .bar').getBoundingClientRect().width > 50).length";
    assert_eq!(tab.evaluate(seen), tab.evaluate("document.querySelectorAll('.chart').length"));
    assert_eq!(
        tab.evaluate("getComputedStyle(document.getElementById('theme')).display"),
        "none",
        "a button that does nothing"
    );
    assert_eq!(page::barriers(&mut tab), [""; 0]);
    assert_eq!(page::overflowing(&mut tab), [""; 0]);
}

#[test]
fn on_paper_the_pictures_are_there_and_the_buttons_are_not() {
    let mut browser = browser!("on_paper_the_pictures_are_there_and_the_buttons_are_not");
    let mut tab = opened(&mut browser, &Run::diverged());
    tab.call(
        "Emulation.setEmulatedMedia",
        &json!({ "media": "print", "features": [{ "name": "prefers-color-scheme", "value": "dark" }] }),
    );
    let shown = |selector: &str| {
        format!("[...document.querySelectorAll('{selector}')].filter((one) => one.getClientRects().length > 0).length")
    };
    assert_eq!(tab.evaluate(&shown(".still svg")), tab.evaluate("document.querySelectorAll('.chart').length"));
    assert_eq!(tab.evaluate(&shown("canvas, button, nav")), 0);
    assert_eq!(tab.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    let pdf = tab.call("Page.printToPDF", &json!({ "printBackground": true }));
    assert!(pdf["data"].as_str().is_some_and(|data| data.len() > 50_000));
}

#[test]
#[expect(clippy::print_stderr, reason = "how long it took is told, and not judged")]
fn a_large_run_is_a_small_page_that_opens() {
    let run = Run::failing(1000, 17, 5000);
    let events: usize = run.record.workers.iter().map(|worker| worker.events.len()).sum();
    assert!(events > 100_000, "{events}");
    let analysis = run.analysis();
    let start = std::time::Instant::now();
    let html = stress::report::html(&run.record, &analysis);
    let rendered = start.elapsed();
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    let ruined = Run::ruined(1000, 17, 5000).html();
    assert!(ruined.len() < 1_000_000, "{} bytes where nothing went well", ruined.len());
    let mut browser = browser!("a_large_run_is_a_small_page_that_opens");
    let file = File::new(&html);
    let mut tab = browser.tab();
    tab.width(1200);
    tab.open(&file.url());
    tab.until("'ready' in document.documentElement.dataset");
    let loaded = tab.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd");
    eprintln!("where nothing went well: {} bytes", ruined.len());
    eprintln!(
        "{events} events, 1,000 databases, {} failures: {} bytes, rendered in {rendered:?}, opened with its charts in {} ms",
        analysis.errors.seen,
        html.len(),
        loaded.as_f64().unwrap_or_default().round(),
    );
    assert_eq!(page::blank_charts(&mut tab), [""; 0]);
    assert_eq!(tab.complaints(), [""; 0]);
    assert_eq!(page::overflowing(&mut tab), [""; 0]);
}
