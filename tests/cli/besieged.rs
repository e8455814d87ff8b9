//! A hub that others want to harm, and a hub that says nothing: runs beside go on, and no wait is longer than the limit.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Done, Place, RLS, Running, scenario};
use crate::hub::{KEYS, hub, started, with_keys};
use crate::relay::{Harm, Relay, Way};

/// What a besieged hub may need beyond what it needs at rest.
const BEYOND: u64 = 200 << 20;

fn shared(address: &str, body: &str) -> String {
    scenario(&format!("target: {{ embedded: {{ hub: \"{address}\" }} }}\n{body}"))
}

fn socket(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address.trim_start_matches("http://")).expect("the hub listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    stream.set_write_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    stream
}

/// An administrator's SQL, and its status.
fn sql(address: &str, sql: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let request =
        agent.post(format!("{address}/v2/weblite/sql")).header("Authorization", format!("Bearer {}", KEYS[0].1));
    let mut answer = request.send(json!({ "sql": sql }).to_string()).expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

fn run(place: &Place, text: &str) -> Done {
    place.write("scenario.yaml", text);
    with_keys(place.stress(&["run", "scenario.yaml", "-q"])).done()
}

/// The most memory that a process has had.
fn peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) << 10
}

#[test]
fn idle_sockets_and_endless_bodies_without_a_key_harm_nobody() {
    let place = Place::new();
    let (running, address) = hub(&place);
    let before = peak(running.id());
    let idle: Vec<TcpStream> = (0..1000).map(|_| socket(&address)).collect();
    let floods: Vec<_> = (0..20)
        .map(|number| {
            let mut stream = socket(&address);
            std::thread::spawn(move || {
                let path = if number % 2 == 0 { "/stress/v1/db_x/push" } else { "/v2/weblite/sql" };
                let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
                let mut part = format!("{:x}\r\n", 1 << 20).into_bytes();
                part.resize(part.len() + (1 << 20), b'x');
                part.extend(b"\r\n");
                // Until the hub has had enough.
                let _ = stream.write_all(head.as_bytes());
                (0..200).take_while(|_| stream.write_all(&part).is_ok()).count()
            })
        })
        .collect();
    run(&place, &shared(&address, "")).exits(0);
    let taken: Vec<usize> = floods.into_iter().map(|flood| flood.join().expect("it ends")).collect();
    assert!(taken.iter().all(|&parts| parts < 200), "the hub read all of them: {taken:?}");
    drop(idle);
    let grown = peak(running.id()) - before;
    assert!(grown < BEYOND, "the hub grew by {} MiB", grown >> 20);
}

#[test]
fn a_body_that_is_announced_and_never_comes_holds_nobody() {
    let place = Place::new();
    let (_running, address) = hub(&place);
    let _silent: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = socket(&address);
            let key = KEYS[0].1;
            let head = format!(
                "POST /v2/weblite/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 16777216\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).expect("it is sent");
            stream
        })
        .collect();
    let started = Instant::now();
    run(&place, &shared(&address, "")).exits(0);
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}

#[test]
fn endless_statements_end_and_let_others_work() {
    let place = Place::new();
    let (_running, address) = hub(&place);
    let endless = "CREATE DATABASE e IF NOT EXISTS; USE DATABASE e;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let statements: Vec<_> = (0..16)
        .map(|_| {
            let address = address.clone();
            std::thread::spawn(move || sql(&address, endless))
        })
        .collect();
    run(&place, &shared(&address, "")).exits(0);
    for statement in statements {
        let (status, text) = statement.join().expect("it ends");
        assert!(status == 408 && text.contains("30 s"), "{status} {text}");
    }
}

#[test]
fn what_reaches_beyond_a_database_is_refused() {
    let place = Place::new();
    let (_running, address) = hub(&place);
    let file = place.path("out.db").display().to_string();
    for beyond in [
        format!("ATTACH '{file}' AS o; CREATE TABLE o.t(a)"),
        format!("VACUUM INTO '{file}'"),
        format!("ATTACH 'file:{file}?mode=rwc' AS o"),
        "SELECT load_extension('x')".to_owned(),
        "PRAGMA writable_schema = ON".to_owned(),
    ] {
        let (status, text) = sql(&address, &format!("CREATE DATABASE d IF NOT EXISTS; USE DATABASE d; {beyond}"));
        assert!(status == 400, "{beyond}: {status} {text}");
    }
    assert!(!Path::new(&file).exists());
    let (status, text) = sql(&address, "USE DATABASE d; CREATE TABLE t(a); VACUUM; SELECT 1 AS one");
    assert!(status == 200 && text.contains("\"one\":1"), "{text}");
    let (status, text) = sql(&address, "USE DATABASE d; SELECT zeroblob(200000000)");
    assert!(status == 400 && text.contains("too big"), "{status} {text}");
    let many = "USE DATABASE d; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let (status, text) = sql(&address, many);
    assert!(status == 413 || status == 408, "{status} {text}");
}

#[test]
fn weak_keys_and_shared_directories_are_refused() {
    let place = Place::new();
    let weak = |key: &str| place.stress(&["hub", "--address", "127.0.0.1:0", "--data", "h"]).env(KEYS[0].0, key);
    weak("").done().exits(2).prints_nothing().says(&["the api key is empty", KEYS[0].0]);
    weak("x").done().exits(2).prints_nothing().says(&["fewer than 16 characters"]);
    let open = place.stress(&["hub", "--address", "0.0.0.0:0", "--data", "h"]).done();
    open.exits(2).prints_nothing().says(&["other machines", "--api-key"]);
    let (_running, _) = hub(&place);
    let second = place.stress(&["hub", "--address", "127.0.0.1:0", "--data", "hub"]).done();
    second.exits(3).prints_nothing().says(&["hub", "another hub uses it already", "help:"]);
    place.write("scenario.yaml", &shared("http://127.0.0.1:9", ""));
    let empty = place.stress(&["run", "scenario.yaml"]).env(KEYS[0].0, "").env(KEYS[1].0, "").done();
    empty.exits(3).says(&[KEYS[0].0]);
}

#[test]
fn a_run_leaves_neither_its_database_nor_a_readable_token() {
    let place = Place::new();
    let (_running, address) = hub(&place);
    let with_policies = |verify: &str| shared(&address, &format!("{RLS}{verify}"));
    run(&place, &with_policies("")).exits(0);
    assert!(sql(&address, "LIST DATABASES").1.contains("\"data\":[]"), "{}", sql(&address, "LIST DATABASES").1);
    let failing = "thresholds: [\"send.duration max > 1h\"]\n";
    let failed = run(&place, &with_policies(failing));
    failed.exits(1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&place.path("hub")), 0o700);
        for file in crate::harness::files(&place.path("hub")) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
            let bytes = std::fs::read(&file).expect("it is ours");
            let text = bytes.windows(4).any(|part| part == b"sqa_");
            assert!(!text, "a token in {}", file.display());
        }
    }
}

/// A run that is in the middle of it, at a hub that then says nothing.
fn silenced(limit: &str) -> (Place, Running, Running) {
    let place = Place::new();
    let (server, address) = hub(&place);
    let scale = format!("scale: {{ databases: 2, iterations: 100000, rows: 20, time_limit: {limit} }}\n");
    place.write("scenario.yaml", &shared(&address, &format!("{scale}{RLS}")));
    let mut running = with_keys(place.stress(&["run", "scenario.yaml"])).start();
    let log = place.path("runs/test/latest/logs/db1.log");
    running.until("its iterations", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("[iter 2]")));
    server.signal("STOP");
    (place, running, server)
}

#[test]
fn a_silent_hub_delays_neither_the_limit_nor_the_second_interrupt() {
    let (_place, running, _server) = silenced("6s");
    let done = running.done();
    assert!(done.took < Duration::from_secs(12), "{done}");
    assert!(done.last_line().contains("time limit"), "{done}");
    let (_place, mut running, _server) = silenced("10m");
    running.signal("INT");
    let still = Instant::now();
    running.until("a while", || still.elapsed() > Duration::from_millis(500));
    let second = Instant::now();
    running.signal("INT");
    running.done().exits(130);
    assert!(second.elapsed() < Duration::from_secs(6), "{:?}", second.elapsed());
}

#[test]
fn no_proxy_stands_before_this_machine() {
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"] {
        let place = Place::of("scale: { databases: 2, iterations: 1, rows: 2, time_limit: 60s }\n");
        place.stress(&["run", "scenario.yaml", "-q"]).env(name, "http://127.0.0.1:9").done().exits(0);
    }
}

/// A generator of bytes that is the same every time.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> usize {
        usize::try_from(self.next() % limit).expect("it is small")
    }
}

/// A request that is nearly one.
fn hostile(bytes: &mut Bytes) -> Vec<u8> {
    let paths =
        ["/stress/v1/db_x/push", "/stress/v1//pull", "/v2/weblite/sql?sql=%", "/v2/tokens/x", "/v1/databases/%00", "/"];
    let keys = [KEYS[0].1, KEYS[1].1, "", "x://apikey=", "\u{fffd}"];
    let bodies = ["{\"sql\": \"SELECT 1\", \"database\": \"d\"}", "[", "{\"token\": 1}", "\u{1}\u{0}\u{0}\u{7f}"];
    let (path, key) = (paths[bytes.below(6)], keys[bytes.below(5)]);
    let body = bodies[bytes.below(4)];
    let length = if bytes.below(3) == 0 { bytes.next() } else { body.len() as u64 };
    let method = ["GET", "POST", "DELETE", "PRI"][bytes.below(4)];
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes();
    for _ in 0..bytes.below(4) {
        let at = bytes.below(request.len() as u64);
        request[at] = bytes.next().to_le_bytes()[0];
    }
    request
}

#[test]
fn hostile_requests_neither_end_nor_hold_the_hub() {
    let place = Place::new();
    let (running, address) = hub(&place);
    assert_eq!(sql(&address, "CREATE DATABASE d").0, 200);
    let many = std::env::var("STRESS_HOSTILE_BODIES").ok().and_then(|many| many.parse().ok()).unwrap_or(1000);
    let mut bytes = Bytes(0x9e37_79b9_7f4a_7c15);
    for _ in 0..many {
        let mut stream = socket(&address);
        // The hub may hang up in the middle of it.
        let _ = stream.write_all(&hostile(&mut bytes));
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read(&mut [0; 64]);
    }
    run(&place, &shared(&address, "")).exits(0);
    running.signal("INT");
    running.done().exits(0);
}

#[test]
fn a_policy_that_never_ends_delays_no_limit() {
    let endless =
        "(SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)) > 0";
    let place = Place::of(&format!(
        "scale: {{ databases: 2, iterations: 2, rows: 5, time_limit: 5s }}\n{}",
        RLS.replace("select: auth_userid() = user_id", &format!("select: \"{endless}\""))
    ));
    let done = place.stress(&["run", "scenario.yaml"]).done();
    assert!(done.last_line().contains("time limit"), "{done}");
    assert!(done.took < Duration::from_secs(14), "{done}");
}

/// How many access tokens the hub knows.
fn tokens(place: &Place) -> i64 {
    let file = rusqlite::Connection::open(place.path("hub/hub.db")).expect("the hub keeps it");
    file.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0)).expect("a number")
}

#[cfg(unix)]
#[test]
fn the_third_signal_still_revokes_the_tokens() {
    let place = Place::new();
    let (_server, address) = hub(&place);
    // Calls about tokens take long, so that the run is still leaving the hub when the third signal comes.
    let relay = Relay::start(&address, |seen| {
        let slow = seen.way == Way::ToHub && seen.path.starts_with("/v2/tokens");
        if slow { Harm::Delay(Duration::from_millis(400)) } else { Harm::Nothing }
    });
    let scale = "scale: { databases: 4, iterations: 100000, rows: 20, time_limit: 10m }\n";
    place.write("scenario.yaml", &shared(&relay.url(), &format!("{scale}{RLS}")));
    let mut running = with_keys(place.shell("exec stress run scenario.yaml 2> told.txt")).start();
    let log = place.path("runs/test/latest/logs/db1.log");
    let has = |file: &Path, text: &str| std::fs::read_to_string(file).is_ok_and(|told| told.contains(text));
    running.until("its iterations", || has(&log, "[iter 2]"));
    assert!(tokens(&place) > 0);
    let told = place.path("told.txt");
    running.signal("INT");
    running.until("the first signal", || has(&told, "Ctrl-C again stops now"));
    running.signal("INT");
    running.until("the second signal", || has(&told, "Ctrl-C again kills"));
    running.signal("INT");
    running.done().exits(130);
    assert!(has(&told, "killed; left behind:"));
    assert_eq!(tokens(&place), 0);
}

#[cfg(unix)]
#[test]
fn tokens_that_an_older_hub_kept_as_texts_stay_valid_and_are_hidden() {
    let place = Place::new();
    let (running, address) = hub(&place);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let made = agent.post(format!("{address}/v2/tokens")).header("Authorization", format!("Bearer {}", KEYS[0].1));
    let body = json!({ "name": "old", "userId": "u" }).to_string();
    let made = made.send(body).expect("an answer").body_mut().read_to_string().expect("text");
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let token = made["data"]["token"].as_str().expect("a token");
    running.signal("INT");
    running.done().exits(0);
    let file = rusqlite::Connection::open(place.path("hub/hub.db")).expect("the hub keeps it");
    assert_eq!(file.execute("UPDATE tokens SET token = ?1", [token]).expect("it is ours"), 1);
    drop(file);
    let (_running, address) = hub(&place);
    let asked = agent.get(format!("{address}/v2/tokens/authorized")).header("Authorization", format!("Bearer {token}"));
    assert_eq!(asked.call().expect("an answer").status().as_u16(), 204);
    let file = rusqlite::Connection::open(place.path("hub/hub.db")).expect("the hub keeps it");
    let kept: String = file.query_row("SELECT token FROM tokens", [], |row| row.get(0)).expect("a text");
    assert!(!kept.contains("sqa_"), "{kept}");
}

/// The first line of the answer to a question that needs no key.
#[cfg(unix)]
fn health(address: &str) -> String {
    let mut stream = socket(address);
    let _ = stream.write_all(b"GET /v2/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.lines().next().unwrap_or_default().to_owned()
}

#[cfg(unix)]
#[test]
fn a_connection_too_many_is_answered_until_another_is_closed() {
    let place = Place::new();
    // A hub needs 512 open files besides its connections: there is room for ten.
    let line = "ulimit -n 522; exec stress hub --address 127.0.0.1:0 --data hub";
    let (mut running, address) = started(&place, with_keys(place.shell(line)));
    let idle: Vec<TcpStream> = (0..10).map(|_| socket(&address)).collect();
    assert_eq!(health(&address), "HTTP/1.1 503 Service Unavailable");
    drop(idle);
    running.until("a free place", || health(&address) == "HTTP/1.1 200 OK");
}

#[test]
fn a_reader_that_takes_nothing_of_its_answers_is_cut_off() {
    const ANSWERS: usize = 40;
    let place = Place::new();
    let (_running, address) = hub(&place);
    assert_eq!(sql(&address, "CREATE DATABASE d").0, 200);
    let mut stream = socket(&address);
    let body = json!({ "sql": "SELECT hex(zeroblob(400000)) AS end", "database": "d" }).to_string();
    let (key, length) = (KEYS[0].1, body.len());
    let head = "POST /v2/weblite/sql HTTP/1.1\r\nHost: x\r\n";
    let request = format!("{head}Authorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.repeat(ANSWERS).as_bytes()).expect("it is sent");
    // A reader has fifteen seconds.
    std::thread::sleep(Duration::from_secs(20));
    let mut read = Vec::new();
    // Without a cut, nothing would end the connection but its being idle.
    let _ = stream.read_to_end(&mut read);
    let answers = read.windows(12).filter(|part| *part == b"HTTP/1.1 200").count();
    assert!((1..ANSWERS).contains(&answers), "{answers} answers in {} bytes", read.len());
}

#[test]
fn a_hub_tells_what_earlier_runs_left_there() {
    let place = Place::new();
    let told = || std::fs::read_to_string(place.path("hub.txt")).expect("its output");
    let (running, address) = hub(&place);
    assert!(told().contains("databases: none\n"), "{}", told());
    run(&place, &shared(&address, "thresholds: [\"send.duration max > 1h\"]\n")).exits(1);
    running.signal("INT");
    running.done().exits(0);
    let left = crate::harness::files(&place.path("hub"))
        .into_iter()
        .find(|file| file.extension().is_some_and(|end| end == "sqlite"));
    let file =
        std::fs::File::options().append(true).open(left.expect("a failed run leaves its database")).expect("ours");
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(86400)).expect("it is ours");
    let (_running, _) = hub(&place);
    assert!(told().contains("databases: 1 from before, the oldest last changed on 1970-01-02\n"), "{}", told());
}
