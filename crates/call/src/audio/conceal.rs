//! Concealment of lost sound for codecs that have none of their own: the last period is repeated and fades out, as in
//! Appendix I of ITU-T G.711. The seam to the sound that follows is cross-faded.

use super::{Rate, pitch};

/// The sound that is remembered, in milliseconds: two of the longest periods and what is compared.
const HISTORY_MS: usize = 40;
/// Periods that are looked for, in milliseconds: voices from 66 to 400 Hz.
const SHORTEST_MS_TIMES_2: usize = 5;
const LONGEST_MS: usize = 15;
/// How much of the end of the sound is compared with earlier sound.
const COMPARED_MS: usize = 10;
/// Less alike than this is noise: it is repeated with the longest period, which sounds least like a tone.
const VOICED: f32 = 0.5;
/// Full loudness to here, then linearly less.
const FULL_MS: usize = 20;
/// Silence from here.
const SILENT_MS: usize = 80;
/// Length of the cross-fade when sound follows.
const SEAM_MS: usize = 5;

/// The last sound of a stream, and what is repeated of it.
#[derive(Clone, Debug)]
pub struct Concealer {
    per_ms: usize,
    history: Vec<i16>,
    gap: Option<Gap>,
}

/// A gap in the sound.
#[derive(Clone, Debug)]
struct Gap {
    /// What is repeated; its end goes over into its beginning.
    period: Vec<f32>,
    /// The step from the last sample to the period, which fades out.
    step: f32,
    filled: usize,
}

impl Concealer {
    /// For a stream that begins now.
    #[must_use]
    pub fn new(rate: Rate) -> Concealer {
        let per_ms = rate.hertz() / 1000;
        Concealer { per_ms, history: vec![0; HISTORY_MS * per_ms], gap: None }
    }

    /// Appends `count` samples in place of those that are missing.
    pub fn fill(&mut self, count: usize, samples: &mut Vec<i16>) {
        let mut gap = self.gap.take().unwrap_or_else(|| self.begin());
        samples.extend((0..count).map(|_| gap.next(self.per_ms).round() as i16));
        self.gap = Some(gap);
    }

    /// Takes real samples that follow, and makes the seam smooth if they follow a gap.
    pub fn resume(&mut self, samples: &mut [i16]) {
        if let Some(mut gap) = self.gap.take() {
            let seam = (SEAM_MS * self.per_ms).min(samples.len());
            for (n, sample) in samples[..seam].iter_mut().enumerate() {
                let share = (n + 1) as f32 / (seam + 1) as f32;
                let mixed = f32::from(*sample) * share + gap.next(self.per_ms) * (1.0 - share);
                *sample = mixed.round() as i16;
            }
        }
        let length = self.history.len();
        let kept = length.saturating_sub(samples.len());
        self.history.copy_within(length - kept.., 0);
        self.history[kept..].copy_from_slice(&samples[samples.len() - (length - kept)..]);
    }

    /// Makes the next real samples follow smoothly although they do not continue the last ones.
    pub fn cut(&mut self) {
        if self.gap.is_none() {
            self.gap = Some(self.begin());
        }
    }

    fn begin(&self) -> Gap {
        let (history, length) = (&self.history[..], self.history.len());
        let compared = COMPARED_MS * self.per_ms;
        let last = &history[length - compared..];
        // At the coarse step of 8 kHz first: a period is found there, and then placed exactly.
        let coarse = self.per_ms / 8;
        let pair = |lag: usize| (last, &history[length - compared - lag..length - lag]);
        let (shortest, longest) = (SHORTEST_MS_TIMES_2 * self.per_ms / 2, LONGEST_MS * self.per_ms);
        let (near, likeness) = pitch::best((shortest..=longest).step_by(coarse), coarse, pair);
        let lag = if likeness < VOICED {
            longest
        } else {
            let around = near.saturating_sub(coarse - 1).max(shortest)..=(near + coarse - 1).min(longest);
            pitch::best(around, coarse, pair).0
        };
        let sample = |at: usize| f32::from(history[at]);
        let seam = lag / 4;
        let period = (0..lag).map(|n| {
            let share = (n + seam + 1).saturating_sub(lag) as f32 / (seam + 1) as f32;
            sample(length - lag + n) * (1.0 - share) + sample(length - 2 * lag + n) * share
        });
        let step = sample(length - 1) - sample(length - 1 - lag);
        Gap { period: period.collect(), step, filled: 0 }
    }
}

impl Gap {
    fn next(&mut self, per_ms: usize) -> f32 {
        let (at, silent) = (self.filled, SILENT_MS * per_ms);
        if at >= silent {
            return 0.0;
        }
        self.filled += 1;
        let faded = at.saturating_sub(FULL_MS * per_ms) as f32 / ((SILENT_MS - FULL_MS) * per_ms) as f32;
        let step = self.step * (1.0 - (at + 1) as f32 / per_ms as f32).max(0.0);
        (self.period[at % self.period.len()] + step) * (1.0 - faded)
    }
}

#[cfg(test)]
mod tests {
    use super::super::signal::{power, tone};
    use super::*;

    const RATES: [Rate; 3] = Rate::ALL;

    /// A tone of some ticks of which some are lost; what is heard.
    fn with_gap(rate: Rate, sound: &[i16], lost: std::ops::Range<usize>) -> Vec<i16> {
        let mut concealer = Concealer::new(rate);
        let mut heard = Vec::new();
        for (tick, samples) in sound.chunks_exact(rate.samples()).enumerate() {
            if lost.contains(&tick) {
                concealer.fill(samples.len(), &mut heard);
            } else {
                let mut samples = samples.to_vec();
                concealer.resume(&mut samples);
                heard.extend(samples);
            }
        }
        heard
    }

    #[test]
    fn tone_goes_on_through_the_loss_of_one_packet() {
        for rate in RATES {
            for hertz in [120.0, 200.0, 333.0, 1000.0] {
                let sound = tone(rate, hertz, 8000.0, 8);
                let heard = with_gap(rate, &sound, 4..5);
                let error: Vec<i16> = heard.iter().zip(&sound).map(|(a, b)| a.saturating_sub(*b)).collect();
                let (error, level) = (power(&error[4 * rate.samples()..]), power(&sound));
                assert!(error < level / 20.0, "{rate:?} {hertz} Hz: {error:.0} of {level:.0}");
            }
        }
    }

    #[test]
    fn lost_sound_fades_to_silence_within_80_ms_and_comes_back() {
        for rate in RATES {
            let heard = with_gap(rate, &tone(rate, 250.0, 8000.0, 16), 4..12);
            let level = |tick: usize| power(&heard[tick * rate.samples()..][..rate.samples()]).sqrt();
            assert!(level(4) > 5000.0 && level(6) < level(5) && level(5) < level(4), "{rate:?}");
            assert!(level(7) > 0.0 && level(8) < 1e-9 && level(11) < 1e-9, "{rate:?}");
            assert!(level(12) > 4000.0 && level(13) > 5500.0, "{rate:?}");
        }
    }

    #[test]
    fn concealment_has_no_steps_louder_than_the_sound() {
        for rate in RATES {
            let sound = tone(rate, 317.0, 8000.0, 10);
            let steepest = |samples: &[i16]| samples.windows(2).map(|w| w[0].abs_diff(w[1])).max();
            let heard = with_gap(rate, &sound, 4..6);
            assert!(steepest(&heard) <= steepest(&sound).map(|step| 2 * step), "{rate:?}");
        }
    }

    #[test]
    fn silence_is_concealed_by_silence() {
        let heard = with_gap(Rate::Narrow, &[0; 1600], 3..5);
        assert!(heard.iter().all(|sample| *sample == 0));
    }
}
