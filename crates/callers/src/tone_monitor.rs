//! The tone monitor of one call: detects expected tones that are missing, the caller's own tone, and tones of other
//! conferences in the received audio.
//!
//! Measures received audio only; a packet that did not arrive counts as silence. Relies on the caller for the time and
//! for the other members of the conference. Does no I/O.
//!
//! A pair of listener and speaker counts from [`ToneLimits::settle`] after the later of both was answered until
//! [`ToneLimits::end_guard`] before the earlier of both begins to end. Gaps are measured in windows of 100 ms; one
//! shorter than [`SHORTEST_GAP`] does not count.

use std::collections::BTreeMap;

use rtp_rs::RtpReader;
use serde::{Deserialize, Serialize};

use crate::codec::Codec;
use crate::stream::{Arrival, Stream};
use crate::time::{Millis, Time};
use crate::tone::{self, FRAME, Heard, Tone, WINDOW};

/// The shortest gap of a tone that counts: at least one whole window without it.
pub const SHORTEST_GAP: Millis = Millis(200);
/// The largest number of missing packets that are replaced by silence: one second, so that a jump of the sequence
/// number cannot exhaust memory.
const LONGEST_FILL: usize = 50;

/// The limits from which on a missing tone is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToneLimits {
    /// The time after a change of membership before a pair counts.
    pub settle: Millis,
    /// The time after which a missing tone is a failure.
    pub missing: Millis,
    /// The time before the end of a pair that does not count: audio in transit and in the last window.
    pub end_guard: Millis,
}

impl Default for ToneLimits {
    fn default() -> ToneLimits {
        ToneLimits { settle: Millis::seconds(2), missing: Millis::seconds(2), end_guard: Millis(500) }
    }
}

/// An expected tone that was missing for [`ToneLimits::missing`] or longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The expected tone.
    pub tone: Tone,
    /// When it was last received, or began to count.
    pub since: Time,
    /// The duration so far, or the total if `over`.
    pub lasted: Millis,
    /// Whether the gap has ended: the tone was received again, or the pair has ended.
    pub over: bool,
}

/// What a call has received so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sound {
    /// RTP packets that were decoded.
    pub packets: u64,
    /// RTP packets that did not arrive, by the sequence numbers.
    pub lost: u64,
    /// RTP packets that arrived too late or twice.
    pub late: u64,
    /// Datagrams that were no RTP of the agreed codec or came from another address than the agreed one.
    pub unusable: u64,
    /// Windows of 100 ms of audio that were analysed.
    pub windows: u64,
    /// Windows with the caller's own tone, except for the first of each series.
    pub own_tone: u64,
    /// Tones of no caller in the conference, with their number of windows, except for the first of each series.
    pub strangers: BTreeMap<Tone, u64>,
    /// The longest gap of an expected tone (zero below [`SHORTEST_GAP`]).
    pub longest_gap: Millis,
    /// The longest time between two RTP packets.
    pub longest_pause: Millis,
}

/// What is expected of another tone.
#[derive(Debug, Clone, Copy)]
enum Expectation {
    /// May be received: its caller is being dialled or on hold.
    Allowed,
    /// Must be received from this time on.
    Expected { from: Time },
    /// Its caller has left; may be received until this time.
    Leaving { until: Time },
}

#[derive(Debug)]
struct Pair {
    expectation: Expectation,
    /// When the tone was last received.
    received: Option<Time>,
    /// Since when it has been reported as missing.
    reported: Option<Time>,
}

/// The tone monitor of one call.
#[derive(Debug)]
pub(crate) struct ToneMonitor {
    own: Tone,
    codec: Codec,
    tone_limits: ToneLimits,
    stream: Stream,
    samples: Vec<i16>,
    previous: Heard,
    pairs: BTreeMap<Tone, Pair>,
    paused: bool,
    last_packet: Option<Time>,
    missing: Vec<Missing>,
    sound: Sound,
}

impl ToneMonitor {
    /// The monitor of a caller that sends `own` and receives `codec`.
    pub(crate) fn new(own: Tone, codec: Codec, tone_limits: ToneLimits) -> ToneMonitor {
        ToneMonitor {
            own,
            codec,
            tone_limits,
            stream: Stream::default(),
            samples: Vec::with_capacity(2 * WINDOW),
            previous: Heard::default(),
            pairs: BTreeMap::new(),
            paused: false,
            last_packet: None,
            missing: Vec::new(),
            sound: Sound::default(),
        }
    }

    /// The tone may be received from now on.
    pub(crate) fn allow(&mut self, tone: Tone, at: Time) {
        self.excuse(tone, at);
        self.pair(tone).expectation = Expectation::Allowed;
    }

    /// The tone must be received, from [`ToneLimits::settle`] after `since` on, when both calls had been answered.
    pub(crate) fn expect(&mut self, tone: Tone, since: Time) {
        let from = since.plus(self.tone_limits.settle);
        self.pair(tone).expectation = Expectation::Expected { from };
    }

    /// The call of the tone, or this one, began to end at `at`: the pair counts until [`ToneLimits::end_guard`] before.
    pub(crate) fn excuse(&mut self, tone: Tone, at: Time) {
        let end = at.minus(self.tone_limits.end_guard);
        self.end_gap(tone, end);
        let until = at.plus(self.tone_limits.settle);
        self.pair(tone).expectation = Expectation::Leaving { until };
    }

    /// The call is on hold: no tone is expected until [`ToneMonitor::resume`].
    pub(crate) fn pause(&mut self, at: Time) {
        let end = at.minus(self.tone_limits.end_guard);
        let tones: Vec<Tone> = self.pairs.keys().copied().collect();
        tones.into_iter().for_each(|tone| self.end_gap(tone, end));
        self.paused = true;
        self.last_packet = None;
    }

    /// The call is off hold since `at`: all pairs count again after [`ToneLimits::settle`].
    pub(crate) fn resume(&mut self, at: Time) {
        let fresh = at.plus(self.tone_limits.settle);
        for pair in self.pairs.values_mut() {
            if let Expectation::Expected { from } = &mut pair.expectation {
                *from = fresh.max(*from);
            }
        }
        self.paused = false;
    }

    /// Analyses the RTP packet that arrived at `at`.
    pub(crate) fn packet(&mut self, at: Time, packet: &RtpReader<'_>) {
        let payload = packet.payload();
        if packet.payload_type() != self.codec.payload_type() || payload.is_empty() {
            self.sound.unusable += 1;
            return;
        }
        match self.stream.take(packet.ssrc(), packet.sequence_number().into()) {
            Arrival::Late => {
                self.sound.late += 1;
                return;
            }
            Arrival::Next { missed } => {
                self.sound.lost += u64::from(missed);
                let fill = usize::from(missed).min(LONGEST_FILL) * FRAME;
                self.samples.extend(std::iter::repeat_n(0, fill));
            }
            Arrival::Fresh => {}
        }
        self.sound.packets += 1;
        if let Some(last) = self.last_packet.replace(at) {
            self.sound.longest_pause = self.sound.longest_pause.max(at.since(last));
        }
        self.samples.extend(self.codec.decode(payload));
        self.analyse(at);
    }

    /// Counts a datagram that is no RTP or came from another address than the agreed one.
    pub(crate) fn count_unusable(&mut self) {
        self.sound.unusable += 1;
    }

    /// When the last packet of audio arrived.
    pub(crate) fn last_packet(&self) -> Option<Time> {
        self.last_packet
    }

    /// What was received so far.
    pub(crate) fn sound(&self) -> &Sound {
        &self.sound
    }

    /// For each expected tone, how long it has been missing; zero below [`SHORTEST_GAP`] and before it counts.
    pub(crate) fn absent(&self, now: Time) -> BTreeMap<Tone, Millis> {
        let gap = |pair: &Pair| pair.missing_since().map(|since| at_least_shortest(now.since(since)));
        self.pairs.iter().filter_map(|(tone, pair)| Some((*tone, gap(pair)?))).collect()
    }

    /// The failures since the last call of this function: those that are over once, and those that go on each time.
    pub(crate) fn judge(&mut self, now: Time) -> Vec<Missing> {
        let limit = self.tone_limits.missing;
        let mut failures = std::mem::take(&mut self.missing);
        if self.paused {
            return failures;
        }
        for (tone, pair) in &mut self.pairs {
            let Some(since) = pair.missing_since() else { continue };
            let lasted = now.since(since);
            if lasted >= limit {
                pair.reported = Some(since);
                self.sound.longest_gap = self.sound.longest_gap.max(lasted);
                failures.push(Missing { tone: *tone, since, lasted, over: false });
            }
        }
        failures
    }

    fn pair(&mut self, tone: Tone) -> &mut Pair {
        self.pairs.entry(tone).or_insert(Pair {
            expectation: Expectation::Allowed,
            received: None,
            reported: None,
        })
    }

    fn analyse(&mut self, at: Time) {
        while self.samples.len() >= WINDOW {
            let window: Vec<i16> = self.samples.drain(..WINDOW).collect();
            let heard = tone::detect(&window);
            self.sound.windows += 1;
            let twice = heard.and(self.previous);
            self.previous = heard;
            for tone in heard.iter() {
                self.note_received(tone, at);
            }
            for tone in twice.iter() {
                self.check_unexpected(tone, at);
            }
        }
    }

    /// Counts a tone that must not be received: the caller's own, or one of another conference.
    fn check_unexpected(&mut self, tone: Tone, at: Time) {
        if tone == self.own {
            self.sound.own_tone += 1;
        } else if !self.is_allowed(tone, at) {
            *self.sound.strangers.entry(tone).or_default() += 1;
        }
    }

    fn is_allowed(&self, tone: Tone, at: Time) -> bool {
        self.pairs.get(&tone).is_some_and(|pair| match pair.expectation {
            Expectation::Allowed | Expectation::Expected { .. } => true,
            Expectation::Leaving { until } => at <= until,
        })
    }

    fn note_received(&mut self, tone: Tone, at: Time) {
        self.end_gap(tone, at);
        if let Some(pair) = self.pairs.get_mut(&tone) {
            pair.received = Some(at);
        }
    }

    /// Ends a gap of the tone at `end`, if there is one, and records the failure if it was long enough.
    fn end_gap(&mut self, tone: Tone, end: Time) {
        let Some(pair) = self.pairs.get_mut(&tone) else { return };
        let Some(since) = pair.missing_since() else { return };
        let lasted = end.since(since);
        if self.paused && pair.reported.is_none() {
            return;
        }
        self.sound.longest_gap = self.sound.longest_gap.max(at_least_shortest(lasted));
        if pair.reported.take().is_some() || lasted >= self.tone_limits.missing {
            self.missing.push(Missing { tone, since, lasted, over: true });
        }
    }
}

impl Pair {
    /// Since when the tone has been missing; `None` if it is not expected.
    fn missing_since(&self) -> Option<Time> {
        match self.expectation {
            Expectation::Expected { from } => Some(self.received.map_or(from, |received| received.max(from))),
            Expectation::Allowed | Expectation::Leaving { .. } => None,
        }
    }
}

fn at_least_shortest(gap: Millis) -> Millis {
    if gap < SHORTEST_GAP { Millis(0) } else { gap }
}

#[cfg(test)]
#[path = "tone_monitor_tests.rs"]
mod tests;
