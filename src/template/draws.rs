//! The generator of one place's values: seeded from the place alone, so that threads and their order change nothing.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The seed, and the place: the salt of the value, database, iteration, repetition, row.
pub(super) type Key = [u64; 6];

/// The random generator of one place.
#[derive(Debug)]
pub(super) struct Draws {
    key: Key,
    /// Created at the first draw, because most rows never draw.
    rng: Option<ChaCha8Rng>,
}

impl Draws {
    pub(super) fn new(key: Key) -> Self {
        Self { key, rng: None }
    }

    /// The place.
    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// A random whole number from 0 to `bound` − 1; 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.rng().random_range(0..bound) }
    }

    pub(super) fn rng(&mut self) -> &mut ChaCha8Rng {
        let key = self.key;
        self.rng.get_or_insert_with(|| {
            let mut bytes = [0_u8; 48];
            for (chunk, word) in bytes.chunks_exact_mut(8).zip(key) {
                chunk.copy_from_slice(&word.to_le_bytes());
            }
            ChaCha8Rng::seed_from_u64(xxhash_rust::xxh3::xxh3_64(&bytes))
        })
    }
}
