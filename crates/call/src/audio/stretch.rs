//! Makes sound longer or shorter without a change of its pitch: one period is repeated or left out, with a cross-fade.

use super::pitch;

/// Periods that are looked for, in half milliseconds: 2.5 to 10 ms.
const SHORTEST: usize = 5;
const LONGEST: usize = 20;
/// How much is compared, in half milliseconds.
const COMPARED: usize = 20;

/// Less alike than this, sound is left as it is: another moment will fit better.
const ALIKE: f32 = 0.6;

/// Leaves one period out near the beginning of the samples, which are at least 20 ms; returns how many fewer there are.
pub(super) fn shorten(samples: &mut Vec<i16>, per_ms: usize) -> usize {
    let Some(lag) = period(samples, per_ms) else { return 0 };
    for n in 0..lag {
        samples[n] = faded(samples[n], samples[n + lag], n, lag);
    }
    samples.drain(lag..2 * lag);
    lag
}

/// Repeats one period near the beginning of the samples, which are at least 20 ms; returns how many more there are.
pub(super) fn lengthen(samples: &mut Vec<i16>, per_ms: usize) -> usize {
    let Some(lag) = period(samples, per_ms) else { return 0 };
    let seam: Vec<i16> = (0..lag).map(|n| faded(samples[n + lag], samples[n], n, lag)).collect();
    samples.splice(lag..lag, seam);
    lag
}

/// From one sample to another, after `n` of `length`.
fn faded(from: i16, to: i16, n: usize, length: usize) -> i16 {
    let share = n as f32 / length as f32;
    (f32::from(from) * (1.0 - share) + f32::from(to) * share).round() as i16
}

fn period(samples: &[i16], per_ms: usize) -> Option<usize> {
    let half_ms = per_ms / 2;
    let compared = COMPARED * half_ms;
    let coarse = per_ms / 8;
    let pair = |lag: usize| (&samples[..compared], &samples[lag..lag + compared]);
    let lags = SHORTEST * half_ms..=LONGEST * half_ms;
    if samples.len() < compared + LONGEST * half_ms {
        return None;
    }
    let (lag, likeness) = pitch::best(lags.step_by(coarse), coarse, pair);
    (likeness >= ALIKE).then_some(lag)
}

#[cfg(test)]
mod tests {
    use super::super::Rate;
    use super::super::signal::{power, tone};
    use super::*;

    #[test]
    fn tone_becomes_shorter_and_longer_by_a_period_and_stays_a_tone() {
        for rate in Rate::ALL {
            let (per_ms, sound) = (rate.hertz() / 1000, tone(rate, 250.0, 8000.0, 2));
            for (change, sign) in [(shorten as fn(&mut _, _) -> _, -1), (lengthen, 1)] {
                let mut samples = sound.clone();
                let lag = change(&mut samples, per_ms);
                // 250 Hz has 4 ms; two of them are as good.
                assert!([4, 8].contains(&(lag / per_ms)), "{rate:?} {lag}");
                let expected = sound.len().strict_add_signed(sign * lag.cast_signed());
                assert_eq!(samples.len(), expected);
                let ratio = power(&samples) / power(&sound);
                assert!((0.9..1.1).contains(&ratio), "{rate:?} {ratio}");
                let error = samples.iter().zip(&sound).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(error < Some(1200), "{rate:?} {error:?}");
            }
        }
    }

    #[test]
    fn sound_without_a_period_is_left_alone() {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16
        });
        let mut samples: Vec<i16> = noise.take(320).collect();
        assert_eq!((shorten(&mut samples, 8), samples.len()), (0, 320));
    }
}
