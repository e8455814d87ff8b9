//! The pages as a person meets them: in a real browser, with and without scripts, on a screen, a phone and paper. Where
//! there is no Chromium (`STRESS_CHROMIUM`, or one in `PATH`), each test says that it was skipped.

mod chromium;
mod compare;
#[path = "../cli/harness.rs"]
#[expect(dead_code, reason = "the pages need a part of it")]
mod harness;
mod page;
mod report;
mod runs;
mod serve;

/// Says by name that a test could not be made here.
#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
fn skip(test: &str) {
    eprintln!("skipped: {test}: there is no Chromium, neither as STRESS_CHROMIUM nor in PATH");
}

/// A browser, or the end of the test that wanted one.
macro_rules! browser {
    ($test:literal) => {
        match crate::chromium::Chromium::start() {
            Some(browser) => browser,
            None => return crate::skip($test),
        }
    };
}
pub(crate) use browser;
