//! Each codec over a leg: its packets in both directions, the tone that they carry, and the keys between them.

use super::tests::{leg, source};
use super::*;
use crate::audio::signal::{level_at, snr, tone};
use crate::audio::{Decoder, Encoder, Epoch, Participant};

/// A codec, and how a far end offers it with telephone events: their payload types and the formats of its line.
type Offered = (Codec, [u8; 2], &'static str);

const OFFERED: [Offered; 4] = [
    (Codec::Pcmu, [0, 101], "0 101\r\na=rtpmap:101 telephone-event/8000\r\n"),
    (Codec::Pcma, [8, 101], "8 101\r\na=rtpmap:101 telephone-event/8000\r\n"),
    (Codec::G722, [9, 101], "9 101\r\na=rtpmap:101 telephone-event/8000\r\n"),
    (
        Codec::Opus,
        [107, 102],
        "107 102\r\na=rtpmap:107 opus/48000/2\r\na=rtpmap:102 telephone-event/48000\r\n",
    ),
];

const HERTZ: f64 = 1000.0;
const AMPLITUDE: f64 = 8000.0;
/// Somebody else in the conference.
const OTHER: Participant = Participant(2);

/// Asserts that nearly all that was heard is the tone. Opus keeps less of the form of the wave than the others.
fn assert_tone(codec: Codec, heard: &[i16], what: &str) {
    let (rate, least) = (codec.rate(), if codec == Codec::Opus { 10.0 } else { 20.0 });
    let (level, snr) = (level_at(rate, HERTZ, heard), snr(rate, HERTZ, heard));
    assert!((6800.0..9200.0).contains(&level) && snr > least, "{codec:?}, {what}: {level:.0}, {snr:.1} dB");
}

#[test]
fn stream_to_the_far_end_has_the_payload_type_and_the_clock_of_its_codec_and_carries_the_tone() {
    for (codec, [payload_type, _], offer) in OFFERED {
        let (_, mut leg) = leg(offer);
        let (mut mixer, mut decoder) = (Mixer::default(), Decoder::new(codec));
        let (mut datagram, mut heard, mut headers) = (Vec::new(), Vec::new(), Vec::new());
        for sound in tone(codec.rate(), HERTZ, AMPLITUDE, 50).chunks_exact(codec.rate().samples()) {
            mixer.begin();
            mixer.add(Tag { participant: OTHER, epoch: Epoch(0) }, codec.rate(), sound);
            leg.hear(&mut mixer);
            assert_eq!(leg.next_packet(&mut datagram), Some(source()));
            let (header, payload) = Header::parse(&datagram).expect("RTP");
            assert_eq!(codec.timestamps(payload), codec.timestamps_per_tick(), "{codec:?}");
            decoder.decode(payload, &mut heard);
            headers.push(header);
            assert_eq!(leg.next_packet(&mut datagram), None, "{codec:?}: one in a tick");
        }
        for (n, header) in (0..).zip(&headers) {
            let expected = (u32::MAX - 500).wrapping_add(n * codec.timestamps_per_tick());
            assert_eq!((header.payload_type, header.timestamp), (payload_type, expected), "{codec:?}");
            assert_eq!((header.sequence, header.marker), (65_530_u16.wrapping_add(n as u16), n == 0));
        }
        assert_tone(codec, &heard[25 * codec.rate().samples()..], "to the far end");
    }
}

/// What others hear of a leg in one tick, in its codec.
struct Room {
    codec: Codec,
    mixer: Mixer,
    listener: Listener,
    decoder: Decoder,
}

impl Room {
    fn new(codec: Codec) -> Room {
        let (mixer, listener) = (Mixer::default(), Listener::default());
        Room { codec, mixer, listener, decoder: Decoder::new(codec) }
    }

    fn hears(&mut self, leg: &mut Leg) -> Vec<i16> {
        self.mixer.begin();
        leg.say(&mut self.mixer);
        let mut samples = Vec::new();
        self.decoder.decode(self.mixer.payload(OTHER, self.codec, &mut self.listener), &mut samples);
        samples
    }
}

/// The stream of a far end: its packets follow each other, whatever they carry.
struct Stream {
    codec: Codec,
    payload_types: [u8; 2],
    encoder: Encoder,
    sequence: u16,
    timestamp: u32,
}

impl Stream {
    fn new((codec, payload_types, _): Offered) -> Stream {
        let encoder = Encoder::new(codec);
        Stream { codec, payload_types, encoder, sequence: 65_500, timestamp: u32::MAX - 5000 }
    }

    fn send(&mut self, leg: &mut Leg, payload_type: u8, payload: &[u8]) {
        let Stream { sequence, timestamp, .. } = *self;
        let header = Header { payload_type, marker: false, sequence, timestamp, ssrc: 1 };
        let mut datagram = Vec::new();
        header.write(payload, &mut datagram);
        leg.receive(Time(0), Channel::Media, source(), &datagram);
        self.sequence = sequence.wrapping_add(1);
    }

    fn say(&mut self, leg: &mut Leg, samples: &[i16]) {
        let mut payload = Vec::new();
        self.encoder.encode(samples, &mut payload);
        self.send(leg, self.payload_types[0], &payload);
        self.timestamp = self.timestamp.wrapping_add(self.codec.timestamps(&payload));
    }

    /// A packet of a key that is held down: its timestamp is that of the beginning (RFC 4733 section 2.2).
    fn press(&mut self, leg: &mut Leg, ticks: u32, is_over: bool) {
        let [high, low] = ((ticks * self.codec.timestamps_per_tick()) as u16).to_be_bytes();
        self.send(leg, self.payload_types[1], &[5, u8::from(is_over) << 7 | 10, high, low]);
    }

    /// The key is released: its last packet comes three times (section 2.5.1.4), and sound goes on behind it.
    fn release(&mut self, leg: &mut Leg, ticks: u32) {
        (0..3).for_each(|_| self.press(leg, ticks, true));
        self.timestamp = self.timestamp.wrapping_add(ticks * self.codec.timestamps_per_tick());
    }
}

#[test]
fn packets_of_the_far_end_are_heard_whatever_their_codec_and_length_are() {
    for offered in OFFERED {
        let (codec, _, offer) = offered;
        for ticks in [1, 2, 3] {
            let (_, mut leg) = leg(offer);
            let (mut stream, mut room, mut heard) = (Stream::new(offered), Room::new(codec), Vec::new());
            for sound in tone(codec.rate(), HERTZ, AMPLITUDE, 60).chunks_exact(ticks * codec.rate().samples())
            {
                stream.say(&mut leg, sound);
                (0..ticks).for_each(|_| heard.extend(room.hears(&mut leg)));
            }
            assert_tone(codec, &heard[30 * codec.rate().samples()..], &format!("{ticks} ticks in a packet"));
        }
    }
}

#[test]
fn packets_of_g722_that_are_no_whole_ticks_are_heard() {
    for milliseconds in [10, 30, 50] {
        let offered = OFFERED[2];
        let (_, mut leg) = leg(offered.2);
        let (mut stream, mut room, mut heard) = (Stream::new(offered), Room::new(Codec::G722), Vec::new());
        let mut arrived = 0;
        let all = tone(Codec::G722.rate(), HERTZ, AMPLITUDE, 150);
        let mut packets = all.chunks_exact(16 * milliseconds);
        for tick in 1..=150 {
            while arrived + milliseconds <= tick * 20
                && let Some(sound) = packets.next()
            {
                stream.say(&mut leg, sound);
                arrived += milliseconds;
            }
            heard.extend(room.hears(&mut leg));
        }
        assert_tone(Codec::G722, &heard[75 * 320..], &format!("{milliseconds} ms in a packet"));
    }
}

#[test]
fn packets_of_g722_have_the_length_that_the_far_end_wants() {
    for milliseconds in [30, 40, 50, 60] {
        let (_, mut leg) = leg(&format!("9\r\na=ptime:{milliseconds}\r\n"));
        let (mut mixer, mut decoder) = (Mixer::default(), Decoder::new(Codec::G722));
        let (mut datagram, mut heard, mut timestamps) = (Vec::new(), Vec::new(), Vec::new());
        for sound in tone(Codec::G722.rate(), HERTZ, AMPLITUDE, 60).chunks_exact(320) {
            mixer.begin();
            mixer.add(Tag { participant: OTHER, epoch: Epoch(0) }, Codec::G722.rate(), sound);
            leg.hear(&mut mixer);
            while leg.next_packet(&mut datagram).is_some() {
                let (header, payload) = Header::parse(&datagram).expect("RTP");
                assert_eq!(payload.len(), 8 * milliseconds as usize, "RFC 3551 section 4.5.2");
                decoder.decode(payload, &mut heard);
                timestamps.push(header.timestamp);
            }
        }
        assert_eq!(timestamps.len(), 1200 / milliseconds as usize);
        assert!(timestamps.windows(2).all(|two| two[1].wrapping_sub(two[0]) == 8 * milliseconds));
        assert_tone(Codec::G722, &heard[30 * 320..], &format!("{milliseconds} ms in a packet"));
    }
}

/// Presses a key for some ticks, or pauses without packets for none, while the far end says a tone of `before`. How many
/// ticks later than its first packet the loud tone is heard that follows, and the loudest sample until then.
fn after_a_key(offered: Offered, ticks: u32, before: f64) -> (usize, u16) {
    let (codec, _, offer) = offered;
    let (_, mut leg) = leg(offer);
    let (mut stream, mut room) = (Stream::new(offered), Room::new(codec));
    let mut loudest = 0;
    let mut peak = |samples: &[i16]| {
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        (peak <= 4000).then(|| loudest = loudest.max(peak)).is_none()
    };
    for sound in tone(codec.rate(), HERTZ, before, 60).chunks_exact(codec.rate().samples()) {
        stream.say(&mut leg, sound);
        assert!(!peak(&room.hears(&mut leg)));
    }
    for tick in 1..=ticks {
        if tick < ticks {
            stream.press(&mut leg, tick, false);
        } else {
            stream.release(&mut leg, ticks);
        }
        assert!(!peak(&room.hears(&mut leg)), "{codec:?}: the key is heard");
    }
    let mut ticks = tone(codec.rate(), HERTZ, AMPLITUDE, 60);
    let heard = ticks.chunks_exact_mut(codec.rate().samples()).position(|sound| {
        stream.say(&mut leg, sound);
        peak(&room.hears(&mut leg))
    });
    (heard.expect("it is heard"), loudest)
}

#[test]
fn key_is_not_heard_and_sound_after_it_is_heard_as_soon_as_before() {
    for offered in OFFERED {
        for before in [0.0, 1000.0] {
            // Opus says a little of a loud sound before it begins.
            let most = 1.5 * before + 500.0;
            let (usual, loudest) = after_a_key(offered, 0, before);
            assert!(usual <= 2 && f64::from(loudest) <= most, "{offered:?}: {usual}, {loudest}");
            for ticks in [5, 10, 20] {
                let (delay, loudest) = after_a_key(offered, ticks, before);
                let what = format!("{offered:?}, {ticks} ticks, {before}: {delay} after {usual}, {loudest}");
                assert!(delay <= usual, "{what}");
                assert!(f64::from(loudest) <= most, "{what}");
            }
        }
    }
}
