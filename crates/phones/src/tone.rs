//! Tones in WAV files of 16 bits, as the phones of the tests write and read them.

use std::f64::consts::TAU;
use std::path::Path;
use std::time::Duration;

/// Samples a second of the files that are written.
const RATE: u32 = 8000;
/// Windows a second: all tones of the tests have a whole number of periods in 100 ms.
const WINDOWS: u32 = 10;
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

/// In how many windows of 100 ms of a file with so many samples a second, which may be still written to, a tone is most
/// of what is heard.
#[must_use]
pub fn windows(file: &Path, rate: u32, hertz: u32) -> usize {
    heard(file, rate, hertz).into_iter().filter(|heard| *heard).count()
}

/// The longest time without a tone between its first and its last window in a file; `None` if it is in none.
#[must_use]
pub fn longest_gap(file: &Path, rate: u32, hertz: u32) -> Option<Duration> {
    let heard = heard(file, rate, hertz);
    let (first, last) = (heard.iter().position(|heard| *heard)?, heard.iter().rposition(|heard| *heard)?);
    let gaps = heard[first..=last].split(|heard| *heard).map(<[bool]>::len);
    let longest = gaps.max().and_then(|windows| u32::try_from(windows).ok())?;
    Some(Duration::from_millis(100) * longest)
}

/// Whether a tone is most of what is heard in the first channel, for each window of a file.
fn heard(file: &Path, rate: u32, hertz: u32) -> Vec<bool> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let channels = bytes.get(22..24).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]));
    let samples: Vec<f64> = bytes
        .get(HEADER..)
        .unwrap_or_default()
        .chunks_exact(2)
        // Linphone, which records one channel, writes the header last.
        .step_by(usize::from(channels.max(1)))
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).into())
        .collect();
    if let Some(written) = bytes.get(24..28) {
        let is_known = written == rate.to_le_bytes() || written == [0; 4];
        assert!(is_known, "{} is not at {rate} Hz", file.display());
    }
    let window = (rate / WINDOWS) as usize;
    samples.chunks_exact(window).map(|window| is_mostly(window, rate, hertz)).collect()
}

fn is_mostly(window: &[f64], rate: u32, hertz: u32) -> bool {
    let energy: f64 = window.iter().map(|sample| sample * sample).sum();
    let angle = |n: usize| TAU * f64::from(hertz) * n as f64 / f64::from(rate);
    let part = |wave: fn(f64) -> f64| -> f64 {
        window.iter().enumerate().map(|(n, sample)| sample * wave(angle(n))).sum()
    };
    let (cosine, sine) = (part(f64::cos), part(f64::sin));
    let length = window.len() as f64;
    energy > SILENCE * length && 2.0 * (cosine * cosine + sine * sine) / length > energy / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tone_is_found_where_it_is_and_its_longest_gap_is_measured() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("tone.wav");
        write(&file, 400, 2);
        assert_eq!((windows(&file, RATE, 400), windows(&file, RATE, 1000)), (20, 0));
        assert_eq!(longest_gap(&file, RATE, 1000), None);
        let mut bytes = std::fs::read(&file).expect("a file");
        let window = |n: usize| HEADER + n * 800 * 2;
        bytes[window(3)..window(4)].fill(0);
        bytes[window(9)..window(14)].fill(0);
        bytes[window(18)..].fill(0);
        std::fs::write(&file, bytes).expect("a writable folder");
        let gap = longest_gap(&file, RATE, 400);
        assert_eq!((windows(&file, RATE, 400), gap), (12, Some(Duration::from_millis(500))));
    }

    #[test]
    fn first_channel_of_a_file_with_several_is_read() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("tone.wav");
        write(&file, 400, 2);
        let mut bytes = std::fs::read(&file).expect("a file");
        let sound = bytes.split_off(HEADER);
        bytes[22] = 2;
        bytes.extend(sound.chunks_exact(2).flat_map(|pair| [pair[0], pair[1], 0, 0]));
        std::fs::write(&file, bytes).expect("a writable folder");
        assert_eq!(windows(&file, RATE, 400), 20);
    }
}
