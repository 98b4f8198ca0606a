//! The turn of a target: how long it may ring while others wait, and what becomes of its INVITE afterwards.

use sip::message::Response as SentResponse;
use sip::transaction::TransactionId;
use sip::transport::flow::Flow;

use crate::dial::DialError;
use crate::signalling::agent::UserAgent;
use crate::signalling::call::{Call, Progress};

use super::state::Step;

impl UserAgent {
    /// The turn of a target begins. It is an equal share of the time that is left: a device where nobody answers does
    /// not keep the call from the others.
    pub(super) fn begin_turn(&self, call: &mut Call) {
        let Progress::Calling { until, .. } = call.progress else { return };
        let others = call.dialling.as_ref().map_or(0, |dialling| dialling.targets.left());
        let turn = self.time() + until.since(self.time()) / (others + 1);
        call.progress = Progress::Calling { until, turn };
    }

    /// The turn of a target is over, and with that of the last one the time until an answer.
    pub(in crate::signalling) fn on_turn_over(&mut self, call: &mut Call) {
        let Progress::Calling { until, .. } = call.progress else { return };
        let within = call.dialling.as_ref().map(|dialling| dialling.answer_within).unwrap_or_default();
        let failure = DialError::NotAnswered(within);
        if self.time() >= until {
            return self.give_up(call, failure);
        }
        let step = call.dialling.as_ref().map(|dialling| dialling.step.clone());
        if let Some(Step::Response { transaction, .. }) = step {
            self.by_our_invite.remove(&transaction);
            self.cancelled_invites.insert(transaction);
            self.cancel_invite(transaction);
        }
        self.target_failed(call, failure);
    }

    /// A response to an INVITE of a target whose turn is over. A CANCEL must wait for a provisional one (RFC 3261
    /// section 9.1), and an answer that crosses it is ended: the next target rings.
    pub(in crate::signalling) fn on_cancelled_response(
        &mut self,
        transaction: TransactionId,
        flow: Flow,
        response: &SentResponse,
    ) {
        if response.status().is_provisional() {
            return self.cancel_invite(transaction);
        }
        self.cancelled_invites.remove(&transaction);
        if response.status().is_success() {
            self.refuse_answer(transaction, flow, response);
        }
    }
}
