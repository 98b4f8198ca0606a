//! The shell around the user agent: gives it the time and what has happened, and performs what it decides.
//!
//! One lock covers the user agent and the order in which its outputs are performed. Nothing that is performed waits:
//! datagrams are sent or lost, messages of a connection are queued, commands of the media thread as well. So a call
//! that was admitted before the node was closed is counted when the close returns (R3), and a drain never sees "no
//! calls" too early (R4).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sip::message;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::Link;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::audio::Participant;
use crate::calls::{Calls, Stats, Ticket};
use crate::media::ports::{MediaPort, PortError, PortPool};
use crate::media::shard::LegId;
use crate::media::thread::{Command, Join, MediaHandle};
use crate::signalling::{Input, NoPort, Output, UserAgent};
use crate::sockets::{Connections, Datagrams};
use crate::time::{Clock, Time};

/// How long a name may take to be resolved.
const RESOLVE_LIMIT: Duration = Duration::from_secs(10);
/// The largest datagram there is (RFC 768).
const DATAGRAM: usize = 65_535;

/// The user agent with all that it needs of the system.
pub(crate) struct Driver {
    pub(crate) clock: Clock,
    pub(crate) connections: Connections,
    pub(crate) cancel: CancellationToken,
    pub(crate) media: MediaHandle,
    pub(crate) ports: Arc<PortPool>,
    agent: Mutex<Agent>,
    datagrams: Datagrams,
    calls: watch::Sender<Calls>,
    /// Held while the calls are published, so that an older count never follows a newer one.
    published: Mutex<Published>,
    failed: AtomicBool,
    /// The deadline that the timer waits for, in milliseconds.
    armed: AtomicU64,
    earlier: Notify,
    media_events: mpsc::UnboundedSender<Input>,
}

/// The user agent, and what is kept for its calls.
struct Agent {
    agent: UserAgent,
    /// Open media ports of calls whose leg is in no conference yet.
    ports: BTreeMap<Participant, MediaPort>,
    /// Held as long as the engine expects a call of itself, or has one.
    probe: Option<OwnedSemaphorePermit>,
}

/// What was published last.
struct Published {
    calls: Calls,
    /// The engine is dropped, and nothing follows.
    is_final: bool,
}

impl Driver {
    /// A driver of a user agent without calls, and the events of its media, for [`Self::carry`].
    pub(crate) fn new(
        clock: Clock,
        agent: UserAgent,
        datagrams: Datagrams,
        connections: Connections,
        media: MediaHandle,
        ports: Arc<PortPool>,
    ) -> (Arc<Driver>, mpsc::UnboundedReceiver<Input>) {
        let (media_events, receiver) = mpsc::unbounded_channel();
        let none = Calls::Known { count: 0, oldest: None };
        let (calls, _) = watch::channel(none);
        let driver = Driver {
            clock,
            connections,
            cancel: CancellationToken::new(),
            media,
            ports,
            agent: Mutex::new(Agent { agent, ports: BTreeMap::new(), probe: None }),
            datagrams,
            calls,
            published: Mutex::new(Published { calls: none, is_final: false }),
            failed: AtomicBool::new(false),
            armed: AtomicU64::new(u64::MAX),
            earlier: Notify::new(),
            media_events,
        };
        (Arc::new(driver), receiver)
    }

    /// Gives the user agent what has happened.
    pub(crate) fn handle(self: &Arc<Driver>, input: Input) {
        self.act(|agent, now| agent.handle(now, input));
    }

    /// Has the user agent act, and performs what it decides.
    pub(crate) fn act(self: &Arc<Driver>, act: impl FnOnce(&mut UserAgent, Time) -> Vec<Output>) {
        let now = self.clock.now();
        let mut agent = self.lock();
        let mut outputs = VecDeque::from(act(&mut agent.agent, now));
        while let Some(output) = outputs.pop_front() {
            if let Some(input) = self.perform(&mut agent, output) {
                outputs.extend(agent.agent.handle(now, input));
            }
        }
        let deadline = agent.agent.next_deadline().map_or(u64::MAX, |at| at.0);
        if deadline < self.armed.load(Ordering::Relaxed) {
            self.earlier.notify_one();
        }
        drop(agent);
        self.publish();
    }

    /// Performs one output. Returns its outcome if that is known at once.
    fn perform(self: &Arc<Driver>, agent: &mut Agent, output: Output) -> Option<Input> {
        match output {
            Output::Send { flow, bytes } => match flow.link {
                Link::Datagrams => {
                    if let Err(error) = self.datagrams.send(&bytes, flow.local.ip(), flow.remote) {
                        return is_unreachable(&error).then_some(Input::Transport(
                            TransportInput::Unreachable { local: flow.local, remote: flow.remote },
                        ));
                    }
                }
                Link::Connection(_, connection) => self.connections.send(connection, bytes),
            },
            Output::Resolve(name) => self.resolve(name),
            Output::Connect { peer, local } => self.connect(peer, local),
            Output::Disconnect(connection) => self.connections.close(connection),
            Output::OpenPort { call, spare } => return Some(self.open_port(agent, call, spare)),
            Output::Join { call, room, plan, outgoing } => {
                let port = agent.ports.remove(&call)?;
                let (silent, released) = (self.media_events.clone(), self.media_events.clone());
                self.media.tell(Command::Join(Box::new(Join {
                    leg: LegId(call.0),
                    room,
                    plan,
                    outgoing,
                    port,
                    ticket: Ticket::new(call, move || drop(released.send(Input::Released(call)))),
                    on_silence: Box::new(move || drop(silent.send(Input::Silent(call)))),
                })));
            }
            Output::Start(call) => self.media.tell(Command::Start(LegId(call.0))),
            Output::Change { call, plan } => self.media.tell(Command::Change(LegId(call.0), Box::new(plan))),
            Output::Release(call) => {
                if agent.ports.remove(&call).is_some() {
                    return Some(Input::Released(call));
                }
                self.media.tell(Command::Leave(LegId(call.0)));
            }
            Output::ProbeOver => agent.probe = None,
        }
        None
    }

    /// Asks the system for the addresses of a name.
    fn resolve(self: &Arc<Driver>, name: String) {
        let driver = Arc::clone(self);
        tokio::spawn(async move {
            let found =
                tokio::time::timeout(RESOLVE_LIMIT, tokio::net::lookup_host((name.as_str(), 0))).await;
            let addresses: Vec<_> =
                found.ok().and_then(Result::ok).into_iter().flatten().map(|address| address.ip()).collect();
            driver.handle(Input::Resolved { name, addresses });
        });
    }

    fn open_port(&self, agent: &mut Agent, call: Participant, spare: bool) -> Input {
        let opened = if spare { self.ports.open_spare() } else { self.ports.open() };
        match opened {
            Ok(port) => {
                let address = port.address;
                agent.ports.insert(call, port);
                Input::PortOpened { call, address }
            }
            Err(error @ PortError::Exhausted(..)) => {
                tracing::warn!(%error, "there is no media port for a call");
                Input::NoPort { call, why: NoPort::Exhausted }
            }
            Err(error @ PortError::Refused { .. }) => {
                tracing::warn!(%error, "there is no media port for a call");
                Input::NoPort { call, why: NoPort::Refused(error.to_string()) }
            }
        }
    }

    /// The calls, now and as they change.
    pub(crate) fn calls(&self) -> watch::Receiver<Calls> {
        self.calls.subscribe()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().agent.stats()
    }

    /// A part of the engine has failed: from now on the calls are unknown.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
        self.publish();
    }

    /// The engine is dropped: nobody waits for the ends of its calls.
    pub(crate) fn forget_calls(&self) {
        let mut published = self.published();
        published.is_final = true;
        self.calls.send_replace(Calls::Known { count: 0, oldest: None });
    }

    /// Sends the calls to those who watch them, if they have changed. Without the lock of the user agent: who reads the
    /// calls may ask the engine for something else before letting go of them.
    fn publish(&self) {
        let mut published = self.published();
        let calls = if self.failed.load(Ordering::Relaxed) {
            Calls::Unknown
        } else {
            let (count, oldest) = self.lock().agent.counted();
            Calls::Known { count, oldest: oldest.map(|at| self.clock.instant(at)) }
        };
        if !published.is_final && published.calls != calls {
            published.calls = calls;
            self.calls.send_replace(calls);
        }
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        // Nothing under it panics.
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next call to this alias from this address is the engine's own. The permit is released when it is over.
    pub(crate) fn expect_probe(
        &self,
        alias: String,
        from: std::net::SocketAddr,
        permit: OwnedSemaphorePermit,
    ) {
        let mut agent = self.lock();
        agent.agent.expect_probe(alias, from);
        agent.probe = Some(permit);
    }

    /// No call of the engine to itself is expected any more. One that has begun goes on.
    pub(crate) fn expect_no_probe(&self) {
        let mut agent = self.lock();
        if agent.agent.expect_no_probe() {
            agent.probe = None;
        }
    }

    /// Receives datagrams until it is cancelled.
    pub(crate) async fn receive(self: Arc<Driver>) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            // An error concerns an earlier datagram of ours, or is over by the next try.
            let Ok(received) = self.datagrams.receive(&mut buffer).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let read = message::datagram(&buffer[..received.length]);
            let input = TransportInput::Datagram { local: received.local, remote: received.remote, read };
            self.handle(Input::Transport(input));
        }
    }

    /// Lets time pass until it is cancelled.
    pub(crate) async fn keep_time(self: Arc<Driver>) {
        loop {
            let deadline = self.arm();
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(self.clock.instant(at).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.act(UserAgent::pass_time),
                () = self.earlier.notified() => {}
            }
        }
    }

    fn arm(&self) -> Option<Time> {
        // Under the lock, so that no earlier deadline is missed.
        let agent = self.lock();
        let deadline = agent.agent.next_deadline();
        self.armed.store(deadline.map_or(u64::MAX, |at| at.0), Ordering::Relaxed);
        deadline
    }

    /// Passes the events of the media on until it is cancelled.
    pub(crate) async fn carry(self: Arc<Driver>, mut events: mpsc::UnboundedReceiver<Input>) {
        while let Some(event) = events.recv().await {
            self.handle(event);
        }
    }

    /// Closes idle connections until it is cancelled.
    pub(crate) async fn close_idle(self: Arc<Driver>) {
        loop {
            tokio::time::sleep(self.connections.pause()).await;
            let used = self.lock().agent.connections();
            self.connections.close_idle(&used);
        }
    }

    /// After a panic under the lock nobody knows what is true of the calls.
    fn lock(&self) -> MutexGuard<'_, Agent> {
        self.agent.lock().unwrap_or_else(|poisoned| {
            self.failed.store(true, Ordering::Relaxed);
            poisoned.into_inner()
        })
    }
}

/// Whether an error of a socket says that a far end cannot be reached; another one is a lost datagram.
fn is_unreachable(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

/// Runs a part of the engine that must not end: when it does, what calls there are is unknown.
pub(crate) fn watch(
    name: &'static str,
    driver: &Arc<Driver>,
    part: impl Future<Output = ()> + Send + 'static,
) {
    let driver = Arc::clone(driver);
    tokio::spawn(async move {
        let part = tokio::spawn(part);
        let abort = part.abort_handle();
        tokio::select! {
            () = driver.cancel.cancelled() => abort.abort(),
            _ = part => {
                if !driver.cancel.is_cancelled() {
                    tracing::error!(part = name, "has failed; calls are unknown until the node restarts");
                    driver.fail();
                }
            }
        }
    });
}
