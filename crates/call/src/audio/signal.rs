//! Test signals and their measurement: tones, power, and the level at one frequency.

use std::f64::consts::TAU;

use super::Rate;

/// Some ticks of a tone.
pub(crate) fn tone(rate: Rate, hertz: f64, amplitude: f64, ticks: usize) -> Vec<i16> {
    let step = TAU * hertz / rate.hertz() as f64;
    (0..ticks * rate.samples()).map(|n| (amplitude * (step * n as f64).sin()).round() as i16).collect()
}

/// The mean square of the samples.
pub(crate) fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

/// The amplitude of a tone in the samples; exact for a whole number of periods.
pub(crate) fn level_at(rate: Rate, hertz: f64, samples: &[i16]) -> f64 {
    let step = TAU * hertz / rate.hertz() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        re += f64::from(*sample) * (step * n as f64).cos();
        im += f64::from(*sample) * (step * n as f64).sin();
    }
    2.0 * (re * re + im * im).sqrt() / samples.len() as f64
}

/// The power of the tone over that of all the rest, in dB.
pub(crate) fn snr(rate: Rate, hertz: f64, samples: &[i16]) -> f64 {
    let tone = level_at(rate, hertz, samples).powi(2) / 2.0;
    10.0 * (tone / (power(samples) - tone).max(1e-9)).log10()
}
