//! A panic is told on stderr as Rust tells it, with every secret hidden that a run has: a message may hold anything.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::Mutex;

use crate::execute::panic_message;
use crate::failure::Secrets;

/// Those of the run that is under way.
static SECRETS: Mutex<Option<Secrets>> = Mutex::new(None);

/// Tells panics from now on.
pub(super) fn listen() {
    panic::set_hook(Box::new(|info| {
        let _ = io::stderr().write_all(told(info).as_bytes());
    }));
}

/// Hides these from now on, instead of those before.
pub(super) fn hide(secrets: Secrets) {
    if let Ok(mut hidden) = SECRETS.lock() {
        *hidden = Some(secrets);
    }
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
    // Whoever panics while it holds the lock must not wait for itself.
    match SECRETS.try_lock().as_deref() {
        Ok(Some(secrets)) => secrets.redact(text),
        Ok(None) => text,
        Err(_) => format!("\nthread '{thread}' panicked at {place}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::tests::SECRET_FORMS;

    /// Panics as a process of its own, which the test below starts: the hook is the whole process's.
    #[test]
    #[ignore = "it is the process of the test beside it"]
    fn panics() {
        listen();
        hide(Secrets::new(&[SECRET_FORMS[0].into()]));
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
