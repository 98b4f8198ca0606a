//! Benchmark: what the audio of one G.711 leg costs in a conference, as a ratio to what it cost with a mixer at 8 kHz
//! that encoded for each listener, measured in the same run. Measured is the way from a payload that came to the payload that is sent: jitter buffer,
//! decoder, mixer, encoder. Half of the legs have PCMU, half PCMA. Then, for each suite, what SRTP adds to a leg: one packet
//! opened and one sealed.
//!
//! `cargo bench -p call`

mod before;

use std::hint::black_box;
use std::time::Duration;

use call::audio::activity::Activity;
use call::audio::jitter::JitterBuffer;
use call::audio::mixer::{Listener, Mixer};
use call::audio::{Codec, Epoch, FRAME_SAMPLES, Participant, Rate, Tag};
use call::rtp::Header;
use call::srtp::{MasterKey, Received, Receiver, Sender, Sent, Suite};

/// Ticks of a round: 5 s of sound.
const TICKS: u32 = 250;

/// Odd, so that the median is one of them.
const ROUNDS: usize = 15;

fn main() {
    for (legs, speakers) in [(10, 3), (10, 10), (100, 3), (100, 100)] {
        compare(legs, speakers);
    }
    for suite in Suite::ALL {
        compare_protected(suite);
    }
}

/// A conference in which few of many speak, with and without protection.
fn compare_protected(suite: Suite) {
    let (legs, speakers, payloads) = (100, 3, Payloads::new());
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(legs * TICKS);
    let mut rounds: Vec<(f64, f64)> =
        (0..ROUNDS).map(|_| (each(new(legs, speakers, &payloads)), each(protection(suite, legs)))).collect();
    let ratio = |(plain, added): (f64, f64)| (plain + added) / plain;
    rounds.sort_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
    let (first, median, last) = (rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1]);
    println!("{}: a leg and tick {:.2} µs, protection {:.2} µs more", suite.name(), median.0, median.1);
    println!(
        "protected / plain, {legs} legs of which {speakers} speak = {:.2}x (median of {ROUNDS}; {:.2}x to {:.2}x)",
        ratio(median),
        ratio(first),
        ratio(last)
    );
}

/// Opens a packet of each leg and seals another one, in each tick.
fn protection(suite: Suite, legs: u32) -> Duration {
    let length = (28..=44).find(|length| MasterKey::new(suite, &vec![1; *length]).is_some()).unwrap_or(0);
    let key = |n: u8| MasterKey::new(suite, &vec![n; length]).expect("a key");
    let mut ends: Vec<_> = (0..legs)
        .map(|_| {
            let (sender, receiver) =
                (Sender::new(Sent::new(key(1))), Receiver::new(Received::new(key(2), 0)));
            (sender, receiver, Sender::new(Sent::new(key(2))))
        })
        .collect();
    let packet = |sequence: u32| {
        let header =
            Header { payload_type: 0, marker: false, sequence: sequence as u16, timestamp: 0, ssrc: 1 };
        let mut packet = Vec::new();
        header.write(&[0x55; FRAME_SAMPLES], &mut packet);
        packet
    };
    let (mut spent, mut opened) = (Duration::ZERO, Vec::new());
    for tick in 0..TICKS {
        let mut packets: Vec<Vec<u8>> = vec![packet(tick); ends.len()];
        for (packet, (.., far)) in packets.iter_mut().zip(&mut ends) {
            assert!(far.seal(packet));
        }
        let began = cpu_time();
        for (packet, (sender, receiver, _)) in packets.iter().zip(&mut ends) {
            assert!(receiver.open(packet, None, &mut opened) && sender.seal(&mut opened));
            black_box(&opened);
        }
        spent += cpu_time() - began;
    }
    spent
}

fn compare(legs: u32, speakers: u32) {
    let payloads = Payloads::new();
    let mut rounds: Vec<(Duration, Duration)> =
        (0..ROUNDS).map(|_| (old(legs, speakers, &payloads), new(legs, speakers, &payloads))).collect();
    let ratio = |(old, new): (Duration, Duration)| new.as_secs_f64() / old.as_secs_f64();
    rounds.sort_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
    let (first, median, last) = (rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1]);
    let each = |time: Duration| time / (legs * TICKS);
    println!(
        "{legs} legs, {speakers} speak: before {:?}, now {:?} a leg and tick",
        each(median.0),
        each(median.1)
    );
    println!(
        "now / before, {legs} legs of which {speakers} speak = {:.2}x (median of {ROUNDS}; {:.2}x to {:.2}x)",
        ratio(median),
        ratio(first),
        ratio(last)
    );
}

/// The time that this thread has run: other work of the machine does not count.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a speaker and a silent leg send, for both codecs.
struct Payloads {
    loud: [Vec<u8>; 2],
    silent: [Vec<u8>; 2],
}

impl Payloads {
    fn new() -> Payloads {
        let mut state = 1_u32;
        let noise: Vec<i16> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as i16) / 4
        })
        .take(FRAME_SAMPLES)
        .collect();
        let payloads = |samples: &[i16]| {
            [Codec::Pcmu, Codec::Pcma].map(|codec| {
                let mut payload = Vec::new();
                codec.encode(samples, &mut payload);
                payload
            })
        };
        Payloads { loud: payloads(&noise), silent: payloads(&[0; FRAME_SAMPLES]) }
    }

    fn of(&self, leg: u32, speakers: u32) -> &[u8] {
        let payloads = if leg < speakers { &self.loud } else { &self.silent };
        &payloads[leg as usize % 2]
    }
}

fn tag(leg: u32) -> Tag {
    Tag { participant: Participant(leg.into()), epoch: Epoch(0) }
}

fn new(legs: u32, speakers: u32, payloads: &Payloads) -> Duration {
    let codec = |leg: u32| if leg.is_multiple_of(2) { Codec::Pcmu } else { Codec::Pcma };
    let mut members: Vec<_> = (0..legs)
        .map(|leg| (JitterBuffer::new(codec(leg)), Activity::default(), Listener::default()))
        .collect();
    let mut mixer = Mixer::default();
    let began = cpu_time();
    for tick in 0..TICKS {
        for (leg, (jitter, ..)) in (0..).zip(&mut members) {
            jitter.insert(tick as u16, tick * FRAME_SAMPLES as u32, payloads.of(leg, speakers));
        }
        mixer.begin();
        for (leg, (jitter, activity, _)) in (0..).zip(&mut members) {
            if let Some(frame) = jitter.pull() {
                mixer.add(tag(leg), Rate::Narrow, activity.sound(frame));
            }
        }
        for (leg, (.., listener)) in (0..).zip(&mut members) {
            black_box(mixer.payload(tag(leg).participant, codec(leg), listener));
        }
    }
    cpu_time() - began
}

fn old(legs: u32, speakers: u32, payloads: &Payloads) -> Duration {
    use before::{Codec, jitter::JitterBuffer, mixer::Mix};
    let codec = |leg: u32| if leg.is_multiple_of(2) { Codec::Pcmu } else { Codec::Pcma };
    let mut members: Vec<_> = (0..legs).map(|_| JitterBuffer::default()).collect();
    let (mut samples, mut payload) = (Vec::new(), Vec::new());
    let began = cpu_time();
    for tick in 0..TICKS {
        for (leg, jitter) in (0..).zip(&mut members) {
            samples.clear();
            codec(leg).decode(payloads.of(leg, speakers), &mut samples);
            jitter.insert(tick * FRAME_SAMPLES as u32, &samples);
        }
        let mut mix = Mix::default();
        for (leg, jitter) in (0..).zip(&mut members) {
            if let Some(frame) = jitter.pull() {
                mix.add(tag(leg), &frame);
            }
        }
        for leg in 0..legs {
            payload.clear();
            codec(leg).encode(&mix.heard_by(tag(leg).participant), &mut payload);
            black_box(&payload);
        }
    }
    cpu_time() - began
}
