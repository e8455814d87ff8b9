//! `stress new` asked and answered: by a person at a pseudo-terminal, and by arguments where there is none. What it
//! writes has no problem, no secret is in it or on the screen, and who changes his mind leaves nothing behind.

use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::harness::Place;
use crate::provision::connection;
use crate::standin::{MANAGEMENT_KEY, StandIn};

const SECRET: &str = "s3cr3t/key";
/// Milliseconds.
pub(crate) const LIMIT: u64 = 60_000;
const DOWN: &str = "\x1b[B";
const ENTER: &str = "\r";

/// The program at a terminal of its own.
struct Person {
    session: PtySession,
    screen: String,
}

impl Person {
    fn at(place: &Place, arguments: &[&str]) -> Self {
        Self::with(place, "exec \"$0\" --color never new \"$@\"", arguments)
    }

    /// At a shell with this line, in which `$0` is the program.
    fn with(place: &Place, line: &str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        // The terminals of `rexpect` are made without an echo.
        shell.args(["-c", &format!("stty echo; {line}"), env!("CARGO_BIN_EXE_stress")]).args(arguments);
        shell.current_dir(place.path("")).env_clear();
        shell.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm");
        Self { session: spawn_command(shell, Some(LIMIT)).expect("a terminal"), screen: String::new() }
    }

    /// Waits for a question, and types.
    fn answers(&mut self, question: &str, keys: &str) -> &mut Self {
        self.sees(question);
        self.session.send(keys).and_then(|_| self.session.flush()).expect("it reads");
        self
    }

    fn sees(&mut self, text: &str) {
        let before = self.session.exp_string(text);
        self.screen += &before.unwrap_or_else(|error| panic!("`{text}` does not come: {error}\n{}", self.screen));
        self.screen += text;
    }

    /// Its exit code, and the whole screen.
    fn done(mut self) -> (i32, String) {
        self.screen += &self.session.exp_eof().expect("it ends");
        match self.session.process().wait() {
            Ok(WaitStatus::Exited(_, code)) => (code, self.screen),
            other => panic!("{other:?}: {}", self.screen),
        }
    }
}

fn read(place: &Place, file: &str) -> String {
    std::fs::read_to_string(place.path(file)).expect("it was written")
}

fn is_valid(place: &Place, file: &str) {
    let done = place.stress(&["validate", file]).done().exits(0);
    assert!(done.err.is_empty(), "{done}");
}

#[test]
fn enter_takes_every_default_and_the_scenario_runs() {
    let place = Place::new();
    let mut person = Person::at(&place, &[]);
    person.answers("Name of the scenario", ENTER).answers("Sync with", ENTER).answers("Scale", ENTER);
    person.answers("Row-level security", ENTER).answers("Table", ENTER);
    let (code, screen) = person.done();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("stress run scenarios/mine.yaml") && !screen.contains("export"), "{screen}");
    is_valid(&place, "scenarios/mine.yaml");
    insta::assert_snapshot!("new_by_default", read(&place, "scenarios/mine.yaml"));
    place.stress(&["run", "scenarios/mine.yaml", "--profile", "quick"]).done().exits(0);
    // Where nobody can be asked it is the same.
    place.stress(&["new", "mine", "--file", "other.yaml"]).done().exits(0);
    assert_eq!(read(&place, "other.yaml"), read(&place, "scenarios/mine.yaml"));
}

#[test]
fn everything_answered_otherwise_is_written_without_the_secret() {
    let place = Place::new();
    let mut person = Person::at(&place, &["cloud", "--file", "cloud.yaml"]);
    person.answers("Sync with", DOWN).answers("cloudsync", ENTER);
    person.answers("CloudSync server", &format!("ftp://nowhere{ENTER}")).sees("write `https://`");
    person.answers("CloudSync server", &format!("https://sync.example.com{ENTER}"));
    person.answers("Connection string", &format!("sqlitecloud://h?token={SECRET}{ENTER}")).sees("no `apikey`");
    let string = format!("sqlitecloud://abc.g1.sqlite.cloud:8860/production?apikey={SECRET}");
    person.answers("Connection string", &[&string, ENTER].concat());
    person.answers("production does not match test_*", "n").answers("Database", ENTER);
    person.answers("management API", "n").answers("Scale", &DOWN.repeat(3)).answers("custom", ENTER);
    person.answers("Rows per phase", &format!("70{ENTER}")).answers("Iterations", ENTER);
    person.answers("Databases at once", &format!("3{ENTER}"));
    person.answers("Row-level security", "y").answers("Table", DOWN).answers("another table", ENTER);
    person.answers("The table's SQL", &format!("CREATE TABLE n (id INTEGER PRIMARY KEY, user_id TEXT){ENTER}"));
    person.sees("single integer primary key");
    let table = "CREATE TABLE \"my notes\" (id TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', \"order\" INTEGER, body TEXT, photo BLOB)";
    person.answers("The table's SQL", &[table, ENTER].concat());
    let (code, screen) = person.done();
    assert_eq!(code, 0, "{screen}");
    for line in ["export SQLITECLOUD_CONNECTION='sqlitecloud://<host>", "stress doctor cloud.yaml"] {
        assert!(screen.contains(line), "{line}: {screen}");
    }
    assert!(!screen.contains(SECRET), "{screen}");
    is_valid(&place, "cloud.yaml");
    insta::assert_snapshot!("new_otherwise", read(&place, "cloud.yaml"));
    // Its statements are good ones, which the embedded target shows.
    let run = ["run", "cloud.yaml", "--target", "embedded", "--profile", "quick", "--rows", "20"];
    place.stress(&run).done().exits(0);
}

#[test]
fn a_cloud_that_was_asked_for_is_found_in_order_and_prepared() {
    let (standin, place) = (StandIn::start(), Place::new());
    let mut person = Person::at(&place, &["cloud"]);
    person.answers("Sync with", DOWN).answers("cloudsync", ENTER);
    person.answers("CloudSync server", &[&standin.url, ENTER].concat());
    person.answers("Connection string", &[&connection("production"), ENTER].concat());
    person
        .answers("production does not match test_*", "y")
        .answers("management API", ENTER)
        .answers("Scale", ENTER)
        .answers("Row-level security", "y");
    person.answers("Table", ENTER);
    let (code, screen) = person.done();
    assert_eq!(code, 0, "{screen}");
    // The project of the tests answers its administrator at the same place.
    let text = read(&place, "scenarios/cloud.yaml");
    let there = format!("    admin_address: {}\n    provision: true", standin.url);
    place.write("scenarios/cloud.yaml", &text.replace("    provision: true", &there));
    let keyed = |command: &str| {
        let stress = place.stress(&[command, "scenarios/cloud.yaml"]);
        let stress = stress.env("SQLITECLOUD_CONNECTION", &connection("production"));
        stress.env("CLOUDSYNC_MANAGEMENT_KEY", MANAGEMENT_KEY).done()
    };
    let doctor = keyed("doctor");
    assert!(doctor.out.contains("accepted, of tests"), "{doctor}");
    assert_eq!(keyed("provision").exits(0).out, "db_1\n");
    let project = standin.project();
    assert!(text.contains("allow_databases: [\"production\"]") && project.databases.contains_key("production"));
    assert!(project.enabled.contains("test_sync") && project.policies.len() == 5, "{project:?}");
}

#[test]
fn who_leaves_in_the_middle_leaves_no_file_and_the_terminal_as_it_was() {
    let place = Place::new();
    let mut first = Person::at(&place, &["mine"]);
    first.answers("Sync with", ENTER).sees("Scale");
    first.session.send_control('c').expect("it reads");
    let (code, screen) = first.done();
    assert_eq!(code, 130, "{screen}");
    assert!(!place.path("scenarios").exists());

    // While the secret is typed, without an echo, in a shell that asks the terminal how it is afterwards.
    let line = "trap : INT; \"$0\" --color never new mine; echo left with $?; stty -a";
    let mut second = Person::with(&place, line, &[]);
    second.answers("Sync with", DOWN).answers("cloudsync", ENTER).answers("CloudSync server", ENTER);
    second.sees("press Enter to set it later): ");
    // The echo is off once the question stands.
    std::thread::sleep(std::time::Duration::from_millis(300));
    second.session.send_control('c').expect("it reads");
    second.sees("left with 130");
    let (_, screen) = second.done();
    assert!(screen.contains(" echo ") && !screen.contains("-echo "), "{screen}");
    assert!(!place.path("scenarios").exists());
}

#[test]
fn a_file_is_only_written_over_when_a_person_says_so() {
    let place = Place::new();
    place.write("scenarios/mine.yaml", "mine: already\n");
    let mut person = Person::at(&place, &["mine"]);
    person.answers("exists already: write over it", ENTER);
    let (code, screen) = person.done();
    assert_eq!(code, 2, "{screen}");
    assert_eq!(read(&place, "scenarios/mine.yaml"), "mine: already\n");
    let mut person = Person::at(&place, &["mine"]);
    person.answers("exists already: write over it", "y").answers("Sync with", ENTER).answers("Scale", ENTER);
    person.answers("Row-level security", ENTER).answers("Table", ENTER);
    let (code, screen) = person.done();
    assert_eq!(code, 0, "{screen}");
    is_valid(&place, "scenarios/mine.yaml");
}

#[test]
fn arguments_give_the_same_answers_and_ask_nothing() {
    let place = Place::new();
    let (code, screen) = Person::at(&place, &["asked", "--yes"]).done();
    assert_eq!(code, 0, "{screen}");
    let table = "CREATE TABLE t (tenant INTEGER, id TEXT, user_id TEXT, price REAL, PRIMARY KEY (tenant, id))";
    let cloud = ["new", "mine", "--target", "cloudsync", "--database", "test_mine", "--address", "https://own.example"];
    let more = ["--scale", "medium", "--rows", "30", "--rls", "--table", table];
    let done = place.stress(&[&cloud[..], &more[..]].concat()).done().exits(0);
    assert!(done.out.contains("export CLOUDSYNC_MANAGEMENT_KEY='"), "{done}");
    is_valid(&place, "scenarios/mine.yaml");
    let text = read(&place, "scenarios/mine.yaml");
    for line in ["databases: 4, iterations: 10, rows: 30", "database: \"test_mine\"", "(:row, :id, :user_id, :row)"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused_and_nothing_is_written() {
    let place = Place::new();
    for (arguments, says) in [
        (&["new"][..], "has no name"),
        (&["new", "mine", "--database", "test_x"], "add `--target cloudsync`"),
        (&["new", "mine", "--target", "cloudsync", "--database", "production"], "`production` may not be changed"),
        (&["new", "mine", "--table", "CREATE TABLE t (id INTEGER PRIMARY KEY)"], "single integer primary key"),
        (&["new", "mine", "--table", "SELECT 1"], "it must create one table"),
        (&["new", "mine", "--table", "CREATE TABLE t"], "does not run: incomplete input"),
        (&["new", "mine", "--rls", "--table", "CREATE TABLE t (id TEXT PRIMARY KEY)"], "a column `user_id`"),
    ] {
        place.stress(arguments).done().exits(2).prints_nothing().says(&[says]);
    }
    assert!(!place.path("scenarios").exists());
}
