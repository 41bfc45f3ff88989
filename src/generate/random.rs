//! A small generator of numbers (splitmix64, public domain): fast, seeded, the same on every machine. Not for keys.

/// A sequence of numbers that its seed fixes.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence from a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound - 1`; 0 when the bound is 0. The bias of the remainder is below 2⁻³² for every bound used here.
    pub const fn below(&mut self, bound: u64) -> u64 {
        let n = self.next();
        if bound == 0 { 0 } else { n % bound }
    }

    /// True once in `n` times.
    pub const fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of some words; the empty word when there are none.
    pub fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        let at = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words.get(at).copied().unwrap_or("")
    }

    /// A sequence of its own that depends on this one's seed and a label, and leaves this one as it is.
    #[must_use]
    pub const fn fork(&self, label: u64) -> Self {
        let mut fork = Self(self.0 ^ label.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let seed = fork.next();
        Self(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_numbers_that_splitmix64_gives() {
        // The published test vector for seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn forks_differ_and_repeat() {
        let random = Random::new(7);
        assert_eq!(random.fork(1).next(), random.fork(1).next());
        assert_ne!(random.fork(1).next(), random.fork(2).next());
        assert_eq!(Random::new(1).below(0), 0);
        assert_eq!(Random::new(1).pick(&[]), "");
    }
}
