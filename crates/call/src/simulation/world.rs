//! The world: a node, its callers, a stranger, and what happens in the life of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use sip::transaction::TransactionId;
use sip::transport::flow::Protocol;
use sip::transport::listeners::{Listener, Listeners};

use crate::admission::{Admission, Closed};
use crate::audio::{Codec, Participant};
use crate::media::random::Sequence;
use crate::media::shard::{LegId, Shard};
use crate::rooms::{Callers, Room, Rooms};
use crate::settings::{Settings, SourceRate};
use crate::signalling::UserAgent;
use crate::signalling::kit::NODE;

use super::caller::{Caller, State};
use super::guest::Guest;
use super::habits::{self, Access, Habits};
use super::media::Media;
use super::network::{Network, Quality, SPARED};
use super::observed_calls::ObservedCalls;
use super::operator::Followed;
use super::oracle;
use super::sabotage::Sabotage;
use super::streams::Streams;
use super::translator::{Binding, Outside, Translator};

pub(super) const CALLERS: usize = 4;
/// The most calls at one time.
pub(super) const LIMIT: usize = 12;
/// What one address may do: as many calls at once as there may be, and some refusals.
const SOURCE_RATE: SourceRate = SourceRate { admitted: 10, burst: 16, answered: 30, failed: 60 };
/// The most guests while callers do something at random, and in maintenance mode.
pub(super) const GUESTS: usize = 4;
/// The port below that of the first call.
const FIRST_PORT: u16 = 40_000;
/// How long callers do something at random, over a bad network, in milliseconds.
const UNREST: u64 = 20_000;
/// How long all that is under way takes to end over a fair network.
pub(super) const SETTLE: u64 = 40_000;
/// How long the network is poor afterwards: every session is refreshed meanwhile.
const POOR: u64 = 50_000;
/// How long sound flows that is judged.
const SOUND: u64 = 2_000;
/// How long sound of a new source may take to be accepted: the pause of the one before, and the jitter buffer.
const RESTORED: u64 = 800;
/// How long sound takes until its source is known.
const KNOWN: u64 = 500;
/// The interval of all sessions: they are refreshed after a minute, and may be tried again twice before they lapse.
const SESSION: Duration = Duration::from_secs(120);
/// How long a proxy takes to start again.
const RESTART: u64 = 1_500;

pub(super) struct World {
    pub(super) now: u64,
    pub(super) agent: UserAgent,
    pub(super) callers: Vec<Caller>,
    /// What callers encode their sound by.
    pub(super) codecs: &'static [Codec],
    /// Everything that was sent over the network, as one number.
    pub(super) trace: u64,
    pub(super) sabotage: Sabotage,
    pub(super) random: Sequence,
    pub(super) network: Network,
    pub(super) media: Media,
    pub(super) streams: Streams,
    pub(super) translator: Translator,
    /// The proxy forwards nothing before.
    pub(super) proxy_from: u64,
    pub(super) observed: ObservedCalls,
    /// The transaction that has begun first, and since when it is that.
    pub(super) oldest: Option<(TransactionId, u64)>,
    pub(super) shard: Shard,
    /// The legs in the conference, and the port that each has.
    pub(super) legs: BTreeMap<LegId, SocketAddr>,
    pub(super) ports: BTreeMap<Participant, SocketAddr>,
    pub(super) last_port: u16,
    /// Where the translator had bound the sound of a caller before.
    pub(super) bound_before: BTreeMap<SocketAddr, SocketAddr>,
    /// The messages that strangers have heard last.
    pub(super) overheard: VecDeque<String>,
    /// From when on those send sound and RTCP who share the address of a caller: its own is known by then.
    pub(super) forged_from: u64,
    /// The node has no media port for the call whose message is read.
    pub(super) has_no_port: bool,
    /// The participants as an operator follows them.
    pub(super) followed: Followed,
    /// What has happened how often.
    pub(super) seen: BTreeMap<&'static str, u64>,
}

impl World {
    pub(super) fn new(seed: u64, sabotage: Sabotage) -> World {
        let mut random = Sequence::new(seed);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&random.next().to_be_bytes());
        let ring_time = Duration::from_millis([0, 0, 1000, 4000][(random.next() % 4) as usize]);
        let agent = agent(ring_time, sabotage, bytes);
        let codecs = habits::codecs(&mut random);
        let callers =
            (0..CALLERS).map(|number| Caller::new(number, Habits::new(&mut random, codecs))).collect();
        let mut streams = Streams::new(random.next());
        streams.forgets_portions = sabotage == Sabotage::ForgetPortions;
        World {
            now: 1000,
            shard: Shard::new(Duration::from_secs(60), "node".into()),
            agent,
            observed: ObservedCalls::default(),
            oldest: None,
            callers,
            codecs,
            trace: 0,
            sabotage,
            network: Network::new(random.next()),
            media: Media::new(random.next()),
            streams,
            random,
            translator: Translator::default(),
            proxy_from: 0,
            legs: BTreeMap::new(),
            ports: BTreeMap::new(),
            last_port: FIRST_PORT,
            bound_before: BTreeMap::new(),
            overheard: VecDeque::new(),
            forged_from: 0,
            has_no_port: false,
            followed: Followed::default(),
            seen: BTreeMap::new(),
        }
    }

    /// Notes that something has happened.
    pub(super) fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// How many calls were confirmed.
    pub(super) fn carried(&self) -> u64 {
        self.agent.stats().carried
    }

    /// How many calls have had a media port.
    pub(super) fn begun(&self) -> usize {
        usize::from(self.last_port - FIRST_PORT) / 2
    }

    /// How many callers are in a call.
    pub(super) fn up(&self) -> usize {
        self.callers.iter().filter(|caller| caller.state == State::Up).count()
    }

    /// Lives the world to its end.
    ///
    /// # Errors
    /// The promise that was broken first.
    pub(super) fn run(&mut self) -> Result<(), String> {
        if self.sabotage == Sabotage::RefuseCalls {
            self.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
        }
        self.unrest()?;
        self.calm(SETTLE)?;
        self.restore()?;
        self.play()?;
        self.mute()?;
        self.bind_anew()?;
        self.refresh()?;
        self.restore()?;
        self.play()?;
        self.crowd()?;
        self.maintain()?;
        self.end()?;
        oracle::is_empty(self)
    }

    /// Callers call, change, refresh, give up and hang up at random; connections break, and the proxy is restarted.
    fn unrest(&mut self) -> Result<(), String> {
        self.network.quality = Quality::Bad;
        let end = self.now + UNREST;
        while self.now < end {
            let pause = 1 + self.random.next() % 1500;
            self.pass(pause)?;
            let number = (self.random.next() % CALLERS as u64) as usize;
            let (choice, now) = (self.random.next() % 10, self.now);
            let caller = &mut self.callers[number];
            let text = match (caller.state, choice) {
                (State::Idle, _) => Some(caller.dial(now)),
                (State::Calling, 0) => caller.cancel(now),
                (_, 0) => caller.change(now, "sendonly"),
                (_, 1) => caller.change(now, "inactive"),
                (_, 2 | 3) => caller.change(now, "sendrecv"),
                (_, 4) => caller.update(now),
                (_, 5) => caller.hang_up(now),
                _ => None,
            };
            match (text, choice, caller.habits.access) {
                (Some(text), _, _) => self.send(number, text)?,
                (None, 6, Access::Connected) => self.break_connections(number)?,
                (None, 6, Access::Proxied) => self.restart_proxy(),
                (None, 7, _) if self.callers.len() < CALLERS + GUESTS => {
                    let place = (self.random.next() % Guest::USUAL.len() as u64) as usize;
                    self.call_as_guest(Guest::USUAL[place])?;
                }
                (None, _, _) => self.forge(number),
            }
        }
        Ok(())
    }

    fn restart_proxy(&mut self) {
        self.see("restart of the proxy");
        self.proxy_from = self.now + RESTART;
    }

    /// Every session is refreshed over a poor network. Connections break, the proxy is restarted, ports are bound anew,
    /// and changes meet the refreshes.
    fn refresh(&mut self) -> Result<(), String> {
        self.network.quality = Quality::Poor;
        for number in 0..CALLERS {
            let (pause, choice) = (self.random.next() % (2 * POOR / CALLERS as u64), self.random.next() % 3);
            self.pass(pause)?;
            self.forge(number);
            match (self.callers[number].habits.access, choice) {
                // The refresh opens another one.
                (Access::Connected, _) => self.break_connections(number)?,
                (Access::Proxied, 0) => self.restart_proxy(),
                (Access::Translated, 0) if self.is_at_rest(number) => self.bind(number, Binding::Ports),
                (_, 0) => {}
                (_, 1) => self.change(number, "sendonly")?,
                (_, _) => self.change(number, "sendrecv")?,
            }
        }
        self.pass(POOR)?;
        self.calm(SETTLE)
    }

    /// Whether nothing of a call is under way that a poor network could have lost.
    fn is_at_rest(&self, number: usize) -> bool {
        let caller = &self.callers[number];
        caller.is_settled() && caller.agreed.0 + SPARED < self.now
    }

    fn change(&mut self, number: usize, direction: &'static str) -> Result<(), String> {
        match self.callers[number].change(self.now, direction) {
            Some(text) => self.send(number, text),
            None => Ok(()),
        }
    }

    /// Lets time pass over a fair network.
    pub(super) fn calm(&mut self, length: u64) -> Result<(), String> {
        self.network.quality = Quality::Fair;
        self.pass(length)
    }

    /// All who are in a call want it both ways again. The change of one meets a refresh of the node at times.
    pub(super) fn restore(&mut self) -> Result<(), String> {
        let begin = self.now;
        for _ in 0..3 {
            for number in 0..CALLERS {
                if self.callers[number].agreed.0 < begin {
                    self.change(number, "sendrecv")?;
                }
            }
            self.calm(2500)?;
        }
        Ok(())
    }

    /// Everybody sends sound, and so do strangers; then what was heard is judged.
    pub(super) fn play(&mut self) -> Result<(), String> {
        self.forged_from = self.now + KNOWN;
        self.callers.iter_mut().for_each(|caller| caller.voice.forget());
        self.sound(SOUND)?;
        oracle::everyone_hears_everyone_else(self)
    }

    /// The translator binds callers anew in the middle of their calls, and some of them send a re-INVITE for that.
    fn bind_anew(&mut self) -> Result<(), String> {
        let behind = |caller: &Caller| caller.habits.access == Access::Translated && caller.is_settled();
        let numbers: Vec<usize> = (0..CALLERS).filter(|number| behind(&self.callers[*number])).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        for number in numbers {
            match self.random.next() % 4 {
                0 => self.bind(number, Binding::Sound),
                1 => self.bind(number, Binding::Ports),
                2 => {
                    self.bind(number, Binding::Ports);
                    self.change(number, "sendrecv")?;
                }
                _ => {
                    self.bind(number, Binding::Address);
                    self.change(number, "sendrecv")?;
                }
            }
        }
        self.forged_from = u64::MAX;
        self.sound(RESTORED)?;
        self.play()
    }

    /// The translator binds a caller anew.
    fn bind(&mut self, number: usize, binding: Binding) {
        let (signalling, sound) = (self.callers[number].address(), self.callers[number].sound());
        let before = self.translator.outward(sound);
        self.bound_before.insert(sound, before);
        match binding {
            Binding::Sound => {
                self.see("new port for sound");
                self.translator.bind(sound, Outside::First);
            }
            Binding::Ports => {
                self.see("new ports");
                self.translator.bind(sound, Outside::First);
                self.translator.bind(signalling, Outside::First);
            }
            Binding::Address => {
                self.see("new address");
                self.translator.bind(sound, Outside::Second);
                self.translator.bind(signalling, Outside::Second);
            }
        }
    }

    /// Everybody hangs up.
    fn end(&mut self) -> Result<(), String> {
        while self.up() > 0 {
            for number in 0..CALLERS {
                if let Some(text) = self.callers[number].hang_up(self.now) {
                    self.send(number, text)?;
                }
            }
            self.calm(1000)?;
        }
        self.calm(200_000)
    }
}

/// The node.
fn agent(ring_time: Duration, sabotage: Sabotage, seed: [u8; 32]) -> UserAgent {
    let node = super::address(NODE);
    let mut settings = Settings::new(node, node.ip());
    settings.source_rate = SOURCE_RATE;
    (settings.ring_time, settings.session_interval) = (ring_time, SESSION);
    settings.call_limit = LIMIT as u32;
    if matches!(sabotage, Sabotage::AdmitAboveLimit | Sabotage::AdmitFlood) {
        settings.call_limit = u32::MAX;
    }
    if sabotage == Sabotage::AdmitFlood {
        settings.source_rate.burst = u32::MAX;
    }
    let one = |protocol| Listener { protocol, address: node, advertised: None };
    let listeners = Listeners(vec![one(Protocol::Udp), one(Protocol::TCP)]);
    let meeting = Room { name: "Meeting".into(), aliases: vec!["meet".into()], callers: Callers::Anyone };
    let rooms = Rooms::new([meeting]);
    UserAgent::new(settings, listeners, rooms, Admission::Open, seed)
}
