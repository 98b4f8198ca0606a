//! The jitter buffer behind networks that delay, lose, repeat and reorder packets, and behind other clocks.

use std::f64::consts::TAU;

use super::super::Encoder;
use super::super::signal::{power, tone};
use super::*;

const MS_PER_TICK: f64 = 20.0;
const AMPLITUDE: f64 = 8000.0;

/// What the network and the far end do.
#[derive(Clone, Copy, Debug)]
struct Network {
    seed: u32,
    /// Milliseconds of a packet.
    packet_ms: u32,
    /// When the first packet arrives, in milliseconds after a tick.
    phase: f64,
    /// The clock of the far end is faster by so many parts of a million.
    drift: f64,
    /// A packet is later by up to so many milliseconds; packets overtake each other.
    jitter: f64,
    /// Of a thousand packets, how many are lost, and how many come twice.
    lost: u32,
    doubled: u32,
    first_sequence: u16,
    first_timestamp: u32,
}

const CLEAN: Network = Network {
    seed: 1,
    packet_ms: 20,
    phase: 10.0,
    drift: 0.0,
    jitter: 0.0,
    lost: 0,
    doubled: 0,
    first_sequence: 65_500,
    first_timestamp: u32::MAX - 8000,
};

struct Random(u32);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.0) * u64::from(bound)) >> 32) as u32
    }
}

struct Arrival {
    at: f64,
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

/// What is heard in a tick.
struct Heard {
    samples: Option<Vec<i16>>,
    /// How many milliseconds the played sound lies behind what arrives on the fastest way.
    delay: f64,
    position: u32,
}

/// A tone as the far end numbers its samples.
fn sound(sample: u32) -> i16 {
    (AMPLITUDE * (TAU * 250.0 * f64::from(sample) / 8000.0).sin()).round() as i16
}

fn payload(first: u32, count: u32) -> Vec<u8> {
    let samples: Vec<i16> = (first..first + count).map(sound).collect();
    let mut payload = Vec::new();
    Codec::Pcma.encode(&samples, &mut payload);
    payload
}

impl Network {
    /// The packets of the sound of some milliseconds, without those that `speaks` says are not sent.
    fn arrivals(self, ms: u32, speaks: impl Fn(u32) -> bool) -> Vec<Arrival> {
        let mut random = Random(self.seed);
        let mut arrivals = Vec::new();
        let each = self.packet_ms * 8;
        for n in 0..ms / self.packet_ms {
            let sequence = self.first_sequence.wrapping_add(n as u16);
            let timestamp = self.first_timestamp.wrapping_add(n * each);
            let sent = f64::from((n + 1) * self.packet_ms) / (1.0 + self.drift / 1e6) + self.phase;
            let copies = if random.below(1000) < self.doubled { 2 } else { 1 };
            for _ in 0..copies {
                let at = sent + self.jitter * f64::from(random.below(1000)) / 1000.0;
                if random.below(1000) >= self.lost && speaks(n * self.packet_ms) {
                    arrivals.push(Arrival { at, sequence, timestamp, payload: payload(n * each, each) });
                }
            }
        }
        arrivals.sort_by(|a, b| a.at.total_cmp(&b.at));
        arrivals
    }

    /// Everything that is heard while the packets of some milliseconds come in.
    fn heard(self, ms: u32, speaks: impl Fn(u32) -> bool) -> Vec<Heard> {
        let mut buffer = JitterBuffer::new(Codec::Pcma);
        let mut arrivals = self.arrivals(ms, speaks).into_iter().peekable();
        let mut all: Vec<Heard> = Vec::new();
        for tick in 0..f64::from(ms) as u32 / 20 {
            let time = f64::from(tick) * MS_PER_TICK;
            while let Some(packet) = arrivals.next_if(|packet| packet.at <= time) {
                buffer.insert(packet.sequence, packet.timestamp, &packet.payload);
            }
            let position = buffer.position();
            let said = (time - self.phase) * (1.0 + self.drift / 1e6);
            let played = f64::from(position.wrapping_sub(self.first_timestamp).cast_signed()) / 8.0;
            let samples = buffer.pull().map(<[i16]>::to_vec);
            let delay = said - f64::from(self.packet_ms) - played;
            self.check(&buffer, samples.as_deref());
            all.push(Heard { samples, delay, position });
        }
        all
    }

    /// What holds at any time.
    fn check(self, buffer: &JitterBuffer, samples: Option<&[i16]>) {
        assert!(samples.is_none_or(|samples| samples.len() == 160), "{self:?}");
        assert!(buffer.samples.len() <= 160 + 2 * 60 * 8 && buffer.samples.capacity() < 4000, "{self:?}");
    }
}

fn median_delay(heard: &[Heard]) -> f64 {
    let mut delays: Vec<f64> = heard.iter().map(|heard| heard.delay).collect();
    delays.sort_by(f64::total_cmp);
    delays[delays.len() / 2]
}

/// The share of the power of the sound that is heard.
fn loudness(heard: &[Heard]) -> f64 {
    let samples: Vec<i16> =
        heard.iter().flat_map(|heard| heard.samples.clone().unwrap_or(vec![0; 160])).collect();
    power(&samples) / (AMPLITUDE * AMPLITUDE / 2.0)
}

/// No sample is played before one that was played earlier.
fn assert_in_order(network: Network, heard: &[Heard]) {
    let began = heard.iter().position(|heard| heard.samples.is_some()).unwrap_or(0);
    for pair in heard[began..].windows(2) {
        let step = distance(pair[0].position, pair[1].position);
        assert!((0..=160 + 1600).contains(&step), "{network:?}: {step}");
    }
}

const ALWAYS: fn(u32) -> bool = |_| true;

#[test]
fn clean_network_adds_at_most_25_ms_and_changes_no_sample() {
    for phase in [0.1, 5.0, 10.0, 15.0, 19.9] {
        let heard = Network { phase, ..CLEAN }.heard(4000, ALWAYS);
        let median = median_delay(&heard[10..]);
        assert!((0.0..=30.0).contains(&median), "{phase}: {median} ms");
        let samples: Vec<i16> =
            heard.iter().flat_map(|heard| heard.samples.clone().unwrap_or_default()).collect();
        let silent = samples.iter().take_while(|sample| sample.unsigned_abs() <= 8).count();
        let mut expected = Vec::new();
        Codec::Pcma.decode(&payload(0, samples.len() as u32), &mut expected);
        // The first packet follows silence, and is faded in.
        assert!(silent <= 81, "{phase}: {silent}");
        assert_eq!(samples[80 + 160..], expected[160..samples.len() - 80], "{phase}");
    }
}

#[test]
fn median_of_the_delay_on_clean_networks_is_at_most_25_ms() {
    let delays = (0..20).map(|phase| {
        let heard = Network { phase: f64::from(phase) + 0.5, ..CLEAN }.heard(2000, ALWAYS);
        median_delay(&heard[10..])
    });
    let mut delays: Vec<f64> = delays.collect();
    delays.sort_by(f64::total_cmp);
    assert!(delays[10] <= 25.0, "{delays:?}");
}

#[test]
fn packets_of_10_to_60_ms_are_played_whole() {
    for packet_ms in [10, 20, 30, 40, 60] {
        let heard = Network { packet_ms, ..CLEAN }.heard(6000, ALWAYS);
        let steady = &heard[100..];
        assert!((0.97..1.03).contains(&loudness(steady)), "{packet_ms}: {}", loudness(steady));
        assert!(median_delay(steady) <= 45.0, "{packet_ms}: {}", median_delay(steady));
    }
}

#[test]
fn delay_follows_the_jitter_and_nothing_is_lost_once_it_does() {
    for jitter in [10.0, 30.0, 60.0, 100.0] {
        let network = Network { jitter, ..CLEAN };
        let heard = network.heard(20_000, ALWAYS);
        assert_in_order(network, &heard);
        let steady = &heard[500..];
        assert!(loudness(steady) > 0.9, "{jitter}: {}", loudness(steady));
        let delay = median_delay(steady);
        assert!(delay <= jitter + 40.0, "{jitter}: {delay}");
    }
}

#[test]
fn delay_shrinks_again_when_the_jitter_ends() {
    let (rough, calm) = (Network { jitter: 100.0, ..CLEAN }, CLEAN);
    let mut buffer = JitterBuffer::new(Codec::Pcma);
    let mut arrivals = rough.arrivals(5000, ALWAYS);
    arrivals.extend(calm.arrivals(20_000, |ms| ms >= 5000));
    arrivals.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut arrivals = arrivals.into_iter().peekable();
    let mut delays = Vec::new();
    for tick in 0..1000 {
        while let Some(packet) = arrivals.next_if(|packet| packet.at <= f64::from(tick) * MS_PER_TICK) {
            buffer.insert(packet.sequence, packet.timestamp, &packet.payload);
        }
        let played = f64::from(buffer.position().wrapping_sub(CLEAN.first_timestamp).cast_signed()) / 8.0;
        buffer.pull();
        delays.push(f64::from(tick) * MS_PER_TICK - CLEAN.phase - 20.0 - played);
    }
    assert!(delays[240] > 60.0 && delays[999] < 35.0, "{} {}", delays[240], delays[999]);
}

#[test]
fn clocks_that_drift_either_way_lose_no_sound_and_add_no_delay() {
    for drift in [-200.0, -50.0, 50.0, 200.0] {
        let network = Network { drift, ..CLEAN };
        let heard = network.heard(600_000, ALWAYS);
        assert_in_order(network, &heard);
        let steady = &heard[50..29_000];
        assert!((0.98..1.02).contains(&loudness(steady)), "{drift}: {}", loudness(steady));
        let most = steady.iter().map(|heard| heard.delay).fold(0.0, f64::max);
        assert!(most < 60.0, "{drift}: {most} ms");
    }
}

#[test]
fn lost_packet_is_concealed_and_the_next_ones_are_played_in_place() {
    let heard = CLEAN.heard(2000, |ms| !(1000..1020).contains(&ms));
    assert!(loudness(&heard[20..]) > 0.95, "{}", loudness(&heard[20..]));
    assert!((heard[90].delay - heard[40].delay).abs() < 0.01);
}

#[test]
fn losses_leave_most_of_the_loudness() {
    for (lost, least) in [(20, 0.95), (100, 0.85)] {
        let network = Network { lost, jitter: 5.0, ..CLEAN };
        let heard = network.heard(20_000, ALWAYS);
        assert_in_order(network, &heard);
        assert!(loudness(&heard[50..]) > least, "{lost}: {}", loudness(&heard[50..]));
    }
}

#[test]
fn pause_of_the_far_end_is_silence_and_the_delay_stays() {
    for gap in [200, 400, 2000, 20_000] {
        let heard = CLEAN.heard(3000 + gap, |ms| !(1000..1000 + gap).contains(&ms));
        let tick = |ms: u32| &heard[ms as usize / 20];
        let is_silent = |heard: &Heard| heard.samples.as_ref().is_none_or(|s| s.iter().all(|s| *s == 0));
        assert!(is_silent(tick(1000 + gap)), "{gap}");
        assert!(loudness(&heard[(1100 + gap) as usize / 20..]) > 0.97, "{gap}");
        assert!((tick(2000 + gap).delay - tick(800).delay).abs() < 0.01, "{gap}");
    }
}

#[test]
fn packet_that_comes_twice_or_late_is_not_played_again() {
    let network = Network { doubled: 500, jitter: 80.0, ..CLEAN };
    let heard = network.heard(20_000, ALWAYS);
    assert_in_order(network, &heard);
    assert!((0.85..1.03).contains(&loudness(&heard[300..])), "{}", loudness(&heard[300..]));
}

#[test]
fn jump_of_the_timestamps_restarts_the_buffer() {
    let mut buffer = JitterBuffer::new(Codec::Pcma);
    for (sequence, timestamp) in (0..100).map(|n| (n, if n < 50 { 5000 } else { 3_000_000_000 } + 160 * n)) {
        buffer.insert(sequence as u16, timestamp, &payload(timestamp, 160));
        let samples = buffer.pull().map(<[i16]>::to_vec);
        assert!(n_is_heard(sequence, samples.as_deref()), "{sequence}: {samples:?}");
    }
}

/// All is heard but the first packets.
fn n_is_heard(n: u32, samples: Option<&[i16]>) -> bool {
    n % 50 < 2 || samples.is_some_and(|samples| power(samples) > AMPLITUDE * AMPLITUDE / 3.0)
}

#[test]
fn pause_of_this_thread_is_made_up_for_at_once() {
    let mut buffer = JitterBuffer::new(Codec::Pcma);
    let insert = |buffer: &mut JitterBuffer, n: u32| {
        buffer.insert(n as u16, 160 * n, &payload(160 * n, 160));
    };
    for n in 0..50 {
        insert(&mut buffer, n);
        buffer.pull();
    }
    (50..70).for_each(|n| insert(&mut buffer, n));
    buffer.skip(20);
    for n in 70..100 {
        insert(&mut buffer, n);
        let samples = buffer.pull().map(<[i16]>::to_vec);
        assert!(n_is_heard(2, samples.as_deref()), "{n}");
        assert!(distance(buffer.position(), 160 * n) < 800, "{n}: {}", buffer.position());
    }
}

#[test]
fn burst_after_a_pause_of_the_network_adds_a_bounded_delay() {
    for pause in [300.0, 450.0, 800.0, 3000.0] {
        let mut buffer = JitterBuffer::new(Codec::Pcma);
        let mut arrivals = CLEAN.arrivals(20_000, ALWAYS);
        for packet in &mut arrivals {
            if (2000.0..2000.0 + pause).contains(&packet.at) {
                packet.at = 2000.0 + pause;
            }
        }
        let mut arrivals = arrivals.into_iter().peekable();
        let mut delay = 0.0;
        for tick in 0..990 {
            let time = f64::from(tick) * MS_PER_TICK;
            while let Some(packet) = arrivals.next_if(|packet| packet.at <= time) {
                buffer.insert(packet.sequence, packet.timestamp, &packet.payload);
            }
            let played = f64::from(buffer.position().wrapping_sub(CLEAN.first_timestamp).cast_signed()) / 8.0;
            delay = time - CLEAN.phase - 20.0 - played;
            buffer.pull();
            let is_over = time > 2000.0 + pause + 100.0;
            assert!(!is_over || delay < 340.0, "{pause}: {delay} ms at {time}");
        }
        assert!(delay < 45.0, "{pause}: {delay} ms in the end");
    }
}

#[test]
fn random_networks_keep_the_order_and_the_bounds() {
    let mut random = Random(7);
    for seed in 0..150 {
        let mut below = |bound: u32| random.below(bound);
        let network = Network {
            seed,
            packet_ms: [10, 20, 30, 40, 60][below(5) as usize],
            phase: f64::from(below(200)) / 10.0,
            drift: f64::from(below(401)) - 200.0,
            jitter: f64::from(below(101)),
            lost: below(150),
            doubled: below(100),
            first_sequence: below(65_536) as u16,
            first_timestamp: u32::MAX - below(200_000),
        };
        let heard = network.heard(12_000, ALWAYS);
        assert_in_order(network, &heard);
        let steady = &heard[150..];
        let most = steady.iter().map(|heard| heard.delay).fold(0.0, f64::max);
        assert!(most < 340.0, "{network:?}: {most} ms");
        let least = 1.0 - 2.5 * f64::from(network.lost) / 1000.0 - 0.2;
        assert!((least..1.1).contains(&loudness(steady)), "{network:?}: {}", loudness(steady));
    }
}

#[test]
fn no_stream_of_packets_causes_a_panic() {
    let mut random = Random(3);
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    for n in 0..100_000 {
        let timestamp =
            if random.below(4) == 0 { random.below(u32::MAX) } else { random.below(5000) + n * 80 };
        buffer.insert(random.below(1000) as u16, timestamp, &vec![1; random.below(2000) as usize]);
        if random.below(2) == 0 {
            assert!(buffer.pull().is_none_or(|samples| samples.len() == 160));
        }
        if random.below(100) == 0 {
            buffer.skip(random.below(1000));
        }
    }
}

/// How loud a tone is behind a network that loses some packets, two of them in a row now and then.
fn loudness_of(codec: Codec, is_lost: impl Fn(u16) -> bool) -> f64 {
    let rate = codec.rate();
    let (mut encoder, mut buffer) = (Encoder::new(codec), JitterBuffer::new(codec));
    let mut heard = Vec::new();
    for (n, sound) in (0..).zip(tone(rate, 250.0, AMPLITUDE, 300).chunks_exact(rate.samples())) {
        let mut payload = Vec::new();
        encoder.encode(sound, &mut payload);
        if !is_lost(n) {
            let timestamp = (u32::MAX - 10_000).wrapping_add(u32::from(n) * codec.timestamps_per_tick());
            buffer.insert(n, timestamp, &payload);
        }
        if let Some(samples) = buffer.pull() {
            assert_eq!(samples.len(), rate.samples());
            heard.extend_from_slice(samples);
        }
    }
    power(&heard[20 * rate.samples()..]) / (AMPLITUDE * AMPLITUDE / 2.0)
}

#[test]
fn every_codec_is_played_whole_and_with_losses() {
    for codec in Codec::ALL {
        let (whole, with_losses) = (loudness_of(codec, |_| false), loudness_of(codec, |n| n % 20 < 2));
        assert!((0.8..1.1).contains(&whole), "{codec:?}: {whole}");
        assert!(with_losses > 0.75 * whole, "{codec:?}: {with_losses} of {whole}");
    }
}

#[test]
fn no_payload_of_any_codec_causes_a_panic() {
    let mut random = Random(5);
    for codec in Codec::ALL {
        let mut buffer = JitterBuffer::new(codec);
        for n in 0..5000_u32 {
            let payload: Vec<u8> = (0..random.below(300)).map(|_| random.below(256) as u8).collect();
            let jitter = random.below(4 * codec.timestamps_per_tick());
            buffer.insert(n as u16, n * codec.timestamps_per_tick() + jitter, &payload);
            assert!(buffer.pull().is_none_or(|samples| samples.len() == codec.rate().samples()));
            assert!(buffer.samples.capacity() < 40 * codec.rate().samples());
        }
    }
}
