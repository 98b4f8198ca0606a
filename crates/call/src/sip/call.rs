//! One call's life: everything that can happen to it is one event, waited for in one place.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{Method, Request, Response};
use rsipstack::transaction::Transaction;
use tokio::sync::mpsc;

use crate::media::ports::MediaPort;
use crate::media::shard::LegId;
use crate::media::thread::{Command, Join};
use crate::registry::{Purpose, Stats, Ticket};
use crate::rooms::RoomName;
use crate::sdp::{Negotiation, Offer};
use crate::session_timer::SessionTimer;
use crate::time::Time;

use super::answer::new_stream;
use super::dialog::Dialog;
use super::exchange::{self, ServerInvite};
use super::message::{self, ALLOW};
use super::transport::Hold;
use super::uas::Uas;

/// How long the far end may take to answer our BYE before the call is counted as gone. The session is
/// over when the BYE leaves (RFC 3261 section 15.1.1); this only lets a restart not cut it off.
const BYE_WAIT: Duration = Duration::from_secs(4);

/// Everything that can happen to a call.
pub(super) enum Event {
    /// The far end confirmed our 200.
    Acked(Box<Request>),
    /// The far end gave the call up before our 200.
    Cancelled,
    /// A request within the call.
    Request(Box<Transaction>),
    /// Nothing is heard of the far end any more.
    Silent,
    /// The far end did not take in the answer to its UPDATE: the session is not refreshed.
    Unreachable,
    /// The answer to our refresh, or that there was none.
    Refreshed(Option<Box<Response>>),
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    HungUp,
    Cancelled,
    NoAck,
    NoCodec,
    MediaTimeout,
    SessionLapsed,
    Refused,
    ShutDown,
}

/// A 200 of ours to an INVITE that waits for its ACK.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unacked {
    pub(super) sequence: u32,
    pub(super) until: Time,
    /// The 200 carried an offer, so the ACK carries the answer.
    pub(super) offers: bool,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Ringing,
    Answered,
    Confirmed,
}

/// A call.
pub(super) struct Call {
    pub(super) uas: Arc<Uas>,
    ticket: Arc<Ticket>,
    pub(super) dialog: Dialog,
    pub(super) sender: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    leg: LegId,
    pub(super) negotiation: Negotiation,
    pub(super) timer: SessionTimer,
    pub(super) hold: Hold,
    pub(super) unacked: Option<Unacked>,
    deferred: Option<Box<Transaction>>,
    pub(super) refreshing: bool,
    pub(super) retry_refresh_at: Option<Time>,
    progress: Progress,
    pending_join: Option<(RoomName, MediaPort)>,
}

impl Call {
    #[expect(clippy::too_many_arguments, reason = "each is a part the call owns from its first moment")]
    pub(super) fn new(
        uas: Arc<Uas>,
        ticket: Arc<Ticket>,
        dialog: Dialog,
        (sender, events): (mpsc::Sender<Event>, mpsc::Receiver<Event>),
        leg: LegId,
        negotiation: Negotiation,
        timer: SessionTimer,
        hold: Hold,
    ) -> Call {
        Call {
            uas,
            ticket,
            dialog,
            sender,
            events,
            leg,
            negotiation,
            timer,
            hold,
            unacked: None,
            deferred: None,
            refreshing: false,
            retry_refresh_at: None,
            progress: Progress::Ringing,
            pending_join: None,
        }
    }

    /// The room the call goes to, its open port, and what its INVITE offered.
    pub(super) fn with_room(mut self, room: RoomName, port: MediaPort, offer: Option<Offer>) -> Call {
        self.pending_join = Some((room, port));
        if let Some(offer) = offer {
            self.negotiation.answer_to(&offer);
        }
        self
    }

    /// Lives the call from its ringing to its end.
    pub(super) async fn live(mut self, invite: ServerInvite) {
        let end = match self.ring(&invite).await {
            ControlFlow::Break(end) => end,
            ControlFlow::Continue(()) => {
                let offers = self.negotiation.agreed().is_none();
                self.change_media();
                self.progress = Progress::Answered;
                self.send_answer(&invite, offers);
                self.talk().await
            }
        };
        self.finish(end).await;
    }

    async fn ring(&mut self, invite: &ServerInvite) -> ControlFlow<End> {
        let ring_time = match self.ticket.purpose {
            Purpose::Call => self.uas.settings.ring_time,
            Purpose::Probe(_) => Duration::ZERO,
        };
        let answer_at = self.uas.clock.now() + ring_time;
        if !ring_time.is_zero() {
            let headers = vec![self.dialog.contact()];
            invite.respond(self.dialog.response(&self.uas.endpoint, &invite.request, 180, headers, None));
        }
        let end = loop {
            match self.next_event(answer_at).await {
                Next::Deadline => return ControlFlow::Continue(()),
                Next::Event(Event::Cancelled) => break End::Cancelled,
                Next::Event(Event::Request(tx)) if tx.original.method == Method::Bye => {
                    self.uas.reply(*tx, 200, Vec::new());
                    break End::Cancelled;
                }
                Next::Event(Event::Request(tx)) => self.uas.reply(*tx, 500, Vec::new()),
                Next::Event(Event::Acked(_) | Event::Silent | Event::Unreachable | Event::Refreshed(_)) => {}
                Next::Stopping => break End::ShutDown,
            }
        };
        let status = if end == End::ShutDown { 503 } else { 487 };
        invite.respond(self.dialog.response(&self.uas.endpoint, &invite.request, status, Vec::new(), None));
        ControlFlow::Break(end)
    }

    async fn talk(&mut self) -> End {
        loop {
            let deadline = self.next_deadline();
            let flow = match self.next_event(deadline).await {
                Next::Event(event) => self.on_event(event),
                Next::Deadline => self.on_deadline(),
                Next::Stopping => return End::ShutDown,
            };
            if let ControlFlow::Break(end) = flow {
                return end;
            }
        }
    }

    async fn next_event(&mut self, deadline: Time) -> Next {
        let deadline = self.uas.clock.instant(deadline).into();
        tokio::select! {
            Some(event) = self.events.recv() => Next::Event(event),
            () = tokio::time::sleep_until(deadline) => Next::Deadline,
            () = self.uas.stopping.cancelled() => Next::Stopping,
        }
    }

    fn next_deadline(&self) -> Time {
        let ack = self.unacked.map(|unacked| unacked.until);
        [ack, self.refresh_at()].into_iter().flatten().fold(self.timer.lapses_at(), Time::min)
    }

    fn on_deadline(&mut self) -> ControlFlow<End> {
        let now = self.uas.clock.now();
        if self.unacked.is_some_and(|unacked| now >= unacked.until) {
            return ControlFlow::Break(End::NoAck);
        }
        if now >= self.timer.lapses_at() {
            return ControlFlow::Break(End::SessionLapsed);
        }
        if self.refresh_at().is_some_and(|at| now >= at) {
            self.send_refresh();
        }
        ControlFlow::Continue(())
    }

    fn on_event(&mut self, event: Event) -> ControlFlow<End> {
        match event {
            Event::Acked(ack) => self.on_ack(&ack),
            Event::Request(tx) => self.on_request(*tx),
            Event::Silent => ControlFlow::Break(End::MediaTimeout),
            Event::Unreachable => ControlFlow::Break(End::SessionLapsed),
            Event::Refreshed(answer) => self.on_refreshed(answer),
            // It crossed our 200, which it cannot take back.
            Event::Cancelled => ControlFlow::Continue(()),
        }
    }

    fn on_ack(&mut self, ack: &Request) -> ControlFlow<End> {
        let sequence = message::sequence(ack);
        let Some(unacked) = self.unacked.take_if(|unacked| Some(unacked.sequence) == sequence) else {
            return ControlFlow::Continue(());
        };
        if unacked.offers {
            let answer = message::description(ack, &ack.body).ok().flatten().unwrap_or_default();
            if self.negotiation.apply_answer(answer).is_err() {
                return ControlFlow::Break(End::NoCodec);
            }
            self.change_media();
        }
        self.confirm();
        if let Some(tx) = self.deferred.take() {
            self.on_change(*tx);
        }
        ControlFlow::Continue(())
    }

    /// The far end has our answer: the call is carried, sound may leave.
    fn confirm(&mut self) {
        if self.progress != Progress::Confirmed {
            self.progress = Progress::Confirmed;
            self.ticket.count(|stats| stats.carried += 1);
            self.uas.media.tell(Command::Start(self.leg));
        }
    }

    fn on_request(&mut self, tx: Transaction) -> ControlFlow<End> {
        if !self.dialog.advance(&tx.original) {
            // RFC 3261 section 12.2.2: out of order.
            self.uas.reply(tx, 500, Vec::new());
            return ControlFlow::Continue(());
        }
        let method = tx.original.method;
        if method == Method::Bye {
            self.uas.reply(tx, 200, Vec::new());
            self.confirm();
            return ControlFlow::Break(End::HungUp);
        }
        if method == Method::Invite || method == Method::Update {
            self.change_or_defer(tx);
        } else if method == Method::Options {
            self.uas.reply(tx, 200, super::uas::abilities());
        } else if method == Method::Info {
            self.uas.reply(tx, 200, Vec::new());
        } else {
            self.uas.reply(tx, 405, vec![message::header("Allow", ALLOW)]);
        }
        ControlFlow::Continue(())
    }

    /// A change that overtakes the ACK before it waits for that ACK: both travel through tasks of the
    /// stack whose order is not certain. A second one is too early (RFC 3261 section 14.2).
    fn change_or_defer(&mut self, tx: Transaction) {
        if self.unacked.is_none() {
            self.on_change(tx);
        } else if self.deferred.is_none() {
            self.deferred = Some(Box::new(tx));
        } else {
            self.uas.reply(tx, 500, vec![message::header("Retry-After", "1")]);
        }
    }

    /// Tells the media what was agreed, if anything; the first time, the leg joins its room.
    pub(super) fn change_media(&mut self) {
        let Some(plan) = self.negotiation.agreed().map(Into::into) else { return };
        let command = match self.pending_join.take() {
            None => Command::Change(self.leg, plan),
            Some((room, port)) => {
                let events = self.sender.clone();
                Command::Join(Box::new(Join {
                    leg: self.leg,
                    room,
                    plan,
                    outgoing: new_stream(),
                    port,
                    ticket: Arc::clone(&self.ticket),
                    on_silence: Box::new(move || drop(events.try_send(Event::Silent))),
                }))
            }
        };
        self.uas.media.tell(command);
    }

    /// Leaves the conference and the table of dialogs.
    fn let_go(&self) {
        self.uas.media.tell(Command::Leave(self.leg));
        self.uas.dialogs.remove(&self.dialog.key);
    }

    async fn finish(mut self, end: End) {
        self.let_go();
        self.ticket.count(|stats| end.count(stats));
        tracing::debug!(call = self.ticket.call.0, ?end, "a call has ended");
        let bye = end.bye().filter(|_| self.progress != Progress::Ringing);
        let Some((cause, text)) = bye else { return };
        let bye = self.dialog.request(Method::Bye, vec![message::reason(cause, text)], String::new());
        let limit = self.uas.settings.ack_timeout();
        let exchange = exchange::ask(self.uas.endpoint.clone(), bye, self.dialog.route(), limit);
        let exchange = tokio::spawn(exchange);
        // A half-open call has no far end to wait for (it may be forged): it is gone at once.
        if end != End::NoAck {
            let _ = tokio::time::timeout(BYE_WAIT.min(limit), exchange).await;
        }
    }
}

impl Drop for Call {
    /// Also when the call's task fails: its leg must not keep it in the count for ever.
    fn drop(&mut self) {
        self.let_go();
    }
}

enum Next {
    Event(Event),
    Deadline,
    Stopping,
}

impl End {
    /// Cause and text of the Reason in our BYE; `None` when no BYE is due.
    fn bye(self) -> Option<(u16, &'static str)> {
        match self {
            End::HungUp | End::Cancelled => None,
            End::NoAck => Some((408, "no ACK")),
            End::NoCodec => Some((488, "no usable codec")),
            End::MediaTimeout => Some((408, "media timeout")),
            End::SessionLapsed => Some((408, "session timer lapsed")),
            End::Refused => Some((481, "session refresh refused")),
            End::ShutDown => Some((503, "shutting down")),
        }
    }

    fn count(self, stats: &mut Stats) {
        let counter = match self {
            End::HungUp => &mut stats.ended_by_far_end,
            End::Cancelled => &mut stats.cancelled,
            End::NoAck => &mut stats.ended_without_ack,
            End::NoCodec => &mut stats.not_acceptable,
            End::MediaTimeout => &mut stats.ended_by_media_timeout,
            End::SessionLapsed => &mut stats.ended_by_session_timer,
            End::Refused => &mut stats.ended_by_refusal,
            End::ShutDown => &mut stats.ended_by_shutdown,
        };
        *counter += 1;
    }
}
