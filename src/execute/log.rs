//! The seed's log: one text file per database, in lines that `grep` finds things in. Nothing here is ever read back to
//! judge a run.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use crate::failure::Secrets;
use crate::record::LogExcerpt;

/// Lines of the beginning and of the end that the record keeps.
const KEPT: usize = 30;
/// The longest line kept, in characters.
const LONGEST: usize = 300;
/// Bytes that wait to be written: there may be a thousand logs.
const BUFFER: usize = 1024;

pub(super) struct Log {
    out: BufWriter<File>,
    database: u32,
    secrets: Secrets,
    /// The first failure to write; a full disk must not end the run, nor be passed over.
    error: Option<io::Error>,
}

impl Log {
    pub(super) fn create(path: &Path, database: u32, secrets: Secrets) -> io::Result<Self> {
        Ok(Self { out: BufWriter::with_capacity(BUFFER, File::create(path)?), database, secrets, error: None })
    }

    /// `[DB1][iter 3] inserted, count=1000 (12.3 ms)`
    pub(super) fn line(&mut self, iteration: u64, text: &str, took: Duration) {
        let text = self.secrets.redact(text.to_owned());
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

/// The beginning and the end of a log; nothing when it cannot be read.
pub(super) fn excerpt(path: &Path) -> Option<LogExcerpt> {
    let mut excerpt = LogExcerpt { lines: 0, first: Vec::new(), last: Vec::new() };
    let mut last = VecDeque::new();
    for line in BufReader::new(File::open(path).ok()?).lines() {
        let line = line.ok()?;
        excerpt.lines += 1;
        let short = match line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        };
        if excerpt.first.len() < KEPT {
            excerpt.first.push(short);
        } else {
            last.push_back(short);
            if last.len() > KEPT {
                last.pop_front();
            }
        }
    }
    excerpt.last = last.into();
    Some(excerpt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_of_a_log_are_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("db1.log");
        let mut log = Log::create(&path, 1, Secrets::default()).expect("it can be written");
        for row in 0..100 {
            log.line(1, &format!("line {row}{}", "é".repeat(row * 10)), Duration::ZERO);
        }
        log.flush();
        let excerpt = excerpt(&path).expect("it can be read");
        assert_eq!((excerpt.lines, excerpt.first.len(), excerpt.last.len()), (100, 30, 30));
        assert!(excerpt.first[0].contains("line 0") && excerpt.last[0].contains("line 70"));
        assert!(excerpt.last.iter().all(|line| line.chars().count() <= LONGEST + 1));
    }
}
