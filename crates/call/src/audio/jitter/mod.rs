//! The jitter buffer: orders samples by their timestamps, and returns one tick at a time. Relies on nothing but the
//! timestamps; reads no clock.
//!
//! Its depth is fixed. Packets may have any length and arrive out of order or twice; gaps become silence; packets
//! that are too late are dropped.

use super::{FRAME_SAMPLES, Frame, Rate, SILENCE};

/// How many samples are buffered before the first tick is returned: three ticks cover 40 ms of jitter.
pub const DEPTH: usize = 3 * FRAME_SAMPLES;

/// The most samples that are kept: 400 ms. A packet further ahead restarts the buffer.
pub const CAPACITY: usize = Rate::Narrow.hertz() * 2 / 5;

/// With this much more than [`DEPTH`], the far end's clock runs faster than ours and a tick is skipped.
const SURPLUS: usize = 3 * FRAME_SAMPLES;

/// Ticks without any samples after which the buffer fills up to [`DEPTH`] again before it plays.
const DRY_TICKS: u32 = 5;

/// The samples of one stream on their way to the mixer.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    ring: Vec<i16>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing arrived yet, or nothing for a while.
    Empty,
    /// Samples are buffered until there are [`DEPTH`] of them. Times are RTP timestamps.
    Gathering { start: u32, end: u32 },
    /// Samples are returned from `next`; `end` is behind the last sample that arrived.
    Playing { next: u32, end: u32, dry: u32 },
}

impl Default for JitterBuffer {
    fn default() -> JitterBuffer {
        JitterBuffer { ring: vec![0; CAPACITY], state: State::Empty }
    }
}

impl JitterBuffer {
    /// Takes the samples of one packet whose first has the RTP timestamp `at`.
    pub fn insert(&mut self, at: u32, samples: &[i16]) {
        if samples.is_empty() || samples.len() > CAPACITY / 2 {
            return;
        }
        let (start, end) = match self.state {
            State::Empty => (at, at),
            State::Gathering { start, end } => (earlier(start, at), end),
            State::Playing { next, end, .. } => (next, end),
        };
        let offset = distance(start, at);
        let stop = at.wrapping_add(samples.len() as u32);
        let end = later(end, stop);
        if distance(start, end) > CAPACITY as i32 || offset < -(CAPACITY as i32) {
            self.restart(at, samples);
            return;
        }
        if distance(start, stop) <= 0 {
            return;
        }
        self.write(at, samples, (-offset).max(0) as usize);
        self.state = match self.state {
            State::Empty | State::Gathering { .. } => State::Gathering { start, end },
            State::Playing { next, .. } => State::Playing { next, end, dry: 0 },
        };
    }

    /// The next tick; `None` while the buffer fills up.
    pub fn pull(&mut self) -> Option<Frame> {
        if let State::Gathering { start, end } = self.state
            && distance(start, end) >= DEPTH as i32
        {
            self.state = State::Playing { next: start, end, dry: 0 };
        }
        let State::Playing { mut next, end, dry } = self.state else { return None };
        if distance(next, end) > (DEPTH + SURPLUS) as i32 {
            self.read(next);
            next = next.wrapping_add(FRAME_SAMPLES as u32);
        }
        let frame = self.read(next);
        let dry = if distance(next, end) > 0 { 0 } else { dry + 1 };
        let next = next.wrapping_add(FRAME_SAMPLES as u32);
        self.state =
            if dry >= DRY_TICKS { State::Empty } else { State::Playing { next, end: later(end, next), dry } };
        Some(frame)
    }

    /// Empties the buffer, as for a new stream.
    pub fn clear(&mut self) {
        self.ring.fill(0);
        self.state = State::Empty;
    }

    fn restart(&mut self, at: u32, samples: &[i16]) {
        self.clear();
        self.write(at, samples, 0);
        self.state = State::Gathering { start: at, end: at.wrapping_add(samples.len() as u32) };
    }

    fn write(&mut self, at: u32, samples: &[i16], late: usize) {
        for (n, sample) in samples.iter().enumerate().skip(late) {
            let place = index(at.wrapping_add(n as u32));
            self.ring[place] = *sample;
        }
    }

    /// Takes a tick out and leaves silence in the ring.
    fn read(&mut self, from: u32) -> Frame {
        let mut frame = SILENCE;
        for (n, sample) in frame.iter_mut().enumerate() {
            *sample = std::mem::take(&mut self.ring[index(from.wrapping_add(n as u32))]);
        }
        frame
    }
}

/// Timestamps wrap at 2^32, which is no multiple of the capacity: at the wrap (once in six days of one stream) up to
/// one buffer of samples is returned in the wrong order.
fn index(timestamp: u32) -> usize {
    timestamp as usize % CAPACITY
}

/// How far `to` lies ahead of `from`, across the wrap of timestamps.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

fn earlier(a: u32, b: u32) -> u32 {
    if distance(a, b) < 0 { b } else { a }
}

fn later(a: u32, b: u32) -> u32 {
    if distance(a, b) > 0 { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: u32 = FRAME_SAMPLES as u32;

    /// Packet `n` holds the value `n` only.
    fn insert(buffer: &mut JitterBuffer, base: u32, n: u32) {
        buffer.insert(base.wrapping_add(n * F), &[n as i16; FRAME_SAMPLES]);
    }

    fn pull(buffer: &mut JitterBuffer) -> Option<i16> {
        let frame = buffer.pull()?;
        assert!(frame.iter().all(|sample| *sample == frame[0]), "mixed frame {frame:?}");
        Some(frame[0])
    }

    fn check(base: u32, arrivals: &[u32], expected: &[Option<i16>]) {
        let mut buffer = JitterBuffer::default();
        for n in arrivals {
            insert(&mut buffer, base, *n);
        }
        let got: Vec<_> = expected.iter().map(|_| pull(&mut buffer)).collect();
        assert_eq!(got, expected, "{arrivals:?}");
    }

    #[test]
    fn playback_begins_once_the_buffer_is_deep_enough() {
        check(1000, &[1, 2], &[None, None]);
        check(1000, &[1, 2, 3], &[Some(1), Some(2), Some(3), Some(0)]);
    }

    #[test]
    fn packets_out_of_order_and_twice_come_out_once_and_in_order() {
        check(1000, &[2, 1, 3, 2, 4], &[Some(1), Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn lost_packet_is_a_tick_of_silence() {
        check(1000, &[1, 2, 4], &[Some(1), Some(2), Some(0), Some(4)]);
    }

    #[test]
    fn packet_after_its_tick_is_dropped() {
        let mut buffer = JitterBuffer::default();
        [1, 2, 4].iter().for_each(|n| insert(&mut buffer, 0, *n));
        assert_eq!([pull(&mut buffer), pull(&mut buffer), pull(&mut buffer)], [Some(1), Some(2), Some(0)]);
        insert(&mut buffer, 0, 3);
        assert_eq!(pull(&mut buffer), Some(4));
        assert_eq!(pull(&mut buffer), Some(0));
    }

    #[test]
    fn packets_of_any_length_make_up_the_same_sound() {
        let sound: Vec<i16> = (1..=480).collect();
        for length in [1, 80, 160, 240, 480] {
            let mut buffer = JitterBuffer::default();
            for (n, packet) in sound.chunks(length).enumerate() {
                buffer.insert((n * length) as u32, packet);
            }
            let got: Vec<i16> = (0..3).flat_map(|_| buffer.pull().expect("sound")).collect();
            assert_eq!(got, sound, "packets of {length}");
        }
    }

    #[test]
    fn jump_of_the_timestamps_restarts_the_buffer() {
        let mut buffer = JitterBuffer::default();
        [1, 2, 3].iter().for_each(|n| insert(&mut buffer, 0, *n));
        assert_eq!(pull(&mut buffer), Some(1));
        [5, 6, 7].iter().for_each(|n| insert(&mut buffer, 3_000_000_000, *n));
        assert_eq!([pull(&mut buffer), pull(&mut buffer)], [Some(5), Some(6)]);
    }

    #[test]
    fn empty_buffer_fills_up_again_before_it_plays() {
        let mut buffer = JitterBuffer::default();
        [1, 2, 3].iter().for_each(|n| insert(&mut buffer, 0, *n));
        let played: Vec<_> = (0..9).map(|_| pull(&mut buffer)).collect();
        assert_eq!(played[..3], [Some(1), Some(2), Some(3)]);
        assert_eq!(played[3..8], [Some(0); 5]);
        assert_eq!(played[8], None);
        insert(&mut buffer, 0, 20);
        assert_eq!(pull(&mut buffer), None);
    }

    #[test]
    fn far_end_with_a_faster_clock_does_not_add_delay_without_bound() {
        let mut buffer = JitterBuffer::default();
        let mut sent = 0;
        let mut heard = 0;
        for tick in 0..2000 {
            let packets = if tick % 10 == 0 { 2 } else { 1 };
            for _ in 0..packets {
                insert(&mut buffer, 0, sent);
                sent += 1;
            }
            heard = pull(&mut buffer).map_or(heard, |sample| sample as u32);
        }
        assert!(sent - heard <= 8, "sent {sent}, heard {heard}");
    }

    #[test]
    fn no_stream_of_packets_causes_a_panic() {
        let mut buffer = JitterBuffer::default();
        let mut seed = 1_u32;
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = if seed & 0x100 == 0 { seed } else { seed % 5000 };
            buffer.insert(at, &vec![1; (seed >> 20) as usize]);
            if seed & 1 == 0 {
                buffer.pull();
            }
        }
    }
}
