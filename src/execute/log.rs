//! The seed's log: one text file per database, in lines that `grep` finds things in. Nothing here is ever read back to
//! judge a run.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

pub(super) struct Log {
    out: BufWriter<File>,
    database: u32,
    /// The first failure to write; a full disk must not end the run, nor be passed over.
    error: Option<io::Error>,
}

impl Log {
    pub(super) fn create(path: &Path, database: u32) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(File::create(path)?), database, error: None })
    }

    /// `[DB1][iter 3] inserted, count=1000 (12.3 ms)`
    pub(super) fn line(&mut self, iteration: u64, text: &str, took: Duration) {
        let milliseconds = took.as_secs_f64() * 1000.0;
        let written = writeln!(self.out, "[DB{}][iter {iteration}] {text} ({milliseconds:.1} ms)", self.database);
        self.keep(written);
    }

    /// Hands what was written to the system; a killed process loses what came after.
    pub(super) fn flush(&mut self) {
        let flushed = self.out.flush();
        self.keep(flushed);
    }

    pub(super) fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    fn keep(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}
