//! The voice of a caller, a tone of its own in packets of its codec, and its ear, which finds the tones of the others.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use crate::audio::{Codec, Decoder, Encoder};
use crate::rtp::Header;

/// The tones of the callers, and of one who has no part in the call, in hertz. All fit into 20 ms as whole periods, so
/// that none is found in the sum of others.
const TONES: [usize; 5] = [500, 800, 1300, 1900, 2300];
/// The tone of a stranger.
pub(super) const STRANGE: usize = 4;
/// The peak of a tone. Four of them do not reach the largest sample.
const PEAK: f64 = 4_000.0;
/// The peak of a tone that is heard.
const HEARD: f64 = PEAK / 2.0;
/// The windows of a second in which tones are looked for.
const WINDOWS: usize = 50;
/// Where timestamps begin that are counted from the first packet, so that those before it fit.
const FIRST: u32 = 1 << 31;

/// Some of the tones, as the bits of their places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard(u8);

impl Heard {
    /// These tones.
    pub(super) fn of(tones: impl Iterator<Item = usize>) -> Heard {
        Heard(tones.fold(0, |bits, tone| bits | 1 << tone))
    }
}

/// The voice and the ear of a caller.
pub(super) struct Voice {
    pub(super) codec: Codec,
    /// How much sound a packet holds, both ways, in milliseconds.
    pub(super) packet_time: u64,
    pub(super) tone: usize,
    /// A period of 20 ms.
    samples: Vec<i16>,
    encoder: Encoder,
    header: Header,
    said: usize,
    /// What was received since it was forgotten, by its timestamps.
    received: BTreeMap<u32, Vec<u8>>,
    first: Option<u32>,
}

impl Voice {
    /// A voice that has not spoken.
    pub(super) fn new(codec: Codec, packet_time: u64, tone: usize) -> Voice {
        let rate = codec.rate().hertz();
        let sample = |place: usize| PEAK * (TAU * (place * TONES[tone]) as f64 / rate as f64).sin();
        Voice {
            codec,
            packet_time,
            tone,
            samples: (0..rate / WINDOWS).map(|place| sample(place) as i16).collect(),
            encoder: Encoder::new(codec),
            header: Header {
                payload_type: codec.offered_payload_type(),
                marker: false,
                sequence: 0,
                timestamp: 0,
                ssrc: tone as u32 + 1,
            },
            said: 0,
            received: BTreeMap::new(),
            first: None,
        }
    }

    /// The stream of its packets.
    pub(super) fn ssrc(&self) -> u32 {
        self.header.ssrc
    }

    /// The same from the middle of a stream.
    pub(super) fn at(self, sequence: u16, timestamp: u32) -> Voice {
        Voice { header: Header { sequence, timestamp, ..self.header }, ..self }
    }

    /// Its format in a session description.
    pub(super) fn format(&self) -> String {
        let Voice { codec, packet_time, .. } = self;
        let channels = if codec.channels() == 2 { "/2" } else { "" };
        let (payload_type, name) = (codec.offered_payload_type(), codec.name());
        format!(
            "a=rtpmap:{payload_type} {name}/{}{channels}\r\na=ptime:{packet_time}\r\n",
            codec.clock_rate()
        )
    }

    /// The next packet.
    pub(super) fn say(&mut self) -> Vec<u8> {
        let (mut payload, mut datagram) = (Vec::new(), Vec::new());
        let count = self.codec.rate().hertz() * self.packet_time as usize / 1000;
        let samples: Vec<i16> = self.samples.iter().copied().cycle().skip(self.said).take(count).collect();
        self.encoder.encode(&samples, &mut payload);
        self.header.write(&payload, &mut datagram);
        self.said = (self.said + count) % self.samples.len();
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(self.ticks());
        datagram
    }

    /// How far a packet takes the timestamps.
    fn ticks(&self) -> u32 {
        self.codec.clock_rate() * self.packet_time as u32 / 1000
    }

    /// Takes in a packet of the node. One of another codec, or of another length than was asked for, is not understood.
    pub(super) fn hear(&mut self, datagram: &[u8]) {
        let Some((header, payload)) = Header::parse(datagram) else { return };
        let is_right =
            header.payload_type == self.header.payload_type && self.codec.timestamps(payload) == self.ticks();
        if is_right {
            let first = *self.first.get_or_insert(header.timestamp);
            let place = header.timestamp.wrapping_sub(first).wrapping_add(FIRST);
            self.received.insert(place, payload.to_vec());
        }
    }

    /// Forgets what was received.
    pub(super) fn forget(&mut self) {
        self.received.clear();
        self.first = None;
    }

    /// The tones of each window of 20 ms of what was received.
    pub(super) fn heard(&self) -> Vec<Heard> {
        let (mut decoder, mut samples) = (Decoder::new(self.codec), Vec::new());
        self.received.values().for_each(|payload| decoder.decode(payload, &mut samples));
        let rate = self.codec.rate().hertz();
        let is_heard = |window: &[i16], tone: usize| peak(window, TONES[tone], rate) > HEARD;
        let tones = |window| Heard::of((0..TONES.len()).filter(|tone| is_heard(window, *tone)));
        samples.chunks_exact(rate / WINDOWS).map(tones).collect()
    }
}

/// The peak of a tone in a window (Goertzel's algorithm).
fn peak(window: &[i16], hertz: usize, rate: usize) -> f64 {
    let factor = 2.0 * (TAU * hertz as f64 / rate as f64).cos();
    let step = |(last, before): (f64, f64), sample: &i16| (f64::from(*sample) + factor * last - before, last);
    let (last, before) = window.iter().fold((0.0, 0.0), step);
    let power = last * last + before * before - factor * last * before;
    2.0 * power.max(0.0).sqrt() / window.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ear_finds_the_tone_of_each_voice_in_each_codec_and_packet_time() {
        for codec in Codec::ALL {
            for packet_time in if codec == Codec::Opus { vec![20] } else { vec![10, 20, 30, 40, 60] } {
                for tone in 0..TONES.len() {
                    let mut voice = Voice::new(codec, packet_time, tone);
                    for _ in 0..600 / packet_time {
                        let packet = voice.say();
                        voice.hear(&packet);
                        voice.hear(&packet);
                    }
                    let heard = voice.heard();
                    let right = heard.iter().filter(|heard| **heard == Heard::of([tone].into_iter())).count();
                    assert!(heard.len() == 30 && right >= 27, "{codec:?} {packet_time} {tone}: {heard:?}");
                }
            }
        }
    }

    #[test]
    fn packet_of_another_codec_or_length_is_not_understood() {
        let mut voice = Voice::new(Codec::Pcmu, 20, 0);
        voice.hear(&Voice::new(Codec::Pcma, 20, 1).say());
        voice.hear(&Voice::new(Codec::Pcmu, 30, 1).say());
        assert_eq!(voice.heard(), []);
    }
}
