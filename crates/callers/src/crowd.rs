//! A crowd, the load generator: keeps a number of calls alive on a set of nodes and records what happens to them.
//!
//! Each caller dials the nodes in an order of its own, as with SRV records: if a node refuses, it dials the next. All
//! callers in a conference (the same alias on the same node) must hear each other. The choices follow from the seed.
//! Knows nothing of managers or runs, and never hangs up to hide a failure.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Agent, AgentError};
use crate::call_log::{CallLog, Kind, NodeName};
use crate::caller::{self, Attempt};
use crate::crowd_state::{CrowdState, Seat};
use crate::dial::{CallId, CallSettings, DialError, Target, Transport};
use crate::live::{Ended, LiveCall};
use crate::plan::{Lengths, Room};
use crate::time::{Clock, Millis, Time};
use crate::tone;
use crate::tone_monitor::ToneLimits;

/// How often the tone monitors are checked for failures.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// How often conditions of the whole crowd are checked.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// A node as the crowd dials it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name, as operators know it.
    pub name: NodeName,
    /// Its SIP address.
    pub sip: SocketAddr,
}

/// The SIP transport of the callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// UDP only.
    Udp,
    /// TCP only.
    Tcp,
    /// UDP and TCP for every second caller each.
    #[default]
    Mixed,
}

/// The settings of a crowd.
#[derive(Debug, Clone)]
pub struct CrowdSettings {
    /// The IP address of all callers.
    pub ip: IpAddr,
    /// The seed of all random choices.
    pub seed: u64,
    /// The nodes to dial.
    pub nodes: Vec<Node>,
    /// The rooms to dial.
    pub rooms: Vec<Room>,
    /// The number of calls that are kept alive; at the end of its call a caller waits for a successor, 3 s at most.
    pub minimum: usize,
    /// The number of additional calls, so that the minimum holds while calls end and begin.
    pub spare: usize,
    /// The share of calls in conferences of three or more, 0 to 1.
    pub share_in_several: f64,
    /// The lengths of ordinary calls.
    pub lengths: Lengths,
    /// The SIP transport.
    pub mode: Mode,
    /// The limits of the tone monitors.
    pub tone_limits: ToneLimits,
    /// A call that receives no RTP for this time is lost.
    pub silence: Millis,
    /// An INVITE without a final answer for this time is cancelled, and the next node is dialled.
    pub answer_within: Millis,
    /// The interval of re-INVITEs in each call; if one fails, the call is lost.
    pub refresh_every: Option<Millis>,
    /// The largest number of new calls a second.
    pub calls_a_second: u32,
    /// The pause before another caller replaces one that all nodes have refused.
    pub redial_pause: Millis,
}

impl CrowdSettings {
    /// Sixty callers, half of them in conferences of three or more, calls with a median length of 30 s, at most 20 new
    /// calls a second, a re-INVITE every 20 s.
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
            tone_limits: ToneLimits::default(),
            silence: Millis::seconds(5),
            answer_within: Millis::seconds(4),
            refresh_every: Some(Millis::seconds(20)),
            calls_a_second: 20,
            redial_pause: Millis::seconds(2),
        }
    }
}

impl CrowdSettings {
    /// The number of calls to keep alive, including the additional ones.
    fn wanted(&self) -> usize {
        self.minimum + self.spare
    }

    fn check(&self) -> Result<(), CrowdError> {
        if self.nodes.is_empty() || self.rooms.is_empty() {
            return Err(CrowdError::NoNodeOrRoom);
        }
        let seats = self.nodes.len() * self.rooms.iter().map(Room::seats).sum::<usize>();
        let wanted = self.wanted();
        if seats < wanted { Err(CrowdError::TooFewSeats { wanted, seats }) } else { Ok(()) }
    }
}

/// Why a crowd cannot start, or why a pinned call cannot be placed.
#[derive(Debug, thiserror::Error)]
pub enum CrowdError {
    /// No SIP address could be opened.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// There is no node or no room.
    #[error("a crowd needs at least one node and one room: add them to its settings")]
    NoNodeOrRoom,
    /// There are more callers than seats.
    #[error(
        "{wanted} callers do not fit into the {seats} seats of all rooms on all nodes: add rooms or seats"
    )]
    TooFewSeats {
        /// The minimum and the additional calls.
        wanted: usize,
        /// The seats of all rooms on all nodes.
        seats: usize,
    },
    /// The node is not in the settings.
    #[error("{0} is not a node of this crowd: use one of the nodes in its settings")]
    NoSuchNode(NodeName),
    /// The room has no free seat.
    #[error("{alias} on {node} has no free seat: choose another room or give it more seats")]
    Full {
        /// The room.
        alias: String,
        /// The node.
        node: NodeName,
    },
    /// The node did not answer the call.
    #[error("the pinned call could not be placed on {node}")]
    Dial {
        /// The node.
        node: NodeName,
        /// The reason.
        #[source]
        source: DialError,
    },
}

/// A call on a given node, until [`Crowd::hang_up`] or the end of its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The node; no other one is dialled.
    pub node: NodeName,
    /// The alias to dial. A room of the crowd may be full; an alias that is not in [`CrowdSettings::rooms`] has 29
    /// seats for pinned calls only.
    pub alias: String,
    /// Its longest length.
    pub length: Millis,
}

/// A running crowd. Dropping it hangs up all calls without waiting; [`Crowd::stop`] waits.
pub struct Crowd {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) settings: CrowdSettings,
    pub(crate) agent: Agent,
    pub(crate) clock: Clock,
    pub(crate) state: CrowdState,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    started: Time,
}

impl Crowd {
    /// Starts to place calls.
    ///
    /// # Errors
    /// [`CrowdError::NoNodeOrRoom`], [`CrowdError::TooFewSeats`], or [`CrowdError::Agent`] without a SIP address.
    pub async fn start(settings: CrowdSettings) -> Result<Crowd, CrowdError> {
        settings.check()?;
        let agent = Agent::open(settings.ip).await?;
        let clock = agent.clock();
        let shared = Arc::new(Shared {
            agent,
            clock,
            state: CrowdState::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            started: clock.now(),
            settings,
        });
        tokio::spawn(keep_populated(shared.clone()));
        tokio::spawn(keep_checking(shared.clone()));
        Ok(Crowd { shared })
    }

    /// The clock of all times in the log.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// The log of all calls so far, up to date.
    #[must_use]
    pub fn log(&self) -> CallLog {
        self.shared.state.judge();
        self.shared.state.log()
    }

    /// The number of calls that are alive.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.shared.state.alive()
    }

    /// Waits until the minimum of calls is alive. Has no time limit.
    pub async fn populated(&self) {
        while self.alive() < self.shared.settings.minimum {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Places a pinned call; it counts as alive.
    ///
    /// # Errors
    /// [`CrowdError`]: no such node, no free seat, or the node refuses.
    pub async fn pin(&self, pin: Pin) -> Result<CallId, CrowdError> {
        let node = self.shared.settings.nodes.iter().find(|node| node.name == pin.node);
        let node = node.cloned().ok_or_else(|| CrowdError::NoSuchNode(pin.node.clone()))?;
        let attempt =
            Attempt { n: self.shared.state.next_caller(), node, alias: pin.alias, kind: Kind::Pinned };
        let call = match self.place_pinned(&attempt).await {
            Ok(call) => call,
            Err(error) => {
                self.shared.state.stopped_dialling();
                return Err(error);
            }
        };
        let id = call.id().clone();
        let shared = self.shared.clone();
        self.shared.tasks.spawn(async move { caller::stay(&shared, call, pin.length, Kind::Pinned).await });
        Ok(id)
    }

    async fn place_pinned(&self, attempt: &Attempt) -> Result<LiveCall, CrowdError> {
        let node = attempt.node.name.clone();
        let Some(seat) = self.shared.state.seat(attempt, &self.shared) else {
            return Err(CrowdError::Full { alias: attempt.alias.clone(), node });
        };
        let dialled = caller::dial(&self.shared, attempt, seat, Vec::new()).await;
        dialled.map_err(|source| CrowdError::Dial { node, source })
    }

    /// Hangs up a call and waits until it has ended; `None` if there is no such call.
    pub async fn hang_up(&self, id: &CallId) -> Option<Ended> {
        let call = self.shared.state.request_hang_up(id)?;
        Some(call.ended().await)
    }

    /// Places no more calls, hangs up all calls and returns the final log.
    pub async fn stop(self) -> CallLog {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.state.judge();
        self.shared.state.log()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Shared {
    /// The Call-ID of an attempt, unique over all crowds.
    pub(crate) fn call_id(&self, attempt: &Attempt) -> CallId {
        let (n, node, start, port) =
            (attempt.n, &attempt.node.name, self.started.0, self.agent.address().port());
        CallId(format!("c{n}-{node}-{start}-{port}@{}", self.settings.ip))
    }

    /// The settings of the call of an attempt.
    pub(crate) fn call_settings(&self, attempt: &Attempt, seat: Seat) -> CallSettings {
        let transport = match self.settings.mode {
            Mode::Udp => Transport::Udp,
            Mode::Tcp => Transport::Tcp,
            Mode::Mixed if attempt.n.is_multiple_of(2) => Transport::Udp,
            Mode::Mixed => Transport::Tcp,
        };
        let codec = if attempt.n % 4 < 2 { crate::Codec::Pcmu } else { crate::Codec::Pcma };
        let target = Target { alias: attempt.alias.clone(), node: attempt.node.sip, transport };
        CallSettings {
            amplitude: tone::amplitude_for(self.seats(&attempt.alias)),
            codec,
            tone_limits: self.settings.tone_limits,
            silence: self.settings.silence,
            answer_within: self.settings.answer_within,
            ..CallSettings::new(seat.id, target, seat.tone)
        }
    }

    /// The seats of a room; a room for pinned calls only has as many as there are tones.
    pub(crate) fn seats(&self, alias: &str) -> usize {
        self.settings.rooms.iter().find(|room| room.alias == alias).map_or(tone::TONES, Room::seats)
    }
}

/// Starts callers while too few calls are alive.
async fn keep_populated(shared: Arc<Shared>) {
    let interval = Duration::from_secs(1) / shared.settings.calls_a_second.max(1);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = tokio::time::sleep(interval) => {}
        }
        if let Some(n) = shared.state.caller_wanted(shared.settings.wanted()) {
            let caller = shared.clone();
            shared.tasks.spawn(async move { caller::run(&caller, n).await });
        }
    }
}

async fn keep_checking(shared: Arc<Shared>) {
    loop {
        // Calls that hang up at the end are no lack of calls, however late this task runs.
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
        }
        shared.state.judge();
        shared.state.note_population(shared.settings.minimum);
    }
}
