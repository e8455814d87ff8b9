//! A panic is told on stderr as Rust tells it, with every secret hidden that a run has: a message may hold anything.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};

use super::hidden;
use crate::execute::panic_message;

/// Tells panics from now on.
pub(super) fn listen() {
    panic::set_hook(Box::new(|info| {
        let _ = io::stderr().write_all(told(info).as_bytes());
    }));
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("<unnamed>");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = panic_message(info.payload());
    let backtrace = Backtrace::capture();
    let backtrace =
        if backtrace.status() == BacktraceStatus::Captured { format!("{backtrace}\n") } else { String::new() };
    let text = format!("\nthread '{thread}' panicked at {place}:\n{message}\n{backtrace}");
    hidden::redact_at_once(text).unwrap_or_else(|| format!("\nthread '{thread}' panicked at {place}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::tests::SECRET_FORMS;
    use crate::failure::Secrets;

    /// Panics as a process of its own, which the test below starts: the hook is the whole process's.
    #[test]
    #[ignore = "it is the process of the test beside it"]
    fn panics() {
        listen();
        hidden::hide(Secrets::new(&[SECRET_FORMS[0].into()]));
        panic!("planted: {}", SECRET_FORMS.join(" and "));
    }

    #[test]
    fn a_panic_is_told_without_the_secrets_in_its_message() {
        let mut process = std::process::Command::new(std::env::current_exe().expect("there is one"));
        process.args(["--exact", "cli::crash::tests::panics", "--ignored", "--nocapture"]).env("RUST_BACKTRACE", "1");
        let done = process.output().expect("it runs");
        let told = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(told.contains("panicked at src/cli/crash.rs"), "{told}");
        assert!(told.contains("planted: [hidden] and [hidden] and [hidden]"), "{told}");
        for form in SECRET_FORMS {
            assert!(!told.contains(form), "{told}");
        }
    }
}
