//! A run at a terminal: what is told while its view is drawn.

use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::harness::Place;
use crate::wizard::LIMIT;

fn at_a_terminal(place: &Place, arguments: &[&str]) -> PtySession {
    let mut stress = Command::new(env!("CARGO_BIN_EXE_stress"));
    stress.args(arguments).current_dir(place.path("")).env_clear().env("TERM", "xterm");
    spawn_command(stress, Some(LIMIT)).expect("a terminal")
}

#[test]
fn an_interrupt_is_told_above_the_view_and_stays() {
    let place = Place::of("scale: { databases: 2, iterations: 1000000, rows: 5, time_limit: 10m }\n");
    let mut terminal = at_a_terminal(&place, &["run", "scenario.yaml"]);
    terminal.exp_string("DB2 ").expect("the view is drawn");
    terminal.send_control('c').expect("it reads");
    // The view is drawn anew below the line, before the cursor moves up for the next one.
    terminal.exp_string("finishing the running steps; Ctrl-C again stops now").expect("it is told");
    let (below, _) = terminal.exp_regex("\u{1b}\\[[0-9]+A").expect("the view is drawn again, or removed");
    assert!(below.contains("DB1 "), "{below:?}");
    let rest = terminal.exp_eof().expect("it ends");
    assert!(rest.contains("UNKNOWN: the run was interrupted"), "{rest}");
    let ended = terminal.process().wait();
    assert!(matches!(ended, Ok(WaitStatus::Exited(_, 130))), "{ended:?}");
}
