//! What the program says of itself: help, topics, completions, manual pages, and what it makes of slips.

use crate::harness::{Place, files};

const TOPICS: [&str; 9] =
    ["format", "variables", "metrics", "failures", "findings", "faults", "embedded", "driver", "exit-codes"];

#[test]
fn help_tells_of_every_command_and_every_topic() {
    let place = Place::new();
    let help = place.stress(&["help"]).done().exits(0);
    assert_eq!(help.out, place.stress(&["--help"]).done().exits(0).out);
    for topic in TOPICS {
        assert!(help.out.contains(&format!("\n  {topic} ")), "{topic}: {help}");
        let told = place.stress(&["help", topic]).done().exits(0);
        assert!(told.out.lines().count() > 5 && !told.out.contains('\u{1b}'), "{told}");
    }
    let commands = help.out.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() >= 15, "{commands:?}");
    for command in commands {
        let told = place.stress(&["help", command]).done().exits(0);
        assert!(told.out.contains(&format!("Usage: stress {command}")), "{told}");
        let of_command = place.stress(&[command, "--help"]).done().exits(0).out;
        assert!(told.out.starts_with(&of_command) && (told.out == of_command || TOPICS.contains(&command)), "{told}");
    }
    let driver = place.stress(&["help", "driver"]).done().exits(0).out;
    assert!(driver.contains("stress driver check") && driver.contains("one request per line of JSON"), "{driver}");
    let told = place.stress(&["help", "extension", "install"]).done().exits(0);
    assert!(told.out.contains("Usage: stress extension install"), "{told}");
}

#[test]
fn a_slip_is_answered_with_what_was_meant() {
    let place = Place::new();
    place.stress(&["vaildate", "x.yaml"]).done().exits(2).says(&["a similar subcommand exists: 'validate'"]);
    place.stress(&["run", "x.yaml", "--iteration", "3"]).done().exits(2).says(&["'--iterations'"]);
    place.stress(&["help", "metrcis"]).done().exits(2).says(&["did you mean `metrics`?"]);
    place.stress(&["help", "validte"]).done().exits(2).says(&["did you mean `validate`?"]);
    place.stress(&["report", ".", "--format", "jsn"]).done().exits(2).says(&["'json'"]);
}

#[test]
fn every_shell_gets_its_completions() {
    let place = Place::new();
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef stress"),
        ("fish", "complete -c stress"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = place.stress(&["completions", shell]).done().exits(0);
        assert!(script.out.contains(sign) && script.out.contains("selftest"), "{script}");
    }
    // Completed by bash itself.
    let line = "stress completions bash > c; . ./c; COMP_WORDS=(stress sel); COMP_CWORD=1; _stress stress sel stress; echo ${COMPREPLY[@]}";
    place.write("complete.sh", line);
    let done = place.shell("bash complete.sh").done().exits(0);
    assert_eq!(done.out, "selftest\n", "{done}");
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    place.stress(&["man", "pages/man1"]).done().exits(0).prints_nothing();
    let pages = files(&place.path("pages/man1"));
    for name in ["stress.1", "stress-run.1", "stress-validate.1", "stress-extension-install.1", "stress-completions.1"]
    {
        assert!(pages.iter().any(|page| page.ends_with(name)), "{name}: {pages:?}");
    }
    let run = std::fs::read_to_string(place.path("pages/man1/stress-run.1")).expect("a page");
    assert!(run.contains("\\-\\-report") && run.contains("stress run scenarios/small.yaml"), "{run}");
    place.write("file", "");
    place.stress(&["man", "file"]).done().exits(3).says(&["failed to write the pages"]);
}

#[test]
fn what_is_not_watched_has_no_control_characters() {
    let place = Place::of("scale: { databases: 2, iterations: 1, rows: 5 }\n");
    let plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
    for flags in [&[][..], &["--verbose"], &["--quiet"]] {
        let done = place.stress(&[&["run", "scenario.yaml"], flags].concat()).done().exits(0);
        assert!(plain(&done.out) && plain(&done.err), "{done}");
    }
    let always = place.stress(&["run", "scenario.yaml", "--color", "always"]).done().exits(0);
    assert!(always.out.contains('\u{1b}'), "{always}");
    let never = place.stress(&["run", "scenario.yaml", "--color", "always"]).env("NO_COLOR", "1").done().exits(0);
    assert!(never.out.contains('\u{1b}'), "the flag is nearer than the variable: {never}");
    let quiet = place.stress(&["run", "scenario.yaml", "--quiet"]).done().exits(0);
    assert!(quiet.err.is_empty() && quiet.out.lines().count() == 1 && quiet.out.starts_with("PASS"), "{quiet}");
}

#[test]
fn verbose_tells_the_sql_of_every_phase_as_it_is_rendered() {
    let place = Place::of(
        "scale: { databases: 2, iterations: 2, rows: 5 }\nvars: { table: notes }\nphases:\n  - name: insert\n    kind: insert\n    \
         rows: 3\n    sql: |\n      INSERT INTO {{ table }} (id, size)\n      VALUES (:id, {{ iteration }})\n    sync: [send, receive]\n  \
         - name: fix\n    kind: update\n    sql: UPDATE notes SET size = 1 WHERE id LIKE 'db{{ db }}_%'\n",
    );
    let done = place.stress(&["run", "scenario.yaml", "-v"]).done().exits(0);
    let lines: Vec<&str> = done.err.lines().filter(|line| line.starts_with("[DB")).collect();
    assert_eq!(lines.len(), 2 * 2 * 2, "{done}");
    for line in [
        "[DB1][iter 2] insert: INSERT INTO notes (id, size) VALUES (:id, 2) -- for 3 rows",
        "[DB2][iter 1] fix: UPDATE notes SET size = 1 WHERE id LIKE 'db2_%'",
    ] {
        assert!(lines.contains(&line), "{line}: {done}");
    }
    let silent = place.stress(&["run", "scenario.yaml"]).done().exits(0);
    assert!(!silent.err.contains("INSERT"), "{silent}");
    place.stress(&["run", "scenario.yaml", "-v", "-q"]).done().exits(2);
}
