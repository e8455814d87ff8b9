//! The judge against a model of databases and a server: what the server rightly holds is always explained.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::types::ValueRef;

use super::judge::{Allowed, Explained, Writes, explain};
use super::mixture::Mixing;
use crate::ledger::{Entry, Kept, Segment, State};
use crate::plan::DatabasePlan;
use crate::session::encode;

/// A row of two columns with the versions that a server which merges columns goes by.
type Cells = [(i64, u64); 2];

struct Device {
    local: Option<Cells>,
    dirty: bool,
    entries: Vec<Entry>,
    allowed: Vec<Allowed>,
    acknowledged: Vec<(u32, u64)>,
}

/// Some databases, a server and chance.
struct World {
    chance: ChaCha8Rng,
    devices: Vec<Device>,
    server: Option<Cells>,
    columns: bool,
    clock: u64,
}

fn bytes(cells: &Cells) -> Vec<u8> {
    let mut row = Vec::new();
    for (value, _) in cells {
        encode(ValueRef::Integer(*value), &mut row);
    }
    row
}

fn digest(row: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(row)
}

impl World {
    fn below(&mut self, most: u64) -> u64 {
        self.chance.next_u64() % most
    }

    /// A database changes its row, in a segment of its own.
    fn write(&mut self, place: usize) {
        self.clock += 1;
        let (value, clock, form) = (self.clock.cast_signed(), self.clock, self.below(5));
        let policies = self.below(6);
        let device = &mut self.devices[place];
        let found = device.local.is_some();
        device.local = match (device.local, form) {
            (Some(_), 0) => None,
            (Some(cells), 1 | 2) if self.columns => Some([(value, clock), cells[1]]),
            _ => Some([(value, clock), (-value, clock)]),
        };
        device.dirty = true;
        device.allowed.push(match policies {
            0 => Allowed::Never,
            1 => Allowed::Perhaps,
            _ => Allowed::Always,
        });
        let segment = u32::try_from(device.entries.len()).expect("few");
        let row = device.local.as_ref().map(|cells| {
            let bytes = bytes(cells);
            State { digest: digest(&bytes), bytes }
        });
        device.entries.push(Entry { key: 1, segment, found, elided: false, policy: 0, row });
    }

    /// A database sends; the server's answer may be lost, or the push itself.
    fn send(&mut self, place: usize) {
        let (fate, perhaps) = (self.below(4), self.below(2));
        let columns = self.columns;
        let device = &mut self.devices[place];
        let Some(allowed) = device.allowed.last().copied() else { return };
        if fate == 0 {
            return;
        }
        if device.dirty && (allowed == Allowed::Always || allowed == Allowed::Perhaps && perhaps == 0) {
            self.server = match (self.server, device.local) {
                (Some(there), Some(cells)) if columns => {
                    let later = |a: (i64, u64), b: (i64, u64)| if a.1 > b.1 { a } else { b };
                    Some([later(there[0], cells[0]), later(there[1], cells[1])])
                }
                (_, row) => row,
            };
        }
        if fate > 1 {
            device.dirty = false;
            device.acknowledged.push((u32::try_from(device.entries.len()).expect("few"), 0));
        }
    }

    /// A database receives, unless its own change waits.
    fn receive(&mut self, place: usize) {
        let server = self.server;
        let device = &mut self.devices[place];
        if !device.dirty {
            device.local = server;
        }
    }
}

/// A world after some steps.
fn world(seed: u64, columns: bool) -> World {
    let device =
        || Device { local: None, dirty: false, entries: Vec::new(), allowed: Vec::new(), acknowledged: Vec::new() };
    let mut world =
        World { chance: ChaCha8Rng::seed_from_u64(seed), devices: Vec::new(), server: None, columns, clock: 0 };
    let count = 1 + world.below(3);
    world.devices.extend((0..count).map(|_| device()));
    for _ in 0..world.below(24) {
        let place = usize::try_from(world.below(count)).expect("few");
        match world.below(3) {
            0 => world.write(place),
            1 => world.send(place),
            _ => world.receive(place),
        }
    }
    world
}

/// Judges what a world's server holds, or what it is made to hold.
fn judged(world: &World, server: Option<Cells>) -> Explained {
    let plans: Vec<DatabasePlan> = (1..=3).map(|index| DatabasePlan { index, user: 1, credential: None }).collect();
    let segment = |_: &Entry| Segment {
        iteration: 1,
        at: 0,
        phase: "p".into(),
        setup: false,
        hostile: false,
        any_state: false,
        tables: BTreeSet::new(),
    };
    let kept = |device: &Device| Kept::of(device.entries.iter().map(segment).collect(), device.acknowledged.clone());
    let ledgers: Vec<Kept> = world.devices.iter().map(kept).collect();
    let writes: Vec<Writes<'_>> = world
        .devices
        .iter()
        .zip(&ledgers)
        .zip(&plans)
        .filter(|((device, _), _)| !device.entries.is_empty())
        .map(|((device, ledger), database)| Writes {
            database,
            ledger,
            entries: device.entries.clone(),
            allowed: device.allowed.clone(),
        })
        .collect();
    let row = server.as_ref().map(bytes);
    let mixing = if world.columns { Mixing::Columns(&[]) } else { Mixing::Rows };
    explain(&writes, row.as_ref().map(|row| (digest(row), row.as_slice())), mixing)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_server_rightly_holds_is_explained_and_what_nobody_wrote_is_not(seed: u64) {
        let world = world(seed, false);
        prop_assert!(matches!(judged(&world, world.server), Explained::Yes | Explained::Perhaps));
        let invented = judged(&world, Some([(-1, 0), (-1, 0)]));
        prop_assert!(matches!(invented, Explained::No | Explained::Before), "{:?}", invented);
    }

    #[test]
    fn what_was_surely_written_last_by_the_only_writer_is_there(seed: u64) {
        let world = world(seed, false);
        let certain = |device: &Device| {
            device.allowed.last() == Some(&Allowed::Always)
                && device.acknowledged.last().is_some_and(|(last, _)| *last as usize == device.entries.len())
        };
        if let [only] = world.devices.as_slice()
            && certain(only)
        {
            let other = if world.server.is_some() { None } else { Some([(1, 1), (-1, 1)]) };
            prop_assert_eq!(judged(&world, other), Explained::No);
        }
    }

    #[test]
    fn merged_columns_are_each_a_candidates(seed: u64) {
        let mut world = world(seed, true);
        for device in &mut world.devices {
            device.allowed.fill(Allowed::Perhaps);
        }
        // A server that merges columns takes no deletion of what is newer, which the model leaves out.
        if world.devices.iter().all(|device| device.entries.iter().all(|entry| entry.row.is_some())) {
            prop_assert!(matches!(judged(&world, world.server), Explained::Yes | Explained::Perhaps));
        }
    }
}
