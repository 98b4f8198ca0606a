//! The period of voiced sound: where a stretch of samples is most like another.

/// The bits of a sample that do not count, so that the sum of the products has room in 32.
const SCALE: u32 = 4;

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
    let energy = |samples| (product(samples, samples, step) + 1) as f32;
    product(one, other, step) as f32 / (energy(one) * energy(other)).sqrt()
}

/// The sum of the products of every `step`th sample, of which there are 80 in what is compared. In whole numbers, and without a step
/// where there is none, it is compiled to vector instructions.
fn product(one: &[i16], other: &[i16], step: usize) -> i32 {
    let scaled = |(a, b): (&i16, &i16)| i32::from(*a >> SCALE) * i32::from(*b >> SCALE);
    let pairs = one.iter().zip(other);
    if step == 1 { pairs.map(scaled).sum() } else { pairs.step_by(step).map(scaled).sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudest_sound_is_most_like_itself_a_period_later() {
        let period = [i16::MAX, i16::MAX, i16::MIN, i16::MIN];
        let sound: Vec<i16> = period.into_iter().cycle().take(160).collect();
        let (distance, likeness) = best(1..=7, 1, |distance| (&sound[..80], &sound[distance..][..80]));
        assert_eq!(distance, 4);
        assert!((likeness - 1.0).abs() < 1e-3, "{likeness}");
        assert_eq!(best(4..=4, 1, |_| (&sound[..80], &sound[2..][..80])).1.round(), -1.0);
    }
}
