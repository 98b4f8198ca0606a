//! The jitter buffer: orders samples by their timestamps, and returns one tick at a time. Relies on nothing but the
//! timestamps; reads no clock.
//!
//! Its depth is fixed. Packets may have any length and arrive out of order or twice; gaps become silence; packets
//! that are too late are dropped.

use super::{FRAME_SAMPLES, Frame, RATE, SILENCE};

/// How many samples are buffered before the first tick is returned: three ticks cover 40 ms of jitter.
pub const DEPTH: usize = 3 * FRAME_SAMPLES;

/// The most samples that are kept: 400 ms. A packet further ahead restarts the buffer.
pub const CAPACITY: usize = RATE * 2 / 5;

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
