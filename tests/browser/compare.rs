//! `stress compare --html` in a browser.

use crate::harness::Place;
use crate::{browser, page};

const FAULTY: &str = "
name: faulty
target: { embedded: { faults: [{ fault: http_500, at: [2] }] } }
";

#[test]
fn runs_are_laid_over_each_other() {
    let mut browser = browser!("runs_are_laid_over_each_other");
    let place = Place::of("");
    place.write("faulty.yaml", &crate::harness::scenario(FAULTY));
    for out in ["first", "second"] {
        place.stress(&["run", "scenario.yaml", "--out", out]).done().exits(0);
    }
    place.stress(&["run", "faulty.yaml", "--out", "third"]).done().exits(1);
    let runs = ["first/test/latest", "second/test/latest", "third/faulty/latest"];
    let done = place.stress(&["compare", runs[0], runs[1], runs[2], "--html", "runs.html"]).done().exits(1);
    assert!(done.out.contains("third/faulty/latest against first/test/latest"), "{done}");
    let mut tab = browser.tab();
    tab.width(1200);
    tab.open(&format!("file://{}", place.path("runs.html").display()));
    tab.until("'ready' in document.documentElement.dataset");
    assert_eq!(page::blank_charts(&mut tab), [""; 0]);
    assert_eq!(page::barriers(&mut tab), [""; 0]);
    for scheme in ["light", "dark"] {
        tab.prefer("prefers-color-scheme", scheme);
        assert_eq!(page::faint_texts(&mut tab), [""; 0], "{scheme}");
    }
    let verdicts =
        tab.evaluate("[...document.querySelectorAll('#series .badge')].map((badge) => badge.textContent).join()");
    assert_eq!(verdicts, "PASS,PASS,FAIL");
    let errors = tab.evaluate("document.getElementById('errors').textContent");
    assert!(
        errors.as_str().is_some_and(|told| told.contains("http on the server side") && told.contains("new")),
        "{errors}"
    );
    let names = "[...document.querySelectorAll('.chart[data-chart=\"throughput\"] .name')].map((name) => name.textContent).join()";
    assert_eq!(tab.evaluate(names), "A,B,C");
    assert_eq!(tab.complaints(), [""; 0]);
    assert_eq!(page::overflowing(&mut tab), [""; 0]);
}

#[test]
fn a_page_never_takes_the_place_of_a_run() {
    let place = Place::of("");
    place.write("repeat.json", "{}");
    place.stress(&["compare", "--html", "repeat.json", "a", "b"]).done().exits(2).says(&["ends in .html"]);
}
