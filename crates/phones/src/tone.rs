//! Tones in WAV files of 16 bits, one channel and 8 kHz, as the phones of the tests write and read them.

use std::f64::consts::TAU;
use std::path::Path;

const RATE: u32 = 8000;
/// 100 ms: all tones of the tests have a whole number of periods in it.
const WINDOW: usize = 800;
const HEADER: usize = 44;
/// A quieter window is silence.
const SILENCE: f64 = 100.0 * 100.0;

/// Writes a file with a tone.
pub fn write(file: &Path, hertz: u32, seconds: u32) {
    let length = RATE * seconds * 2;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((length + 36).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    for (value, size) in [(16, 4), (1, 2), (1, 2), (RATE, 4), (2 * RATE, 4), (2, 2), (16, 2)] {
        bytes.extend(&value.to_le_bytes()[..size]);
    }
    bytes.extend(b"data");
    bytes.extend(length.to_le_bytes());
    for n in 0..RATE * seconds {
        let sample = 5000.0 * (TAU * f64::from(hertz) * f64::from(n) / f64::from(RATE)).sin();
        bytes.extend((sample as i16).to_le_bytes());
    }
    std::fs::write(file, bytes).expect("a writable folder");
}

/// In how many windows of a file, which may be still written to, a tone is most of what is heard.
pub fn windows(file: &Path, hertz: u32) -> usize {
    let bytes = std::fs::read(file).unwrap_or_default();
    let samples: Vec<f64> = bytes
        .get(HEADER..)
        .unwrap_or_default()
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).into())
        .collect();
    if let Some(rate) = bytes.get(24..28) {
        // Linphone writes the header last.
        let is_known = rate == RATE.to_le_bytes() || rate == [0; 4];
        assert!(is_known, "{} is not at 8 kHz", file.display());
    }
    samples.chunks_exact(WINDOW).filter(|window| is_mostly(window, hertz)).count()
}

fn is_mostly(window: &[f64], hertz: u32) -> bool {
    let energy: f64 = window.iter().map(|sample| sample * sample).sum();
    let angle = |n: usize| TAU * f64::from(hertz) * n as f64 / f64::from(RATE);
    let part = |wave: fn(f64) -> f64| -> f64 {
        window.iter().enumerate().map(|(n, sample)| sample * wave(angle(n))).sum()
    };
    let (cosine, sine) = (part(f64::cos), part(f64::sin));
    let length = window.len() as f64;
    energy > SILENCE * length && 2.0 * (cosine * cosine + sine * sine) / length > energy / 2.0
}
