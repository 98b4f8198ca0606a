//! A call that was answered: its tone monitor, its requests, and how it ends.
//!
//! A call that ends without the caller hanging up is lost. The first cause counts: a BYE of the node, silence, a
//! re-INVITE or a BYE of ours that the node rejects with 481 or does not answer, or an expired session timer. Relies
//! on `media` and `signalling` for its two tasks.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsipstack::dialog::dialog::DialogStateReceiver;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, Method, Response, StatusCodeKind};
use serde::{Deserialize, Serialize};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, Inner};
use crate::dial::{CallId, CallSettings, sdp_headers};
use crate::sdp::{self, Audio, Direction};
use crate::session::SessionTimer;
use crate::time::{Millis, Time};
use crate::tone::Tone;
use crate::tone_monitor::{Missing, Sound, ToneMonitor};
use crate::{media, signalling};

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When it began to end, on our side.
    pub at: Time,
    /// The cause.
    pub cause: Cause,
}

/// Why a call has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The caller hung up, and the node confirmed the BYE.
    HungUp,
    /// The node hung up.
    FarEndBye {
        /// The Reason header of its BYE.
        reason: Option<String>,
    },
    /// No RTP arrived from the node for too long.
    Silence {
        /// The duration.
        lasted: Millis,
    },
    /// The node rejected a re-INVITE with 481 or 408, or did not answer it.
    RefreshFailed {
        /// The status of the answer, if there was one.
        status: Option<u16>,
    },
    /// The caller hung up, but the node rejected the BYE or did not answer it.
    ByeFailed {
        /// The status of the answer, if there was one.
        status: Option<u16>,
    },
    /// The node did not refresh the session in time.
    SessionLapsed,
    /// The node did not acknowledge our answer to its re-INVITE.
    NoAck,
}

impl Cause {
    /// Whether the call was lost: it ended without the caller hanging up.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        match self {
            Cause::HungUp => false,
            Cause::FarEndBye { .. }
            | Cause::Silence { .. }
            | Cause::RefreshFailed { .. }
            | Cause::ByeFailed { .. }
            | Cause::SessionLapsed
            | Cause::NoAck => true,
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = |status: &Option<u16>| status.map_or("no answer".to_owned(), |code| code.to_string());
        match self {
            Cause::HungUp => f.write_str("the caller hung up"),
            Cause::FarEndBye { reason: Some(reason) } => write!(f, "the node hung up ({reason})"),
            Cause::FarEndBye { reason: None } => f.write_str("the node hung up"),
            Cause::Silence { lasted } => write!(f, "no RTP received for {lasted}"),
            Cause::RefreshFailed { status: s } => write!(f, "the refresh failed ({})", status(s)),
            Cause::ByeFailed { status: s } => {
                write!(f, "the node did not know the call any more ({})", status(s))
            }
            Cause::SessionLapsed => f.write_str("the node did not refresh the session"),
            Cause::NoAck => f.write_str("the node did not acknowledge an answer"),
        }
    }
}

/// Why a request within a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The call is over; [`LiveCall::ended`] returns the cause.
    #[error("the call is over")]
    Over,
    /// The node rejected the request, and the call goes on unchanged. 491 means that a request of the node was in
    /// progress (RFC 3261 section 14.1): retry after two to four seconds.
    #[error("the node rejected the change of the call with {0}")]
    Refused(u16),
}

/// The result of offer and answer.
pub(crate) struct Negotiated {
    pub(crate) socket: UdpSocket,
    pub(crate) ours: Audio,
    pub(crate) theirs: Audio,
    pub(crate) timer: Option<SessionTimer>,
}

/// A call that was answered. Cloning gives another handle of the same call.
#[derive(Clone)]
pub struct LiveCall {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) agent: Arc<Inner>,
    pub(crate) settings: CallSettings,
    pub(crate) dialog: InviteDialog,
    pub(crate) stop: CancellationToken,
    state: Mutex<State>,
    ended: watch::Sender<Option<Ended>>,
    answered: Time,
    /// Locked during a request of ours: only one at a time (RFC 3261 section 14.1), and a BYE after it.
    request: tokio::sync::Mutex<()>,
}

/// What the tasks of a call share.
pub(crate) struct State {
    pub(crate) monitor: ToneMonitor,
    pub(crate) theirs: SocketAddr,
    pub(crate) timer: Option<SessionTimer>,
    pub(crate) own_stall: Millis,
    /// Since when RTP has been due; `None` on hold.
    pub(crate) due_since: Option<Time>,
    /// When the caller began to hang up.
    leaving: Option<Time>,
    ours: Audio,
    version: u64,
}

/// The number of a call in its session descriptions and as its RTP source (SSRC), made from its Call-ID.
pub(crate) fn session_id(id: &CallId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.0.hash(&mut hasher);
    hasher.finish() >> 16
}

/// Starts the tasks of an answered call.
pub(crate) fn begin(
    agent: &Agent,
    settings: CallSettings,
    dialog: InviteDialog,
    changes: DialogStateReceiver,
    negotiated: Negotiated,
) -> LiveCall {
    let answered = agent.inner.clock.now();
    let state = State {
        monitor: ToneMonitor::new(settings.tone, settings.codec, settings.tone_limits),
        theirs: negotiated.theirs.address,
        timer: negotiated.timer,
        own_stall: Millis(0),
        due_since: Some(answered),
        leaving: None,
        ours: negotiated.ours,
        version: 0,
    };
    let shared = Arc::new(Shared {
        agent: agent.inner.clone(),
        settings,
        dialog,
        stop: CancellationToken::new(),
        state: Mutex::new(state),
        ended: watch::Sender::new(None),
        answered,
        request: tokio::sync::Mutex::new(()),
    });
    tokio::spawn(media::run(shared.clone(), negotiated.socket));
    tokio::spawn(signalling::run(shared.clone(), changes));
    LiveCall { shared }
}

impl LiveCall {
    /// The Call-ID.
    #[must_use]
    pub fn id(&self) -> &CallId {
        &self.shared.settings.id
    }

    /// The settings of the call.
    #[must_use]
    pub fn settings(&self) -> &CallSettings {
        &self.shared.settings
    }

    /// When the answer was received.
    #[must_use]
    pub fn answered_at(&self) -> Time {
        self.shared.answered
    }

    /// Hangs up: stops sending, then sends a BYE. Returns how the call ended, which is a loss if the node rejects the
    /// BYE or does not answer it.
    pub async fn hang_up(&self) -> Ended {
        let at = self.shared.agent.clock.now();
        let first = {
            let mut state = self.shared.state();
            let first = state.leaving.is_none();
            state.leaving.get_or_insert(at);
            first
        };
        let request = self.shared.request.lock().await;
        if first && self.how_it_ended().is_none() {
            let cause = match self.shared.in_time(self.shared.dialog.request(Method::Bye, None, None)).await {
                Some(response) if response.status_code.kind() == StatusCodeKind::Successful => Cause::HungUp,
                response => Cause::ByeFailed { status: response.map(|r| r.status_code.code()) },
            };
            self.shared.end(at, cause);
        }
        drop(request);
        self.ended().await
    }

    /// Puts the call on hold: stops the tone and expects no audio (re-INVITE, sendonly).
    ///
    /// # Errors
    /// [`RequestError`]: rejected, and the call goes on; or over.
    pub async fn hold(&self) -> Result<(), RequestError> {
        let at = self.shared.agent.clock.now();
        {
            let mut state = self.shared.state();
            state.monitor.pause(at);
            state.due_since = None;
        }
        let held = self.reinvite(Direction::SendOnly).await;
        if held.is_err() {
            self.expect_audio();
        }
        held
    }

    /// Takes the call off hold (re-INVITE, sendrecv).
    ///
    /// # Errors
    /// As [`LiveCall::hold`].
    pub async fn resume(&self) -> Result<(), RequestError> {
        self.reinvite(Direction::SendRecv).await?;
        self.expect_audio();
        Ok(())
    }

    fn expect_audio(&self) {
        let now = self.shared.agent.clock.now();
        let mut state = self.shared.state();
        state.monitor.resume(now);
        state.due_since = Some(now);
    }

    /// Refreshes the session: a re-INVITE that changes nothing.
    ///
    /// # Errors
    /// As [`LiveCall::hold`]. No answer, 481 or 408 ends the call as lost.
    pub async fn refresh(&self) -> Result<(), RequestError> {
        let direction = self.shared.state().ours.direction;
        self.reinvite(direction).await
    }

    /// Waits until the call has ended.
    pub async fn ended(&self) -> Ended {
        let mut changes = self.shared.ended.subscribe();
        loop {
            if let Some(ended) = changes.borrow_and_update().clone() {
                return ended;
            }
            if changes.changed().await.is_err() {
                // Unreachable: this handle owns the sender.
                std::future::pending::<()>().await;
            }
        }
    }

    /// How the call has ended; `None` while it is alive.
    #[must_use]
    pub fn how_it_ended(&self) -> Option<Ended> {
        self.shared.ended.borrow().clone()
    }

    /// Expects the tone, beginning [`settle`](crate::tone_monitor::ToneLimits::settle) after `since`.
    pub fn expect(&self, tone: Tone, since: Time) {
        self.shared.state().monitor.expect(tone, since);
    }

    /// Allows the tone from now on without expecting it.
    pub fn allow(&self, tone: Tone) {
        let now = self.shared.agent.clock.now();
        self.shared.state().monitor.allow(tone, now);
    }

    /// Stops expecting the tone: its caller began to leave at `at`.
    pub fn excuse(&self, tone: Tone, at: Time) {
        self.shared.state().monitor.excuse(tone, at);
    }

    /// The gaps of expected tones since the last call of this function; those that go on are returned each time.
    #[must_use]
    pub fn judge(&self) -> Vec<Missing> {
        let now = self.shared.agent.clock.now();
        self.shared.state().monitor.judge(now)
    }

    /// For each expected tone, how long it has been missing.
    #[must_use]
    pub fn absent(&self) -> BTreeMap<Tone, Millis> {
        let now = self.shared.agent.clock.now();
        self.shared.state().monitor.absent(now)
    }

    /// What was received so far.
    #[must_use]
    pub fn sound(&self) -> Sound {
        self.shared.state().monitor.sound().clone()
    }

    /// The longest delay of this machine in sending a packet: a gap of the same length in another call may be caused by
    /// this machine and not by a node.
    #[must_use]
    pub fn own_stall(&self) -> Millis {
        self.shared.state().own_stall
    }

    pub(crate) async fn reinvite(&self, direction: Direction) -> Result<(), RequestError> {
        let _request = self.shared.request.lock().await;
        if self.shared.is_leaving() || self.how_it_ended().is_some() {
            return Err(RequestError::Over);
        }
        let (before, offer) = self.shared.offer(direction);
        match self.shared.in_time(self.shared.dialog.reinvite(Some(sdp_headers()), Some(offer))).await {
            Some(answer) if answer.status_code.kind() == StatusCodeKind::Successful => {
                self.shared.answered_again(&answer);
                Ok(())
            }
            Some(answer) if !matches!(answer.status_code.code(), 408 | 481) => {
                self.shared.state().ours.direction = before;
                Err(RequestError::Refused(answer.status_code.code()))
            }
            answer => {
                let status = answer.map(|answer| answer.status_code.code());
                self.shared.lose(Cause::RefreshFailed { status });
                Err(RequestError::Over)
            }
        }
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our description of the call with a new version, and the direction it had before.
    fn offer(&self, direction: Direction) -> (Direction, Vec<u8>) {
        let mut state = self.state();
        state.version += 1;
        let before = std::mem::replace(&mut state.ours.direction, direction);
        let (session, codec) = (session_id(&self.settings.id), self.settings.codec);
        (before, sdp::write(session, state.version, state.ours, codec).into_bytes())
    }

    /// Our answer to an offer of the node, which may contain a new address; `None` if it gives no audio.
    pub(crate) fn answer(&self, offer: &[u8]) -> Option<Vec<u8>> {
        let mut state = self.state();
        let mut ours = state.ours;
        if !offer.is_empty() {
            let theirs = sdp::read(offer, self.settings.codec).ok()?;
            state.theirs = theirs.address;
            ours.direction = theirs.direction.answered_by(ours.direction);
        }
        state.version += 1;
        let (session, version) = (session_id(&self.settings.id), state.version);
        Some(sdp::write(session, version, ours, self.settings.codec).into_bytes())
    }

    fn answered_again(&self, answer: &Response) {
        let now = self.agent.clock.now();
        let mut state = self.state();
        if let Ok(theirs) = sdp::read(&answer.body, self.settings.codec) {
            state.theirs = theirs.address;
        }
        state.timer = state.timer.map(|timer| timer.refreshed(now));
    }

    /// Whether the tone is sent: not on hold and not while hanging up.
    pub(crate) fn sends_tone(&self) -> bool {
        let state = self.state();
        state.leaving.is_none() && state.ours.direction == Direction::SendRecv
    }

    fn is_leaving(&self) -> bool {
        self.state().leaving.is_some()
    }

    /// The answer of the node; `None` if there is none within the limit.
    async fn in_time<F>(&self, request: F) -> Option<Response>
    where
        F: Future<Output = rsipstack::Result<Option<Response>>>,
    {
        match tokio::time::timeout(self.settings.request_within.duration(), request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::debug!(%error, call = %self.settings.id, "a request within a call failed");
                None
            }
            Err(_) => None,
        }
    }

    /// Ends the call as of `at`. Only the first cause is recorded.
    pub(crate) fn end(&self, at: Time, cause: Cause) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(Ended { at, cause });
            first
        });
        self.stop.cancel();
        self.agent.layer.remove_dialog(&self.dialog.id());
    }

    /// Ends the call as lost, unless the caller is hanging up. Sends a BYE in case the node still has the call.
    pub(crate) fn lose(&self, cause: Cause) {
        let (now, leaving) = (self.agent.clock.now(), self.state().leaving);
        if leaving.is_some() {
            return;
        }
        tracing::warn!(call = %self.settings.id, node = %self.settings.target.node, ?cause, "call lost");
        self.end(now, cause);
        let dialog = self.dialog.clone();
        let reason = vec![Header::Reason("SIP;cause=408;text=\"lost\"".into())];
        tokio::spawn(async move { dialog.request(Method::Bye, Some(reason), None).await.map(|_| ()) });
    }
}
