//! The random choices of the callers: the same seed gives the same callers, nodes, rooms and lengths of calls.
//!
//! Each caller draws from a generator of its own, so that the choices of one never change those of another. The
//! generator is named (xoshiro256++), since `SmallRng` may become another one with a new version of `rand`.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// The generator of one caller.
pub(crate) type Random = Xoshiro256PlusPlus;

/// Spreads the numbers of callers over all bits, so that no two of them share a state under nearby seeds.
const SPREAD: u64 = 0xD1B5_4A32_D192_ED03;

/// The generator of the `n`-th caller under `seed`.
pub(crate) fn of_caller(seed: u64, n: u64) -> Random {
    Random::seed_from_u64(seed ^ n.wrapping_mul(SPREAD))
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[test]
    fn same_seed_and_number_give_the_same_numbers() {
        let draw = |seed, n| {
            let mut random = of_caller(seed, n);
            std::iter::repeat_with(move || random.next_u64()).take(8).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 3), draw(7, 3));
        assert_ne!(draw(7, 3), draw(7, 4));
        assert_ne!(draw(7, 3), draw(8, 3));
    }

    /// A run of the demo can be repeated with another version of `rand` only if the generator stays the same.
    #[test]
    fn generator_does_not_change_with_a_version_of_rand() {
        assert_eq!(of_caller(1, 1).next_u64(), 5_347_665_357_858_073_476);
    }
}
