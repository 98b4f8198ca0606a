//! The period of voiced sound: where a stretch of samples is most like another.

/// The distance at which two stretches are most alike, and how alike they are: 1 for the same, 0 for nothing in common.
/// `pair` returns the two stretches for a distance; every `step`th sample of them is compared.
pub(super) fn best<'s>(
    distances: impl Iterator<Item = usize>,
    step: usize,
    pair: impl Fn(usize) -> (&'s [i16], &'s [i16]),
) -> (usize, f32) {
    let mut best = (0, f32::MIN);
    for distance in distances {
        let (one, other) = pair(distance);
        let likeness = likeness(one, other, step);
        if likeness > best.1 {
            best = (distance, likeness);
        }
    }
    best
}

fn likeness(one: &[i16], other: &[i16], step: usize) -> f32 {
    let (mut both, mut energy_one, mut energy_other) = (0.0_f32, 1.0_f32, 1.0_f32);
    for (a, b) in one.iter().zip(other).step_by(step) {
        let (a, b) = (f32::from(*a), f32::from(*b));
        both += a * b;
        energy_one += a * a;
        energy_other += b * b;
    }
    both / (energy_one * energy_other).sqrt()
}
