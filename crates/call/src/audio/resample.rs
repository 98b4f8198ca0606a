//! Conversion of a stream of samples between the rates of the codecs, by a polyphase filter.
//!
//! Relies on whole ticks in order. Works on sums of samples, which may be louder than one sample can be; clips nothing.

use std::f64::consts::PI;

use super::Rate;

/// Coefficients for each sample of the lower rate. 32 leave less than -60 dB of what lies above half the lower rate
/// (Kaiser's formula for the transitions of 3.4 to 4.6 kHz and of 7 to 9 kHz).
const TAPS: usize = 32;

/// Sums that are added side by side, so that the compiler can use vector instructions.
const LANES: usize = 8;

/// Kaiser's parameter: side lobes of -65 dB.
const KAISER_BETA: f64 = 6.2;

/// A converter between two rates, with the last samples of the stream.
#[derive(Clone, Debug)]
pub struct Resampler {
    /// The higher rate as a multiple of the lower one.
    ratio: usize,
    up: bool,
    /// For a higher rate one filter after the other for each phase; for a lower rate one filter.
    filters: Vec<f32>,
    /// The end of the last tick, as far as the filter reaches back, and the present tick.
    window: Vec<f32>,
}

impl Resampler {
    /// A converter for a stream that begins now, before which was silence.
    #[must_use]
    pub fn new(from: Rate, to: Rate) -> Resampler {
        let up = to > from;
        let ratio = if up { to.samples() / from.samples() } else { from.samples() / to.samples() };
        let prototype = low_pass(ratio);
        let filters = if up { phases(&prototype, ratio) } else { prototype };
        let reach = if up { TAPS } else { TAPS * ratio };
        Resampler { ratio, up, filters, window: vec![0.0; reach + from.samples()] }
    }

    /// Converts a tick; `output` has the samples of a tick at the other rate. The sound comes out 2 ms later.
    pub fn convert(&mut self, input: &[i32], output: &mut [i32]) {
        let reach = self.window.len() - input.len();
        self.window.copy_within(input.len().., 0);
        for (place, sample) in self.window[reach..].iter_mut().zip(input) {
            *place = *sample as f32;
        }
        if self.up {
            self.interpolate(output);
        } else {
            self.decimate(output);
        }
    }

    /// Forgets the stream: before the next tick was silence.
    pub fn clear(&mut self) {
        self.window.fill(0.0);
    }

    fn interpolate(&self, output: &mut [i32]) {
        for (window, samples) in self.window[1..].windows(TAPS).zip(output.chunks_exact_mut(self.ratio)) {
            for (filter, sample) in self.filters.chunks_exact(TAPS).zip(samples) {
                *sample = dot(window, filter);
            }
        }
    }

    fn decimate(&self, output: &mut [i32]) {
        let windows = self.window[self.ratio..].windows(self.filters.len()).step_by(self.ratio);
        for (window, sample) in windows.zip(output) {
            *sample = dot(window, &self.filters);
        }
    }
}

fn dot(window: &[f32], filter: &[f32]) -> i32 {
    let mut sums = [0.0_f32; LANES];
    for (samples, coefficients) in window.chunks_exact(LANES).zip(filter.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += samples[lane] * coefficients[lane];
        }
    }
    sums.iter().sum::<f32>().round_ties_even() as i32
}

/// A windowed sinc of `TAPS * ratio` coefficients with its edge at half the lower rate; its sum is 1.
fn low_pass(ratio: usize) -> Vec<f32> {
    let length = TAPS * ratio;
    let middle = (length - 1) as f64 / 2.0;
    let coefficient = |n: usize| {
        let x = (n as f64 - middle) / ratio as f64;
        let sinc = if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let place = (n as f64 - middle) / middle;
        sinc * bessel(KAISER_BETA * (1.0 - place * place).max(0.0).sqrt())
    };
    normal(&(0..length).map(coefficient).collect::<Vec<_>>())
}

/// The filters of the phases, each with the sum 1: a constant level stays what it is.
fn phases(prototype: &[f32], ratio: usize) -> Vec<f32> {
    let phase = |p: usize| {
        // Backwards, for a window has the oldest sample first.
        let taps = prototype.iter().skip(p).step_by(ratio).rev();
        normal(&taps.map(|tap| f64::from(*tap)).collect::<Vec<_>>())
    };
    (0..ratio).flat_map(phase).collect()
}

fn normal(taps: &[f64]) -> Vec<f32> {
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

/// The modified Bessel function of the first kind and order 0, of which Kaiser's window is made.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..32 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::signal::{level_at, power, snr, tone};
    use super::*;

    const TICKS: usize = 25;

    fn converted(from: Rate, to: Rate, samples: &[i16]) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to);
        let mut output = vec![0; to.samples()];
        let convert = |tick: &[i16]| {
            let input: Vec<i32> = tick.iter().map(|sample| i32::from(*sample)).collect();
            resampler.convert(&input, &mut output);
            output.iter().map(|sample| *sample as i16).collect::<Vec<_>>()
        };
        samples.chunks_exact(from.samples()).flat_map(convert).collect()
    }

    /// The level of the tone, and the ratio in dB of its power to that of all the rest, of what came out.
    fn check(from: Rate, to: Rate, hertz: f64, least_snr: f64) {
        let output = converted(from, to, &tone(from, hertz, 8000.0, TICKS));
        // 20 ticks have whole periods of all tones.
        let steady = &output[(TICKS - 20) * to.samples()..];
        let gain = 20.0 * (level_at(to, hertz, steady) / 8000.0).log10();
        let snr = snr(to, hertz, steady);
        assert!(
            gain.abs() < 0.5 && snr > least_snr,
            "{from:?} {to:?} {hertz} Hz: {gain:.2} dB, SNR {snr:.1} dB"
        );
    }

    #[test]
    fn tones_keep_their_level_and_stay_clean() {
        use Rate::{Full, Narrow, Wide};
        for hertz in [100.0, 440.0, 1000.0, 2000.0, 3000.0, 3400.0] {
            for (from, to) in [(Narrow, Full), (Full, Narrow), (Narrow, Wide), (Wide, Narrow)] {
                check(from, to, hertz, 60.0);
            }
        }
        for hertz in [100.0, 1000.0, 5000.0, 7000.0] {
            check(Wide, Full, hertz, 60.0);
            check(Full, Wide, hertz, 60.0);
        }
    }

    #[test]
    fn tones_above_the_lower_band_do_not_alias_into_it() {
        use Rate::{Full, Narrow, Wide};
        for (from, to, hertz) in [
            (Full, Narrow, 4600.0),
            (Full, Narrow, 7000.0),
            (Full, Narrow, 15_000.0),
            (Full, Wide, 9000.0),
            (Full, Wide, 20_000.0),
            (Wide, Narrow, 4600.0),
            (Wide, Narrow, 7000.0),
        ] {
            let output = converted(from, to, &tone(from, hertz, 16_000.0, TICKS));
            let left = 10.0 * (power(&output[2 * to.samples()..]) / (16_000.0_f64.powi(2) / 2.0)).log10();
            assert!(left < -55.0, "{from:?} {to:?} {hertz} Hz leaves {left:.1} dB");
        }
    }

    #[test]
    fn constant_level_is_converted_exactly() {
        for from in Rate::ALL {
            for to in Rate::ALL.into_iter().filter(|to| *to != from) {
                let output = converted(from, to, &vec![1234; 5 * from.samples()]);
                assert!(output[2 * to.samples()..].iter().all(|sample| *sample == 1234), "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn silence_follows_one_tick_after_the_end_of_the_sound() {
        for from in Rate::ALL {
            for to in Rate::ALL.into_iter().filter(|to| *to != from) {
                let mut input = tone(from, 440.0, 8000.0, 3);
                input.resize(5 * from.samples(), 0);
                assert!(converted(from, to, &input)[4 * to.samples()..].iter().all(|sample| *sample == 0));
            }
        }
    }
}
