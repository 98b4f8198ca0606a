//! Tells sound from silence, tick by tick: who is silent is not mixed, and hears what all silent members hear.

/// The loudest sample of silence: -60 dB of full scale, below the noise of a quiet room at a phone. The smallest steps
/// of A-law (8) lie below.
pub(super) const SILENT_PEAK: u16 = 32;

/// Ticks that silence must last before it counts, so that the quiet end of a word is not cut off.
const HANGOVER: u32 = 10;

/// Whether a stream is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    silent_ticks: u32,
}

impl Default for Activity {
    fn default() -> Activity {
        Activity { silent_ticks: HANGOVER }
    }
}

impl Activity {
    /// The samples of a tick if they are sound, and none if they are silence.
    pub fn sound<'s>(&mut self, samples: &'s [i16]) -> &'s [i16] {
        let peak = peak(samples);
        self.silent_ticks = if peak > SILENT_PEAK { 0 } else { self.silent_ticks.saturating_add(1) };
        if self.silent_ticks > HANGOVER || peak == 0 { &[] } else { samples }
    }
}

/// The loudest sample.
pub(super) fn peak(samples: &[i16]) -> u16 {
    samples.iter().fold(0, |peak, sample| sample.unsigned_abs().max(peak))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_counts_at_once_and_silence_after_a_while() {
        let mut activity = Activity::default();
        assert!(activity.sound(&[0; 160]).is_empty());
        assert!(activity.sound(&[-8; 160]).is_empty());
        assert_eq!(activity.sound(&[1000; 160]), [1000; 160]);
        for _ in 0..HANGOVER {
            assert_eq!(activity.sound(&[8; 160]), [8; 160]);
        }
        assert!(activity.sound(&[8; 160]).is_empty());
        assert_eq!(activity.sound(&[i16::MIN; 160]), [i16::MIN; 160]);
    }
}
