//! How a call that is dialled ends without an answer.

use sip::transaction::TransactionId;

use crate::audio::Participant;
use crate::dial::DialError;
use crate::participants::Departure;
use crate::signalling::agent::UserAgent;
use crate::signalling::call::{Call, Progress};
use crate::signalling::ending::End;
use crate::signalling::input::Output;
use crate::time::Time;

use super::state::Step;

impl UserAgent {
    /// Ends a call on behalf of who has dialled it: before its answer it is given up, afterwards it is hung up.
    pub(crate) fn hang_up_dialled(&mut self, now: Time, id: Participant) -> Vec<Output> {
        self.advance_to(now);
        self.with_call(id, |agent, call| agent.end(call, End::Disconnected));
        self.finish()
    }

    /// Gives a call up that has no answer. If its INVITE is out, the call stays until that has ended: a device that
    /// rings must hear of it.
    pub(in crate::signalling) fn give_up(&mut self, call: &mut Call, why: DialError) {
        let step = call.dialling.as_ref().map(|dialling| dialling.step.clone());
        let Some(Step::Response { transaction, .. }) = step else { return self.dial_failed(call, why) };
        self.report_failure(call, why);
        self.release(call);
        call.progress = Progress::GivenUp;
        self.cancel_invite(transaction);
    }

    /// A call has failed, and nothing of it is left.
    pub(in crate::signalling) fn dial_failed(&mut self, call: &mut Call, why: DialError) {
        self.report_failure(call, why);
        self.release(call);
        self.forget(call);
    }

    fn report_failure(&mut self, call: &mut Call, why: DialError) {
        call.member.depart(departure(&why));
        call.dialling = None;
        self.stats.not_answered += 1;
        self.outputs.push(Output::Dialled { call: call.id, outcome: Err(why) });
    }

    /// No final response has come to an INVITE of ours, or it could not be sent. Whether it was one of a call that is
    /// dialled.
    pub(in crate::signalling) fn on_no_invite_response(
        &mut self,
        transaction: TransactionId,
        timed_out: bool,
    ) -> bool {
        let Some(id) = self.by_our_invite.remove(&transaction) else { return false };
        self.with_call(id, |agent, call| {
            let step = call.dialling.as_ref().map(|dialling| dialling.step.clone());
            match (call.progress, step) {
                (Progress::GivenUp, _) => agent.forget(call),
                (_, Some(Step::Response { target, .. })) if timed_out => {
                    agent.target_failed(call, DialError::NoResponse(target.uri));
                }
                (_, Some(Step::Response { target, .. })) => {
                    agent.target_failed(call, DialError::Unreachable(target.uri));
                }
                (_, Some(Step::Port | Step::Name(_)) | None) => {}
            }
        });
        true
    }
}

/// Why somebody who was dialled has never taken part.
fn departure(why: &DialError) -> Departure {
    match why {
        DialError::Refused { .. } => Departure::Rejected,
        DialError::NoLogin(_) | DialError::WrongLogin(_) => Departure::NotAuthenticated,
        DialError::NoResponse(_) | DialError::NotAnswered(_) => Departure::TimedOut,
        DialError::HungUp => Departure::Disconnected,
        DialError::ShutDown => Departure::ShutDown,
        DialError::Closed(_)
        | DialError::CallLimit
        | DialError::Full
        | DialError::Licences
        | DialError::NoRoom(_)
        | DialError::Target { .. }
        | DialError::NotRegistered(_)
        | DialError::NoMediaPort(_)
        | DialError::Unresolved(_)
        | DialError::Unreachable(_)
        | DialError::Unusable(_) => Departure::Failed,
    }
}
