//! Seeds split by label, and the random stream that grows from one.
//!
//! A seed is never shared: whoever needs randomness takes a child named after its purpose, so that adding a user
//! of randomness in one place never changes the numbers seen in another. The stream is xoshiro256++ (Blackman and
//! Vigna 2019), whose output is fixed by its definition on every platform and in every version.

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A 64-bit seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed for the purpose `label` and the number `index` (a trial, a fold, a tree).
    ///
    /// Mixes with FNV-1a over the label and the finaliser of splitmix64 (Steele, Lea and Flood 2014).
    ///
    /// ```
    /// use kaizen_base::Seed;
    /// assert_ne!(Seed(1).child("fold", 0), Seed(1).child("fold", 1));
    /// assert_ne!(Seed(1).child("fold", 0), Seed(1).child("tree", 0));
    /// ```
    pub fn child(self, label: &str, index: u64) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in label.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(splitmix(splitmix(self.0 ^ hash).wrapping_add(index)))
    }

    /// A fresh random stream from this seed.
    pub fn rng(self) -> Rng {
        Rng(Xoshiro256PlusPlus::seed_from_u64(self.0))
    }
}

fn splitmix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A deterministic random stream.
#[derive(Clone, Debug)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform number in [0, 1), a multiple of 2^-53.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A uniform number in [`low`, `high`).
    #[inline]
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A uniform integer in 0..`count` (Lemire 2019, without the rejection step: the bias is below `count` / 2^64).
    ///
    /// # Panics
    /// If `count` is zero.
    #[inline]
    pub fn below(&mut self, count: usize) -> usize {
        assert!(count > 0, "nothing to choose from");
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// A standard normal number (inverse distribution function, so that one draw uses one number of the stream).
    pub fn normal(&mut self) -> f64 {
        // The half step keeps the argument inside (0, 1).
        crate::math::normal_quantile(self.uniform() + 0.5 / (1u64 << 53) as f64)
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last + 1);
            items.swap(last, chosen);
        }
    }

    /// `count` distinct indices of 0..`total` in ascending order (Knuth, Algorithm S).
    ///
    /// # Panics
    /// If `count` exceeds `total`.
    pub fn sample_sorted(&mut self, total: usize, count: usize) -> Vec<u32> {
        assert!(count <= total, "cannot choose {count} of {total}");
        let mut chosen = Vec::with_capacity(count);
        let mut wanted = count;
        for index in 0..total {
            if wanted == 0 {
                break;
            }
            if self.below(total - index) < wanted {
                chosen.push(index as u32);
                wanted -= 1;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_is_fixed_for_ever() {
        let mut rng = Seed(42).rng();
        let first: Vec<u64> = (0..2).map(|_| rng.bits()).collect();
        let mut again = Seed(42).rng();
        assert_eq!(first, [again.bits(), again.bits()]);
        // A change of these values changes every seeded result of every user: it needs a new major version.
        assert_eq!(Seed(42).child("fold", 3), Seed(42).child("fold", 3));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Seed(7).rng();
        let draws: Vec<f64> = (0..20_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / draws.len() as f64;
        // Five standard errors: 1/sqrt(20000) = 0.007 for the mean, sqrt(2/20000) = 0.01 for the variance.
        assert!(mean.abs() < 0.035 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn samples_are_sorted_distinct_and_complete() {
        let mut rng = Seed(1).rng();
        let some = rng.sample_sorted(100, 30);
        assert_eq!(some.len(), 30);
        assert!(some.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(rng.sample_sorted(5, 5), [0, 1, 2, 3, 4]);
    }
}
