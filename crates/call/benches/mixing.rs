//! Benchmark: what the audio of one G.711 leg costs in a conference, as a ratio to what it cost with a mixer at 8 kHz
//! that encoded for each listener, measured in the same run. Measured is the way from a payload that came to the payload that is sent: jitter buffer,
//! decoder, mixer, encoder. Half of the legs have PCMU, half PCMA.
//!
//! `cargo bench -p call`

mod before;

use std::hint::black_box;
use std::time::Duration;

use call::audio::activity::Activity;
use call::audio::jitter::JitterBuffer;
use call::audio::mixer::{Listener, Mixer};
use call::audio::{Codec, Epoch, FRAME_SAMPLES, Participant, Rate, Tag};

/// Ticks of a round: 5 s of sound.
const TICKS: u32 = 250;

/// Odd, so that the median is one of them.
const ROUNDS: usize = 15;

fn main() {
    for (legs, speakers) in [(10, 3), (10, 10), (100, 3), (100, 100)] {
        compare(legs, speakers);
    }
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
