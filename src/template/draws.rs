//! The source of the generated values of one place: seeded by the place, so that every place draws its own.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator of one place.
#[derive(Debug)]
pub(super) struct Draws {
    pub(super) key: [u64; 6],
    /// Seeded at the first draw: most rows never draw.
    rng: Option<ChaCha8Rng>,
}

impl Draws {
    pub(super) fn new(key: [u64; 6]) -> Self {
        Self { key, rng: None }
    }

    /// A whole number below `bound`; 0 when there is none.
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
