//! Random numbers from a seed and from nothing else. Each purpose has a generator of its own, derived from its name, so
//! that one more draw for one purpose changes no other. Integers only: a seed gives the same bytes on every machine.
//! The names of purposes belong to the seeds: renaming one changes every seed.

use fleet::time::Span;

/// Every probability is given in thousandths.
const THOUSAND: u64 = 1_000;

/// A small generator (`SplitMix64`) that keeps the state it began with, from which generators are derived.
#[derive(Clone, Debug)]
pub struct Draw {
    origin: u64,
    state: u64,
}

impl Draw {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        let origin = mix(seed ^ 0x5069_746c_616e_6521);
        Self { origin, state: origin }
    }

    /// The generator of one purpose. It does not depend on what was drawn from this one.
    pub fn child(&self, purpose: &str, number: u64) -> Self {
        let named = purpose.bytes().fold(self.origin, |hash, byte| mix(hash ^ u64::from(byte)));
        Self::new(mix(named ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03)))
    }

    /// Sixty-four uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// Whether something happens that has `thousandths` chances in a thousand.
    pub fn chance(&mut self, thousandths: u64) -> bool {
        self.below(THOUSAND) < thousandths
    }

    /// A span from `least` to `most`.
    pub fn span(&mut self, least: Span, most: Span) -> Span {
        Span(self.between(least.0, most.0))
    }

    /// The time until the next of something that happens every `mean` on average (exponential).
    pub fn wait(&mut self, mean: Span) -> Span {
        let bits = self.bits() | 1;
        let zeros = u64::from(bits.leading_zeros());
        // -log2(u) in 1/1024: the zeros, and the fraction by linear interpolation.
        let fraction = if zeros < 63 { (bits << (zeros + 1)) >> 54 } else { 0 };
        let halvings = ((zeros + 1) << 10).saturating_sub(fraction);
        Span((mean.0.saturating_mul(halvings) >> 10).saturating_mul(693) / 1_000 + 1)
    }

    /// A lognormal span of this median: two thirds lie within `octaves` sixty-fourths of a doubling.
    pub fn around(&mut self, median: Span, octaves: u64) -> Span {
        // The sum of twelve uniform draws has a deviation of one and reaches six deviations at most.
        let even: u64 = (0..12).map(|_| self.below(1 << 12)).sum();
        let deviations = i64::try_from(even).unwrap_or_default() - (6 << 12);
        let exponent = deviations * i64::try_from(octaves).unwrap_or_default() / 64;
        Span(scale(median.0.max(1), exponent))
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let count = u64::try_from(from.len()).unwrap_or_default();
        from.get(usize::try_from(self.below(count)).unwrap_or_default()).copied()
    }
}

/// `value` times two to the power of `exponent` / 4096; between the powers along a parabola that is never
/// off by more than three in a thousand.
fn scale(value: u64, exponent: i64) -> u64 {
    let (whole, rest) = (exponent.div_euclid(4_096), exponent.rem_euclid(4_096));
    let rest = u64::try_from(rest).unwrap_or_default();
    let power = 4_096 + rest * (2_689 + 1_407 * rest / 4_096) / 4_096;
    let lifted = value.saturating_mul(power) >> 12;
    let shift = u32::try_from(whole.unsigned_abs()).unwrap_or(63).min(63);
    if whole < 0 { lifted >> shift } else { lifted.saturating_mul(1 << shift.min(20)) }
}

fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_draw_changes_no_other_purpose() {
        let mut root = Draw::new(7);
        let before = root.child("calls", 1).bits();
        root.bits();
        assert_eq!(root.child("calls", 1).bits(), before);
        assert_ne!(root.child("calls", 2).bits(), before);
        assert_ne!(root.child("links", 1).bits(), before);
    }

    #[test]
    fn waits_have_the_mean_that_was_asked_for() {
        let mut draw = Draw::new(1);
        let mean = (0..20_000).map(|_| draw.wait(Span::seconds(60)).0).sum::<u64>() / 20_000;
        assert!((55_000..65_000).contains(&mean), "{mean} ms");
    }

    #[test]
    fn half_of_the_spans_are_longer_than_the_median() {
        let mut draw = Draw::new(2);
        let longer = (0..20_000).filter(|_| draw.around(Span::minutes(5), 80) > Span::minutes(5)).count();
        assert!((9_500..10_500).contains(&longer), "{longer} of 20000");
    }

    #[test]
    fn calls_last_27_minutes_on_average_with_a_deviation_of_20() {
        let (mut draw, calls) = (Draw::new(3), crate::seeded::plan::fault_rates::CallLoad::REAL);
        let lasted: Vec<u64> =
            (0..40_000).map(|_| draw.around(calls.median, calls.spread).0 / 1_000).collect();
        let mean = lasted.iter().sum::<u64>() / 40_000;
        let variance = lasted.iter().map(|one| one.abs_diff(mean).pow(2)).sum::<u64>() / 40_000;
        assert!((1_580..1_660).contains(&mean), "{mean} s");
        assert!((1_120_u64.pow(2)..1_280_u64.pow(2)).contains(&variance), "{} s", variance.isqrt());
    }
}
