//! `stress report --serve`: a page that follows a run.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::{LIMIT, Place, Running};
use crate::{browser, page};

/// Takes a few seconds, most of them waiting.
const SLOW: &str = "
scale: { databases: 2, iterations: 30, rows: 20, time_limit: 60s }
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, :user_id, 'text', :row)
    sync: [send, receive]
  - wait: 200ms
";

/// Serves a run, and says where.
fn serve(place: &Place, arguments: &[&str]) -> (Running, String) {
    let told = place.path("served.txt");
    let file = std::fs::File::create(&told).expect("there is room for a file");
    let arguments = [&["report", "--serve", "--port", "0"], arguments].concat();
    let mut server = place.stress(&arguments).stdout(file).start();
    let text = || std::fs::read_to_string(&told).unwrap_or_default();
    server.until("its address", || text().contains("Ctrl-C"));
    let text = text();
    let url = text.lines().find_map(|line| line.strip_prefix("report: ")).expect("it says where");
    (server, url.to_owned())
}

/// The answer to a request, and its status.
fn asked(url: &str, request: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a socket has a timeout");
    let request = request.replace("HERE", address);
    write!(stream, "{request}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers with text");
    answer
}

#[test]
fn a_page_follows_a_run_to_its_end_and_keeps_what_is_looked_at() {
    let mut browser = browser!("a_page_follows_a_run_to_its_end_and_keeps_what_is_looked_at");
    let place = Place::of(SLOW);
    let mut run = place.stress(&["run", "scenario.yaml"]).start();
    run.until("its record", || place.path("runs/test/latest/record.json").is_file());
    let (server, url) = serve(&place, &[]);
    let mut tab = browser.tab();
    tab.width(1200);
    tab.open(&url);
    tab.until("'ready' in document.documentElement.dataset");
    let word = "document.querySelector('.word').textContent";
    assert_eq!(tab.evaluate(word), "RUNNING");
    // Once there is something to see: a view, a line that is hidden, a fold, a place on the page.
    tab.until("document.querySelectorAll('.chart canvas').length > 1");
    tab.evaluate("[...document.querySelectorAll('#time .tools button')].find((button) => button.textContent === 'by database').click()");
    tab.evaluate("document.querySelector('.chart[data-chart=\"throughput\"] .legend button').click()");
    tab.evaluate("document.getElementById('yaml').open = true");
    tab.evaluate("scrollTo({ top: 300, behavior: 'instant' })");
    let changed = "document.querySelectorAll('.tiles .value')[1].textContent";
    let before = tab.evaluate(changed);
    tab.until(&format!("{changed} !== {before}"));
    run.done().exits(0);
    tab.until(&format!("{word} === 'PASS'"));
    tab.until("document.getElementById('status').textContent === 'The run has ended.'");
    assert_eq!(tab.evaluate("document.querySelector('#time .tools [aria-pressed=true]').textContent"), "by database");
    assert_eq!(
        tab.evaluate(
            "document.querySelector('.chart[data-chart=\"throughput\"] .legend button').getAttribute('aria-pressed')"
        ),
        "false"
    );
    assert_eq!(tab.evaluate("document.getElementById('yaml').open"), true);
    assert_eq!(tab.evaluate("Math.abs(scrollY - 300) < 5"), true);
    assert_eq!(page::blank_charts(&mut tab), ["throughput"; 0]);
    assert_eq!(page::barriers(&mut tab), [""; 0]);
    assert_eq!(tab.complaints(), [""; 0]);
    // Nothing is asked of anybody else, and nothing any more.
    assert!(tab.requests().iter().all(|asked| *asked == url || asked.starts_with("data:")), "{:?}", tab.requests());
    let asked = tab.requests().len();
    tab.evaluate("new Promise((done) => setTimeout(done, 1500))");
    assert_eq!(tab.requests().len(), asked);
    server.signal("INT");
    server.done().exits(0);
}

#[test]
fn only_a_reader_on_this_machine_is_answered() {
    let place = Place::of("");
    place.stress(&["run", "scenario.yaml"]).done().exits(0);
    let (server, url) = serve(&place, &["runs/test/latest"]);
    let whole = asked(&url, "GET / HTTP/1.1\r\nHost: HERE");
    assert!(whole.starts_with("HTTP/1.1 200 OK") && whole.contains("<p class=\"word\">PASS</p>"), "{whole}");
    assert!(whole.contains("connect-src 'self'"));
    let tag = whole.lines().find_map(|line| line.strip_prefix("etag: ")).expect("it has a tag");
    let again = asked(&url, &format!("GET / HTTP/1.1\r\nHost: HERE\r\nIf-None-Match: {tag}"));
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: rebound.example", "403"),
        ("GET / HTTP/1.1\r\nHost: rebound.example:80", "403"),
        ("GET /record.json HTTP/1.1\r\nHost: HERE", "404"),
        ("POST / HTTP/1.1\r\nHost: HERE\r\nContent-Length: 0", "405"),
    ] {
        let answer = asked(&url, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && !answer.contains("PASS"), "{request}: {answer}");
    }
    server.signal("INT");
    server.done().exits(0);
}

#[test]
fn a_port_that_is_taken_and_a_run_that_is_not_there_are_said() {
    let place = Place::new();
    place.stress(&["report", "--serve"]).done().exits(2).says(&["there is no run in `runs`"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    std::fs::create_dir_all(place.path("run")).expect("there is room for a directory");
    let done = place.stress(&["report", "run", "--serve", "--port", &port]).done();
    done.exits(3).says(&["failed to listen on 127.0.0.1", "--port"]);
}
