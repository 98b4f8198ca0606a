//! Provisional responses of ours that are sent reliably (RFC 3262 section 3): repeated until their PRACK comes.
//!
//! One at a time: a further one is sent when that before it has its PRACK. What a session description in a PRACK means,
//! and that a 2xx waits for the PRACK of a response with one (sections 3 and 5), is up to the user.

use alloc::sync::Arc;

use crate::dialog::state::Dialog;
use crate::dialog::timing::Due;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::sequence::{CSeq, RAck};
use crate::time::{Millis, Time};
use crate::transaction::settings::Timers;

/// A reliable provisional response of ours for which no PRACK has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reliable {
    /// Its RSeq.
    pub(crate) number: u32,
    /// The CSeq of its INVITE.
    pub(crate) invite: u32,
    /// 64 × T1 after it was sent first.
    pub(crate) until: Time,
    /// `None` when its INVITE has a final response: then it is repeated no more, but its PRACK may still come.
    pub(crate) repetition: Option<Repetition>,
}

/// The repetition of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repetition {
    pub(crate) response: Arc<[u8]>,
    pub(crate) resend: Time,
    pub(crate) pause: Millis,
}

/// The RSeq of the first reliable provisional response to an INVITE: 1 to 2^31 - 1, from any random number (section 3).
/// That of each further one is higher by one.
pub const fn first_rseq(random: u64) -> u32 {
    (random % ((1 << 31) - 1)) as u32 + 1
}

impl Dialog {
    /// A PRACK has come. Whether it is that of our provisional response; any other is owed 481 (section 3).
    pub fn prack_received(&mut self, prack: &Request) -> bool {
        let Ok(Some(RAck { response, cseq: CSeq { number, method } })) = prack.headers().rack() else {
            return false;
        };
        let is_its = |reliable: &mut Reliable| {
            method == Method::Invite && (reliable.invite, reliable.number) == (number, response)
        };
        self.reliable.take_if(is_its).is_some()
    }

    /// A provisional response to the INVITE of the other side is being sent. One with RSeq is repeated.
    pub(crate) fn provisional_sent(&mut self, now: Time, timers: &Timers, response: &Response) {
        let headers = response.headers();
        let Ok(Some(number)) = headers.rseq() else { return };
        let pause = timers.t1.max(Millis(1));
        self.reliable = Some(Reliable {
            number: number.0,
            invite: headers.cseq().number,
            until: now + timers.limit(),
            repetition: Some(Repetition { response: headers.bytes.clone(), resend: now + pause, pause }),
        });
    }

    /// The INVITE has a final response: what was provisional is repeated no more (section 3).
    pub(crate) fn repeat_no_provisional(&mut self) {
        self.reliable.iter_mut().for_each(|reliable| reliable.repetition = None);
    }

    /// Repeats the provisional response, each time after twice the pause, or gives its PRACK up.
    pub(crate) fn repeat_provisional(&mut self, now: Time) -> Option<Due> {
        if let Some(reliable) = self.reliable.take_if(|reliable| reliable.until <= now) {
            return reliable.repetition.map(|_| Due::NoPrack);
        }
        let repetition = self.reliable.as_mut()?.repetition.as_mut()?;
        if repetition.resend > now {
            return None;
        }
        repetition.pause = repetition.pause * 2;
        repetition.resend = now + repetition.pause;
        Some(Due::Repeat(repetition.response.clone()))
    }
}

impl Reliable {
    /// When [`Dialog::repeat_provisional`] is due.
    pub(crate) fn deadline(&self) -> Time {
        self.repetition.as_ref().map_or(self.until, |repetition| repetition.resend.min(self.until))
    }
}
