//! Who is told what is done to a server, may be asked, and may want it to stop. Nothing here prints: the command line
//! brings all three.

use super::error::TargetError;
use super::halt::Halt;

/// Asks a person for a line.
pub(crate) type Ask<'a> = dyn FnMut(&str) -> Option<String> + 'a;

/// The person, or nobody, who watches a server being prepared and left.
pub(crate) struct Attendant<'a> {
    say: &'a mut dyn FnMut(&str),
    ask: Option<&'a mut Ask<'a>>,
    stopped: &'a dyn Fn() -> bool,
    halt: Halt,
}

impl<'a> Attendant<'a> {
    /// `say` is told every step, `stopped` tells whether no further one is wanted.
    pub(crate) fn new(say: &'a mut dyn FnMut(&str), stopped: &'a dyn Fn() -> bool) -> Self {
        Self { say, ask: None, stopped, halt: Halt::never() }
    }

    /// The same with somebody to ask.
    #[must_use]
    pub(crate) fn asking(mut self, ask: Option<&'a mut Ask<'a>>) -> Self {
        self.ask = ask;
        self
    }

    /// The same with what ends a step that is under way.
    pub(crate) fn obey(&mut self, halt: Halt) {
        self.halt = halt;
    }

    /// What ends a step that is under way.
    pub(super) fn halt(&self) -> &Halt {
        &self.halt
    }

    /// Tells what was done.
    pub(super) fn say(&mut self, text: &str) {
        (self.say)(text);
    }

    /// The person's line; none when there is nobody or nothing was said.
    pub(super) fn ask(&mut self, question: &str) -> Option<String> {
        let line = self.ask.as_mut().and_then(|ask| ask(question))?;
        Some(line.trim().to_owned()).filter(|line| !line.is_empty())
    }

    /// Whether there is somebody to ask.
    pub(super) fn can_ask(&self) -> bool {
        self.ask.is_some()
    }

    /// An error once no further step is wanted.
    pub(super) fn goes_on(&self) -> Result<(), TargetError> {
        if self.is_stopped() {
            return Err(TargetError::new(
                "interrupted while preparing the server",
                "run the command again: every step continues from what is done already",
            ));
        }
        Ok(())
    }

    /// Whether no further step is wanted.
    pub(super) fn is_stopped(&self) -> bool {
        (self.stopped)()
    }
}
