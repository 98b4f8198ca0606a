//! The mixer: adds up the audio of all participants, and encodes for each the sum of the others.
//!
//! What is said at one rate is added up at that rate, and only that sum is converted to another rate where somebody
//! listens. So subtracting the own audio is exact, and the number of conversions does not depend on the number of
//! members. All who say nothing hear the same: that is encoded once for each codec.

use std::ops::Range;

use super::coder::Encoder;
use super::resample::Resampler;
use super::{Codec, Participant, Rate, Tag};

const RATES: usize = Rate::ALL.len();
const CODECS: usize = Codec::ALL.len();

/// Ticks in which a listener who has spoken is encoded for alone although it hears what all hear: meanwhile its
/// encoder comes to the state of the common one, and pauses between words cause no change of encoders.
const ALONE_TICKS: u32 = 25;

/// The mixer of one conference. Each tick begins with [`Mixer::begin`]; then all are added, then all are encoded for.
#[derive(Debug)]
pub struct Mixer {
    tick: u64,
    voices: Vec<Voice>,
    samples: Vec<i16>,
    said: [Sum; RATES],
    bridges: Vec<Bridge>,
    common: [Common; RATES],
    encoded: [Option<Encoded>; CODECS],
}

/// What one participant says in this tick.
#[derive(Debug)]
struct Voice {
    tag: Tag,
    rate: Rate,
    /// The place of its samples; empty for silence.
    samples: Range<usize>,
}

/// The sum of what is said at one rate.
#[derive(Debug)]
struct Sum {
    samples: Vec<i32>,
    is_silent: bool,
}

/// The way of the sound of one rate to those who hear at another.
#[derive(Debug)]
struct Bridge {
    from: Rate,
    to: Rate,
    resampler: Resampler,
    converted: Vec<i32>,
    converted_at: u64,
    /// The last tick had sound: its end comes out in this one.
    rings: bool,
}

/// The sum of what is said at all rates, at one of them, and what of it those hear who say nothing.
#[derive(Debug)]
struct Common {
    sum: Vec<i32>,
    clipped: Vec<i16>,
    mixed_at: u64,
}

/// The common encoder of a codec, and what it has made of this tick.
#[derive(Debug)]
struct Encoded {
    encoder: Encoder,
    /// Its state before this tick, if it can be copied.
    before: Option<Encoder>,
    payload: Vec<u8>,
    encoded_at: u64,
}

/// The encoder of one listener, for the ticks in which it hears what nobody else hears.
#[derive(Debug, Default)]
pub struct Listener {
    own: Option<(Codec, Encoder)>,
    heard: Vec<i16>,
    payload: Vec<u8>,
    alike: u32,
}

impl Default for Mixer {
    fn default() -> Mixer {
        Mixer {
            tick: 0,
            voices: Vec::new(),
            samples: Vec::new(),
            said: Rate::ALL.map(Sum::new),
            bridges: Vec::new(),
            common: std::array::from_fn(|_| Common { sum: Vec::new(), clipped: Vec::new(), mixed_at: 0 }),
            encoded: std::array::from_fn(|_| None),
        }
    }
}

impl Mixer {
    /// Begins a tick: nobody has said anything yet.
    pub fn begin(&mut self) {
        self.tick += 1;
        self.voices.clear();
        self.samples.clear();
        self.said.iter_mut().for_each(Sum::clear);
    }

    /// Adds the audio of a participant, one tick at its rate; no samples are silence. If a participant has two legs at
    /// once, only the one with the higher epoch counts.
    pub fn add(&mut self, tag: Tag, rate: Rate, samples: &[i16]) {
        let place = match self.place(tag.participant) {
            Ok(place) if self.voices[place].tag.epoch > tag.epoch => return,
            Ok(place) => {
                let old = self.voices.remove(place);
                self.said[old.rate as usize].subtract(&self.samples[old.samples]);
                place
            }
            Err(place) => place,
        };
        let begin = self.samples.len();
        self.samples.extend_from_slice(samples);
        self.said[rate as usize].add(samples);
        self.voices.insert(place, Voice { tag, rate, samples: begin..self.samples.len() });
    }

    /// The payload of what the participant hears: the sum of all others. Sums that are too loud are clipped.
    pub fn payload<'a>(
        &'a mut self,
        participant: Participant,
        codec: Codec,
        listener: &'a mut Listener,
    ) -> &'a [u8] {
        let own = self.place(participant).ok().filter(|place| !self.voices[*place].samples.is_empty());
        let rate = codec.rate();
        self.mix(rate);
        if let Some(own) = own {
            self.others(own, rate, &mut listener.heard);
            if !listener.has_own(codec) {
                listener.own = Some((codec, self.encoder(codec).unwrap_or_else(|| Encoder::new(codec))));
            }
            listener.encode_alone()
        } else if listener.is_alone(codec) {
            listener.encode(&self.common[rate as usize].clipped)
        } else {
            self.common_payload(codec)
        }
    }

    /// The place of a participant's voice, or the one where it belongs.
    fn place(&self, participant: Participant) -> Result<usize, usize> {
        // Members are mostly added in the order of their numbers.
        match self.voices.last() {
            Some(last) if last.tag.participant < participant => Err(self.voices.len()),
            _ => self.voices.binary_search_by_key(&participant, |voice| voice.tag.participant),
        }
    }

    /// Adds up what is said at all rates, once a tick.
    fn mix(&mut self, rate: Rate) {
        if self.common[rate as usize].mixed_at == self.tick {
            return;
        }
        let mut sum = std::mem::take(&mut self.common[rate as usize].sum);
        sum.clone_from(&self.said[rate as usize].samples);
        for other in Rate::ALL.into_iter().filter(|other| *other != rate) {
            for (sum, converted) in sum.iter_mut().zip(self.convert(other, rate)) {
                *sum += converted;
            }
        }
        let common = &mut self.common[rate as usize];
        common.mixed_at = self.tick;
        common.clipped.clear();
        common.clipped.extend(sum.iter().map(|sample| clip(*sample)));
        common.sum = sum;
    }

    /// What the owner of a voice hears at a rate. Its own rate is another only while its call moves from a leg with one
    /// codec to one with another: the older leg then hears nothing of that rate, for its own audio is in there.
    fn others(&mut self, own: usize, rate: Rate, heard: &mut Vec<i16>) {
        let Voice { rate: own_rate, ref samples, .. } = self.voices[own];
        let samples = samples.clone();
        let sum = std::mem::take(&mut self.common[rate as usize].sum);
        heard.clear();
        if own_rate == rate {
            let own = &self.samples[samples];
            heard.extend(sum.iter().zip(own).map(|(sum, own)| clip(sum - i32::from(*own))));
        } else {
            let own = self.convert(own_rate, rate);
            heard.extend(sum.iter().zip(own).map(|(sum, own)| clip(sum - own)));
        }
        self.common[rate as usize].sum = sum;
    }

    /// What is said at one rate, converted to another; nothing if it is silence.
    fn convert(&mut self, from: Rate, to: Rate) -> &[i32] {
        let said = &self.said[from as usize];
        let known = self.bridges.iter().position(|bridge| (bridge.from, bridge.to) == (from, to));
        let place = match known {
            Some(place) => place,
            None if said.is_silent => return &[],
            None => {
                self.bridges.push(Bridge::new(from, to));
                self.bridges.len() - 1
            }
        };
        self.bridges[place].convert(self.tick, said)
    }

    fn common_payload(&mut self, codec: Codec) -> &[u8] {
        let tick = self.tick;
        let encoded = self.encoded[codec as usize].get_or_insert_with(|| Encoded::new(codec));
        if encoded.encoded_at != tick {
            encoded.encoded_at = tick;
            encoded.payload.clear();
            encoded.before = encoded.encoder.copy();
            encoded.encoder.encode(&self.common[codec.rate() as usize].clipped, &mut encoded.payload);
        }
        &encoded.payload
    }

    /// The common encoder of a codec as it was before this tick, if it can be copied.
    fn encoder(&self, codec: Codec) -> Option<Encoder> {
        let encoded = self.encoded[codec as usize].as_ref()?;
        if encoded.encoded_at == self.tick { encoded.before.as_ref()?.copy() } else { encoded.encoder.copy() }
    }
}

impl Bridge {
    fn new(from: Rate, to: Rate) -> Bridge {
        let converted = vec![0; to.samples()];
        Bridge { from, to, resampler: Resampler::new(from, to), converted, converted_at: 0, rings: false }
    }

    fn convert(&mut self, tick: u64, said: &Sum) -> &[i32] {
        if self.converted_at == tick {
            return &self.converted;
        }
        let goes_on = self.converted_at + 1 == tick;
        if said.is_silent && !(goes_on && self.rings) {
            return &[];
        }
        if !goes_on {
            self.resampler.clear();
        }
        self.resampler.convert(&said.samples, &mut self.converted);
        self.converted_at = tick;
        self.rings = !said.is_silent;
        &self.converted
    }
}

impl Sum {
    fn new(rate: Rate) -> Sum {
        Sum { samples: vec![0; rate.samples()], is_silent: true }
    }

    fn clear(&mut self) {
        if !self.is_silent {
            self.samples.fill(0);
            self.is_silent = true;
        }
    }

    fn add(&mut self, samples: &[i16]) {
        self.is_silent &= samples.is_empty();
        for (sum, sample) in self.samples.iter_mut().zip(samples) {
            *sum += i32::from(*sample);
        }
    }

    fn subtract(&mut self, samples: &[i16]) {
        for (sum, sample) in self.samples.iter_mut().zip(samples) {
            *sum -= i32::from(*sample);
        }
    }
}

fn clip(sample: i32) -> i16 {
    sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

impl Encoded {
    fn new(codec: Codec) -> Encoded {
        Encoded { encoder: Encoder::new(codec), before: None, payload: Vec::new(), encoded_at: 0 }
    }
}

impl Listener {
    /// Whether the listener still has an encoder of its own while it hears what all hear.
    fn is_alone(&mut self, codec: Codec) -> bool {
        self.alike += 1;
        if self.alike > ALONE_TICKS || !self.has_own(codec) {
            self.own = None;
        }
        self.own.as_ref().is_some_and(|(_, encoder)| encoder.has_state())
    }

    fn has_own(&self, codec: Codec) -> bool {
        self.own.as_ref().is_some_and(|(own, _)| *own == codec)
    }

    /// Encodes what it alone hears. Its stream goes on from where the common one was.
    fn encode_alone(&mut self) -> &[u8] {
        self.alike = 0;
        let heard = std::mem::take(&mut self.heard);
        self.encode(&heard);
        self.heard = heard;
        &self.payload
    }

    fn encode(&mut self, samples: &[i16]) -> &[u8] {
        self.payload.clear();
        if let Some((_, encoder)) = &mut self.own {
            encoder.encode(samples, &mut self.payload);
        }
        &self.payload
    }
}

#[cfg(test)]
#[path = "mixer_tests.rs"]
mod tests;
