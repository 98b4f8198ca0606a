//! What a dialog does by time: it repeats a 2xx (RFC 3261 section 13.3.1.4) and a reliable provisional response (RFC 3262
//! section 3), forgets an ACK, and has a re-INVITE sent again (RFC 3261 section 14.1).

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::dialog::provisional::Reliable;
use crate::dialog::state::Dialog;
use crate::time::{Millis, Time};
use crate::transaction::settings::Timers;

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Give this response, a 2xx or a reliable provisional one, to the transaction of its INVITE again.
    Repeat(Arc<[u8]>),
    /// No ACK has come for a 2xx within 64 × T1: end the dialog with BYE.
    NoAck,
    /// No PRACK has come for a provisional response within 64 × T1: refuse its INVITE with a 5xx (RFC 3262 section 3).
    NoPrack,
    /// Send the re-INVITE again that was answered 491, if it is still wanted.
    Retry,
}

impl Dialog {
    /// When [`Self::pass_time`] is to be called if nothing happens before. A re-INVITE that is due again waits for
    /// the INVITE that is in progress.
    pub fn next_deadline(&self) -> Option<Time> {
        let repeat = self.unacknowledged.as_ref().map(|response| response.resend.min(response.give_up));
        let provisional = self.reliable.as_ref().map(Reliable::deadline);
        let forget = self.acks.iter().map(|ack| ack.until).min();
        let retry = self.retry.filter(|_| self.may_invite());
        [repeat, provisional, forget, retry].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn pass_time(&mut self, now: Time, timers: &Timers) -> Vec<Due> {
        let mut due = Vec::from_iter(self.repeat(now, timers));
        due.extend(self.repeat_provisional(now));
        self.acks.retain(|ack| ack.until > now);
        if self.may_invite() && self.retry.take_if(|at| *at <= now).is_some() {
            due.push(Due::Retry);
        }
        due
    }

    fn repeat(&mut self, now: Time, timers: &Timers) -> Option<Due> {
        if self.unacknowledged.take_if(|response| response.give_up <= now).is_some() {
            return Some(Due::NoAck);
        }
        let response = self.unacknowledged.as_mut().filter(|response| response.resend <= now)?;
        // No pause at all would never end.
        response.pause = (response.pause * 2).min(timers.t2).max(Millis(1));
        response.resend = now + response.pause;
        Some(Due::Repeat(response.response.clone()))
    }
}
