//! Requests of ours within a call: the refresh of its session, a re-INVITE with what is agreed already (RFC 4028
//! section 7.4), and the responses to them.

use std::time::Duration;

use sip::dialog::responses::{Failure, Outcome};
use sip::dialog::state::SentAck;
use sip::message::Response as SentResponse;
use sip::method::Method;
use sip::transaction::TransactionId;
use sip::transaction::outgoing::{Branch, Outgoing};
use sip::transport::flow::Flow;

use crate::handover::{Changed, NotTakenOver};

use super::agent::UserAgent;
use super::call::{Call, Progress, Refresh};
use super::ending::End;
use super::headers;
use super::response::finish;

/// When a refresh that was refused for now is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// When a refresh is tried again whose interval was too short.
const RETRY_LONGER: Duration = Duration::from_secs(1);

impl UserAgent {
    /// Sends the refresh of a session.
    pub(super) fn send_refresh(&mut self, call: &mut Call) {
        call.refresh = Refresh::RetryAt(self.time() + RETRY);
        let Some(id) = call.dialog.clone() else { return };
        let contact = self.contact(call);
        let shortest = self.settings.min_session_interval.as_secs();
        let mut fields = headers::of_refresh(contact, &call.timer, shortest);
        fields.extend(self.credentials(call, Method::Invite));
        let drafted = self.dialogs.change(&id, |dialog| dialog.request(Method::Invite));
        let Some(Ok(draft)) = drafted else { return };
        let Some(negotiation) = &mut call.negotiation else { return };
        let offer = negotiation.repeat_offer(self.random.generator());
        if self.send_request(call, finish(draft, &fields, Some(&offer))) {
            call.refresh = Refresh::InProgress;
        }
    }

    /// Sends a request of ours within the dialog of a call. False when it cannot be sent.
    pub(super) fn send_request(&mut self, call: &Call, bytes: Vec<u8>) -> bool {
        let Some(dialog) = call.dialog.as_ref().and_then(|id| self.dialogs.get(id)) else { return false };
        let sequence = dialog.last_sequence().unwrap_or_default();
        let destination = self.destination(dialog, call);
        let branch = Branch::new(self.random.branch());
        let outgoing = Outgoing { bytes, destination, branch };
        match self.layer.request(self.now(), outgoing) {
            Ok((transaction, effects)) => {
                self.requests.insert(transaction, (call.id, sequence));
                self.effects.extend(effects);
                true
            }
            Err(_) => false,
        }
    }

    /// A response to a request of ours.
    pub(super) fn on_response(&mut self, transaction: TransactionId, flow: Flow, response: &SentResponse) {
        if self.by_our_invite.contains_key(&transaction) {
            return self.on_invite_response(transaction, flow, response);
        }
        let by_request = self.requests.get(&transaction).map(|(call, _)| *call);
        let by_dialog = || self.by_dialog.get(&self.dialogs.of_response(response)?).copied();
        let Some(id) = by_request.or_else(by_dialog) else {
            if response.status().is_success() {
                self.refuse_answer(transaction, flow, response);
            }
            return;
        };
        if !response.status().is_provisional() {
            self.requests.remove(&transaction);
        }
        self.with_call(id, |agent, call| agent.on_response_of(call, response));
    }

    fn on_response_of(&mut self, call: &mut Call, response: &SentResponse) {
        let Some(id) = call.dialog.clone() else { return };
        let (now, timers, random) = (self.now(), self.timers(), self.random.number());
        let outcome =
            self.dialogs.change(&id, |dialog| dialog.response_received(now, &timers, response, random));
        if let Progress::Importing(import) = call.progress {
            return self.on_import_response(call, import, outcome, response);
        }
        match outcome {
            Some(Outcome::Acknowledge { sequence }) => {
                self.acknowledge(call, sequence);
                self.refreshed(call, response);
            }
            Some(Outcome::RepeatAck(sent)) => self.send_ack(call, sent),
            Some(Outcome::RetryLater) => call.refresh = Refresh::Delayed,
            Some(Outcome::End) if matches!(call.progress, Progress::Ending { .. }) => self.forget(call),
            Some(Outcome::End) => self.end(call, End::Refused),
            Some(Outcome::Deliver) if self.answers_challenge(call, response) => {}
            Some(Outcome::Deliver) if !response.status().is_provisional() => {
                self.not_refreshed(call, response)
            }
            Some(Outcome::Deliver | Outcome::Ignore) | None => {}
        }
    }

    pub(super) fn acknowledge(&mut self, call: &Call, sequence: u32) {
        let Some(id) = &call.dialog else { return };
        let Some(ack) = self.dialogs.get(id).and_then(|dialog| dialog.ack(sequence)) else { return };
        let bytes = finish(ack, call.authorizations.of_ack(), None).into();
        let sent = SentAck { bytes, random: self.random.branch() };
        self.dialogs.change(id, |dialog| dialog.ack_sent(sequence, sent.clone()));
        self.send_ack(call, sent);
    }

    fn send_ack(&mut self, call: &Call, sent: SentAck) {
        let Some(dialog) = call.dialog.as_ref().and_then(|id| self.dialogs.get(id)) else { return };
        let destination = self.destination(dialog, call);
        let outgoing = Outgoing { bytes: sent.bytes.to_vec(), destination, branch: Branch::new(sent.random) };
        if let Ok((_, effects)) = self.layer.request(self.now(), outgoing) {
            self.effects.extend(effects);
        }
    }

    /// The far end has agreed to our refresh.
    pub(super) fn refreshed(&mut self, call: &mut Call, response: &SentResponse) {
        call.refresh = Refresh::ByTimer;
        if let Some(id) = call.dialog.clone() {
            self.resolve_next_hop(&id);
        }
        call.timer = call.timer.confirmed(self.time(), headers::asked(response.headers()));
        // An answer that cannot be used leaves all as it was.
        self.take_answer(call, response.headers(), response.body());
    }

    /// The far end has refused our refresh, and the call goes on.
    fn not_refreshed(&mut self, call: &mut Call, response: &SentResponse) {
        if response.headers().cseq().method != Method::Invite {
            return;
        }
        let pause = if response.status().code() == 422 {
            let min_se = headers::asked(response.headers()).min_se.unwrap_or_default();
            call.timer = call.timer.lengthened(min_se);
            RETRY_LONGER
        } else {
            RETRY
        };
        call.refresh = Refresh::RetryAt(self.time() + pause);
    }

    /// No response has come to a request of ours, or it could not be sent.
    pub(super) fn on_no_response(&mut self, transaction: TransactionId, timed_out: bool) {
        if self.on_no_invite_response(transaction, timed_out) {
            return;
        }
        let Some((id, sequence)) = self.requests.remove(&transaction) else { return };
        let failure = if timed_out { Failure::Timeout } else { Failure::Transport };
        self.with_call(id, |agent, call| {
            let Some(dialog) = call.dialog.clone() else { return };
            let outcome = agent.dialogs.change(&dialog, |dialog| dialog.request_failed(sequence, failure));
            match (call.progress, outcome) {
                (Progress::Importing(_), _) => {
                    let changed = if timed_out { Changed::Perhaps } else { Changed::No };
                    agent.leave_to_other(call, NotTakenOver::NoAnswer, changed);
                }
                (Progress::Exported { .. } | Progress::Moved { .. }, _) => {}
                (Progress::Ending { .. }, _) => agent.forget(call),
                (_, Some(Outcome::End)) => agent.end(call, End::SessionLapsed),
                _ => call.refresh = Refresh::RetryAt(agent.time() + RETRY),
            }
        });
    }
}
