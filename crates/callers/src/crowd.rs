//! A crowd: keeps a population of callers alive over a set of nodes and writes down what happens.
//!
//! Each person dials the nodes in an order of its own, as resolvers do with SRV records: a node that
//! refuses is followed by the next. Who sits in one conference (the same alias on the same node) must
//! hear each other. The choices follow from the seed; the crowd never hangs up to hide a failure.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Agent, AgentError};
use crate::book::{Book, Seat};
use crate::dial::{CallId, CallSettings, DialError, Target, Transport};
use crate::ear::Judgement;
use crate::ledger::{Kind, Ledger, NodeName};
use crate::live::{Ended, LiveCall};
use crate::person::{self, Visit};
use crate::plan::{Lengths, Room};
use crate::time::{Clock, Millis, Time};
use crate::tone;

/// How often the ears are asked for failures.
const JUDGE_EVERY: Duration = Duration::from_millis(250);
/// How often conditions of the whole crowd are looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(25);

/// A node as the crowd dials it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The operator's name for it.
    pub name: NodeName,
    /// Its SIP address.
    pub sip: SocketAddr,
}

/// Which transport the callers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// UDP only.
    Udp,
    /// TCP only.
    Tcp,
    /// Every second caller TCP.
    #[default]
    Mixed,
}

/// How a crowd behaves.
#[derive(Debug, Clone)]
pub struct CrowdSettings {
    /// The address of all callers.
    pub ip: IpAddr,
    /// Makes all choices.
    pub seed: u64,
    /// The nodes that are dialled.
    pub nodes: Vec<Node>,
    /// The rooms that are dialled.
    pub rooms: Vec<Room>,
    /// So many calls are kept alive; a caller whose time is up waits for its successor, 3 s at most.
    pub minimum: usize,
    /// So many more are placed, so that the minimum holds while others come and go.
    pub spare: usize,
    /// The share of all calls that is to sit in conferences of three or more, 0 to 1.
    pub share_in_several: f64,
    /// How long ordinary calls last.
    pub lengths: Lengths,
    /// How SIP travels.
    pub mode: Mode,
    /// How the ears judge.
    pub judgement: Judgement,
    /// A call without sound for so long is lost.
    pub silence: Millis,
    /// An INVITE without a final answer for so long is given up, and the next node dialled.
    pub answer_within: Millis,
    /// Each call is refreshed so often by re-INVITE; a refresh that fails is a loss.
    pub refresh_every: Option<Millis>,
    /// The most new calls a second.
    pub calls_a_second: u32,
    /// A person whom all nodes refused is followed by another no sooner than this.
    pub redial_pause: Millis,
}

impl CrowdSettings {
    /// Sixty callers, half of them in conferences of three or more, calls of half a minute's median,
    /// 20 new calls a second at most, a refresh every 20 s.
    #[must_use]
    pub fn new(ip: IpAddr, nodes: Vec<Node>, rooms: Vec<Room>) -> CrowdSettings {
        CrowdSettings {
            ip,
            seed: 1,
            nodes,
            rooms,
            minimum: 60,
            spare: 4,
            share_in_several: 0.5,
            lengths: Lengths {
                median: Millis::seconds(30),
                spread: 0.8,
                shortest: Millis::seconds(6),
                longest: Millis::seconds(180),
            },
            mode: Mode::default(),
            judgement: Judgement::default(),
            silence: Millis::seconds(5),
            answer_within: Millis::seconds(4),
            refresh_every: Some(Millis::seconds(20)),
            calls_a_second: 20,
            redial_pause: Millis::seconds(2),
        }
    }
}

impl CrowdSettings {
    /// The calls to be kept up, spare ones included.
    fn wanted(&self) -> usize {
        self.minimum + self.spare
    }

    fn check(&self) -> Result<(), CrowdError> {
        if self.nodes.is_empty() || self.rooms.is_empty() {
            return Err(CrowdError::Nowhere);
        }
        let seats = self.nodes.len() * self.rooms.iter().map(Room::seats).sum::<usize>();
        let wanted = self.wanted();
        if seats < wanted { Err(CrowdError::TooFewSeats { wanted, seats }) } else { Ok(()) }
    }
}

/// Why a crowd cannot begin, or a pinned call not be placed.
#[derive(Debug, thiserror::Error)]
pub enum CrowdError {
    /// No SIP address.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// A crowd needs somewhere to call.
    #[error("a crowd needs at least one node and one room: both lists are to be given")]
    Nowhere,
    /// Not everybody could sit.
    #[error(
        "{wanted} callers want to talk, but all rooms on all nodes have only {seats} seats: add rooms or seats"
    )]
    TooFewSeats {
        /// The minimum and the spare ones.
        wanted: usize,
        /// Seats of all rooms on all nodes.
        seats: usize,
    },
    /// The node is none of the crowd's.
    #[error("{0} is no node of this crowd: give one of the nodes it was started with")]
    NoSuchNode(NodeName),
    /// No seat.
    #[error("{alias} on {node} has no free seat: choose another room or give it more seats")]
    Full {
        /// The room.
        alias: String,
        /// The node.
        node: NodeName,
    },
    /// The node refused.
    #[error("the pinned call was not placed on {node}")]
    Dial {
        /// The node.
        node: NodeName,
        /// Its answer.
        #[source]
        source: DialError,
    },
}

/// A long call on a given node, for as long as it is given or until it is told to hang up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The node; no other is tried.
    pub node: NodeName,
    /// The alias to dial. In a room of the crowd its seat may be taken; an alias that is none of
    /// [`CrowdSettings::rooms`] has 29 seats for pinned calls alone.
    pub alias: String,
    /// How long it lasts unless it is told before.
    pub length: Millis,
}

/// A crowd at work. Dropping it hangs up everybody without waiting; [`Crowd::stop`] waits.
pub struct Crowd {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) settings: CrowdSettings,
    pub(crate) agent: Agent,
    pub(crate) clock: Clock,
    pub(crate) book: Book,
    pub(crate) stop: CancellationToken,
    pub(crate) people: TaskTracker,
    started: Time,
}

impl Crowd {
    /// Begins to place calls.
    ///
    /// # Errors
    /// [`CrowdError::Nowhere`] without nodes or rooms, [`CrowdError::TooFewSeats`] when not everybody
    /// could sit, [`CrowdError::Agent`] without a SIP address.
    pub async fn start(settings: CrowdSettings) -> Result<Crowd, CrowdError> {
        settings.check()?;
        let agent = Agent::open(settings.ip).await?;
        let clock = agent.clock();
        let shared = Arc::new(Shared {
            agent,
            clock,
            book: Book::default(),
            stop: CancellationToken::new(),
            people: TaskTracker::new(),
            started: clock.now(),
            settings,
        });
        tokio::spawn(keep_populated(shared.clone()));
        tokio::spawn(keep_judging(shared.clone()));
        Ok(Crowd { shared })
    }

    /// The clock of all times in the ledger.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Everything that happened so far, measured up to this moment.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.shared.book.judge();
        self.shared.book.ledger()
    }

    /// Calls alive now.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.shared.book.alive()
    }

    /// Waits until the minimum of calls is alive. Set a limit of your own around it.
    pub async fn populated(&self) {
        while self.alive() < self.shared.settings.minimum {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Places a pinned call; it counts among those alive.
    ///
    /// # Errors
    /// [`CrowdError`]: no such node, no seat, or the node's refusal.
    pub async fn pin(&self, pin: Pin) -> Result<CallId, CrowdError> {
        let node = self.shared.settings.nodes.iter().find(|node| node.name == pin.node);
        let node = node.cloned().ok_or_else(|| CrowdError::NoSuchNode(pin.node.clone()))?;
        let visit = Visit { n: self.shared.book.next_person(), node, alias: pin.alias, kind: Kind::Pinned };
        let call = match self.place_pinned(&visit).await {
            Ok(call) => call,
            Err(error) => {
                self.shared.book.gave_up();
                return Err(error);
            }
        };
        let id = call.id().clone();
        let shared = self.shared.clone();
        self.shared.people.spawn(async move { person::stay(&shared, call, pin.length, Kind::Pinned).await });
        Ok(id)
    }

    async fn place_pinned(&self, visit: &Visit) -> Result<LiveCall, CrowdError> {
        let node = visit.node.name.clone();
        let Some(seat) = self.shared.book.seat(visit, &self.shared) else {
            return Err(CrowdError::Full { alias: visit.alias.clone(), node });
        };
        let dialled = person::dial(&self.shared, visit, seat, Vec::new()).await;
        dialled.map_err(|source| CrowdError::Dial { node, source })
    }

    /// Tells a call to hang up now and waits until it has ended; `None` when there is no such call.
    pub async fn hang_up(&self, id: &CallId) -> Option<Ended> {
        let call = self.shared.book.tell_to_leave(id)?;
        Some(call.ended().await)
    }

    /// Places no more calls, lets everybody hang up and gives the final ledger.
    pub async fn stop(self) -> Ledger {
        self.shared.stop.cancel();
        self.shared.people.close();
        self.shared.people.wait().await;
        self.shared.book.judge();
        self.shared.book.ledger()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Shared {
    /// The Call-ID of the `n`-th person's call to a node: unlike any of an earlier crowd.
    pub(crate) fn call_id(&self, visit: &Visit) -> CallId {
        let (n, node, start, port) = (visit.n, &visit.node.name, self.started.0, self.agent.address().port());
        CallId(format!("c{n}-{node}-{start}-{port}@{}", self.settings.ip))
    }

    /// How a visit is dialled.
    pub(crate) fn call_settings(&self, visit: &Visit, seat: Seat) -> CallSettings {
        let transport = match self.settings.mode {
            Mode::Udp => Transport::Udp,
            Mode::Tcp => Transport::Tcp,
            Mode::Mixed if visit.n.is_multiple_of(2) => Transport::Udp,
            Mode::Mixed => Transport::Tcp,
        };
        let codec = if visit.n % 4 < 2 { crate::Codec::Pcmu } else { crate::Codec::Pcma };
        let target = Target { alias: visit.alias.clone(), node: visit.node.sip, transport };
        CallSettings {
            amplitude: tone::amplitude_for(self.seats(&visit.alias)),
            codec,
            judgement: self.settings.judgement,
            silence: self.settings.silence,
            answer_within: self.settings.answer_within,
            ..CallSettings::new(seat.id, target, seat.tone)
        }
    }

    /// The seats of a room; a room that only pinned calls dial has as many as there are tones.
    pub(crate) fn seats(&self, alias: &str) -> usize {
        self.settings.rooms.iter().find(|room| room.alias == alias).map_or(tone::TONES, Room::seats)
    }
}

/// Sends people to the telephone whenever too few talk.
async fn keep_populated(shared: Arc<Shared>) {
    let pace = Duration::from_secs(1) / shared.settings.calls_a_second.max(1);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = tokio::time::sleep(pace) => {}
        }
        if let Some(n) = shared.book.person_wanted(shared.settings.wanted()) {
            let person = shared.clone();
            shared.people.spawn(async move { person::live(&person, n).await });
        }
    }
}

async fn keep_judging(shared: Arc<Shared>) {
    while shared.stop.run_until_cancelled(tokio::time::sleep(JUDGE_EVERY)).await.is_some() {
        shared.book.judge();
        shared.book.note_population(shared.settings.minimum);
    }
}
