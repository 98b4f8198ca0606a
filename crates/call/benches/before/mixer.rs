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
