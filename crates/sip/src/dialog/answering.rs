//! Our responses within a dialog: a 2xx refreshes the target, and is repeated until its ACK comes (RFC 3261 sections
//! 12.2.2, 12.3 and 13.3.1.4). A provisional one with RSeq is repeated as well.

use crate::dialog::creation;
use crate::dialog::state::{Dialog, Phase, Unacknowledged};
use crate::fields::Fields;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::time::{Millis, Time};
use crate::transaction::settings::Timers;

/// What a response of ours does to the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answered {
    /// The dialog goes on.
    Continues,
    /// The dialog is over: remove it.
    Ends,
}

impl Dialog {
    /// This response is being sent to a request of the other side, the INVITE that begins the dialog included.
    ///
    /// The target changes with a 2xx and not before (section 12.2.2, RFC 6141 section 4): a request that is refused
    /// changes no state.
    pub fn response_sent(
        &mut self,
        now: Time,
        timers: &Timers,
        request: &Request,
        response: &Response,
    ) -> Answered {
        let cseq = request.headers().cseq();
        let status = response.status();
        if cseq.method == Method::Update && status.is_success() {
            self.refresh_target(request.headers());
        }
        if cseq.method == Method::Bye && status.is_success() {
            return Answered::Ends;
        }
        let is_invite = cseq.method == Method::Invite && self.their_invite == Some(cseq.number);
        if !is_invite {
            return Answered::Continues;
        }
        if status.is_provisional() {
            self.provisional_sent(now, timers, response);
            return Answered::Continues;
        }
        self.their_invite = None;
        self.repeat_no_provisional();
        if status.is_success() {
            self.accept_invite(now, timers, request, response);
            return Answered::Continues;
        }
        match self.phase {
            Phase::Early => Answered::Ends,
            Phase::Confirmed => Answered::Continues,
        }
    }

    fn accept_invite(&mut self, now: Time, timers: &Timers, request: &Request, response: &Response) {
        self.phase = Phase::Confirmed;
        self.refresh_target(request.headers());
        let pause = timers.t1.max(Millis(1));
        self.unacknowledged = Some(Unacknowledged {
            sequence: request.headers().cseq().number,
            response: response.headers().bytes.clone(),
            resend: now + pause,
            pause,
            give_up: now + timers.limit(),
        });
    }

    /// An ACK has come. Whether it is the first one for our last 2xx, whose body counts.
    pub fn ack_received(&mut self, ack: &Request) -> bool {
        let number = ack.headers().cseq().number;
        self.unacknowledged.take_if(|unacknowledged| unacknowledged.sequence == number).is_some()
    }

    /// Waits for no ACK any more: the user ends a dialog that it cannot wait with, such as when it shuts down.
    pub fn await_no_ack(&mut self) {
        self.unacknowledged = None;
    }

    /// Takes the target from Contact. Without one that can be used it stays.
    pub(crate) fn refresh_target(&mut self, fields: &Fields) {
        if let Ok(Some(target)) = creation::target(fields) {
            self.target = target;
        }
    }
}
