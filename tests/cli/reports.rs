//! Reports that go elsewhere: to files, to stdout, to a collector, and to GitHub Actions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use quick_junit::Report as Junit;

use crate::harness::{LIMIT, Place, Report, json};
use crate::standin::{API_KEY, StandIn};

const SMALL: &str = "scale: { databases: 2, iterations: 1, rows: 5, time_limit: 60s }\n";
const RED: &str = "target: { embedded: { faults: [{ fault: locked, at: [1] }] } }\n";

fn read(place: &Place, file: &str) -> String {
    std::fs::read_to_string(place.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn junit(place: &Place, file: &str) -> Junit {
    Junit::deserialize_from_str(&read(place, file)).expect("it is JUnit")
}

#[test]
fn every_form_goes_where_it_is_told_and_the_terminal_gets_its_tables() {
    let place = Place::of(SMALL);
    let reports = "junit=out/deep/junit.xml,md=out/report.md,json=out/report.json";
    let arguments = ["run", "scenario.yaml", "--report", reports, "--report", "csv=out/steps.csv", "--report"];
    let arguments = [&arguments[..], &["prometheus=out/metrics.prom,terminal=out/report.txt"]].concat();
    let done = place.stress(&arguments).done().exits(0);
    assert!(done.last_line().starts_with("PASS: 2 databases"), "{done}");
    assert_eq!(junit(&place, "out/deep/junit.xml").test_suites[0].failures, 0);
    assert_eq!(Report::parse(&read(&place, "out/report.json")).verdict(), "pass");
    assert!(read(&place, "out/report.md").starts_with("# PASS: test\n"));
    assert!(read(&place, "out/steps.csv").starts_with("database,user,"));
    assert!(read(&place, "out/metrics.prom").ends_with("# EOF\n"));
    let told = read(&place, "out/report.txt");
    assert!(told.contains("PASS: 2 databases") && !told.contains('\u{1b}'), "{told}");

    // The same forms of a run that was made.
    let again = place.stress(&["report", "runs/test/latest", "--report", "junit=again.xml,csv=-"]).done().exits(0);
    assert_eq!(again.out, read(&place, "out/steps.csv"));
    assert_eq!(read(&place, "again.xml"), read(&place, "out/deep/junit.xml"));
    for format in ["terminal", "json", "markdown", "md", "junit", "csv", "prometheus"] {
        place.stress(&["report", "runs/test/latest", "--format", format]).done().exits(0);
    }
}

#[test]
fn what_cannot_be_is_said_before_anything_runs() {
    let place = Place::of(SMALL);
    for (arguments, said) in [
        (&["--report", "junt=a.xml"][..], "there is no format `junt`; did you mean `junit`?"),
        (&["--report", "junit"], "write `junit=PATH`, or `junit=-` for stdout"),
        (&["--report", "json=-,md=-"], "`--report json=-` and `--report markdown=-` both write to stdout"),
        (&["--json", "--report", "md=-"], "`--json` and `--report markdown=-` both write to stdout"),
        (&["--quiet", "--report", "csv=-"], "`--quiet` and `--report csv=-` both write to stdout"),
        (&["--repeat", "2", "--report", "md=-"], "stdout shows the summary of all runs"),
    ] {
        let done = place.stress(&[&["run", "scenario.yaml"], arguments].concat()).done();
        done.exits(2).prints_nothing().says(&[said]);
    }
    place.write("file", "");
    for path in ["file/junit.xml", ".", "twice.xml,md=twice.xml"] {
        let report = format!("junit={path}");
        place.stress(&["run", "scenario.yaml", "--report", &report]).done().exits(3).says(&["failed to"]);
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn every_run_of_a_matrix_and_of_a_repetition_has_files_of_its_own() {
    let matrix = format!("{SMALL}matrix: {{ journal: [wal, delete] }}\n");
    let place = Place::of(&matrix);
    place.stress(&["run", "scenario.yaml", "--report", "junit=out/m.xml"]).done().exits(0);
    for number in 1..=2 {
        assert_eq!(junit(&place, &format!("out/m-{number}.xml")).tests, 9);
    }
    place
        .stress(&["run", "scenario.yaml", "--report", "junit=-"])
        .done()
        .exits(2)
        .says(&["would write 2 reports into one"]);
    let done = place.stress(&["run", "scenario.yaml", "--repeat", "2", "--report", "junit=r.xml,json=-"]).done();
    let done = done.exits(0);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&done.out).expect("one document")["runs"][3]["verdict"],
        "pass"
    );
    for number in 1..=4 {
        assert_eq!(junit(&place, &format!("r-{number}.xml")).failures, 0);
    }
    assert!(!place.path("r.xml").exists() && !place.path("r-5.xml").exists());
}

#[test]
fn a_later_run_that_cannot_be_made_leaves_the_reports_of_those_before_it() {
    let scenario = "version: 1\nname: later\nscale: { databases: 1, time_limit: 60s }\nschema:\n  tables:\n    - \
                    { name: notes, sql: \"CREATE TABLE notes (id TEXT PRIMARY KEY)\" }\nphases:\n  - \
                    { name: add, kind: insert, sql: \"INSERT {% if seed == 8 %}UPON{% else %}INTO{% endif %} notes VALUES (:id)\" }\n";
    let place = Place::new();
    place.write("scenario.yaml", scenario);
    let run = ["run", "scenario.yaml", "--repeat", "3", "--seed", "7", "--json", "--report", "junit=r.xml"];
    let done = place.stress(&run).done().exits(2).says(&["near \"UPON\": syntax error"]);
    let summary: serde_json::Value = serde_json::from_str(&done.out).expect("one document");
    assert_eq!(summary["runs"].as_array().map(Vec::len), Some(1), "{summary}");
    assert_eq!(junit(&place, "r-1.xml").errors, 0);
    assert_eq!(junit(&place, "r-2.xml").errors, 1);
    assert!(!place.path("r-3.xml").exists());
    assert!(place.path("runs/later/repeat.json").is_file());
}

#[test]
fn a_run_that_cannot_start_is_an_error_in_junit() {
    let place = Place::of("nme: x\n");
    place.stress(&["run", "scenario.yaml", "--report", "junit=out/j.xml,md=out/r.md"]).done().exits(2);
    let report = junit(&place, "out/j.xml");
    assert_eq!((report.errors, report.failures), (1, 0));
    assert!(read(&place, "out/j.xml").contains("did you mean `name`?"));
    assert!(!place.path("out/r.md").exists());
    let done = place.stress(&["run", "scenario.yaml", "--report", "junit=-"]).done().exits(2);
    assert_eq!(done.out, read(&place, "out/j.xml"));

    let place = Place::of("target: { embedded: { hub: \"http://127.0.0.1:1\" } }\n");
    place.stress(&["run", "scenario.yaml", "--report", "junit=j.xml"]).done().exits(3);
    assert_eq!(junit(&place, "j.xml").errors, 1);
}

#[test]
fn a_failed_run_is_red_in_junit() {
    let place = Place::of(RED);
    place.stress(&["run", "scenario.yaml", "--report", "junit=j.xml"]).done().exits(1);
    let report = junit(&place, "j.xml");
    assert!(report.failures > 0, "{report:?}");
    assert!(read(&place, "j.xml").contains("errors.total == 0 is not met: the value is "));
}

#[test]
fn code_scanning_gets_every_problem_in_sarif() {
    let place = Place::new();
    for file in crate::harness::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reading/bad")) {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        std::fs::copy(&file, place.path(&name)).expect("there is room");
    }
    place.write("good.yaml", &crate::harness::scenario(SMALL));
    let done = place.stress(&["validate", "*.yaml", "none.yaml", "--format", "sarif"]).done().exits(2);
    let log: serde_json::Value = serde_json::from_str(&done.out).expect("it is JSON");
    let schema = include_str!("../formats/sarif-2.1.0.schema.json");
    // An erratum of the standard: a bracket without its first.
    let schema = schema.replace("[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "[a-zA-Z]{2}-[a-zA-Z]{2}$");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let problems: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    let json = place.stress(&["validate", "*.yaml", "none.yaml", "--format", "json"]).done().exits(2);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("it is JSON");
    let files = json.as_array().expect("a list").iter();
    let told: usize = files.map(|file| file["problems"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(log["runs"][0]["results"].as_array().map(Vec::len), Some(told));
}

/// A collector on loopback: what it was sent, by path, with the header `x-key`.
struct Collector {
    address: String,
    sent: Receiver<(String, Option<String>, Vec<u8>)>,
}

impl Collector {
    /// Answers everything with this status and body.
    fn start(status: &'static str, body: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("it has an address"));
        let (sender, sent) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, body) = (sender.clone(), body.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    while let Some(request) = request(&mut reader) {
                        let stream = reader.get_mut();
                        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
                        let answered = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
                        if answered.is_err() || sender.send(request).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, sent }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Option<String>, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut key, mut kind) = (0, None, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "content-type" => value.clone_into(&mut kind),
            "x-key" => key = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    assert_eq!(kind, "application/x-protobuf");
    Some((path, key, body))
}

#[test]
fn a_collector_gets_the_run_with_the_times_of_the_run() {
    let collector = Collector::start("200 OK", Vec::new());
    let place = Place::of(SMALL);
    place.stress(&["run", "scenario.yaml", "--report", &format!("otlp={}", collector.address)]).done().exits(0);
    let record = json(&place.run_dir("test").join("record.json"));
    let started: jiff::Timestamp = record["started"].as_str().expect("a time").parse().expect("a time");
    let started = u64::try_from(started.as_nanosecond()).expect("it is after 1970");

    let (path, _, body) = collector.sent.recv_timeout(LIMIT).expect("the metrics");
    assert_eq!(path, "/v1/metrics");
    let metrics = ExportMetricsServiceRequest::decode(&body[..]).expect("it is protobuf");
    assert_eq!(metrics.resource_metrics[0].scope_metrics[0].metrics.len(), 5);
    let (path, _, body) = collector.sent.recv_timeout(LIMIT).expect("the spans");
    assert_eq!(path, "/v1/traces");
    let traces = ExportTraceServiceRequest::decode(&body[..]).expect("it is protobuf");
    let spans = &traces.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans[0].start_time_unix_nano, started);
    let events = |worker: &serde_json::Value| worker["events"].as_array().map_or(0, Vec::len);
    let steps: usize = record["workers"].as_array().expect("workers").iter().map(events).sum();
    assert_eq!(spans.len(), 1 + 2 + steps);
    let first = record["workers"][0]["events"][0]["at"].as_u64().expect("a time");
    assert_eq!(spans[3].start_time_unix_nano, started + first * 1_000);
}

#[test]
fn the_collector_of_the_environment_is_asked_with_its_headers() {
    let collector = Collector::start("200 OK", Vec::new());
    let place = Place::of(SMALL);
    place.stress(&["run", "scenario.yaml"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.address).done().exits(0);
    assert!(collector.sent.try_recv().is_err(), "nothing is sent that nobody asked for");
    let report = place.stress(&["report", "runs/test/latest", "--report", "otlp"]);
    let report = report.env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{}/", collector.address));
    report.env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b").done().exits(0);
    let (path, key, _) = collector.sent.recv_timeout(LIMIT).expect("the metrics");
    assert_eq!((path.as_str(), key.as_deref()), ("/v1/metrics", Some("a b")));
}

#[test]
fn a_collector_that_does_not_take_it_is_said() {
    let place = Place::of(SMALL);
    let run = |address: &str| {
        let report = format!("otlp={address}");
        place.stress(&["run", "scenario.yaml", "--report", &report]).done().exits(3)
    };
    let down = run("http://127.0.0.1:1");
    assert!(down.last_line().starts_with("PASS"), "{down}");
    down.says(&["failed to send the run to the collector", "stress report RUN_DIR --report otlp=ADDRESS"]);
    run(&Collector::start("503 Service Unavailable", Vec::new()).address).says(&["http status: 503"]);
    let refused = ExportTracePartialSuccess { rejected_spans: 7, error_message: "too old".into() };
    let refused = ExportTraceServiceResponse { partial_success: Some(refused) }.encode_to_vec();
    run(&Collector::start("200 OK", refused).address).says(&["refused 7 of them: too old"]);
}

#[test]
fn github_is_told_what_broke_on_which_line() {
    let place = Place::of(&format!("{RED}thresholds:\n  - send.duration p99 < 1us\n"));
    let run = place.stress(&["run", "scenario.yaml"]).env("GITHUB_ACTIONS", "true");
    let done = run.env("GITHUB_STEP_SUMMARY", &place.path("summary.md").display().to_string()).done().exits(1);
    let scenario = read(&place, "scenario.yaml");
    let line = |text: &str| 1 + scenario.lines().position(|line| line.contains(text)).expect("the line");
    for (text, code) in [("send.duration", "run%3A%3Athreshold"), ("name: insert", "run%3A%3Aerror")] {
        let start = format!("::error file=scenario.yaml,line={},", line(text));
        let told = done.err.lines().any(|line| line.starts_with(&start) && line.contains(code));
        assert!(told, "{start} {code}: {done}");
    }
    assert!(!done.out.contains("::error"), "{done}");
    assert!(read(&place, "summary.md").starts_with("# FAIL: test\n"));
    let elsewhere = place.stress(&["run", "scenario.yaml"]).done().exits(1);
    assert!(!elsewhere.err.contains("::"), "{elsewhere}");
}

#[test]
fn github_is_told_of_problems_and_of_runs_that_were_not_made() {
    let place = Place::of("nme: x\n");
    for command in ["validate", "run", "plan"] {
        let done = place.stress(&[command, "scenario.yaml"]).env("GITHUB_ACTIONS", "true").done().exits(2);
        assert!(done.err.contains("::error file=scenario.yaml,line="), "{done}");
        let elsewhere = place.stress(&[command, "scenario.yaml"]).done().exits(2);
        assert!(!elsewhere.err.contains("::error"), "{elsewhere}");
    }
    let place = Place::of("target: { embedded: { hub: \"http://127.0.0.1:1\" } }\n");
    let done = place.stress(&["run", "scenario.yaml"]).env("GITHUB_ACTIONS", "true").done().exits(3);
    assert!(done.err.contains("::error title=run%3A%3Aunmade::scenario.yaml: "), "{done}");
}

#[test]
fn github_hides_the_secrets_of_the_target() {
    let standin = StandIn::start();
    let keys = "    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n    provision: true\n";
    let place = Place::of(&standin.target(keys));
    let run = place.stress(&["run", "scenario.yaml"]).env("GITHUB_ACTIONS", "true");
    let done = crate::provision::armed(run).done();
    let masks: Vec<&str> = done.err.lines().filter_map(|line| line.strip_prefix("::add-mask::")).collect();
    let encoded = API_KEY.replace('%', "%25");
    assert!(masks.iter().any(|mask| mask.contains("apikey=")) || masks.contains(&encoded.as_str()), "{done}");
    let rest = done.err.lines().filter(|line| !line.starts_with("::add-mask::")).collect::<String>();
    assert!(!rest.contains(API_KEY), "{done}");
}
