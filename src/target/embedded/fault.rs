//! Planted failures: when one strikes. Doing it is left to the place where it belongs. The same seed and the same
//! requests give the same strikes, whatever the threads do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::wire::SiteId;
use crate::scenario::{Fault, FaultKind};

/// All planted failures of a hub.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    seed: u64,
    rules: Vec<Fault>,
    /// The numbers of the scenario's databases.
    names: Mutex<HashMap<SiteId, u32>>,
    /// How often each rule was asked about each site.
    occasions: Mutex<HashMap<(usize, SiteId), u64>>,
    /// How often any of them struck.
    struck: AtomicU64,
}

impl Faults {
    pub(crate) fn new(seed: u64, rules: Vec<Fault>) -> Self {
        Self { seed, rules, ..Self::default() }
    }

    /// Says which database of the scenario a site is.
    pub(crate) fn name_site(&self, site: SiteId, database: u32) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(site, database);
    }

    /// Whether failures of this kind were planted at all; cheap enough for every row.
    pub(crate) fn has(&self, kind: FaultKind) -> bool {
        self.rules.iter().any(|rule| rule.fault == kind)
    }

    /// Whether failures of one of these kinds were planted.
    pub(crate) fn has_any(&self, kinds: &[FaultKind]) -> bool {
        kinds.iter().any(|kind| self.has(*kind))
    }

    /// Whether a failure strikes here. Every call is an occasion.
    pub(crate) fn strikes(&self, kind: FaultKind, site: &SiteId) -> bool {
        let struck = self.occurs(kind, site);
        self.struck.fetch_add(u64::from(struck), Ordering::Relaxed);
        struck
    }

    /// The same for a failure that may turn out to be impossible here: it counts by [`Self::count`] once it was done.
    pub(crate) fn occurs(&self, kind: FaultKind, site: &SiteId) -> bool {
        let mut struck = false;
        for (index, rule) in self.rules.iter().enumerate() {
            // No short cut: each rule counts its own occasions.
            struck |= rule.fault == kind && self.rule_strikes(index, rule, site);
        }
        struck
    }

    /// Counts a failure that occurred and was done.
    pub(crate) fn count(&self) {
        self.struck.fetch_add(1, Ordering::Relaxed);
    }

    /// How often any of them struck so far.
    pub(crate) fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    fn rule_strikes(&self, index: usize, rule: &Fault, site: &SiteId) -> bool {
        let name = self.names.lock().unwrap_or_else(PoisonError::into_inner).get(site).copied();
        if !rule.databases.is_empty() && !name.is_some_and(|name| rule.databases.contains(&name)) {
            return false;
        }
        let occasion = {
            let mut occasions = self.occasions.lock().unwrap_or_else(PoisonError::into_inner);
            let count = occasions.entry((index, *site)).or_default();
            *count += 1;
            *count
        };
        let by_chance = match rule.rate {
            Some(rate) => self.roll(index, name, site, occasion) < rate,
            None => rule.at.is_empty(),
        };
        by_chance || rule.at.contains(&occasion)
    }

    /// A number from 0 to 1. Site ids are random, so a named site counts as its number.
    fn roll(&self, index: usize, name: Option<u32>, site: &SiteId, occasion: u64) -> f64 {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..12].copy_from_slice(&u32::try_from(index).unwrap_or(u32::MAX).to_le_bytes());
        seed[12..20].copy_from_slice(&occasion.to_le_bytes());
        match name {
            Some(name) => seed[20..24].copy_from_slice(&name.to_le_bytes()),
            None => seed[20..32].copy_from_slice(&site[4..]),
        }
        (ChaCha8Rng::from_seed(seed).next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(fault: FaultKind) -> Fault {
        Fault { fault, rate: None, at: Vec::new(), databases: Vec::new() }
    }

    #[test]
    fn a_fault_with_occasions_strikes_at_those_only_for_each_site() {
        let faults = Faults::new(1, vec![Fault { at: vec![2, 3], ..rule(FaultKind::Http500) }]);
        for site in [[1; 16], [2; 16]] {
            let struck: Vec<bool> = (0..4).map(|_| faults.strikes(FaultKind::Http500, &site)).collect();
            assert_eq!(struck, [false, true, true, false]);
        }
        assert!(!faults.strikes(FaultKind::Http503, &[1; 16]));
        assert_eq!(faults.struck(), 4);
    }

    #[test]
    fn a_fault_with_a_rate_strikes_about_that_often_and_the_same_way_again() {
        let run = |seed| {
            let faults = Faults::new(seed, vec![Fault { rate: Some(0.25), ..rule(FaultKind::DropRow) }]);
            faults.name_site([7; 16], 1);
            (0..4000).map(|_| faults.strikes(FaultKind::DropRow, &[7; 16])).collect::<Vec<_>>()
        };
        let count = run(5).iter().filter(|&&struck| struck).count();
        assert!((800..1200).contains(&count), "{count}");
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    #[test]
    fn a_fault_with_databases_strikes_those_only() {
        let faults = Faults::new(1, vec![Fault { databases: vec![2], ..rule(FaultKind::Slow) }]);
        faults.name_site([1; 16], 1);
        faults.name_site([2; 16], 2);
        assert!(!faults.strikes(FaultKind::Slow, &[1; 16]));
        assert!(faults.strikes(FaultKind::Slow, &[2; 16]));
        assert!(!faults.strikes(FaultKind::Slow, &[3; 16]), "a site nobody named");
    }
}
