//! Statistics of runs: how sure a share is, and whether two samples differ. Pure numbers; it must not know what was
//! measured. The distributions are those of `statrs`; its own tests compare every pair of values, which takes minutes
//! for the calls of a large run, so the ranks are counted here.

use statrs::distribution::{ContinuousCDF, Discrete, Hypergeometric, Normal};

/// 97.5 % of the normal distribution: what a 95 % interval leaves out at each end.
const Z_95: f64 = 1.959_963_984_540_054;
/// The largest product of sample sizes for which the exact distribution of U is counted.
const MOST_EXACT: usize = 400;

/// An interval that holds the true value 95 times of 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The 95 % confidence interval of a share after `hits` of `trials`, by Wilson (1927): also right for few trials and
/// shares near 0 or 1. Without trials, everything is possible.
pub fn wilson(hits: u64, trials: u64) -> Interval {
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (trials, square) = (trials as f64, Z_95 * Z_95);
    let share = hits as f64 / trials;
    let middle = (share + square / (2.0 * trials)) / (1.0 + square / trials);
    let spread = share * (1.0 - share) / trials + square / (4.0 * trials * trials);
    let half = Z_95 / (1.0 + square / trials) * spread.sqrt();
    // Rounding must not push the end past what was seen.
    Interval { low: (middle - half).clamp(0.0, share), high: (middle + half).clamp(share, 1.0) }
}

/// Whether two samples come from one distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankTest {
    /// The probability of a difference at least this large by chance alone, two-sided.
    pub p: f64,
    /// How large the difference is, whatever the sizes: the probability that a value of the second sample is above one
    /// of the first, ties counting half. 0.5 is no difference.
    pub superiority: f64,
}

/// The Mann–Whitney U test: exact for small samples without ties, else by the normal distribution with corrections for
/// ties and continuity. Nothing when a sample is empty.
pub fn mann_whitney(first: &[f64], second: &[f64]) -> Option<RankTest> {
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> = first.iter().map(|value| (*value, false)).collect();
    all.extend(second.iter().map(|value| (*value, true)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank, mut rank_sum, mut tie_term) = (0.0, 0.0, 0.0);
    for same in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let size = same.len() as f64;
        let members = same.iter().filter(|(_, of_second)| *of_second).count() as f64;
        rank_sum += members * (rank + f64::midpoint(size, 1.0));
        tie_term += size * size * size - size;
        rank += size;
    }
    let (n1, n2) = (first.len() as f64, second.len() as f64);
    let u = rank_sum - n2 * (n2 + 1.0) / 2.0;
    let pairs = n1 * n2;
    let larger = u.max(pairs - u);
    let p = if tie_term == 0.0 && first.len() * second.len() <= MOST_EXACT {
        exact_tail(first.len(), second.len(), larger)
    } else {
        normal_tail(n1, n2, tie_term, larger)
    };
    Some(RankTest { p: (2.0 * p).min(1.0), superiority: u / pairs })
}

/// The probability of U at or above `u`, by counting the arrangements of the two samples.
fn exact_tail(n1: usize, n2: usize, u: f64) -> f64 {
    // Arrangements by U and by how many of the first sample are placed; a value placed after k of the second adds k.
    let mut ways = vec![vec![0.0_f64; n1 * n2 + 1]; n1 + 1];
    ways[0][0] = 1.0;
    for after in 0..=n2 {
        for placed in 1..=n1 {
            for sum in after..=n1 * n2 {
                ways[placed][sum] += ways[placed - 1][sum - after];
            }
        }
    }
    let total: f64 = ways[n1].iter().sum();
    let tail: f64 = ways[n1].iter().enumerate().filter(|(sum, _)| *sum as f64 >= u).map(|(_, ways)| ways).sum();
    tail / total
}

fn normal_tail(n1: f64, n2: f64, tie_term: f64, u: f64) -> f64 {
    let n = n1 + n2;
    let variance = n1 * n2 / 12.0 * (n + 1.0 - tie_term / (n * (n - 1.0)));
    if variance <= 0.0 {
        // All values are the same.
        return 1.0;
    }
    let z = (u - n1 * n2 / 2.0 - 0.5) / variance.sqrt();
    Normal::standard().sf(z)
}

/// Fisher's exact test, two-sided: the probability that two shares differ at least so much by chance alone, after
/// `hits` of `trials` each. Without trials on a side, nothing speaks for a difference.
pub fn fisher(first: (u64, u64), second: (u64, u64)) -> f64 {
    let (hits, trials) = (first.0.min(first.1), first.1);
    let all_hits = hits + second.0.min(second.1);
    let all_trials = trials + second.1;
    let Ok(distribution) = Hypergeometric::new(all_trials, all_hits, trials) else { return 1.0 };
    // By logarithms: the library's `pmf` itself is not a number from some thousand trials on.
    let probability = |hits| distribution.ln_pmf(hits).exp();
    let seen = probability(hits);
    let least = all_hits.saturating_sub(second.1);
    let most = all_hits.min(trials);
    // Tables as improbable as the one seen count, too; rounding must not tell equal ones apart.
    let extreme = (least..=most).map(probability).filter(|one| *one <= seen * (1.0 + 1e-7));
    extreme.sum::<f64>().min(1.0)
}

/// Whether a quantile of two samples differs: Fisher's test on how many of each lie above the quantile of both.
/// Nothing when a sample is empty.
pub fn quantile_test(first: &[f64], second: &[f64], share: f64) -> Option<f64> {
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let all: Vec<f64> = first.iter().chain(second).copied().collect();
    let bound = quantile(&all, share)?;
    let above = |sample: &[f64]| sample.iter().filter(|value| **value > bound).count() as u64;
    Some(fisher((above(first), first.len() as u64), (above(second), second.len() as u64)))
}

/// The value that this share of a sample does not exceed; nothing for an empty one.
pub fn quantile(sample: &[f64], share: f64) -> Option<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = crate::figure::whole((share.clamp(0.0, 1.0) * sorted.len() as f64).ceil());
    let place = usize::try_from(rank).unwrap_or(usize::MAX).clamp(1, sorted.len().max(1));
    sorted.get(place - 1).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use statrs::stats_tests::Alternative;
    use statrs::stats_tests::mannwhitneyu::{MannWhitneyUMethod, mannwhitneyu};

    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-4
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_the_textbooks() {
        // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (hits, trials, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let interval = wilson(hits, trials);
            assert!(near(interval.low, low) && near(interval.high, high), "{hits} of {trials}: {interval:?}");
        }
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn ranks_are_tested_as_in_the_textbooks() {
        // The example of scipy.stats.mannwhitneyu: U = 17, p = 0.1111 exact.
        let test = mann_whitney(&[20.0, 11.0, 17.0, 12.0], &[19.0, 22.0, 16.0, 29.0, 24.0]).expect("both have values");
        assert!(near(test.p, 0.111_111) && near(test.superiority, 17.0 / 20.0), "{test:?}");
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        let same = mann_whitney(&[1.0; 30], &[1.0; 30]).expect("both have values");
        assert!(near(same.p, 1.0) && near(same.superiority, 0.5), "{same:?}");
        // Five runs on each side, all of one below all of the other: 2 of 252 arrangements.
        let apart = mann_whitney(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]).expect("both have values");
        assert!(near(apart.p, 2.0 / 252.0) && near(apart.superiority, 1.0), "{apart:?}");
    }

    #[test]
    fn shares_are_tested_as_in_the_textbooks() {
        // Values of scipy.stats.fisher_exact.
        for (first, second, p) in [
            ((3, 8), (4, 54), 0.039_707_5),
            ((61, 179), (2, 3), 0.275_350_6),
            ((0, 40), (0, 40), 1.0),
            ((0, 40), (8, 40), 0.005_289),
            ((0, 0), (3, 9), 1.0),
        ] {
            assert!(near(fisher(first, second), p), "{first:?} {second:?}: {}", fisher(first, second));
        }
    }

    #[test]
    fn a_tail_that_grew_is_seen_where_the_middle_stayed() {
        let calm: Vec<f64> = (0..1000).map(f64::from).collect();
        let tail: Vec<f64> =
            (0..1000).map(|value| f64::from(if value % 50 == 0 { value * 100 } else { value })).collect();
        assert!(quantile_test(&calm, &tail, 0.99).is_some_and(|p| p < 0.01));
        assert!(quantile_test(&calm, &tail, 0.5).is_some_and(|p| p > 0.05));
        assert_eq!(quantile(&calm, 0.99), Some(989.0));
        assert_eq!((quantile(&[], 0.5), quantile(&[7.0], 0.0)), (None, Some(7.0)));
    }

    fn sample() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec((0_i32..40).prop_map(f64::from), 1..25)
    }

    proptest! {
        #[test]
        fn the_interval_holds_what_was_seen_and_shrinks_with_more_trials(trials in 1_u64..500, share in 0.0..=1.0_f64) {
            let hits = crate::figure::whole(share * trials as f64);
            let (few, many) = (wilson(hits, trials), wilson(hits * 4, trials * 4));
            let seen = hits as f64 / trials as f64;
            prop_assert!(0.0 <= few.low && few.low <= seen && seen <= few.high && few.high <= 1.0);
            prop_assert!(many.high - many.low <= few.high - few.low);
        }

        #[test]
        fn ranks_give_what_the_library_gives(first in sample(), second in sample()) {
            let ours = mann_whitney(&first, &second).expect("both have values");
            let method = MannWhitneyUMethod::AsymptoticInclContinuityCorrection;
            let (u, p) = mannwhitneyu(&first, &second, method, Alternative::TwoSided).expect("both have values");
            let pairs = (first.len() * second.len()) as f64;
            prop_assert!(near(ours.superiority, 1.0 - u / pairs));
            // Ours is exact where there are no ties, so only the others are the same to the last digit.
            let ties = first.iter().chain(&second).map(|value| value.to_bits()).collect::<std::collections::BTreeSet<_>>();
            if ties.len() < first.len() + second.len() {
                prop_assert!(near(ours.p, p.min(1.0)), "{} {p}", ours.p);
            }
        }

        #[test]
        fn no_test_cares_which_side_is_first(first in sample(), second in sample()) {
            let there = mann_whitney(&first, &second).expect("both have values");
            let back = mann_whitney(&second, &first).expect("both have values");
            prop_assert!(near(there.p, back.p) && near(there.superiority, 1.0 - back.superiority));
            let there = quantile_test(&first, &second, 0.9).expect("both have values");
            let back = quantile_test(&second, &first, 0.9).expect("both have values");
            prop_assert!(near(there, back) && (0.0..=1.0).contains(&there));
        }

        #[test]
        fn a_sample_does_not_differ_from_itself(sample in sample()) {
            let test = mann_whitney(&sample, &sample).expect("both have values");
            prop_assert!(near(test.superiority, 0.5) && test.p > 0.9, "{test:?}");
            let hits = sample.len() as u64 / 2;
            prop_assert!(near(fisher((hits, sample.len() as u64), (hits, sample.len() as u64)), 1.0));
        }
    }
}
