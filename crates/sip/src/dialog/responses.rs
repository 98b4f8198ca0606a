//! Responses of the other side within a dialog (RFC 3261 sections 12.2.1.2, 13.2.2 and 14.1).

use crate::dialog::creation;
use crate::dialog::state::{Ack, Dialog, Phase, SentAck};
use crate::message::Response;
use crate::method::Method;
use crate::time::Time;
use crate::transaction::settings::Timers;

/// The ACKs that are kept: as many INVITEs of one dialog may be answered within 64 × T1 before the oldest is
/// forgotten. One is usual; re-INVITEs every few seconds, as for hold and its end, make four.
const ACKS: usize = 4;

/// Why there is no final response: the events of the transaction layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The transaction has timed out.
    Timeout,
    /// The request could not be sent.
    Transport,
}

/// What follows from a response, or from its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is for the user, and nothing follows here.
    Deliver,
    /// It is for the user, and [`Dialog::ack`] is owed for this CSeq.
    Acknowledge {
        /// The CSeq of the INVITE.
        sequence: u32,
    },
    /// It is a 2xx that has come before: send this ACK again.
    RepeatAck(SentAck),
    /// It is 491. [`crate::dialog::timing::Due::Retry`] follows.
    RetryLater,
    /// It is for the user, and the dialog is over: remove it.
    End,
    /// It has come before, or belongs to no request that is in progress.
    Ignore,
}

impl Dialog {
    /// A response to a request of ours has come, the INVITE that began the dialog included. `random` is any number.
    pub fn response_received(
        &mut self,
        now: Time,
        timers: &Timers,
        response: &Response,
        random: u64,
    ) -> Outcome {
        let cseq = response.headers().cseq();
        let status = response.status();
        if cseq.method == Method::Invite {
            return if status.is_success() {
                self.invite_accepted(now, timers, response)
            } else {
                self.invite_not_accepted(now, response, random)
            };
        }
        if cseq.method == Method::Update && status.is_success() {
            self.refresh_target(response.headers());
        }
        let ends = match (cseq.method == Method::Bye, status.code()) {
            // Any final response ends the session (section 15.1.1); after a challenge, BYE is sent once more.
            (true, code) => code >= 200 && !matches!(code, 401 | 407),
            // No request within the dialog can succeed any more (section 12.2.1.2).
            (false, code) => matches!(code, 408 | 481),
        };
        if ends { Outcome::End } else { Outcome::Deliver }
    }

    /// No final response has come to a request of ours with this CSeq. A timeout counts as 408, which ends the
    /// dialog, a failure of the transport as 503 (section 8.1.3.1).
    pub fn request_failed(&mut self, sequence: u32, failure: Failure) -> Outcome {
        let was_invite = self.our_invite.take_if(|invite| *invite == sequence).is_some();
        match failure {
            Failure::Timeout => Outcome::End,
            Failure::Transport if was_invite && self.phase == Phase::Early => Outcome::End,
            Failure::Transport => Outcome::Deliver,
        }
    }

    fn invite_accepted(&mut self, now: Time, timers: &Timers, response: &Response) -> Outcome {
        let sequence = response.headers().cseq().number;
        if self.our_invite != Some(sequence) {
            let kept = self.acks.iter().find(|ack| ack.sequence == sequence);
            let sent = kept.and_then(|ack| ack.sent.clone());
            return sent.map_or(Outcome::Ignore, Outcome::RepeatAck);
        }
        self.our_invite = None;
        if self.phase == Phase::Early {
            self.phase = Phase::Confirmed;
            // The route set is that of the 2xx (section 13.2.2.4), unless it is unreadable.
            if let Ok(routes) = creation::reversed_routes(response.headers()) {
                self.routes = routes;
            }
        }
        self.refresh_target(response.headers());
        if self.acks.len() == ACKS {
            self.acks.remove(0);
        }
        self.acks.push(Ack { sequence, until: now + timers.limit(), sent: None });
        Outcome::Acknowledge { sequence }
    }

    fn invite_not_accepted(&mut self, now: Time, response: &Response, random: u64) -> Outcome {
        if self.our_invite != Some(response.headers().cseq().number) {
            return Outcome::Ignore;
        }
        if response.status().is_provisional() {
            return Outcome::Deliver;
        }
        self.our_invite = None;
        match (self.phase, response.status().code()) {
            (Phase::Early, _) | (Phase::Confirmed, 408 | 481) => Outcome::End,
            (Phase::Confirmed, 491) => {
                self.retry = Some(now + self.retry_delay(random));
                Outcome::RetryLater
            }
            (Phase::Confirmed, _) => Outcome::Deliver,
        }
    }
}
