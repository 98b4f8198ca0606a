//! The engine: starts, connects and stops its parts, and is the interface to the node. Decisions on calls are in the
//! other modules.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use sip::transport::flow::Protocol;
use sip::transport::listeners::{Listener, Listeners};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

use crate::accounts::Accounts;
use crate::admission::Admission;
use crate::audio::Participant;
use crate::calls::{Calls, Stats};
use crate::dial::{DialError, DialOptions, DialTarget};
use crate::driver::{Driver, receive_datagrams, watch};
use crate::handover::{self, Given};
use crate::logins::Logins;
use crate::media::handshake::{Identity, IdentityError};
use crate::media::ports::PortPool;
use crate::media::random;
use crate::media::thread;
use crate::outgoing_call::OutgoingCall;
use crate::participants::{CommandError, Lock, MediaStatistics, ParticipantChanges, ParticipantId, Voice};
use crate::probe::{self, ProbeError, Probed};
use crate::rooms::{RoomName, Rooms};
use crate::settings::{Settings, SettingsError, TlsSettings};
use crate::signalling::{Dial, UserAgent};
use crate::sockets::{self, Connections, TlsCertificate, TlsError, TlsListener};
use crate::time::Clock;

/// How long a shut-down waits for the BYEs of the calls that are still there.
const BYE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a media thread may take between two ticks of 20 ms. On a machine that delays it for longer, its calls have
/// no audio.
const MEDIA_STILL: Duration = Duration::from_secs(1);
/// The most media threads that are started unless the settings say how many: each of them wakes up fifty times a second,
/// and on a machine with more cores signalling and other programs need some as well.
const MOST_USUAL_MEDIA_THREADS: u32 = 8;
/// How long a probe waits for the end of the one before, which takes one tick from its BYE.
const PROBE_WAIT: Duration = Duration::from_secs(3);

/// The engine could not start; no socket is left open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot work.
    #[error("the call engine's settings cannot work: {0}")]
    Settings(#[from] SettingsError),
    /// The SIP address cannot be bound.
    #[error("cannot answer SIP on {address}; free the port or set another in the call engine's settings")]
    Sip {
        /// The address in the settings.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// SIP over TLS cannot be answered.
    #[error(
        "cannot answer SIP over TLS on {address}; free the port, or correct tls in the call engine's settings"
    )]
    Tls {
        /// The address in the settings.
        address: SocketAddr,
        /// Why not.
        source: Box<TlsError>,
    },
    /// The system refuses a thread.
    #[error("cannot start the threads for media and SIP")]
    Thread(#[source] io::Error),
    /// There is no certificate for the handshakes of calls.
    #[error("cannot make a certificate for DTLS; does the system give random numbers?")]
    Certificate(#[source] IdentityError),
}

/// A running call engine: it answers SIP and mixes the audio of its calls until it is shut down or dropped.
pub struct CallEngine {
    driver: Arc<Driver>,
    bound: SocketAddr,
    tls: Option<SocketAddr>,
    media_addresses: Vec<IpAddr>,
    probes: Arc<Semaphore>,
    threads: Vec<JoinHandle<()>>,
}

impl CallEngine {
    /// Starts the engine within a tokio runtime. `admission` is set before the SIP socket is opened: a node that
    /// starts in maintenance mode never admits a call by accident (R3, R12).
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        settings: Settings,
        rooms: Rooms,
        admission: Admission,
    ) -> Result<CallEngine, StartError> {
        settings.check()?;
        let clock = Clock::start();
        let address = settings.sip;
        let opened = sockets::bind(settings.sip).await;
        let opened = opened.map_err(|source| StartError::Sip { address, source })?;
        let bound = opened.address;
        let tls = match &settings.tls {
            Some(tls) => Some(tls_listener(tls).await?),
            None => None,
        };
        let tls_address = tls.as_ref().map(|(_, address)| *address);
        let media_addresses = settings.media_addresses().collect();
        let connections = Connections::new(clock, settings.tcp_connections, settings.tcp_idle);
        let ports = PortPool::new(settings.media_ports.clone(), clock, random::kernel);
        let failure = Arc::new(OnceLock::<Weak<Driver>>::new());
        let identity = Identity::generate().map_err(StartError::Certificate)?;
        let certificate = identity.fingerprint();
        let threads = settings.media_threads.unwrap_or_else(usual_media_threads);
        let started = thread::start(clock, settings.media_timeout, &identity, threads, failing(&failure));
        let (media, joins) = started.map_err(StartError::Thread)?;
        let listeners = listeners(bound, tls_address, settings.advertised);
        let mut agent = UserAgent::new(settings, listeners, rooms, admission, seed());
        agent.set_certificate(certificate);
        let identity = tls.as_ref().map(|(listener, _)| listener.identity());
        let (driver, events) =
            Driver::new(clock, agent, opened.datagrams, connections, identity, media, ports);
        let _ = failure.set(Arc::downgrade(&driver));
        let receiver = receive_datagrams(&driver).map_err(StartError::Thread)?;
        watch("SIP timers", &driver, Arc::clone(&driver).keep_time());
        watch("media events", &driver, Arc::clone(&driver).carry(events));
        watch("SIP listener", &driver, sockets::accept(opened.listener, Arc::clone(&driver)));
        if let Some((tls, _)) = tls {
            watch("SIP listener of TLS", &driver, sockets::accept_tls(tls, Arc::clone(&driver)));
        }
        watch("SIP connection reaper", &driver, Arc::clone(&driver).close_idle());
        Ok(CallEngine {
            driver,
            bound,
            tls: tls_address,
            media_addresses,
            probes: Arc::new(Semaphore::new(1)),
            threads: joins.into_iter().chain([receiver]).collect(),
        })
    }

    /// Where SIP is answered, with the real port if the settings have port 0.
    #[must_use]
    pub fn sip_address(&self) -> SocketAddr {
        self.bound
    }

    /// Where SIP over TLS is answered, if it is.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// Shows another certificate for SIP over TLS than that of the settings from the next handshake on, or that one
    /// again. Connections that are open and their calls stay as they are. Without SIP over TLS nothing is shown.
    pub fn show_certificate(&self, given: Option<TlsCertificate>) {
        if let Some(identity) = &self.driver.identity {
            identity.show(given);
        }
    }

    /// Opens or closes the node for new calls. When this returns after a close, no further INVITE is
    /// admitted, and every call admitted before is in [`CallEngine::calls`].
    pub fn set_admission(&self, admission: Admission) {
        self.driver.act(|agent, _| {
            agent.set_admission(admission);
            Vec::new()
        });
    }

    /// Sets how many calls there may be with a new one by the licences; none is without a limit. Calls that there are stay,
    /// and those of another process are taken over, whatever their number.
    pub fn set_licensed_calls(&self, calls: Option<u32>) {
        self.driver.act(|agent, _| {
            agent.set_licensed(calls);
            Vec::new()
        });
    }

    /// How many calls were refused because of the licences since the start, now and as it rises.
    #[must_use]
    pub fn refused_for_licences(&self) -> watch::Receiver<u64> {
        self.driver.refused_for_licences()
    }

    /// Replaces all rooms. Running calls stay where they are.
    pub fn set_rooms(&self, rooms: Rooms) {
        self.driver.act(|agent, _| {
            agent.set_rooms(rooms);
            Vec::new()
        });
    }

    /// Replaces all accounts. Calls of those that are gone stay; devices stay registered whose account has the same
    /// secret and alias.
    pub fn set_accounts(&self, accounts: Accounts) {
        self.driver.act(|agent, _| {
            agent.set_accounts(accounts);
            Vec::new()
        });
    }

    /// Replaces all logins, which calls to the outside are made with.
    pub fn set_logins(&self, logins: Logins) {
        self.driver.act(|agent, _| {
            agent.set_logins(logins);
            Vec::new()
        });
    }

    /// Calls somebody outside into a room. The call is in [`CallEngine::calls`] when this returns, and is one like any
    /// other from its answer on, for which nothing here waits: [`OutgoingCall::answered`] does.
    ///
    /// # Errors
    /// The call cannot be made; see [`DialError`].
    pub fn dial(
        &self,
        room: &RoomName,
        target: DialTarget,
        options: DialOptions,
    ) -> Result<OutgoingCall, DialError> {
        self.driver.dial(&Dial { room: room.clone(), target, options })
    }

    /// The calls, now and as they change. A borrow of them is not held over another call of this engine: what changes
    /// them waits for it.
    #[must_use]
    pub fn calls(&self) -> watch::Receiver<Calls> {
        self.driver.calls()
    }

    /// Statistics of calls since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.driver.stats()
    }

    /// Checks that the engine carries a call: it calls itself at its own SIP address, and audio must come back, once for
    /// each media address that is set. The call is admitted whatever the admission is; it is not counted and affects no
    /// other. One at a time. Takes 20 to 40 ms for each of
    /// them, and six seconds at most.
    ///
    /// # Errors
    /// Why no call is possible; see [`ProbeError`]. That all media ports are in use by calls is no error.
    pub async fn probe_call(&self) -> Result<Probed, ProbeError> {
        let mut probed = Probed::Carried;
        for media in &self.media_addresses {
            match self.probe_at(*media).await? {
                Probed::Carried => {}
                Probed::Full => probed = Probed::Full,
            }
        }
        Ok(probed)
    }

    async fn probe_at(&self, media: IpAddr) -> Result<Probed, ProbeError> {
        let permit = tokio::time::timeout(PROBE_WAIT, Arc::clone(&self.probes).acquire_owned()).await;
        // The leg of the probe before holds the permit until its media thread has released it.
        let Ok(Ok(permit)) = permit else { return Err(ProbeError::MediaStuck) };
        let target = probe::Target { sip: self.bound, media };
        let probed = probe::call(target, &self.driver, permit).await;
        let is_stuck = self.driver.media.still_for() >= MEDIA_STILL;
        match probed {
            // The call may have been carried by another thread than the one that is stuck.
            Ok(Probed::Carried | Probed::Full) | Err(ProbeError::NoSound(_)) if is_stuck => {
                Err(ProbeError::MediaStuck)
            }
            probed @ (Ok(Probed::Carried | Probed::Full) | Err(_)) => probed,
        }
    }

    /// The conferences that callers are in.
    #[must_use]
    pub fn conferences(&self) -> BTreeSet<RoomName> {
        self.driver.conferences()
    }

    /// What has changed of the participants since a revision, so many changes at most; see [`ParticipantChanges`].
    #[must_use]
    pub fn participants(&self, since: u64, at_most: usize) -> ParticipantChanges {
        self.driver.participants(since, at_most)
    }

    /// The revision of the participants, now and as it rises. As long as it stays, [`CallEngine::participants`] has
    /// nothing new; how long each has taken part and what the media threads count do not raise it.
    #[must_use]
    pub fn participant_revision(&self) -> watch::Receiver<u64> {
        self.driver.participant_revision()
    }

    /// What the media threads have counted of the sound of each participant. Takes a tick, for which the engine need not
    /// be held.
    pub fn media_statistics(&self) -> impl Future<Output = Vec<MediaStatistics>> + Send + use<> {
        let driver = Arc::clone(&self.driver);
        async move { driver.media_statistics().await }
    }

    /// Ends the call of a participant by a BYE.
    ///
    /// # Errors
    /// There is no such participant, or its call is moving.
    pub fn disconnect(&self, participant: ParticipantId) -> Result<(), CommandError> {
        self.driver.command(|agent, now| agent.disconnect(now, participant))
    }

    /// Ends all calls of a conference.
    ///
    /// # Errors
    /// Nobody is in it, or some of its calls are moving and go on.
    pub fn disconnect_all(&self, room: &RoomName) -> Result<(), CommandError> {
        self.driver.command(|agent, now| agent.disconnect_all(now, room))
    }

    /// Has the others hear a participant no longer, or again. It stays in its call and hears them.
    ///
    /// # Errors
    /// There is no such participant.
    pub fn set_voice(&self, participant: ParticipantId, voice: Voice) -> Result<(), CommandError> {
        self.driver.command(|agent, now| agent.set_voice(now, participant, voice))
    }

    /// Locks or unlocks a conference: a locked one refuses new callers, and takes those that are dialled. It is unlocked
    /// when its last participant has left.
    ///
    /// # Errors
    /// Nobody is in it.
    pub fn set_lock(&self, room: &RoomName, lock: Lock) -> Result<(), CommandError> {
        self.driver.command(|agent, _| (agent.set_lock(room, lock), Vec::new()))
    }

    /// Gives the calls of a conference to the engine of another process that takes calls over at the other end of this
    /// connection; returns what has become of each call. A call that is not moved goes on here. See
    /// [`crate::handover`].
    pub async fn give_conference(
        &self,
        room: &RoomName,
        connection: impl AsyncRead + AsyncWrite + Unpin,
    ) -> BTreeMap<Participant, Given> {
        handover::give(&self.driver, room, connection).await
    }

    /// Takes the calls over that the engine of another process gives away at the other end of this connection, whatever
    /// the admission is; returns how many there are when that process closes the connection.
    pub async fn take_calls(&self, connection: impl AsyncRead + AsyncWrite + Unpin) -> usize {
        handover::take(&self.driver, connection).await
    }

    /// Ends the calls that are left with a BYE and closes all sockets.
    pub async fn shut_down(mut self) {
        self.set_admission(Admission::Closed(crate::admission::Closed::maintenance_mode()));
        self.driver.act(UserAgent::shut_down);
        let mut calls = self.calls();
        let gone = calls.wait_for(|calls| match calls {
            Calls::Known { count, .. } => *count == 0,
            Calls::Unknown => true,
        });
        let _ = tokio::time::timeout(BYE_TIMEOUT, gone).await;
        self.driver.cancel.cancel();
        self.driver.media.stop();
        let threads = std::mem::take(&mut self.threads);
        let ended = move || threads.into_iter().for_each(|thread| drop(thread.join()));
        let _ = tokio::task::spawn_blocking(ended).await;
    }
}

impl Drop for CallEngine {
    /// Ends calls, tasks and thread of an engine that is dropped without a shut-down. Each call still sends its BYE
    /// while the runtime lives, but that is neither awaited nor repeated: [`CallEngine::shut_down`] does so.
    fn drop(&mut self) {
        // Without a runtime its tasks are gone, and with them whoever would take an answer.
        if Arc::strong_count(&self.driver) > 1 {
            self.driver.act(UserAgent::shut_down);
        }
        self.driver.cancel.cancel();
        self.driver.media.stop();
        self.driver.forget_calls();
    }
}

async fn tls_listener(settings: &TlsSettings) -> Result<(TlsListener, SocketAddr), StartError> {
    let address = settings.address;
    let failed = |source: TlsError| StartError::Tls { address, source: source.into() };
    let listener = TlsListener::bind(settings).await.map_err(failed)?;
    let bound = listener.address().map_err(|error| failed(error.into()))?;
    Ok((listener, bound))
}

/// All listeners, by which far ends are told where this node is reached.
fn listeners(bound: SocketAddr, tls: Option<SocketAddr>, advertised: Option<IpAddr>) -> Listeners {
    let one = |protocol, address: SocketAddr| {
        let advertised = advertised.map(|ip| SocketAddr::new(ip, address.port()).into());
        Listener { protocol, address, advertised }
    };
    let mut listeners = vec![one(Protocol::Udp, bound), one(Protocol::TCP, bound)];
    listeners.extend(tls.map(|address| one(Protocol::TLS, address)));
    Listeners(listeners)
}

/// Random bytes of the kernel.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    seed.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random::kernel().to_be_bytes()));
    seed
}

/// One for each core, as far as that pays.
fn usual_media_threads() -> NonZeroU32 {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = u32::try_from(cores).unwrap_or(u32::MAX).min(MOST_USUAL_MEDIA_THREADS);
    NonZeroU32::new(threads).unwrap_or(NonZeroU32::MIN)
}

/// What a media thread calls when it has failed. The driver is made after the threads.
fn failing(driver: &Arc<OnceLock<Weak<Driver>>>) -> impl Fn() + Clone + Send + 'static {
    let driver = Arc::clone(driver);
    move || {
        if let Some(driver) = driver.get().and_then(Weak::upgrade) {
            driver.fail();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::audio::{Codec, Participant};
    use crate::calls::Ticket;
    use crate::media::leg::{Outgoing, Plan};
    use crate::media::placement::FEW;
    use crate::media::shard::LegId;
    use crate::media::thread::{Command, Join};
    use crate::sdp::{Direction, PacketTime, Security};

    async fn engine(host: u8, media_threads: u32) -> CallEngine {
        let address = [127, 91, 1, host].into();
        let mut settings = Settings::new((address, 0).into(), address);
        settings.media_timeout = Duration::from_millis(500);
        settings.media_threads = NonZeroU32::new(media_threads);
        CallEngine::start(settings, Rooms::default(), Admission::Open).await.expect("engine")
    }

    /// A leg joins a room of its own. Its far end is silent, and the handler of that silence is given.
    fn join(engine: &CallEngine, leg: u64, on_silence: impl Fn() + Send + 'static) {
        let plan = Plan {
            codec: Codec::Pcmu,
            payload_type: 0,
            packet_time: PacketTime::USUAL,
            receives: Vec::new(),
            remote: None,
            rtcp: None,
            signalling: None,
            direction: Direction::SendReceive,
            held: false,
            security: Security::Plain,
        };
        engine.driver.media.send(Command::Join(Box::new(Join {
            leg: LegId(leg),
            room: format!("room {leg}").as_str().into(),
            plan,
            outgoing: Outgoing { ssrc: 1, sequence: 1, timestamp: 1 },
            port: engine.driver.ports.open(engine.media_addresses[0]).expect("port"),
            ticket: Ticket::new(Participant(leg), || {}),
            on_silence: Box::new(move |_| on_silence()),
        })));
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        let met = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), met).await.is_ok(), "never: {what}");
    }

    /// Blocks the media thread that the next conference comes to, until the sender that is returned is dropped.
    async fn block(engine: &CallEngine, leg: u64) -> mpsc::Sender<()> {
        let (hold, held) = mpsc::channel::<()>();
        join(engine, leg, move || {
            let _ = held.recv();
        });
        until("it is still", || engine.driver.media.still_for() >= MEDIA_STILL).await;
        hold
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn blocked_media_thread_is_detected_until_it_runs_again() {
        let engine = engine(1, 1).await;
        let hold = block(&engine, u64::MAX / 2).await;
        for _ in 0..2 {
            let probed = engine.probe_call().await;
            assert!(matches!(probed, Err(ProbeError::MediaStuck)), "{probed:?}");
        }
        drop(hold);
        assert_eq!(engine.probe_call().await.expect("it moves again"), Probed::Carried);
        engine.shut_down().await;
    }

    /// One of two threads is blocked: the one that the next conference comes to when there are so many legs. The other one
    /// carries the probe.
    async fn check_one_of_two(host: u8, legs: u32) {
        let engine = engine(host, 2).await;
        join_legs(&engine, 0, legs);
        let hold = block(&engine, u64::MAX / 2).await;
        // Then the next conference begins with the other one, whichever is blocked.
        join_legs(&engine, 1000, FEW + 1);
        let permit = Arc::clone(&engine.probes).acquire_owned().await.expect("permit");
        let target = probe::Target { sip: engine.bound, media: engine.media_addresses[0] };
        let carried = probe::call(target, &engine.driver, permit).await;
        assert_eq!(carried.expect("the other one works"), Probed::Carried, "{legs}");
        let probed = engine.probe_call().await;
        assert!(matches!(probed, Err(ProbeError::MediaStuck)), "{legs}: {probed:?}");
        drop(hold);
        until("both move", || engine.driver.media.still_for() < MEDIA_STILL).await;
        assert_eq!(engine.probe_call().await.expect("both move"), Probed::Carried, "{legs}");
        engine.shut_down().await;
    }

    /// So many legs join, each a room of its own. Their numbers begin with this one.
    fn join_legs(engine: &CallEngine, first: u64, legs: u32) {
        (first..).zip(0..legs).for_each(|(leg, _)| join(engine, leg, || {}));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn blocked_thread_stops_no_other_and_is_detected_whichever_it_is() {
        check_one_of_two(2, 0).await;
        check_one_of_two(3, FEW).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn any_media_thread_that_fails_makes_the_calls_unknown() {
        for (host, legs) in [(4, 0), (5, FEW)] {
            let engine = engine(host, 2).await;
            join_legs(&engine, 0, legs);
            join(&engine, u64::MAX, || panic!("for the test"));
            let mut calls = engine.calls();
            let unknown = calls.wait_for(|calls| *calls == Calls::Unknown);
            assert!(tokio::time::timeout(Duration::from_secs(20), unknown).await.is_ok(), "{legs}");
        }
    }
}
