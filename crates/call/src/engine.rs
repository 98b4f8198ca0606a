//! The engine: puts the parts together, and is all that the node sees of them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Admitter};
use crate::ledger::{Calls, Ledger, Stats};
use crate::media::ports::PortPool;
use crate::media::thread::{self, Command};
use crate::rooms::Rooms;
use crate::settings::{Settings, SettingsError};
use crate::sip::probe::{self, Expected, ProbeError, Probed};
use crate::sip::reply::Replies;
use crate::sip::stack::Stack;
use crate::sip::uas::{Dialogs, Uas};
use crate::time::Clock;

/// How long calls that are still there at a shut-down have to say good-bye.
const GOOD_BYE: Duration = Duration::from_secs(5);

/// How long the media thread may stand still between two ticks of 20 ms. On a machine that holds it up for
/// longer, no call hears anything.
const MEDIA_STILL: Duration = Duration::from_secs(1);
/// How long a probe waits for the one before to be gone: from its BYE on that takes a tick.
const PROBE_WAIT: Duration = Duration::from_secs(3);

/// The engine could not start; no socket is left open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot work.
    #[error("the call engine's settings cannot work: {0}")]
    Settings(#[from] SettingsError),
    /// The SIP address cannot be had.
    #[error("cannot answer SIP on {address}; free the port or set another in the call engine's settings")]
    Sip {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The system refuses a thread for media.
    #[error("cannot start the media thread")]
    Media(#[source] io::Error),
}

/// A running call engine: it answers SIP and mixes the sound of its calls until it is shut down or dropped.
pub struct CallEngine {
    uas: Arc<Uas>,
    bound: SocketAddr,
    cancel: CancellationToken,
    probes: Arc<Semaphore>,
    media: Option<JoinHandle<()>>,
}

impl CallEngine {
    /// Starts the engine within a tokio runtime. The SIP socket is opened with `admission` already in
    /// force: a node that starts in maintenance mode never admits a call by accident (R3, R12).
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
        let ledger = Ledger::new(clock, admitter);
        let address = settings.sip;
        let replies = Replies::new();
        let stack = Stack::open(&settings, clock, replies.gate())
            .await
            .map_err(|source| StartError::Sip { address, source })?;
        let (media, thread) =
            thread::start(clock, settings.media_timeout, Arc::clone(&ledger)).map_err(StartError::Media)?;
        let uas = Arc::new(Uas {
            endpoint: stack.endpoint(),
            ledger,
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

    /// Where SIP is answered, with the real port when the settings asked for any.
    #[must_use]
    pub fn sip_address(&self) -> SocketAddr {
        self.bound
    }

    /// Opens or closes the node for new calls. When this returns after a close, no further INVITE is
    /// admitted, and every call admitted before is in [`CallEngine::calls`].
    pub fn set_admission(&self, admission: Admission) {
        self.uas.ledger.set_admission(admission);
    }

    /// Replaces all rooms. Running calls stay where they are.
    pub fn set_rooms(&self, rooms: Rooms) {
        *self.uas.rooms.write().unwrap_or_else(PoisonError::into_inner) = rooms;
    }

    /// The calls, now and as they change.
    #[must_use]
    pub fn calls(&self) -> watch::Receiver<Calls> {
        self.uas.ledger.watch()
    }

    /// What happened to calls since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.uas.ledger.stats()
    }

    /// Whether the engine carries a call: it is called at its own SIP address, and sound must come back.
    /// It admits this call whatever its admission says; the call is in no count and touches no other. One at
    /// a time. Takes 20 to 40 ms, and six seconds at most.
    ///
    /// # Errors
    /// Why no call is possible; see [`ProbeError`]. That all media ports are in use by calls is no error.
    pub async fn probe_call(&self) -> Result<Probed, ProbeError> {
        let turn = tokio::time::timeout(PROBE_WAIT, Arc::clone(&self.probes).acquire_owned()).await;
        // The turn stays with the leg of the probe before until the media thread has let go of that.
        let Ok(Ok(turn)) = turn else { return Err(ProbeError::MediaStuck) };
        let target = probe::Target { sip: self.bound, media: self.uas.settings.media };
        let probed = probe::call(target, &self.uas.expected, turn).await;
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
        let _ = tokio::time::timeout(GOOD_BYE, gone).await;
        self.cancel.cancel();
        self.uas.media.tell(Command::Stop);
        if let Some(thread) = self.media.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for CallEngine {
    /// An engine that is dropped without a shut-down ends its calls, its tasks and its thread. Each call
    /// still sends its BYE while the runtime lives, but nobody waits for that or repeats it:
    /// [`CallEngine::shut_down`] does.
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
    use crate::ledger::Entry;
    use crate::media::leg::Plan;
    use crate::media::shard::LegId;
    use crate::media::thread::Join;
    use crate::sdp::Direction;
    use crate::sip::new_stream;

    /// An engine with a leg whose far end is silent; what is done about that lasts until the sender of the
    /// returned channel is dropped, and the media thread stands still meanwhile.
    async fn held_up() -> (CallEngine, mpsc::Sender<()>) {
        let address = [127, 91, 1, 1].into();
        let mut settings = Settings::new((address, 0).into(), address);
        settings.media_timeout = Duration::from_millis(100);
        let engine = CallEngine::start(settings, Rooms::default(), Admission::Open).await.expect("engine");
        let (hold, held) = mpsc::channel::<()>();
        let Entry::Admitted(ticket) = engine.uas.ledger.admit(address) else { panic!("not admitted") };
        let plan = Plan {
            codec: Codec::Pcmu,
            payload_type: 0,
            events: None,
            remote: None,
            direction: Direction::SendReceive,
        };
        engine.uas.media.tell(Command::Join(Box::new(Join {
            leg: LegId(u64::MAX),
            room: "held up".into(),
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
    async fn a_media_thread_that_stands_still_is_noticed_until_it_moves_again() {
        let (engine, hold) = held_up().await;
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
