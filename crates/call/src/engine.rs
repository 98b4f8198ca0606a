//! The engine: starts, connects and stops its parts, and is the interface to the node. Decisions on calls are in the
//! other modules.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Admitter};
use crate::media::ports::PortPool;
use crate::media::thread::{self, Command};
use crate::registry::{CallRegistry, Calls, Stats};
use crate::rooms::Rooms;
use crate::settings::{Settings, SettingsError};
use crate::sip::probe::{self, Expected, ProbeError, Probed};
use crate::sip::reply::Replies;
use crate::sip::stack::Stack;
use crate::sip::uas::{Dialogs, Uas};
use crate::time::Clock;

/// How long a shut-down waits for the BYEs of the calls that are still there.
const BYE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the media thread may take between two ticks of 20 ms. On a machine that delays it for longer, no call
/// has any audio.
const MEDIA_STILL: Duration = Duration::from_secs(1);
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
    /// The system refuses a thread for media.
    #[error("cannot start the media thread")]
    Media(#[source] io::Error),
}

/// A running call engine: it answers SIP and mixes the audio of its calls until it is shut down or dropped.
pub struct CallEngine {
    uas: Arc<Uas>,
    bound: SocketAddr,
    cancel: CancellationToken,
    probes: Arc<Semaphore>,
    media: Option<JoinHandle<()>>,
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
        let admitter = Admitter::new(admission, settings.call_limit, settings.source_rate);
        let registry = CallRegistry::new(clock, admitter);
        let address = settings.sip;
        let replies = Replies::new();
        let stack = Stack::open(&settings, clock, replies.gate())
            .await
            .map_err(|source| StartError::Sip { address, source })?;
        let (media, thread) =
            thread::start(clock, settings.media_timeout, Arc::clone(&registry)).map_err(StartError::Media)?;
        let uas = Arc::new(Uas {
            endpoint: stack.endpoint(),
            registry,
            rooms: RwLock::new(rooms),
            media,
            ports: PortPool::new(settings.media, settings.media_ports.clone()),
            settings,
            clock,
            connections: Arc::clone(&stack.connections),
            address: stack.address,
            stopping: CancellationToken::new(),
            dialogs: Dialogs::default(),
            replies,
            expected: Arc::new(Expected::default()),
            legs: AtomicU64::default(),
        });
        let bound = stack.bound;
        let cancel = stack.run(&uas);
        let probes = Arc::new(Semaphore::new(1));
        Ok(CallEngine { uas, bound, cancel, probes, media: Some(thread) })
    }

    /// Where SIP is answered, with the real port if the settings have port 0.
    #[must_use]
    pub fn sip_address(&self) -> SocketAddr {
        self.bound
    }

    /// Opens or closes the node for new calls. When this returns after a close, no further INVITE is
    /// admitted, and every call admitted before is in [`CallEngine::calls`].
    pub fn set_admission(&self, admission: Admission) {
        self.uas.registry.set_admission(admission);
    }

    /// Replaces all rooms. Running calls stay where they are.
    pub fn set_rooms(&self, rooms: Rooms) {
        *self.uas.rooms.write().unwrap_or_else(PoisonError::into_inner) = rooms;
    }

    /// The calls, now and as they change.
    #[must_use]
    pub fn calls(&self) -> watch::Receiver<Calls> {
        self.uas.registry.watch()
    }

    /// Statistics of calls since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.uas.registry.stats()
    }

    /// Checks that the engine carries a call: it calls itself at its own SIP address, and audio must come back. The
    /// call is admitted whatever the admission is; it is not counted and affects no other. One at a time. Takes 20
    /// to 40 ms, and six seconds at most.
    ///
    /// # Errors
    /// Why no call is possible; see [`ProbeError`]. That all media ports are in use by calls is no error.
    pub async fn probe_call(&self) -> Result<Probed, ProbeError> {
        let permit = tokio::time::timeout(PROBE_WAIT, Arc::clone(&self.probes).acquire_owned()).await;
        // The leg of the probe before holds the permit until the media thread has released it.
        let Ok(Ok(permit)) = permit else { return Err(ProbeError::MediaStuck) };
        let target = probe::Target { sip: self.bound, media: self.uas.settings.media };
        let probed = probe::call(target, &self.uas.expected, permit).await;
        let is_stuck = self.uas.media.still_for() >= MEDIA_STILL;
        match probed {
            Ok(Probed::Full) | Err(ProbeError::NoSound(_)) if is_stuck => Err(ProbeError::MediaStuck),
            probed @ (Ok(Probed::Carried | Probed::Full) | Err(_)) => probed,
        }
    }

    /// Ends the calls that are left with a BYE and closes all sockets.
    pub async fn shut_down(mut self) {
        self.set_admission(Admission::Closed(crate::admission::Closed::maintenance_mode()));
        self.uas.stopping.cancel();
        let mut calls = self.calls();
        let gone = calls.wait_for(|calls| match calls {
            Calls::Known { count, .. } => *count == 0,
            Calls::Unknown => true,
        });
        let _ = tokio::time::timeout(BYE_TIMEOUT, gone).await;
        self.cancel.cancel();
        self.uas.media.tell(Command::Stop);
        if let Some(thread) = self.media.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for CallEngine {
    /// Ends calls, tasks and thread of an engine that is dropped without a shut-down. Each call still sends its BYE
    /// while the runtime lives, but that is neither awaited nor repeated: [`CallEngine::shut_down`] does so.
    fn drop(&mut self) {
        self.uas.stopping.cancel();
        self.cancel.cancel();
        self.uas.media.tell(Command::Stop);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::audio::Codec;
    use crate::media::leg::Plan;
    use crate::media::shard::LegId;
    use crate::media::thread::Join;
    use crate::registry::Entry;
    use crate::sdp::{Direction, PacketTime};
    use crate::sip::new_stream;

    /// An engine with a leg whose far end is silent. The handler of that silence blocks the media thread until the
    /// sender of the returned channel is dropped.
    async fn blocked() -> (CallEngine, mpsc::Sender<()>) {
        let address = [127, 91, 1, 1].into();
        let mut settings = Settings::new((address, 0).into(), address);
        settings.media_timeout = Duration::from_millis(100);
        let engine = CallEngine::start(settings, Rooms::default(), Admission::Open).await.expect("engine");
        let (hold, held) = mpsc::channel::<()>();
        let Entry::Admitted(ticket) = engine.uas.registry.admit(address) else { panic!("not admitted") };
        let plan = Plan {
            codec: Codec::Pcmu,
            payload_type: 0,
            packet_time: PacketTime::USUAL,
            receives: Vec::new(),
            remote: None,
            rtcp: None,
            direction: Direction::SendReceive,
            held: false,
        };
        engine.uas.media.tell(Command::Join(Box::new(Join {
            leg: LegId(u64::MAX),
            room: "blocked".into(),
            plan,
            outgoing: new_stream(),
            port: engine.uas.ports.open().expect("port"),
            ticket: Arc::new(ticket),
            on_silence: Box::new(move || {
                let _ = held.recv();
            }),
        })));
        (engine, hold)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn blocked_media_thread_is_detected_until_it_runs_again() {
        let (engine, hold) = blocked().await;
        while engine.uas.media.still_for() < MEDIA_STILL {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for _ in 0..2 {
            let probed = engine.probe_call().await;
            assert!(matches!(probed, Err(ProbeError::MediaStuck)), "{probed:?}");
        }
        drop(hold);
        assert_eq!(engine.probe_call().await.expect("it moves again"), Probed::Carried);
        engine.shut_down().await;
    }
}
