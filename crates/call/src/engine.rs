//! The engine: puts the parts together, and is all that the node sees of them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Admitter};
use crate::ledger::{Calls, Ledger, Stats};
use crate::media::ports::PortPool;
use crate::media::thread::{self, Command};
use crate::rooms::Rooms;
use crate::settings::{Settings, SettingsError};
use crate::sip::probe;
use crate::sip::reply::Replies;
use crate::sip::stack::Stack;
use crate::sip::uas::{Dialogs, Uas};
use crate::time::Clock;

/// How long calls that are still there at a shut-down have to say good-bye.
const GOOD_BYE: Duration = Duration::from_secs(5);

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
            legs: AtomicU64::default(),
        });
        let bound = stack.bound;
        let cancel = stack.run(&uas);
        Ok(CallEngine { uas, bound, cancel, media: Some(thread) })
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

    /// Whether the engine answers: it is asked by a real OPTIONS over UDP through its own socket. 200
    /// and 503 (maintenance mode) both count. Takes two seconds at most.
    pub async fn answers_options(&self) -> bool {
        probe::answers(self.bound).await
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
