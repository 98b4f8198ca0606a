//! Tones: each caller of a conference sends a sine of its own frequency, by which it is detected in the mix.
//!
//! The frequencies are multiples of 100 Hz, so that two of them are exactly orthogonal over any multiple of 10 ms: a
//! missing packet of 20 ms of one tone does not appear as another one. A tone is detected by its share of the window's
//! energy and never by its level, so that a node may scale the mix.

use std::f32::consts::TAU;

use serde::{Deserialize, Serialize};

/// Samples a second of G.711 audio.
pub const SAMPLE_RATE: u32 = 8000;
/// Samples of one packet of 20 ms.
pub const FRAME: usize = 160;
/// Samples of one window of detection: 100 ms, long enough to separate the tones by a wide margin and short enough to
/// measure gaps.
pub const WINDOW: usize = 800;
/// The peak of a tone in a room of up to six: six of them stay below full scale (32767).
pub const AMPLITUDE: f32 = 5000.0;
/// The largest sum of the peaks of all tones of a room.
const FULL_MIX: f32 = 30_000.0;
/// A tone is present with this share of the window's energy or more. The quietest legitimate case is
/// one of 28 others in the largest room (3.6 %); G.711 noise and leakage stay far below 1 %.
const PRESENT_SHARE: f32 = 0.01;
/// A window with a mean square below this (a level of 40 of 32767) is silence: the idle pattern of
/// A-law is at 8.
const SILENCE: f32 = 40.0 * 40.0;
const LOWEST: u16 = 400;
const STEP: u16 = 100;
/// The number of tones, 400 to 3200 Hz: also the largest number of callers in one conference.
pub const TONES: usize = 29;

/// A frequency in Hz: a multiple of 100 from 400 to 3200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Tone(u16);

/// The frequency is not that of a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} Hz is not a tone: use a multiple of 100 from 400 to 3200")]
pub struct NotATone(u16);

impl Tone {
    /// All tones, lowest first.
    pub fn all() -> impl Iterator<Item = Tone> {
        (0..TONES).map(Tone::nth)
    }

    /// The tone with an index, lowest first; after the last one the indices start again from the lowest.
    #[must_use]
    pub fn nth(index: usize) -> Tone {
        let index = u16::try_from(index % TONES).unwrap_or(0);
        Tone(LOWEST + STEP * index)
    }

    /// The frequency in Hz.
    #[must_use]
    pub fn hz(self) -> u16 {
        self.0
    }

    fn bit(self) -> u32 {
        1 << ((self.0 - LOWEST) / STEP)
    }
}

impl TryFrom<u16> for Tone {
    type Error = NotATone;
    fn try_from(hz: u16) -> Result<Tone, NotATone> {
        Tone::all().find(|tone| tone.0 == hz).ok_or(NotATone(hz))
    }
}

impl From<Tone> for u16 {
    fn from(tone: Tone) -> u16 {
        tone.0
    }
}

impl std::fmt::Display for Tone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// The largest peak of a tone with which the mix of a room of `seats` callers does not clip.
#[must_use]
pub fn amplitude_for(seats: usize) -> f32 {
    let seats = f32::from(u16::try_from(seats.max(1)).unwrap_or(u16::MAX));
    (FULL_MIX / seats).min(AMPLITUDE)
}

/// Generates a sine with a continuous phase over all frames.
#[derive(Debug, Clone)]
pub struct Generator {
    step: f32,
    amplitude: f32,
    phase: f32,
}

impl Generator {
    /// A generator of `tone` with the peak `amplitude`.
    #[must_use]
    pub fn new(tone: Tone, amplitude: f32) -> Generator {
        let step = TAU * f32::from(tone.0) / SAMPLE_RATE as f32;
        Generator { step, amplitude, phase: 0.0 }
    }

    /// The next 20 ms.
    pub fn frame(&mut self) -> [i16; FRAME] {
        std::array::from_fn(|_| {
            let sample = (self.phase.sin() * self.amplitude).round() as i16;
            self.phase = (self.phase + self.step) % TAU;
            sample
        })
    }
}

/// The set of tones in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard(u32);

impl Heard {
    /// Whether the tone is in the set.
    #[must_use]
    pub fn contains(self, tone: Tone) -> bool {
        self.0 & tone.bit() != 0
    }

    /// The tones in both sets.
    #[must_use]
    pub fn and(self, other: Heard) -> Heard {
        Heard(self.0 & other.0)
    }

    /// The tones of the set, lowest first.
    pub fn iter(self) -> impl Iterator<Item = Tone> {
        Tone::all().filter(move |tone| self.contains(*tone))
    }
}

impl FromIterator<Tone> for Heard {
    fn from_iter<I: IntoIterator<Item = Tone>>(tones: I) -> Heard {
        Heard(tones.into_iter().fold(0, |set, tone| set | tone.bit()))
    }
}

/// Detects the tones in a window.
#[must_use]
pub fn detect(window: &[i16]) -> Heard {
    let samples: Vec<f32> = window.iter().map(|s| f32::from(*s)).collect();
    let energy: f32 = samples.iter().map(|s| s * s).sum();
    let length = f32::from(u16::try_from(samples.len()).unwrap_or(u16::MAX));
    if energy < SILENCE * length.max(1.0) {
        return Heard::default();
    }
    // A pure sine has |X|^2 = A^2 N^2 / 4 and energy N A^2 / 2, which gives a share of 1.
    Tone::all().filter(|tone| 2.0 * goertzel(&samples, *tone) / (length * energy) >= PRESENT_SHARE).collect()
}

/// The squared magnitude of the window's spectrum at the tone (Goertzel's algorithm).
fn goertzel(samples: &[f32], tone: Tone) -> f32 {
    let coefficient = 2.0 * (TAU * f32::from(tone.0) / SAMPLE_RATE as f32).cos();
    let (mut last, mut before) = (0.0_f32, 0.0_f32);
    for sample in samples {
        (last, before) = (sample + coefficient * last - before, last);
    }
    (last * last + before * before - coefficient * last * before).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;

    fn mix(tones: &[u16], samples: usize, amplitude: f32) -> Vec<i16> {
        let mut sum = vec![0_i32; samples];
        for hz in tones {
            let mut generator = Generator::new(Tone::try_from(*hz).unwrap(), amplitude);
            let sound = std::iter::repeat_with(|| generator.frame()).flatten();
            sum.iter_mut().zip(sound).for_each(|(s, x)| *s += i32::from(x));
        }
        sum.into_iter().map(|s| i16::try_from(s).expect("the mix does not clip")).collect()
    }

    fn coded(codec: Codec, samples: &[i16]) -> Vec<i16> {
        codec.decode(&codec.encode(samples)).collect()
    }

    fn check(window: &[i16], expected: &[u16]) {
        let heard: Vec<u16> = detect(window).iter().map(Tone::hz).collect();
        assert_eq!(heard, expected);
    }

    #[test]
    fn every_tone_is_distinguished_from_every_other() {
        for tone in Tone::all() {
            check(&mix(&[tone.hz()], WINDOW, AMPLITUDE), &[tone.hz()]);
        }
    }

    #[test]
    fn six_adjacent_tones_do_not_clip_and_are_distinguished_after_g711() {
        let six = [400, 500, 600, 700, 800, 900];
        let sound = mix(&six, WINDOW, amplitude_for(6));
        for codec in [Codec::Pcmu, Codec::Pcma] {
            check(&coded(codec, &sound), &six);
        }
    }

    #[test]
    fn all_tones_but_the_own_one_are_detected_in_a_full_room() {
        let others: Vec<u16> = Tone::all().map(Tone::hz).filter(|hz| *hz != 1500).collect();
        let sound = mix(&others, WINDOW, amplitude_for(TONES));
        check(&coded(Codec::Pcmu, &sound), &others);
    }

    #[test]
    fn level_of_the_mix_does_not_matter() {
        for amplitude in [100.0, 1000.0, 10_000.0] {
            check(&mix(&[400, 1700, 3200], WINDOW, amplitude), &[400, 1700, 3200]);
        }
    }

    #[test]
    fn silence_and_the_idle_pattern_contain_no_tone() {
        check(&[0; WINDOW], &[]);
        check(&[8; WINDOW], &[]);
        check(&std::array::from_fn::<i16, WINDOW, _>(|i| if i % 20 < 10 { 8 } else { -8 }), &[]);
    }

    #[test]
    fn tone_that_starts_within_the_window_does_not_appear_as_its_neighbours() {
        for lost_packets in 1..4 {
            let mut window = mix(&[1000], WINDOW, AMPLITUDE);
            window[..lost_packets * FRAME].fill(0);
            check(&window, &[1000]);
        }
    }

    #[test]
    fn phase_is_continuous_over_frames() {
        let mut generator = Generator::new(Tone::try_from(1300).unwrap(), AMPLITUDE);
        let sound: Vec<i16> = std::iter::repeat_with(|| generator.frame()).take(500).flatten().collect();
        let steepest = AMPLITUDE * TAU * 1300.0 / 8000.0 + 2.0;
        assert!(sound.windows(2).all(|pair| f32::from(pair[1] - pair[0]).abs() <= steepest));
    }

    #[test]
    fn frequency_that_is_no_tone_is_rejected() {
        assert_eq!(Tone::try_from(450), Err(NotATone(450)));
        assert_eq!(Tone::try_from(3300), Err(NotATone(3300)));
    }
}
