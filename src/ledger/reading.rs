//! Reading sorted entries from several runs in one order, key by key.

use std::io;

use super::entry::Entry;
use super::noted::keep_last;
use super::run::{Run, Stream};
use super::segment::Segment;

/// The entries of several runs, read as one.
pub(crate) struct Reading<'a> {
    segments: &'a [Segment],
    streams: Vec<(Stream<'a>, Option<Entry>)>,
}

impl<'a> Reading<'a> {
    /// Reads the runs of segments, which stand in the order in which they were written.
    pub(super) fn of(runs: &'a [Run], segments: &'a [Segment]) -> io::Result<Self> {
        let open = |run: &'a Run| {
            let mut stream = run.read()?;
            let first = stream.next()?;
            Ok((stream, first))
        };
        Ok(Self { segments, streams: runs.iter().map(open).collect::<io::Result<_>>()? })
    }

    /// The next key, in ascending order.
    pub(crate) fn key(&self) -> Option<u128> {
        self.streams.iter().filter_map(|(_, next)| Some(next.as_ref()?.key)).min()
    }

    /// Takes all entries of the next key, in the order in which they were written.
    pub(crate) fn take(&mut self, key: u128) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for (stream, next) in &mut self.streams {
            while next.as_ref().is_some_and(|entry| entry.key == key) {
                entries.extend(std::mem::replace(next, stream.next()?));
            }
        }
        // A segment of many writes stands in several runs, each with the last state of its own.
        let any_state = |number: u32| self.segments.get(number as usize).is_none_or(|segment| segment.any_state);
        let replaces = |earlier: &Entry, last: &Entry| earlier.segment == last.segment && !any_state(last.segment);
        keep_last(&mut entries, replaces, |last, earlier| {
            last.found = earlier.found;
            last.elided |= earlier.elided;
        });
        Ok(entries)
    }
}
