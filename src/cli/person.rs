//! The person at the terminal while a server is prepared or left: told every step, and asked where there is somebody.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::sync::mpsc;
use std::time::Duration;

use super::terminal::Terminal;
use crate::target::{Ask, Attendant};

/// How often it is looked whether the question still stands.
const TICK: Duration = Duration::from_millis(100);

/// Does something that tells its steps on stderr, unless `quiet`, and may ask on a terminal. `stopped` ends it between
/// two steps.
pub(super) fn attended<T>(
    terminal: &mut Terminal,
    quiet: bool,
    stopped: &dyn Fn() -> bool,
    work: impl FnOnce(&mut Attendant<'_>) -> T,
) -> T {
    let there = terminal.watched && io::stdin().is_terminal();
    let terminal = RefCell::new(terminal);
    let mut say = |text: &str| {
        if !quiet {
            terminal.borrow_mut().tell(&format!("server: {text}\n"));
        }
    };
    let mut ask = |question: &str| {
        terminal.borrow_mut().tell(question);
        line(stopped)
    };
    let ask: Option<&mut Ask<'_>> = if there { Some(&mut ask) } else { None };
    work(&mut Attendant::new(&mut say, stopped).asking(ask))
}

/// Does something that nobody watches.
pub(super) fn unattended<T>(work: impl FnOnce(&mut Attendant<'_>) -> T) -> T {
    work(&mut Attendant::new(&mut |_| {}, &|| false))
}

/// A line of stdin; none at its end, or when it is not waited for any more.
fn line(stopped: &dyn Fn() -> bool) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    // A read cannot be interrupted: the thread stays behind, and the process ends without it.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        let _ = sender.send(read.ok().filter(|bytes| *bytes > 0).map(|_| line));
    });
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(line) => return line,
            Err(mpsc::RecvTimeoutError::Timeout) if !stopped() => {}
            Err(_) => return None,
        }
    }
}
