//! The ear of one call: whom it hears, whom it should hear and does not, and whether it hears itself.
//!
//! Everything is measured from the audio that arrived; a packet that did not come is silence. Takes
//! the time with every call and does no I/O. Who else is in the room is told to it from outside.
//!
//! A pair of listener and speaker is judged from [`Judgement::settle`] after the later of both was
//! answered until [`Judgement::end_guard`] before the earlier of both begins to end. Gaps are
//! measured in windows of 100 ms; one shorter than [`SHORTEST_GAP`] is not seen as a gap.

use std::collections::BTreeMap;

use rtp_rs::RtpReader;
use serde::{Deserialize, Serialize};

use crate::codec::Codec;
use crate::stream::{Arrival, Stream};
use crate::time::{Millis, Time};
use crate::tone::{self, FRAME, Heard, Tone, WINDOW};

/// The shortest gap of a tone that is counted: at least one whole window without it.
pub const SHORTEST_GAP: Millis = Millis(200);
/// The most silence put in for packets that did not come: one second, so that a jump of the
/// sequence cannot fill the memory.
const LONGEST_FILL: usize = 50;

/// How strictly an ear judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Grace after a change of membership, before a pair counts.
    pub settle: Millis,
    /// An expected tone missing for so long is a failure.
    pub missing: Millis,
    /// The last stretch of a pair before one of both begins to end that is not judged: sound under
    /// way and in the last window.
    pub end_guard: Millis,
}

impl Default for Judgement {
    fn default() -> Judgement {
        Judgement { settle: Millis::seconds(2), missing: Millis::seconds(2), end_guard: Millis(500) }
    }
}

/// An expected tone that was not heard for [`Judgement::missing`] or longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The tone that should have been heard.
    pub tone: Tone,
    /// When it was last heard, or began to count.
    pub since: Time,
    /// How long so far, or in all when `over`.
    pub lasted: Millis,
    /// Whether the tone came back or the pair ended.
    pub over: bool,
}

/// What one ear has heard so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sound {
    /// RTP packets received and used.
    pub packets: u64,
    /// RTP packets that did not come, as the sequence shows.
    pub lost: u64,
    /// RTP packets that came too late or twice.
    pub late: u64,
    /// Datagrams that were no RTP of the agreed codec, or came from elsewhere than the node said.
    pub unusable: u64,
    /// Windows of 100 ms of audio examined.
    pub windows: u64,
    /// Windows that held the caller's own tone, in each case the second in a row or later.
    pub own_tone: u64,
    /// Tones of nobody in the room and the windows they were heard in, the second in a row or later.
    pub strangers: BTreeMap<Tone, u64>,
    /// The longest time for which an expected tone was away (zero below [`SHORTEST_GAP`]).
    pub longest_gap: Millis,
    /// The longest time between two RTP packets.
    pub longest_pause: Millis,
}

/// What the ear knows of another tone.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// May be heard and need not: being dialled, on hold.
    Allowed,
    /// Must be heard from this moment on.
    Expected { from: Time },
    /// Has gone; may ring on until this moment.
    Leaving { until: Time },
}

#[derive(Debug)]
struct Pair {
    standing: Standing,
    heard: Option<Time>,
    open: Option<Time>,
}

/// One call's ear.
#[derive(Debug)]
pub struct Ear {
    own: Tone,
    codec: Codec,
    judgement: Judgement,
    stream: Stream,
    samples: Vec<i16>,
    before: Heard,
    pairs: BTreeMap<Tone, Pair>,
    deaf: bool,
    last_packet: Option<Time>,
    missing: Vec<Missing>,
    sound: Sound,
}

impl Ear {
    /// The ear of a caller who sends `own` and receives `codec`.
    #[must_use]
    pub fn new(own: Tone, codec: Codec, judgement: Judgement) -> Ear {
        Ear {
            own,
            codec,
            judgement,
            stream: Stream::default(),
            samples: Vec::with_capacity(2 * WINDOW),
            before: Heard::default(),
            pairs: BTreeMap::new(),
            deaf: false,
            last_packet: None,
            missing: Vec::new(),
            sound: Sound::default(),
        }
    }

    /// The tone may be heard from now on and need not.
    pub fn allow(&mut self, tone: Tone, at: Time) {
        self.excuse(tone, at);
        self.pair(tone).standing = Standing::Allowed;
    }

    /// The tone must be heard: both calls are answered since `since`, and it counts from
    /// [`Judgement::settle`] later.
    pub fn expect(&mut self, tone: Tone, since: Time) {
        let from = since.plus(self.judgement.settle);
        self.pair(tone).standing = Standing::Expected { from };
    }

    /// The tone's caller, or this one, began to end at `at`: the pair is judged until
    /// [`Judgement::end_guard`] before and no longer.
    pub fn excuse(&mut self, tone: Tone, at: Time) {
        let end = at.minus(self.judgement.end_guard);
        self.close(tone, end);
        let until = at.plus(self.judgement.settle);
        self.pair(tone).standing = Standing::Leaving { until };
    }

    /// The call is on hold: nothing is expected until [`Ear::listen`].
    pub fn stop_listening(&mut self, at: Time) {
        let end = at.minus(self.judgement.end_guard);
        let tones: Vec<Tone> = self.pairs.keys().copied().collect();
        tones.into_iter().for_each(|tone| self.close(tone, end));
        self.deaf = true;
        self.last_packet = None;
    }

    /// The call hears again since `at`: all pairs count anew, after the settling time.
    pub fn listen(&mut self, at: Time) {
        let fresh = at.plus(self.judgement.settle);
        for pair in self.pairs.values_mut() {
            if let Standing::Expected { from } = &mut pair.standing {
                *from = fresh.max(*from);
            }
        }
        self.deaf = false;
    }

    /// Takes the RTP packet that arrived at `at`.
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
        self.examine(at);
    }

    /// Counts a datagram that was no RTP, or came from elsewhere than it should.
    pub fn noise(&mut self) {
        self.sound.unusable += 1;
    }

    /// When the last packet of audio arrived.
    #[must_use]
    pub fn last_packet(&self) -> Option<Time> {
        self.last_packet
    }

    /// What was heard so far.
    #[must_use]
    pub fn sound(&self) -> &Sound {
        &self.sound
    }

    /// For each expected tone, how long it has been missing; zero for one heard within
    /// [`SHORTEST_GAP`] or not yet counting.
    #[must_use]
    pub fn absent(&self, now: Time) -> BTreeMap<Tone, Millis> {
        let gap = |pair: &Pair| pair.away_since().map(|since| counted(now.since(since)));
        self.pairs.iter().filter_map(|(tone, pair)| Some((*tone, gap(pair)?))).collect()
    }

    /// The failures since the last time this was asked: those that are over, once, and those that go
    /// on, each time.
    pub fn judge(&mut self, now: Time) -> Vec<Missing> {
        let limit = self.judgement.missing;
        let mut failures = std::mem::take(&mut self.missing);
        if self.deaf {
            return failures;
        }
        for (tone, pair) in &mut self.pairs {
            let Some(since) = pair.away_since() else { continue };
            let lasted = now.since(since);
            if lasted >= limit {
                pair.open = Some(since);
                self.sound.longest_gap = self.sound.longest_gap.max(lasted);
                failures.push(Missing { tone: *tone, since, lasted, over: false });
            }
        }
        failures
    }

    fn pair(&mut self, tone: Tone) -> &mut Pair {
        self.pairs.entry(tone).or_insert(Pair { standing: Standing::Allowed, heard: None, open: None })
    }

    fn examine(&mut self, at: Time) {
        while self.samples.len() >= WINDOW {
            let window: Vec<i16> = self.samples.drain(..WINDOW).collect();
            let heard = tone::detect(&window);
            self.sound.windows += 1;
            let twice = heard.and(self.before);
            self.before = heard;
            for tone in heard.iter() {
                self.hear(tone, at);
            }
            for tone in twice.iter() {
                self.suspect(tone, at);
            }
        }
    }

    /// Counts a tone that should not be heard: one's own, or nobody's.
    fn suspect(&mut self, tone: Tone, at: Time) {
        if tone == self.own {
            self.sound.own_tone += 1;
        } else if !self.knows(tone, at) {
            *self.sound.strangers.entry(tone).or_default() += 1;
        }
    }

    fn knows(&self, tone: Tone, at: Time) -> bool {
        self.pairs.get(&tone).is_some_and(|pair| match pair.standing {
            Standing::Allowed | Standing::Expected { .. } => true,
            Standing::Leaving { until } => at <= until,
        })
    }

    fn hear(&mut self, tone: Tone, at: Time) {
        self.close(tone, at);
        if let Some(pair) = self.pairs.get_mut(&tone) {
            pair.heard = Some(at);
        }
    }

    /// The tone was away until `end`, if it was: notes the gap, and the failure when it was one.
    fn close(&mut self, tone: Tone, end: Time) {
        let Some(pair) = self.pairs.get_mut(&tone) else { return };
        let Some(since) = pair.away_since() else { return };
        let lasted = end.since(since);
        if self.deaf && pair.open.is_none() {
            return;
        }
        self.sound.longest_gap = self.sound.longest_gap.max(counted(lasted));
        if pair.open.take().is_some() || lasted >= self.judgement.missing {
            self.missing.push(Missing { tone, since, lasted, over: true });
        }
    }
}

impl Pair {
    /// Since when the tone has not been heard although it should be; `None` when it need not.
    fn away_since(&self) -> Option<Time> {
        match self.standing {
            Standing::Expected { from } => Some(self.heard.map_or(from, |heard| heard.max(from))),
            Standing::Allowed | Standing::Leaving { .. } => None,
        }
    }
}

fn counted(gap: Millis) -> Millis {
    if gap < SHORTEST_GAP { Millis(0) } else { gap }
}

#[cfg(test)]
#[path = "ear_tests.rs"]
mod tests;
