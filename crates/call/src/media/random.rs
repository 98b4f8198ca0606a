//! Random numbers of the media: from the kernel, for what nobody may guess; from a seed, for what must only differ.

/// Sixty-four bits that nobody can guess.
pub(crate) fn kernel() -> u64 {
    // A random UUID has six fixed bits; each is covered by a random one of the other half.
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low.rotate_left(32)
}

/// A sequence of numbers that follows from its seed (SplitMix64). They can be guessed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequence(u64);

impl Sequence {
    pub(crate) fn new(seed: u64) -> Sequence {
        Sequence(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_a_random_number_is_random() {
        let numbers: Vec<u64> = (0..100).map(|_| kernel()).collect();
        assert_eq!(numbers.iter().fold(0, |bits, number| bits | number), u64::MAX);
        assert_eq!(numbers.iter().fold(u64::MAX, |bits, number| bits & number), 0);
    }
}
