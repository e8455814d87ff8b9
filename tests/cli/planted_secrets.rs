//! A secret of its own at every source, and a server that repeats all of them in every form: no output has any of them.
//! What is printed, every file of the run, every report, what GitHub and an OpenTelemetry collector are told.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::cloudsync::extension;
use crate::harness::{Done, Invocation, LIMIT, Place, RLS, files, scenario};
use crate::hub::hub_with;
use crate::provision::connection;
use crate::standin::{API_KEY, MANAGEMENT_KEY, StandIn, Wrong};

const HUB_KEY: &str = "hub/k3y+of=the&test";
const HUB_MANAGEMENT: &str = "hub/m4nage\"ment<key>";

/// What base64 has of a value wherever it stands in a longer text.
fn base64_cores(value: &str) -> Vec<String> {
    let core = |shift: usize| {
        let encoded = STANDARD_NO_PAD.encode(format!("{}{value}", "x".repeat(shift)));
        encoded[(shift * 8).div_ceil(6)..(shift + value.len()) * 8 / 6].to_owned()
    };
    let cores = (0..3).map(core);
    cores.flat_map(|core| [core.replace('+', "-").replace('/', "_"), core]).collect()
}

/// A secret in every form in which a server may repeat it.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let percent = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let json = |text: &str| {
        let text = json!(text).to_string();
        text[1..text.len() - 1].to_owned()
    };
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let mut all = vec![
        secret.to_owned(),
        percent(secret),
        percent(secret).to_lowercase(),
        percent(secret).replace("%2F", "/"),
        percent(&percent(secret)),
        html.replace('/', "&#x2F;").replace('+', "&#43;"),
        html,
        json(secret),
        json(secret).replace('/', "\\/"),
        json(&json(secret)),
        json(&json(secret).replace('/', "\\/")),
        secret.replace('/', "\\u002f").replace('+', "\\u002B"),
        hex.to_uppercase(),
        hex,
    ];
    // Without a letter changed, it is the secret itself.
    all.retain(|form| !form.eq_ignore_ascii_case(secret) || form == secret);
    for text in [secret.to_owned(), format!("Bearer {secret}"), format!("user:{secret}"), format!("a {secret} in it")] {
        all.extend([STANDARD.encode(&text), STANDARD_NO_PAD.encode(&text)]);
        all.extend([URL_SAFE.encode(&text), URL_SAFE_NO_PAD.encode(&text)]);
    }
    all
}

/// Nothing of these secrets is in these bytes.
fn has_none(secrets: &BTreeSet<String>, bytes: &[u8], whose: &str) {
    // Bytes that are no text do not matter for texts.
    let text = String::from_utf8_lossy(bytes);
    for secret in secrets {
        for form in forms(secret).into_iter().chain(base64_cores(secret)) {
            let at = text.find(&form);
            let around = |at: usize| text[..at].char_indices().rev().nth(60).map_or(0, |(start, _)| start);
            assert!(at.is_none(), "{secret} as {form} in {whose}: {}", &text[around(at.unwrap_or(0))..]);
        }
    }
}

/// Nothing of them is in what was printed, but for the commands that have GitHub hide them.
fn prints_none(secrets: &BTreeSet<String>, done: &Done) {
    let printed = format!("{}\n{}", done.out, done.err);
    let lines: Vec<&str> = printed.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    has_none(secrets, lines.join("\n").as_bytes(), "its output");
}

/// Stands before a hub: it passes requests on, but answers sync calls with everything it knows that is secret, and takes
/// what is meant for a collector.
struct Repeater {
    url: String,
    state: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    secrets: BTreeSet<String>,
    telemetry: Vec<u8>,
}

impl Repeater {
    fn start(hub: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let hub: SocketAddr = hub.trim_start_matches("http://").parse().expect("an address");
        let secrets = [HUB_KEY, HUB_MANAGEMENT].map(str::to_owned).into();
        let state = Arc::new(Mutex::new(Heard { secrets, ..Heard::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || repeat(&stream, hub, &shared));
            }
        });
        Self { url, state }
    }
}

fn repeat(stream: &TcpStream, hub: SocketAddr, state: &Mutex<Heard>) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.is_empty() {
            return;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if lower.starts_with("authorization:") {
            let bearer = line.split_once("Bearer ").map_or("", |(_, bearer)| bearer.trim());
            state.lock().expect("a lock").secrets.insert(bearer.to_owned());
        }
        if line.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut stream = stream;
    let close = "Connection: close\r\n";
    if head.contains(" /stress/v1/") {
        let secrets = state.lock().expect("a lock").secrets.clone();
        let said: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        let body = json!({ "errors": [{ "status": "500", "code": "said", "detail": said.join(" ") }] }).to_string();
        let _ = write!(stream, "HTTP/1.1 500 Status\r\n{close}Content-Length: {}\r\n\r\n{body}", body.len());
    } else if head.contains("x-protobuf") {
        state.lock().expect("a lock").telemetry.extend(body);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{close}Content-Length: 0\r\n\r\n");
    } else if let Ok(mut upstream) = TcpStream::connect_timeout(&hub, LIMIT) {
        let sent = write!(upstream, "{head}{close}\r\n").and_then(|()| upstream.write_all(&body));
        let _ = sent.and_then(|()| std::io::copy(&mut upstream, &mut stream).map(drop));
    }
}

const REPORTS: &str =
    "junit=out/j.xml,csv=out/s.csv,prometheus=out/p.prom,markdown=out/m.md,json=out/r.json,html=out/r.html";

#[test]
fn what_a_server_says_of_any_secret_of_the_run_is_in_no_output() {
    let place = Place::new();
    let keys = [("STRESS_HUB_API_KEY", HUB_KEY), ("STRESS_HUB_MANAGEMENT_KEY", HUB_MANAGEMENT)];
    let (_running, address) = hub_with(&place, &keys);
    let repeater = Repeater::start(&address);
    let body = format!(
        "target: {{ embedded: {{ hub: \"{}\" }} }}\nsettle: {{ rounds: 1, wait: 1ms }}\nverify: [converged, isolation]\n{RLS}",
        repeater.url
    );
    place.write("scenario.yaml", &scenario(&body));
    let armed = |arguments: &[&str]| {
        let run = keys.iter().fold(place.stress(arguments), |run, (name, value)| run.env(name, value));
        run.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &place.path("summary.md").display().to_string())
    };
    let reports = format!("{REPORTS},otlp={}", repeater.url);
    let run = armed(&["run", "scenario.yaml", "--verbose", "--report", &reports]).done().exits(1);
    let directory = place.run_dir("test").display().to_string();
    let again = ["terminal", "markdown", "json", "html", "junit", "csv", "prometheus"];
    let again = again.map(|format| armed(&["report", &directory, "--format", format]).done().exits(1));
    let heard = repeater.state.lock().expect("a lock");
    assert!(heard.secrets.len() >= 4, "both keys and a token of each user: {:?}", heard.secrets);
    assert!(run.out.contains("[hidden]"), "it repeated them: {run}");
    for done in std::iter::once(&run).chain(&again) {
        prints_none(&heard.secrets, done);
    }
    assert!(!heard.telemetry.is_empty());
    has_none(&heard.secrets, &heard.telemetry, "the telemetry");
    let mut left = files(&place.path("runs"));
    left.extend(files(&place.path("out")));
    left.push(place.path("summary.md"));
    assert!(left.len() > 12, "{left:?}");
    for file in left {
        has_none(&heard.secrets, &std::fs::read(&file).expect("a file"), &file.display().to_string());
    }
}

/// A scenario with secrets that stand in it, in its variables, and in addresses.
fn literal(standin: &StandIn) -> String {
    let url = standin.url.replace("http://", "http://anna:p4ssw0rd+long@");
    let connection = connection("test_notes");
    scenario(&format!(
        "vars: {{ given: nothing-yet, table: notes }}\ntarget:\n  cloudsync:\n    address: http://127.0.0.1:9/?key=qu3ry+value\n    connection_string: \"{connection}\"\n    admin_address: {url}/\n    management_address: {url}/\n    management_key: \"{{{{ given }}}}\"\n    admin_timeout: 8s\n    managed_database_id: db_x\nsettle: {{ rounds: 1, wait: 1ms }}\nverify: [converged]\nsetup:\n  - admin: SELECT 'it repeats' AS repeated\n"
    ))
}

const LITERALS: [&str; 5] = [API_KEY, MANAGEMENT_KEY, "p4ssw0rd+long", "anna:p4ssw0rd+long", "qu3ry+value"];

#[test]
fn a_secret_in_the_file_in_a_variable_or_in_an_address_is_in_no_output() {
    let Some(path) = extension("a_secret_in_the_file_in_a_variable_or_in_an_address") else { return };
    let standin = StandIn::start();
    standin.plant("it repeats", Wrong::Says(403, || LITERALS.iter().flat_map(|one| forms(one)).collect()), 1);
    let place = Place::new();
    place.write("scenario.yaml", &literal(&standin));
    let secrets: BTreeSet<String> = LITERALS.map(str::to_owned).into_iter().chain([connection("test_notes")]).collect();
    let given = format!("given={MANAGEMENT_KEY}");
    let armed = |arguments: &[&str]| -> Invocation { place.stress(arguments).env("STRESS_CLOUDSYNC_EXTENSION", &path) };
    let mut all = Vec::new();
    for (arguments, code) in [
        (&["validate", "scenario.yaml"][..], 0),
        (&["plan", "scenario.yaml", "--explain", "--var", &given], 0),
        (&["doctor", "scenario.yaml", "--var", &given], 3),
        (&["run", "scenario.yaml", "--verbose", "--var", &given], 1),
        (&["report", "runs/test/latest", "--format", "html"], 1),
        (&["report", "runs/test/latest", "--format", "json"], 1),
    ] {
        all.push(armed(arguments).done().exits(code));
    }
    assert!(all[0].err.contains("target::secret"), "it is told: {}", all[0]);
    for done in &all {
        prints_none(&secrets, done);
    }
    let run = place.run_dir("test");
    let kept = std::fs::read_to_string(run.join("scenario.yaml")).expect("it is kept");
    assert!(kept.contains("[hidden]") && kept.contains("table: notes"), "{kept}");
    for file in files(&run) {
        has_none(&secrets, &std::fs::read(&file).expect("a file"), &file.display().to_string());
    }
}

#[test]
fn a_secret_too_short_to_be_hidden_is_refused_before_anything_starts() {
    let body = |key: &str| {
        format!(
            "target: {{ cloudsync: {{ address: \"http://127.0.0.1:9\", managed_database_id: db_x, apikey: {key} }} }}\nverify: [converged]\n"
        )
    };
    let place = Place::of(&body("short77"));
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&["target::secret", "8 characters"]);
    let place = Place::of(&body("\"{{ env.STRESS_TEST_KEY }}\""));
    let run = place.stress(&["run", "scenario.yaml"]).env("STRESS_TEST_KEY", "short77").done().exits(3);
    assert!(!run.err.contains("short77"), "{run}");
    run.says(&["`apikey` of the target", "8 characters"]);
    assert!(!Path::new(&place.path("runs/test/latest/record.json")).exists());
}
