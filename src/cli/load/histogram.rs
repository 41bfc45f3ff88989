//! How often which latency was seen, in fixed space: 128 steps to each doubling, so that a percentile is at most 0.8 % above the truth.

/// Steps to a doubling, as a power of two.
const BITS: u32 = 7;
const STEPS: usize = 1 << BITS;
/// The largest value told apart: 2³⁶ µs, 19 hours; what is longer counts as that.
const LARGEST: u64 = (1 << 36) - 1;
const BUCKETS: usize = STEPS + (36 - BITS as usize) * STEPS;

/// Latencies in microseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u32>,
    count: u64,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, most: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, micros: u64) {
        if let Some(bucket) = self.counts.get_mut(bucket(micros.min(LARGEST))) {
            *bucket = bucket.saturating_add(1);
        }
        self.count += 1;
        self.most = self.most.max(micros);
    }

    /// How many were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The value, in microseconds, that this share of all (in per cent) does not pass; 0 when there is none.
    #[must_use]
    pub fn at(&self, per_cent: f64) -> f64 {
        let wanted = (self.count as f64 * per_cent / 100.0).ceil().max(1.0);
        let mut seen = 0_u64;
        for (at, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen as f64 >= wanted {
                return upper(at).min(self.most) as f64;
            }
        }
        self.most as f64
    }
}

fn bucket(value: u64) -> usize {
    let Some(power) = value.checked_ilog2().filter(|power| *power >= BITS) else { return usize::try_from(value).unwrap_or(0) };
    let shift = power - BITS;
    // The leading one is counted in the place of the doubling.
    (shift as usize + 1) * STEPS + usize::try_from(value >> shift).unwrap_or(0).saturating_sub(STEPS)
}

/// The largest value of a bucket.
fn upper(at: usize) -> u64 {
    let (doubling, step) = (at / STEPS, (at % STEPS) as u64);
    match doubling.checked_sub(1) {
        None => step,
        Some(shift) => ((STEPS as u64 + step + 1) << shift) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::random::Random;

    #[test]
    fn every_value_lies_in_its_bucket_and_buckets_follow_each_other() {
        let mut random = Random::new(5);
        for n in 0..100_000_u64 {
            let value = (random.next() >> (n % 64)).min(LARGEST);
            let at = bucket(value);
            assert!(at < BUCKETS && value <= upper(at) && (at == 0 || value > upper(at - 1)), "{value}");
            assert!(upper(at) as f64 <= value as f64 * 1.008 + 0.5, "{value}");
        }
        assert_eq!(upper(BUCKETS - 1), LARGEST);
    }

    #[test]
    fn percentiles_agree_with_a_sorted_list() {
        let mut random = Random::new(9);
        let mut all: Vec<u64> = (0..5_000).map(|_| random.below(1 << (8 + random.clone().below(14)))).collect();
        let mut histogram = Histogram::default();
        all.iter().for_each(|v| histogram.add(*v));
        all.sort_unstable();
        for (per_cent, rank) in [(50.0, 2_499), (90.0, 4_499), (99.0, 4_949), (99.9, 4_994), (100.0, 4_999)] {
            let (told, truth) = (histogram.at(per_cent), all.get(rank).copied().unwrap_or(0) as f64);
            assert!(told >= truth && told <= truth * 1.008 + 1.0, "{per_cent}: {told} for {truth}");
        }
        assert_eq!(Histogram::default().at(99.0), 0.0);
    }
}
