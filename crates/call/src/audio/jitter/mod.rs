//! The jitter buffer: takes the packets of one stream as they come, and returns its samples one tick at a time.
//!
//! It plays a stream as far behind its timestamps as its packets have lately been late, decodes in the order of the
//! timestamps, conceals what is missing, and changes its delay by leaving out or repeating periods of the sound. Time is
//! the number of ticks that were played; it reads no clock. Memory and delay are bounded.

mod delay;
mod packets;

use delay::Delay;
use packets::{MAX_PAYLOAD, Packets, Seen};

use super::activity::{SILENT_PEAK, peak};
use super::conceal::Concealer;
use super::{Codec, Decoder, stretch};

/// Ticks without a packet after which a stream has ended or paused: silence is no longer played.
const PAUSE_TICKS: u32 = 25;

/// Played this many ticks later than necessary (100 ms), a stream jumps; what is less is made up for by shortening.
const CUT_TICKS: u32 = 5;

/// Ticks between two changes of sound that is not silence: at most a tenth more or less.
const STRETCH_TICKS: u32 = 5;
/// How many ticks pass before a period is looked for again in sound that had none.
const RETRY_TICKS: u32 = 2;

/// Ticks (100 ms) after which silence stands in for missing sound.
const CONCEALED_TICKS: usize = 5;

/// The samples of one stream on their way to the mixer.
#[derive(Debug)]
pub struct JitterBuffer {
    codec: Codec,
    decoder: Decoder,
    concealer: Concealer,
    /// Timestamps of a tick, and samples for each timestamp.
    tick: u32,
    samples_each: usize,
    /// The time: timestamps of all ticks played.
    now: u32,
    delay: Delay,
    seen: Seen,
    packets: Packets,
    state: State,
    /// The timestamp behind the last of `samples`.
    next: u32,
    /// Decoded samples; the first `played` of them were returned by the last pull.
    samples: Vec<i16>,
    played: usize,
    unstretched: u32,
    /// Samples that stand in for missing ones since the last packet.
    concealed: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing arrived yet, or nothing for a while.
    Idle,
    /// The first packet is not due yet.
    Gathering,
    /// Sound is played. `waited` timestamps were filled since there was no packet left: they stand in either for
    /// packets that are late or for some that are lost, which is known when the next one comes.
    Playing { waited: u32 },
}

impl JitterBuffer {
    /// A buffer for a stream that begins now.
    #[must_use]
    pub fn new(codec: Codec) -> JitterBuffer {
        let (rate, tick) = (codec.rate(), codec.timestamps_per_tick());
        JitterBuffer {
            codec,
            decoder: Decoder::new(codec),
            concealer: Concealer::new(rate),
            tick,
            samples_each: rate.samples() / tick as usize,
            now: 0,
            delay: Delay::new(tick),
            seen: Seen::default(),
            packets: Packets::default(),
            state: State::Idle,
            next: 0,
            samples: Vec::with_capacity(3 * rate.samples()),
            played: 0,
            unstretched: 0,
            concealed: 0,
        }
    }

    /// Takes one packet: its sequence number, the timestamp of its first sample, and its payload.
    pub fn insert(&mut self, sequence: u16, timestamp: u32, payload: &[u8]) {
        let length = self.codec.timestamps(payload);
        if length == 0 || payload.len() > MAX_PAYLOAD || self.seen.note(sequence) {
            return;
        }
        let lateness = self.now.wrapping_sub(timestamp);
        if self.delay.is_jump(lateness) {
            self.clear();
        }
        self.delay.add(lateness);
        if self.state == State::Idle {
            self.next = self.now.wrapping_sub(self.delay.target());
            self.state = State::Gathering;
        }
        let end = timestamp.wrapping_add(length);
        if distance(self.next, end) > 0 {
            self.packets.insert(timestamp, end, payload);
        }
    }

    /// The next tick; `None` before the first packet is due, and after a pause.
    pub fn pull(&mut self) -> Option<&[i16]> {
        let now = self.now;
        self.now = now.wrapping_add(self.tick);
        self.samples.drain(..self.played);
        self.played = 0;
        if !self.is_due() {
            return None;
        }
        self.account_for_gap();
        self.cut_surplus(now);
        let count = self.codec.rate().samples();
        self.fill(count);
        self.stretch(now);
        self.fill(count);
        self.played = count;
        Some(&self.samples[..count])
    }

    /// Lets ticks pass that nobody hears, because this thread was held up.
    pub fn skip(&mut self, ticks: u32) {
        self.delay.forget();
        self.now = self.now.wrapping_add(self.tick.wrapping_mul(ticks));
    }

    /// Forgets the stream, for another one begins.
    pub fn clear(&mut self) {
        self.pause();
        self.delay.forget();
        self.seen = Seen::default();
        self.decoder = Decoder::new(self.codec);
    }

    /// The timestamp of the next sample that is played.
    #[must_use]
    pub fn position(&self) -> u32 {
        let ahead = (self.samples.len() - self.played) / self.samples_each;
        self.next.wrapping_sub(ahead as u32)
    }

    fn pause(&mut self) {
        self.packets.clear();
        self.samples.clear();
        self.played = 0;
        self.concealed = 0;
        self.state = State::Idle;
        self.concealer = Concealer::new(self.codec.rate());
    }

    /// Whether sound is to be played in this tick.
    fn is_due(&mut self) -> bool {
        match self.state {
            State::Idle => false,
            State::Gathering => {
                let first = self.packets.first().map_or(self.next, |packet| packet.begin);
                if distance(self.next, first) >= self.tick.cast_signed() {
                    self.next = self.next.wrapping_add(self.tick);
                    return false;
                }
                self.state = State::Playing { waited: 0 };
                true
            }
            State::Playing { waited }
                if waited > PAUSE_TICKS * self.tick && self.packets.first().is_none() =>
            {
                self.pause();
                false
            }
            State::Playing { .. } => true,
        }
    }

    /// When a packet has come after some waiting, what was filled stands in for all that is missing before it.
    fn account_for_gap(&mut self) {
        if let (State::Playing { waited }, Some(first)) = (self.state, self.packets.first()) {
            let gap = distance(self.next, first.begin).max(0).cast_unsigned();
            self.next = self.next.wrapping_add(gap.min(waited));
            self.state = State::Playing { waited: 0 };
        }
    }

    /// How much later than necessary the sound is played, in timestamps.
    fn surplus(&self, now: u32) -> i32 {
        distance(self.delay.target(), now.wrapping_sub(self.position()))
    }

    /// Jumps over sound when far too much is buffered, as after a pause of the network or of this thread.
    fn cut_surplus(&mut self, now: u32) {
        let Some(end) = self.packets.end() else { return };
        let surplus = self.surplus(now);
        if surplus <= (CUT_TICKS * self.tick).cast_signed() {
            return;
        }
        let position = self.position().wrapping_add_signed(surplus);
        let to = if distance(position, end) < 0 { end } else { position };
        if distance(self.next, to) > 0 {
            self.next = to;
            self.samples.clear();
            self.concealer.cut();
        }
    }

    /// Decodes or conceals until there are `count` samples.
    fn fill(&mut self, count: usize) {
        while self.samples.len() < count {
            let missing = count - self.samples.len();
            let Some(first) = self.packets.first() else {
                let filled = self.conceal(missing);
                if let State::Playing { waited } = &mut self.state {
                    *waited = waited.saturating_add(filled);
                }
                continue;
            };
            let gap = distance(self.next, first.begin);
            if gap > 0 {
                let gap = gap as usize * self.samples_each;
                // A decoder that conceals by the following packet needs the whole gap before it.
                let missing = if gap <= 2 * count { gap } else { missing.min(gap) };
                let filled = self.conceal(missing);
                self.next = self.next.wrapping_add(filled);
            } else {
                self.decode();
            }
        }
    }

    /// Appends samples in place of missing ones; returns how many timestamps they cover.
    fn conceal(&mut self, count: usize) -> u32 {
        let begin = self.samples.len();
        let count = count.next_multiple_of(self.samples_each);
        let following = self.packets.first().map(|packet| &packet.payload[..]);
        if self.concealed > CONCEALED_TICKS * self.codec.rate().samples() {
            self.samples.resize(begin + count, 0);
        } else if !self.decoder.conceal(count, following, &mut self.samples) {
            self.concealer.fill(count, &mut self.samples);
        }
        let filled = self.samples.len() - begin;
        self.concealed += filled;
        (filled / self.samples_each) as u32
    }

    /// Decodes the first packet, without what of it was played already.
    fn decode(&mut self) {
        let Some(packet) = self.packets.pop() else { return };
        let late = distance(packet.begin, self.next).max(0).cast_unsigned();
        if distance(self.next, packet.end) > 0 {
            let begin = self.samples.len();
            self.decoder.decode(&packet.payload, &mut self.samples);
            // What cannot be decoded is silence.
            let length = packet.end.wrapping_sub(packet.begin) as usize * self.samples_each;
            self.samples.resize(begin + length, 0);
            self.samples.drain(begin..begin + late as usize * self.samples_each);
            self.concealer.resume(&mut self.samples[begin..]);
            self.next = packet.end;
            self.concealed = 0;
        }
        self.packets.give_back(packet);
    }

    /// Brings the delay nearer to the necessary one: at once in silence, by a period now and then in sound.
    fn stretch(&mut self, now: u32) {
        self.unstretched = self.unstretched.saturating_add(1);
        let surplus = self.surplus(now);
        let half = (self.tick / 2).cast_signed();
        if self.packets.first().is_none() || self.concealed > 0 || (-half / 2..=half).contains(&surplus) {
            return;
        }
        let step = surplus.clamp(-half, half);
        let samples = step.unsigned_abs() as usize * self.samples_each;
        if peak(&self.samples) <= SILENT_PEAK {
            if surplus > 0 {
                self.samples.drain(..samples);
            } else {
                self.samples.splice(..0, std::iter::repeat_n(0, samples));
            }
        } else if self.unstretched > STRETCH_TICKS {
            let per_ms = self.codec.rate().hertz() / 1000;
            let change = if surplus > 0 { stretch::shorten } else { stretch::lengthen };
            let is_changed = change(&mut self.samples, per_ms) > 0;
            // In sound that has no period, none is looked for in every tick.
            self.unstretched = if is_changed { 0 } else { STRETCH_TICKS - RETRY_TICKS };
        }
    }
}

/// How far `to` lies ahead of `from`, across the wrap of timestamps.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests;
