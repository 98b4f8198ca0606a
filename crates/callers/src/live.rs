//! A call that was answered: its tone, its ear, its requests, and how it ends.
//!
//! Whatever ends a call without the caller's wish is a loss, and the first cause noticed stands:
//! a BYE of the node, silence on the line, a refresh or a BYE of ours that the node does not know or
//! does not answer, a session timer that lapses.

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
use crate::ear::{Ear, Missing, Sound};
use crate::sdp::{self, Audio, Direction};
use crate::session::SessionTimer;
use crate::time::{Millis, Time};
use crate::tone::Tone;
use crate::{media, signalling};

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When it began to end, on our side.
    pub at: Time,
    /// Who ended it and why.
    pub cause: Cause,
}

/// Who ended a call and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The caller hung up and the node agreed.
    HungUp,
    /// The node hung up.
    FarEndBye {
        /// The Reason header of its BYE.
        reason: Option<String>,
    },
    /// No sound came from the node although some was due.
    Silence {
        /// For so long.
        lasted: Millis,
    },
    /// A re-INVITE found no such call, or no answer.
    RefreshFailed {
        /// 481, 408, or none at all.
        status: Option<u16>,
    },
    /// The caller hung up, but the node no longer knew the call or did not answer.
    ByeFailed {
        /// The status of the answer, or none at all.
        status: Option<u16>,
    },
    /// The node was to refresh the session and did not.
    SessionLapsed,
    /// The node did not acknowledge our answer to its re-INVITE.
    NoAck,
}

impl Cause {
    /// Whether the call was lost: ended by anything but the caller's own wish.
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

/// Why a request within a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The call is over; see how with [`LiveCall::ended`].
    #[error("the call is over")]
    Over,
    /// The node refused, and the call goes on as it was. 491 means that a request of the node was
    /// under way (RFC 3261 section 14.1): try again after two to four seconds.
    #[error("the node refused the change of the call with {0}")]
    Refused(u16),
}

/// The parts of a call that was just answered.
pub(crate) struct Line {
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
    /// Held by a request of ours under way: one at a time (RFC 3261 section 14.1), and a BYE after it.
    turn: tokio::sync::Mutex<()>,
}

/// What the tasks of a call share.
pub(crate) struct State {
    pub(crate) ear: Ear,
    pub(crate) theirs: SocketAddr,
    pub(crate) timer: Option<SessionTimer>,
    pub(crate) own_stall: Millis,
    /// Since when sound has been due; none while on hold.
    pub(crate) due_since: Option<Time>,
    /// When our own hanging up began.
    leaving: Option<Time>,
    ours: Audio,
    version: u64,
}

/// The number of a call in its session descriptions and its RTP source, made from its Call-ID.
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
    line: Line,
) -> LiveCall {
    let answered = agent.inner.clock.now();
    let state = State {
        ear: Ear::new(settings.tone, settings.codec, settings.judgement),
        theirs: line.theirs.address,
        timer: line.timer,
        own_stall: Millis(0),
        due_since: Some(answered),
        leaving: None,
        ours: line.ours,
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
        turn: tokio::sync::Mutex::new(()),
    });
    tokio::spawn(media::run(shared.clone(), line.socket));
    tokio::spawn(signalling::run(shared.clone(), changes));
    LiveCall { shared }
}

impl LiveCall {
    /// The Call-ID.
    #[must_use]
    pub fn id(&self) -> &CallId {
        &self.shared.settings.id
    }

    /// What the call was placed with.
    #[must_use]
    pub fn settings(&self) -> &CallSettings {
        &self.shared.settings
    }

    /// When the answer was received.
    #[must_use]
    pub fn answered_at(&self) -> Time {
        self.shared.answered
    }

    /// Hangs up: no more sound from now on, then a BYE. Returns how the call ended, which is a loss
    /// when the node does not know the call or does not answer.
    pub async fn hang_up(&self) -> Ended {
        let at = self.shared.agent.clock.now();
        let first = {
            let mut state = self.shared.state();
            let first = state.leaving.is_none();
            state.leaving.get_or_insert(at);
            first
        };
        let turn = self.shared.turn.lock().await;
        if first && self.how_it_ended().is_none() {
            let cause = match self.shared.in_time(self.shared.dialog.request(Method::Bye, None, None)).await {
                Some(response) if response.status_code.kind() == StatusCodeKind::Successful => Cause::HungUp,
                response => Cause::ByeFailed { status: response.map(|r| r.status_code.code()) },
            };
            self.shared.end(at, cause);
        }
        drop(turn);
        self.ended().await
    }

    /// Puts the call on hold: the tone stops and no sound is expected (re-INVITE, sendonly).
    ///
    /// # Errors
    /// [`RequestError`]: refused, and the call goes on; or over.
    pub async fn hold(&self) -> Result<(), RequestError> {
        let at = self.shared.agent.clock.now();
        {
            let mut state = self.shared.state();
            state.ear.stop_listening(at);
            state.due_since = None;
        }
        let held = self.reinvite(Direction::SendOnly).await;
        if held.is_err() {
            self.listen_again();
        }
        held
    }

    /// Takes the call off hold (re-INVITE, sendrecv).
    ///
    /// # Errors
    /// As [`LiveCall::hold`].
    pub async fn resume(&self) -> Result<(), RequestError> {
        self.reinvite(Direction::SendRecv).await?;
        self.listen_again();
        Ok(())
    }

    fn listen_again(&self) {
        let now = self.shared.agent.clock.now();
        let mut state = self.shared.state();
        state.ear.listen(now);
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
                // Cannot be: this handle keeps the sender.
                std::future::pending::<()>().await;
            }
        }
    }

    /// How the call ended, if it has.
    #[must_use]
    pub fn how_it_ended(&self) -> Option<Ended> {
        self.shared.ended.borrow().clone()
    }

    /// The tone must be heard from the settling time after `since` on.
    pub fn expect(&self, tone: Tone, since: Time) {
        self.shared.state().ear.expect(tone, since);
    }

    /// The tone may be heard from now on and need not.
    pub fn allow(&self, tone: Tone) {
        let now = self.shared.agent.clock.now();
        self.shared.state().ear.allow(tone, now);
    }

    /// The tone's caller began to leave at `at`.
    pub fn excuse(&self, tone: Tone, at: Time) {
        self.shared.state().ear.excuse(tone, at);
    }

    /// Failures to hear since the last time this was asked; those that go on are given each time.
    #[must_use]
    pub fn judge(&self) -> Vec<Missing> {
        let now = self.shared.agent.clock.now();
        self.shared.state().ear.judge(now)
    }

    /// For each expected tone, how long it has been missing.
    #[must_use]
    pub fn absent(&self) -> BTreeMap<Tone, Millis> {
        let now = self.shared.agent.clock.now();
        self.shared.state().ear.absent(now)
    }

    /// What was heard so far.
    #[must_use]
    pub fn sound(&self) -> Sound {
        self.shared.state().ear.sound().clone()
    }

    /// The longest time by which this machine was late to send a packet: a gap of the same length
    /// elsewhere may be ours and not a node's.
    #[must_use]
    pub fn own_stall(&self) -> Millis {
        self.shared.state().own_stall
    }

    pub(crate) async fn reinvite(&self, direction: Direction) -> Result<(), RequestError> {
        let _turn = self.shared.turn.lock().await;
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

    /// Our answer to an offer of the node, which may have moved; `None` when it gives no sound.
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

    /// Whether the tone is to be sent: not on hold, not hanging up.
    pub(crate) fn speaks(&self) -> bool {
        let state = self.state();
        state.leaving.is_none() && state.ours.direction == Direction::SendRecv
    }

    fn is_leaving(&self) -> bool {
        self.state().leaving.is_some()
    }

    /// The answer of the node, `None` when there was none within the limit.
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

    /// The call ended at `at`; the first to say so is right. What the caller's own hanging up met
    /// is not overruled by anything but its outcome.
    pub(crate) fn end(&self, at: Time, cause: Cause) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(Ended { at, cause });
            first
        });
        self.stop.cancel();
        self.agent.layer.remove_dialog(&self.dialog.id());
    }

    /// The call is lost, noticed now; says BYE in case the node still has it.
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
