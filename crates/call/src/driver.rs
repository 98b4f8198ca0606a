//! The shell around the user agent: gives it the time and what has happened, and performs what it decides.
//!
//! One lock covers the user agent and the order in which its outputs are performed. Nothing that is performed waits:
//! datagrams are sent or lost, messages of a connection are queued, commands of the media threads as well. So a call
//! that was admitted before the node was closed is counted when the close returns (R3), and a drain never sees "no
//! calls" too early (R4).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sip::message;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::Link;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::audio::Participant;
use crate::calls::{Calls, Stats, Ticket};
use crate::dial::DialError;
use crate::handover::message::{ExportedCall, ExportedReceived};
use crate::handover::{NotExported, NotImported};
use crate::media::ports::{MediaPort, PortError, PortPool};
use crate::media::shard::{LegId, Silence};
use crate::media::statistics;
use crate::media::thread::{Command, Join, MediaThreads};
use crate::outgoing_call::OutgoingCall;
use crate::participants::{CommandError, MediaStatistics, ParticipantChanges};
use crate::refusal_log::RefusalLog;
use crate::rooms::RoomName;
use crate::signalling::{Dial, Handover, Input, NoPort, Output, RefusedCall, UserAgent};
use crate::sockets::{Connections, Datagrams, Identity, Refused};
use crate::time::{Clock, Time};

/// How long a name may take to be resolved.
const RESOLVE_LIMIT: Duration = Duration::from_secs(10);
/// What is due is done in steps of this many milliseconds, so that the many ends of transactions wake the engine up
/// together. The shortest timer of SIP takes 500.
const TIMER_STEP: u64 = 10;
/// The largest datagram there is (RFC 768).
const MAX_DATAGRAM: usize = 65_535;

/// The user agent with all that it needs of the system.
pub(crate) struct Driver {
    pub(crate) clock: Clock,
    pub(crate) connections: Connections,
    pub(crate) cancel: CancellationToken,
    pub(crate) media: MediaThreads,
    pub(crate) ports: Arc<PortPool>,
    /// How connections of TLS are opened, if there is TLS.
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) refused: Refused,
    agent: Mutex<Agent>,
    /// The revision of the participants.
    revision: watch::Sender<u64>,
    /// How many calls were refused because of the licences.
    refused_for_licences: watch::Sender<u64>,
    refusal_log: Mutex<RefusalLog>,
    datagrams: Arc<Datagrams>,
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
    /// Who moves a call.
    handovers: BTreeMap<Participant, HandoverReports>,
    /// Who waits for the answer to a call that is dialled.
    dialled: BTreeMap<Participant, oneshot::Sender<Result<(), DialError>>>,
}

/// Takes the reports of calls that are moved.
pub(crate) type HandoverReports = mpsc::UnboundedSender<(Participant, Handover)>;

impl Agent {
    /// Has the reports of a call sent to whoever moves it. Those who move none any more are forgotten.
    fn report_to(&mut self, call: Participant, reports: &HandoverReports) {
        self.handovers.retain(|_, reports| !reports.is_closed());
        self.handovers.insert(call, reports.clone());
    }
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
        identity: Option<Arc<Identity>>,
        media: MediaThreads,
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
            identity,
            refused: Refused::default(),
            agent: Mutex::new(Agent {
                agent,
                ports: BTreeMap::new(),
                probe: None,
                handovers: BTreeMap::new(),
                dialled: BTreeMap::new(),
            }),
            revision: watch::channel(0).0,
            refused_for_licences: watch::channel(0).0,
            refusal_log: Mutex::default(),
            datagrams: Arc::new(datagrams),
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
        self.act_on(|agent, now| ((), act(&mut agent.agent, now)));
    }

    fn act_on<T>(self: &Arc<Driver>, act: impl FnOnce(&mut Agent, Time) -> (T, Vec<Output>)) -> T {
        let now = self.clock.now();
        let mut agent = self.lock();
        let (result, outputs) = act(&mut agent, now);
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            if let Some(input) = self.perform(&mut agent, output) {
                outputs.extend(agent.agent.handle(now, input));
            }
        }
        let revision = agent.agent.participant_revision();
        let refused = agent.agent.stats().refused_licences;
        let deadline = next_step(&agent.agent).map_or(u64::MAX, |at| at.0);
        if deadline < self.armed.load(Ordering::Relaxed) {
            self.earlier.notify_one();
        }
        drop(agent);
        self.publish();
        publish_newer(&self.revision, revision);
        publish_newer(&self.refused_for_licences, refused);
        result
    }

    /// Makes a call. Its outcome is reported.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn dial(self: &Arc<Driver>, dial: &Dial) -> Result<OutgoingCall, DialError> {
        let (waiting, outcome) = oneshot::channel();
        let begun = self.act_on(|agent, now| {
            let (begun, outputs) = agent.agent.dial(now, dial);
            agent.dialled.extend(begun.iter().map(|(call, _)| *call).zip([waiting]));
            (begun, outputs)
        });
        begun.map(|call| OutgoingCall::new(call, Arc::downgrade(self), outcome))
    }

    /// Has the operator do something to a participant or a conference.
    ///
    /// # Errors
    /// It is not done.
    pub(crate) fn command(
        self: &Arc<Driver>,
        command: impl FnOnce(&mut UserAgent, Time) -> (Result<(), CommandError>, Vec<Output>),
    ) -> Result<(), CommandError> {
        self.act_on(|agent, now| command(&mut agent.agent, now))
    }

    /// What has changed of the participants since a revision, so many changes at most.
    pub(crate) fn participants(&self, since: u64, at_most: usize) -> ParticipantChanges {
        self.lock().agent.participants(self.clock.now(), since, at_most)
    }

    /// The revision of the participants, now and as it rises.
    pub(crate) fn participant_revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// How many calls were refused because of the licences, now and as it rises.
    pub(crate) fn refused_for_licences(&self) -> watch::Receiver<u64> {
        self.refused_for_licences.subscribe()
    }

    /// What is counted of the sound of all participants. The answers of the media threads are waited for, a tick or two.
    pub(crate) async fn media_statistics(&self) -> Vec<MediaStatistics> {
        let (mut counts, mut all) = (self.media.count(), Vec::new());
        while let Some(of_thread) = counts.recv().await {
            all.extend(of_thread);
        }
        let agent = self.lock();
        statistics::named(all, |call| agent.agent.participant_of(call))
    }

    fn log_refusal(&self, refused: &RefusedCall) {
        let mut log = self.refusal_log.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(not_logged) = log.admit(self.clock.now()) else { return };
        let RefusedCall { remote, source_alias, destination_alias, status, reason } = refused;
        tracing::info!(
            remote_address = %remote, source_alias, destination_alias, status, reason, not_logged,
            "a call was refused"
        );
    }

    /// How far the streams have come of those in a conference whose sound is encrypted.
    pub(crate) async fn received(&self, room: &RoomName) -> BTreeMap<Participant, Vec<ExportedReceived>> {
        let (sender, received) = oneshot::channel();
        let report = |streams| drop(sender.send(streams));
        self.media.send(Command::Received(room.clone(), Box::new(report)));
        // A thread that has failed carries no call.
        received.await.unwrap_or_default()
    }

    /// Exports all calls of a conference, each as far as it can be. What becomes of them is reported.
    pub(crate) fn export(
        self: &Arc<Driver>,
        room: &RoomName,
        mut received: BTreeMap<Participant, Vec<ExportedReceived>>,
        reports: &HandoverReports,
    ) -> Vec<(Participant, Result<ExportedCall, NotExported>)> {
        self.act_on(|agent, now| {
            let calls = agent.agent.calls_in(room);
            let exported = calls.into_iter().map(|call| {
                let received = received.remove(&call).unwrap_or_default();
                (call, agent.agent.export(now, call, received))
            });
            let exported: Vec<_> = exported.collect();
            exported.iter().for_each(|(call, _)| agent.report_to(*call, reports));
            (exported, Vec::new())
        })
    }

    /// Takes in a call of another process. What becomes of it is reported.
    ///
    /// # Errors
    /// It cannot be carried here.
    pub(crate) fn import(
        self: &Arc<Driver>,
        call: ExportedCall,
        reports: &HandoverReports,
    ) -> Result<Participant, NotImported> {
        self.act_on(|agent, now| {
            let (imported, outputs) = agent.agent.import(now, call);
            imported.iter().for_each(|call| agent.report_to(*call, reports));
            (imported, outputs)
        })
    }

    /// Another process has taken a call over. False when it has ended meanwhile.
    pub(crate) fn hand_out(self: &Arc<Driver>, call: Participant) -> bool {
        self.act_on(|agent, now| agent.agent.hand_out(now, call))
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
            Output::OpenPort { call, at, spare } => return Some(self.open_port(agent, call, at, spare)),
            Output::Join { call, room, plan, outgoing } => {
                let port = agent.ports.remove(&call)?;
                let (silent, released) = (self.media_events.clone(), self.media_events.clone());
                self.media.send(Command::Join(Box::new(Join {
                    leg: LegId(call.0),
                    room,
                    plan,
                    outgoing,
                    port,
                    ticket: Ticket::new(call, move || drop(released.send(Input::Released(call)))),
                    on_silence: Box::new(move |why| drop(silent.send(silence(call, why)))),
                })));
            }
            Output::Start(call) => self.media.send(Command::Start(LegId(call.0))),
            Output::SetVoice { call, voice } => self.media.send(Command::SetVoice(LegId(call.0), voice)),
            Output::Refused(refused) => self.log_refusal(&refused),
            Output::Change { call, plan } => self.media.send(Command::Change(LegId(call.0), Box::new(plan))),
            Output::Release(call) => {
                if agent.ports.remove(&call).is_some() {
                    return Some(Input::Released(call));
                }
                self.media.send(Command::Leave(LegId(call.0)));
            }
            Output::HandOut(call) => {
                let handed_out = self.media_events.clone();
                let report = move |stream| drop(handed_out.send(Input::HandedOut { call, stream }));
                self.media.send(Command::HandOut(LegId(call.0), Box::new(report)));
            }
            Output::GoOnReceiving { call, received } => {
                self.media.send(Command::GoOnReceiving(LegId(call.0), received));
            }
            Output::Resume { call, stream } => self.media.send(Command::Resume(LegId(call.0), stream)),
            Output::Handover { call, event } => {
                // Whoever has stopped moving it wants no report.
                let _ = agent.handovers.get(&call).map(|reports| reports.send((call, event)));
            }
            Output::Dialled { call, outcome } => {
                // Whoever waits for no answer wants no report.
                let _ = agent.dialled.remove(&call).map(|waiting| waiting.send(outcome));
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

    fn open_port(&self, agent: &mut Agent, call: Participant, at: IpAddr, spare: bool) -> Input {
        let opened = if spare { self.ports.open_spare(at) } else { self.ports.open(at) };
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

    /// The calls, now and as they change. What has been answered by now is among them.
    pub(crate) fn calls(&self) -> watch::Receiver<Calls> {
        self.publish();
        self.calls.subscribe()
    }

    /// The conferences that callers are in.
    pub(crate) fn conferences(&self) -> BTreeSet<RoomName> {
        self.lock().agent.conferences()
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
        let deadline = next_step(&agent.agent);
        self.armed.store(deadline.map_or(u64::MAX, |at| at.0), Ordering::Relaxed);
        deadline
    }

    /// Passes the events of the media on until it is cancelled.
    pub(crate) async fn carry(self: Arc<Driver>, mut events: mpsc::UnboundedReceiver<Input>) {
        while let Some(event) = events.recv().await {
            log(&event);
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

/// Sends a number that only rises to those who watch it. Without the lock of the user agent, as the calls; the one of an
/// earlier act may come after that of a later one, and is passed over.
fn publish_newer(watched: &watch::Sender<u64>, number: u64) {
    watched.send_if_modified(|known| {
        let is_newer = number > *known;
        *known = number.max(*known);
        is_newer
    });
}

/// Whether an error of a socket says that a far end cannot be reached; another one is a lost datagram.
fn is_unreachable(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

/// What it means for a call that its far end is not heard.
fn silence(call: Participant, why: Silence) -> Input {
    match why {
        Silence::Nothing => Input::Silent(call),
        Silence::NoKeys(why) => Input::NoKeys { call, why },
    }
}

/// Logs what an operator wants to know of the media: that a handshake gives no keys is often a setting of the phone. Not
/// on a media thread, whose sound a log that is not read would stop.
fn log(event: &Input) {
    if let Input::NoKeys { call, why } = event {
        tracing::warn!(call = call.0, %why, "a call has no keys for its sound and ends");
    }
}

/// When time is to pass if nothing happens before.
fn next_step(agent: &UserAgent) -> Option<Time> {
    agent.next_deadline().map(|at| Time(at.0.checked_next_multiple_of(TIMER_STEP).unwrap_or(at.0)))
}

/// Receives datagrams on a thread, until the driver is cancelled or the runtime is gone.
///
/// # Errors
/// The system refuses another thread.
pub(crate) fn receive_datagrams(driver: &Arc<Driver>) -> io::Result<JoinHandle<()>> {
    let (datagrams, receiver) = (Arc::clone(&driver.datagrams), Arc::downgrade(driver));
    let (runtime, closer) = (Handle::current(), Closer(Arc::clone(&datagrams)));
    let (running, over) = oneshot::channel::<()>();
    let thread = thread::Builder::new().name("call-sip".into()).spawn(move || {
        let (_running, _context) = (running, runtime.enter());
        let mut buffer = vec![0; MAX_DATAGRAM];
        while let Some(received) = datagrams.receive(&mut buffer)
            && let Some(driver) = receiver.upgrade()
        {
            let read = message::datagram(&buffer[..received.length]);
            let (local, remote) = (received.local, received.remote);
            driver.handle(Input::Transport(TransportInput::Datagram { local, remote, read }));
        }
    })?;
    watch("SIP datagrams", driver, async move {
        let _closer = closer;
        let _ = over.await;
    });
    Ok(thread)
}

/// Ends the thread that receives when it is dropped.
struct Closer(Arc<Datagrams>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
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
