//! The mixer: adds up the audio of all participants, and returns for each the sum of the others. Knows nothing of
//! codecs and legs beyond their tags.

use std::collections::BTreeMap;

use super::{Epoch, FRAME_SAMPLES, Frame, Participant, SILENCE, Tag};

/// One tick of one conference.
#[derive(Debug)]
pub struct Mix {
    sum: [i32; FRAME_SAMPLES],
    voices: BTreeMap<Participant, (Epoch, Frame)>,
}

impl Default for Mix {
    fn default() -> Mix {
        Mix { sum: [0; FRAME_SAMPLES], voices: BTreeMap::new() }
    }
}

impl Mix {
    /// Adds the audio of a participant. If a participant has two legs at once, only the one with the higher epoch
    /// counts.
    pub fn add(&mut self, tag: Tag, frame: &Frame) {
        if let Some((epoch, old)) = self.voices.get(&tag.participant) {
            if *epoch > tag.epoch {
                return;
            }
            for (sum, sample) in self.sum.iter_mut().zip(old) {
                *sum -= i32::from(*sample);
            }
        }
        for (sum, sample) in self.sum.iter_mut().zip(frame) {
            *sum += i32::from(*sample);
        }
        self.voices.insert(tag.participant, (tag.epoch, *frame));
    }

    /// The sum of all others, without the listener. Sums that are too loud are clipped.
    #[must_use]
    pub fn heard_by(&self, listener: Participant) -> Frame {
        let own = self.voices.get(&listener).map_or(&SILENCE, |(_, frame)| frame);
        let mut heard = SILENCE;
        for ((out, sum), own) in heard.iter_mut().zip(&self.sum).zip(own) {
            let others = sum - i32::from(*own);
            *out = others.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(voices: &[(u64, u32, i16)]) -> Mix {
        let mut mix = Mix::default();
        for (participant, epoch, sample) in voices {
            let tag = Tag { participant: Participant(*participant), epoch: Epoch(*epoch) };
            mix.add(tag, &[*sample; FRAME_SAMPLES]);
        }
        mix
    }

    fn check(voices: &[(u64, u32, i16)], listener: u64, expected: i16) {
        assert_eq!(mix(voices).heard_by(Participant(listener)), [expected; FRAME_SAMPLES], "{voices:?}");
    }

    #[test]
    fn each_hears_the_others_and_not_itself() {
        let three = [(1, 0, 100), (2, 0, 20), (3, 0, 3)];
        check(&three, 1, 23);
        check(&three, 2, 103);
        check(&three, 3, 120);
        check(&three, 4, 123);
    }

    #[test]
    fn single_member_hears_silence() {
        check(&[(1, 0, 1234)], 1, 0);
    }

    #[test]
    fn loud_sum_is_clipped_but_subtracting_the_own_audio_is_exact() {
        let loud = [(1, 0, 30_000), (2, 0, 30_000), (3, 0, -20_000)];
        check(&loud, 4, i16::MAX);
        check(&loud, 1, 10_000);
        check(&[(1, 0, -30_000), (2, 0, -30_000)], 3, i16::MIN);
    }

    #[test]
    fn of_two_legs_of_one_participant_the_newer_counts() {
        check(&[(1, 0, 100), (1, 1, 7)], 2, 7);
        check(&[(1, 1, 7), (1, 0, 100)], 2, 7);
        check(&[(1, 1, 7), (1, 0, 100)], 1, 0);
    }
}
