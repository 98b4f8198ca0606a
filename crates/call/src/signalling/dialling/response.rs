//! Responses to our INVITE (RFC 3261 sections 8.1.3 and 13.2.2).

use sip::dialog::responses::Outcome;
use sip::dialog::state::Dialog;
use sip::dialog::table::NotKept;
use sip::message::Response as SentResponse;
use sip::transaction::TransactionId;
use sip::transport::flow::Flow;

use crate::dial::DialError;
use crate::signalling::agent::UserAgent;
use crate::signalling::authentication::NotAnswered;
use crate::signalling::call::{Call, Progress};
use crate::signalling::ending::End;
use crate::signalling::headers;
use crate::signalling::input::Output;
use crate::signalling::member::vendor_of;

use super::late::TOO_LATE;
use super::state::Step;

/// The most of a reason phrase that is kept, in bytes.
const REASON: usize = 128;

impl UserAgent {
    /// A response to an INVITE of ours that had no final one.
    pub(in crate::signalling) fn on_invite_response(
        &mut self,
        transaction: TransactionId,
        flow: Flow,
        response: &SentResponse,
    ) {
        let Some(id) = self.by_our_invite.get(&transaction).copied() else { return };
        if !response.status().is_provisional() {
            self.by_our_invite.remove(&transaction);
        }
        self.with_call(id, |agent, call| {
            // The connection that was opened for the INVITE is known from its first response on, and is in use.
            call.flow = flow;
            match (call.progress, response.status().code()) {
                (Progress::GivenUp, ..200) => agent.cancel_invite(transaction),
                (Progress::GivenUp, 200..300) => agent.answered_too_late(call, transaction, response),
                (Progress::GivenUp, _) => agent.forget(call),
                (_, ..200) => {}
                (_, 200..300) => agent.answered(call, transaction, response),
                (_, _) => agent.refused(call, response),
            }
        });
    }

    /// Somebody has answered: the call is one like any other from now on.
    fn answered(&mut self, call: &mut Call, transaction: TransactionId, response: &SentResponse) {
        let sequence = match self.enter_dialled(call, transaction, response) {
            Ok(sequence) => sequence,
            Err(failure) => {
                self.refuse_answer(transaction, call.flow, response);
                return self.dial_failed(call, failure);
            }
        };
        call.dialling = None;
        call.member.vendor = vendor_of(response.headers());
        call.authorizations.heard(response.status());
        call.progress = Progress::Answered;
        self.acknowledge(call, sequence);
        call.timer = call.timer.confirmed(self.time(), headers::asked(response.headers()));
        if self.take_answer(call, response.headers(), response.body()) {
            self.outputs.push(Output::Dialled { call: call.id, outcome: Ok(()) });
            self.confirm(call);
        } else {
            let outcome = Err(DialError::Unusable("no codec of ours".into()));
            self.outputs.push(Output::Dialled { call: call.id, outcome });
            self.end(call, End::NoCodec);
        }
    }

    /// Somebody has answered a call that was given up before the CANCEL came there. It is acknowledged and ended as one
    /// that was answered in time, so that the ACK and the BYE have the credentials that they need.
    fn answered_too_late(&mut self, call: &mut Call, transaction: TransactionId, response: &SentResponse) {
        let Ok(sequence) = self.enter_dialled(call, transaction, response) else {
            self.refuse_answer(transaction, call.flow, response);
            return self.forget(call);
        };
        self.acknowledge(call, sequence);
        self.end_by_bye(call, TOO_LATE.0, TOO_LATE.1);
    }

    /// Makes the dialog of our INVITE and its 2xx. The CSeq that an ACK is owed for.
    ///
    /// # Errors
    /// There is no dialog.
    fn enter_dialled(
        &mut self,
        call: &mut Call,
        transaction: TransactionId,
        response: &SentResponse,
    ) -> Result<u32, DialError> {
        let no_dialog = || DialError::Unusable("it begins no dialog".into());
        let invite = self.layer.request_of(transaction).ok_or_else(no_dialog)?;
        let dialog = Dialog::as_uac(invite, response, call.flow.protocol()).map_err(|_| no_dialog())?;
        let id = dialog.id().clone();
        self.dialogs.insert(dialog).map_err(not_kept)?;
        self.by_dialog.insert(id.clone(), call.id);
        call.dialog = Some(id.clone());
        self.resolve_next_hop(&id);
        let (now, timers, random) = (self.now(), self.timers(), self.random.number());
        let received = |dialog: &mut Dialog| dialog.response_received(now, &timers, response, random);
        match self.dialogs.change(&id, received) {
            Some(Outcome::Acknowledge { sequence }) => Ok(sequence),
            Some(
                Outcome::Deliver
                | Outcome::RepeatAck(_)
                | Outcome::RetryLater
                | Outcome::End
                | Outcome::Ignore,
            )
            | None => Err(no_dialog()),
        }
    }

    /// A target does not take the call: it is asked again, or the next one is.
    fn refused(&mut self, call: &mut Call, response: &SentResponse) {
        let step = call.dialling.as_ref().map(|dialling| dialling.step.clone());
        let Some(Step::Response { target, .. }) = step else { return };
        let again = match response.status().code() {
            401 | 407 => self.learn_challenge(call, response),
            422 => lengthen(call, response),
            300..303 => {
                let redirected = call
                    .dialling
                    .as_mut()
                    .is_some_and(|dialling| dialling.targets.redirect(&target, response));
                // The next target is one of those, or the one after this.
                return if redirected { self.try_next(call) } else { self.target_failed(call, of(response)) };
            }
            // No other target takes it either (section 21.6).
            600.. => return self.dial_failed(call, of(response)),
            _ => Err(of(response)),
        };
        let may_invite = call.dialling.as_ref().is_some_and(|dialling| dialling.may_invite());
        let again =
            again.and_then(|()| if may_invite { self.try_target(call, target) } else { Err(of(response)) });
        if let Err(failure) = again {
            self.target_failed(call, failure);
        }
    }

    fn learn_challenge(&mut self, call: &mut Call, response: &SentResponse) -> Result<(), DialError> {
        call.authorizations.learn(response, &self.logins).map_err(|not_answered| match not_answered {
            NotAnswered::NoLogin(realm) => DialError::NoLogin(realm),
            NotAnswered::Wrong(realm) => DialError::WrongLogin(realm),
        })
    }

    /// A target is not reached; the next one is tried.
    pub(super) fn target_failed(&mut self, call: &mut Call, failure: DialError) {
        call.dialling.iter_mut().for_each(|dialling| dialling.failure.clone_from(&failure));
        self.try_next(call);
    }
}

/// Why the dialog of an answer is not kept.
fn not_kept(why: NotKept) -> DialError {
    match why {
        NotKept::Full => DialError::Full,
        NotKept::Exists => DialError::Unusable("its tag is that of another call".into()),
        NotKept::TooLarge => DialError::Unusable("its addresses and routes are too long".into()),
    }
}

/// The far end wants a longer session (RFC 4028 section 7.3).
fn lengthen(call: &mut Call, response: &SentResponse) -> Result<(), DialError> {
    let min_se = headers::asked(response.headers()).min_se.unwrap_or_default();
    let longer = call.timer.lengthened(min_se);
    if longer == call.timer {
        return Err(of(response));
    }
    call.timer = longer;
    Ok(())
}

/// The refusal that a response is.
fn of(response: &SentResponse) -> DialError {
    let phrase = String::from_utf8_lossy(response.reason());
    let mut reason: String = phrase.chars().filter(|character| !character.is_control()).collect();
    reason.truncate(reason.floor_char_boundary(REASON));
    DialError::Refused { status: response.status().code(), reason }
}
