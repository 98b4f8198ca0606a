//! The calls of the node as their far ends know them, by the messages that pass. Its count is held against this.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use sip::headers::Headers;
use sip::message::{self, Message, Request, Response};
use sip::method::Method;
use sip::name::Name;

/// How long a call lasts that is not confirmed: 64 × T1, in milliseconds (RFC 3261 section 13.3.1.4).
const UNCONFIRMED: u64 = 32_000;
/// How long the node may count a call whose BYE of its own has no answer, in milliseconds: that far end may be gone.
const CLOSING: u64 = 4_000;

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The INVITE with this CSeq has a response that begins a dialog. From its 200 to the ACK the call lasts until then:
    /// that its BYE leaves is not certain.
    Live { sequence: u32, lapses: Option<u64> },
    /// The node has sent a BYE without an answer: until then it is right to count the call, and not to.
    Closing { until: u64 },
    /// The INVITE is refused, or a BYE is answered.
    Over,
}

/// How many calls there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    live: usize,
    silent: usize,
    closing: usize,
}

impl Truth {
    /// How many calls the node may count, and media ports it may have.
    pub(super) fn calls(self) -> RangeInclusive<usize> {
        let begun = self.live + self.silent;
        begun..=begun + self.closing
    }

    /// How many dialogs it may have. An answer that begins one may wait for a connection.
    pub(super) fn dialogs(self) -> RangeInclusive<usize> {
        self.live..=self.live + self.silent + self.closing
    }
}

/// Names an INVITE: its Call-ID, the tag of its sender, and its CSeq.
type Invite = (String, String, u32);

/// Whether an INVITE to which no ringing is said has a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silent {
    Yes,
    Answered,
}

/// All calls that there were.
#[derive(Default)]
pub(super) struct ObservedCalls {
    /// By the tag that the node has given them.
    calls: BTreeMap<String, Standing>,
    /// The calls whose INVITE has its 200.
    answered: BTreeSet<String>,
    /// An INVITE that requires reliable ringing and makes no offer is not answered before the 200 (RFC 3262 section 5).
    silent: BTreeMap<Invite, Silent>,
}

impl ObservedCalls {
    /// How many calls there are now.
    pub(super) fn truth(&self, now: u64) -> Truth {
        let count = |is: fn(&Standing, u64) -> bool| self.calls.values().filter(|call| is(call, now)).count();
        Truth {
            live: count(
                |call, now| matches!(call, Standing::Live { lapses, .. } if lapses.is_none_or(|at| now < at)),
            ),
            silent: self.silent.values().filter(|silent| **silent == Silent::Yes).count(),
            closing: count(|call, now| match call {
                Standing::Live { lapses, .. } => *lapses == Some(now),
                Standing::Closing { until } => now <= *until,
                Standing::Over => false,
            }),
        }
    }

    /// The node sends a message. One that cannot be read is the answer to one that could not be, and is about no call.
    pub(super) fn sent(&mut self, now: u64, bytes: &[u8]) {
        match message::datagram(bytes) {
            Ok(Message::Response(response)) => self.responds(now, &response),
            Ok(Message::Request(request)) if request.method() == Method::Bye => {
                let tag = request.headers().from_tag().unwrap_or_default();
                if let Some(call @ Standing::Live { .. }) = self.calls.get_mut(tag) {
                    *call = Standing::Closing { until: now + CLOSING };
                }
            }
            Ok(Message::Request(_)) | Err(_) => {}
        }
    }

    fn responds(&mut self, now: u64, response: &Response) {
        let (status, cseq) = (response.status().code(), response.headers().cseq());
        if status > 100 {
            self.silent.entry(invite(response.headers())).and_modify(|silent| *silent = Silent::Answered);
        }
        let Some(tag) = response.headers().to_tag() else { return };
        match (cseq.method, status) {
            (Method::Invite, 101..200) => {
                let ringing = Standing::Live { sequence: cseq.number, lapses: None };
                self.calls.entry(tag.into()).or_insert(ringing);
            }
            (Method::Invite, 200..300) => self.answers(now, tag, cseq.number),
            // That of a change has another CSeq, and ends nothing.
            (Method::Invite, 300..) if self.is_begun_by(tag, cseq.number) => self.end(tag),
            (Method::Bye, 200..300) => self.end(tag),
            _ => {}
        }
    }

    fn is_begun_by(&self, tag: &str, of: u32) -> bool {
        matches!(self.calls.get(tag), Some(Standing::Live { sequence, .. }) if *sequence == of)
    }

    /// The node sends a 200, perhaps again, to the INVITE that begins a call or to a change.
    fn answers(&mut self, now: u64, tag: &str, sequence: u32) {
        let is_known = self.answered.contains(tag);
        if !is_known && (!self.calls.contains_key(tag) || self.is_begun_by(tag, sequence)) {
            self.answered.insert(tag.into());
            let lapses = Some(now + UNCONFIRMED);
            self.calls.insert(tag.into(), Standing::Live { sequence, lapses });
        }
    }

    /// A message arrives at the node.
    pub(super) fn arrived(&mut self, message: &Message) {
        match message {
            Message::Request(request) if is_silent(request) => {
                self.silent.entry(invite(request.headers())).or_insert(Silent::Yes);
            }
            Message::Request(request) if request.method() == Method::Ack => {
                let tag = request.headers().to_tag().unwrap_or_default();
                if let Some(Standing::Live { lapses, .. }) = self.calls.get_mut(tag) {
                    *lapses = None;
                }
            }
            // The answer to a BYE of the node.
            Message::Response(response)
                if response.status().code() >= 200 && response.headers().cseq().method == Method::Bye =>
            {
                self.end(response.headers().from_tag().unwrap_or_default());
            }
            Message::Request(_) | Message::Response(_) => {}
        }
    }

    fn end(&mut self, tag: &str) {
        self.calls.get_mut(tag).into_iter().for_each(|call| *call = Standing::Over);
    }
}

fn invite(headers: &Headers) -> Invite {
    (headers.call_id().into(), headers.from_tag().unwrap_or_default().into(), headers.cseq().number)
}

/// Whether the node says nothing of the call that a request begins, until it answers it.
fn is_silent(request: &Request) -> bool {
    let headers = request.headers();
    let requires = headers.value(Name::Require).is_some_and(|value| value == b"100rel");
    let begins = request.method() == Method::Invite && headers.to_tag().is_none();
    begins && requires && request.body().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signalling::kit::{Phone, response};

    fn truth(live: usize, closing: usize) -> Truth {
        Truth { live, silent: 0, closing }
    }

    /// A response of the node to a request of a phone.
    fn answered(observed: &mut ObservedCalls, request: &str, status: &str) {
        let text = response(request, status, "", "")
            .replace("<sip:meet@192.0.2.1>\r", "<sip:meet@192.0.2.1>;tag=n\r");
        observed.sent(0, text.as_bytes());
    }

    #[test]
    fn call_is_live_from_its_first_answer_to_its_end() {
        let (mut observed, mut phone) = (ObservedCalls::default(), Phone::new("a"));
        answered(&mut observed, &phone.invite(""), "100 Trying");
        answered(&mut observed, &phone.invite(""), "180 Ringing");
        answered(&mut observed, &phone.invite(""), "200 OK");
        assert_eq!(observed.truth(0), truth(1, 0));
        phone.sequence = 2;
        answered(&mut observed, &phone.invite(""), "491 Request Pending");
        assert_eq!(observed.truth(0), truth(1, 0), "a change is refused");
        answered(&mut observed, &phone.request("BYE", "n3", ""), "200 OK");
        answered(&mut observed, &phone.invite(""), "200 OK");
        assert_eq!(observed.truth(0), truth(0, 0), "an answer comes again");
    }

    #[test]
    fn call_that_is_refused_is_over_and_one_that_was_not_begun_is_none() {
        let (mut observed, phone) = (ObservedCalls::default(), Phone::new("a"));
        answered(&mut observed, &phone.invite(""), "404 Not Found");
        assert_eq!(observed.truth(0), truth(0, 0));
        answered(&mut observed, &phone.invite(""), "180 Ringing");
        answered(&mut observed, &phone.invite(""), "487 Request Terminated");
        assert_eq!(observed.truth(0), truth(0, 0));
    }

    #[test]
    fn call_that_is_not_confirmed_lasts_for_64_t1() {
        let (mut observed, phone) = (ObservedCalls::default(), Phone::new("a"));
        answered(&mut observed, &phone.invite(""), "200 OK");
        let lasts = |observed: &ObservedCalls| [31_999, 32_000, 32_001].map(|now| observed.truth(now));
        assert_eq!(lasts(&observed), [truth(1, 0), truth(0, 1), truth(0, 0)]);
        let ack = Phone { tag: ";tag=n".into(), ..phone.clone() }.ack("");
        observed.arrived(&message::datagram(ack.as_bytes()).expect("a request"));
        answered(&mut observed, &phone.invite(""), "200 OK");
        assert_eq!(lasts(&observed), [truth(1, 0); 3]);
    }

    #[test]
    fn call_whose_ringing_cannot_be_said_is_live_from_its_invite() {
        let (mut observed, phone) =
            (ObservedCalls::default(), Phone { extra: "Require: 100rel\r\n".into(), ..Phone::new("a") });
        let invite = message::datagram(phone.invite("").as_bytes()).expect("a request");
        observed.arrived(&invite);
        answered(&mut observed, &phone.invite(""), "100 Trying");
        assert_eq!(observed.truth(0), Truth { silent: 1, ..truth(0, 0) });
        answered(&mut observed, &phone.invite(""), "487 Request Terminated");
        observed.arrived(&invite);
        assert_eq!(observed.truth(0), truth(0, 0), "it comes again");
    }

    #[test]
    fn call_that_the_node_ends_may_be_counted_until_its_bye_is_answered() {
        let (mut observed, phone) = (ObservedCalls::default(), Phone::new("a"));
        answered(&mut observed, &phone.invite(""), "200 OK");
        let bye = phone.request("BYE", "node", "").replace("tag=a\r", "tag=n\r");
        observed.sent(100, bye.as_bytes());
        observed.sent(2_000, bye.as_bytes());
        assert_eq!((observed.truth(4_100), observed.truth(4_101)), (truth(0, 1), truth(0, 0)));
        let answer = response(&bye, "481 Gone", "", "");
        observed.arrived(&message::datagram(answer.as_bytes()).expect("a response"));
        assert_eq!(observed.truth(100), truth(0, 0));
        assert_eq!(truth(2, 1).calls(), 2..=3);
    }
}
