//! The calls of the node as their far ends know them, by the messages that pass. Its count is held against this.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use sip::headers::Headers;
use sip::message::{self, Message, Request, Response};
use sip::method::Method;
use sip::name::Name;

/// How long the node may count a call whose BYE of its own has no answer, in milliseconds: that far end may be gone.
const CLOSING: u64 = 4_000;

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The INVITE with this CSeq has a response that begins a dialog.
    Live { sequence: u32 },
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
    /// How many calls the node may count.
    pub(super) fn calls(self) -> RangeInclusive<usize> {
        let begun = self.live + self.silent;
        begun..=begun + self.closing
    }

    /// How many dialogs it may have. An answer that begins one may wait for a connection.
    pub(super) fn dialogs(self) -> RangeInclusive<usize> {
        self.live..=self.live + self.silent + self.closing
    }

    /// How many media ports it must have: they are closed before a BYE is sent or answered.
    pub(super) fn ports(self) -> usize {
        self.live + self.silent
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
pub(super) struct Ledger {
    /// By the tag that the node has given them.
    calls: BTreeMap<String, Standing>,
    /// An INVITE that requires reliable ringing and makes no offer is not answered before the 200 (RFC 3262 section 5).
    silent: BTreeMap<Invite, Silent>,
}

impl Ledger {
    /// How many calls there are now.
    pub(super) fn truth(&self, now: u64) -> Truth {
        let count = |is: fn(&Standing, u64) -> bool| self.calls.values().filter(|call| is(call, now)).count();
        Truth {
            live: count(|call, _| matches!(call, Standing::Live { .. })),
            silent: self.silent.values().filter(|silent| **silent == Silent::Yes).count(),
            closing: count(|call, now| matches!(call, Standing::Closing { until } if now <= *until)),
        }
    }

    /// The node sends a message. One that cannot be read is the answer to one that could not be, and is about no call.
    pub(super) fn sent(&mut self, now: u64, bytes: &[u8]) {
        match message::datagram(bytes) {
            Ok(Message::Response(response)) => self.responds(&response),
            Ok(Message::Request(request)) if request.method() == Method::Bye => {
                let tag = request.headers().from_tag().unwrap_or_default();
                if let Some(call @ Standing::Live { .. }) = self.calls.get_mut(tag) {
                    *call = Standing::Closing { until: now + CLOSING };
                }
            }
            Ok(Message::Request(_)) | Err(_) => {}
        }
    }

    fn responds(&mut self, response: &Response) {
        let (status, cseq) = (response.status().code(), response.headers().cseq());
        if status > 100 {
            self.silent.entry(invite(response.headers())).and_modify(|silent| *silent = Silent::Answered);
        }
        let Some(tag) = response.headers().to_tag() else { return };
        let live = Standing::Live { sequence: cseq.number };
        match (cseq.method, status) {
            (Method::Invite, 101..300) => {
                self.calls.entry(tag.into()).or_insert(live);
            }
            // That of a change has another CSeq, and ends nothing.
            (Method::Invite, 300..) if self.calls.get(tag) == Some(&live) => self.end(tag),
            (Method::Bye, 200..300) => self.end(tag),
            _ => {}
        }
    }

    /// A message arrives at the node.
    pub(super) fn arrived(&mut self, message: &Message) {
        match message {
            Message::Request(request) if is_silent(request) => {
                self.silent.entry(invite(request.headers())).or_insert(Silent::Yes);
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
    fn answered(ledger: &mut Ledger, request: &str, status: &str) {
        let text = response(request, status, "", "")
            .replace("<sip:meet@192.0.2.1>\r", "<sip:meet@192.0.2.1>;tag=n\r");
        ledger.sent(0, text.as_bytes());
    }

    #[test]
    fn call_is_live_from_its_first_answer_to_its_end() {
        let (mut ledger, mut phone) = (Ledger::default(), Phone::new("a"));
        answered(&mut ledger, &phone.invite(""), "100 Trying");
        answered(&mut ledger, &phone.invite(""), "180 Ringing");
        answered(&mut ledger, &phone.invite(""), "200 OK");
        assert_eq!(ledger.truth(0), truth(1, 0));
        phone.sequence = 2;
        answered(&mut ledger, &phone.invite(""), "491 Request Pending");
        assert_eq!(ledger.truth(0), truth(1, 0), "a change is refused");
        answered(&mut ledger, &phone.request("BYE", "n3", ""), "200 OK");
        answered(&mut ledger, &phone.invite(""), "200 OK");
        assert_eq!(ledger.truth(0), truth(0, 0), "an answer comes again");
    }

    #[test]
    fn call_that_is_refused_is_over_and_one_that_was_not_begun_is_none() {
        let (mut ledger, phone) = (Ledger::default(), Phone::new("a"));
        answered(&mut ledger, &phone.invite(""), "404 Not Found");
        assert_eq!(ledger.truth(0), truth(0, 0));
        answered(&mut ledger, &phone.invite(""), "180 Ringing");
        answered(&mut ledger, &phone.invite(""), "487 Request Terminated");
        assert_eq!(ledger.truth(0), truth(0, 0));
    }

    #[test]
    fn call_whose_ringing_cannot_be_said_is_live_from_its_invite() {
        let (mut ledger, phone) =
            (Ledger::default(), Phone { extra: "Require: 100rel\r\n".into(), ..Phone::new("a") });
        let invite = message::datagram(phone.invite("").as_bytes()).expect("a request");
        ledger.arrived(&invite);
        answered(&mut ledger, &phone.invite(""), "100 Trying");
        assert_eq!(ledger.truth(0), Truth { silent: 1, ..truth(0, 0) });
        answered(&mut ledger, &phone.invite(""), "487 Request Terminated");
        ledger.arrived(&invite);
        assert_eq!(ledger.truth(0), truth(0, 0), "it comes again");
    }

    #[test]
    fn call_that_the_node_ends_may_be_counted_until_its_bye_is_answered() {
        let (mut ledger, phone) = (Ledger::default(), Phone::new("a"));
        answered(&mut ledger, &phone.invite(""), "200 OK");
        let bye = phone.request("BYE", "node", "").replace("tag=a\r", "tag=n\r");
        ledger.sent(100, bye.as_bytes());
        ledger.sent(2_000, bye.as_bytes());
        assert_eq!((ledger.truth(4_100), ledger.truth(4_101)), (truth(0, 1), truth(0, 0)));
        let answer = response(&bye, "481 Gone", "", "");
        ledger.arrived(&message::datagram(answer.as_bytes()).expect("a response"));
        assert_eq!(ledger.truth(100), truth(0, 0));
        assert_eq!((truth(2, 1).calls(), truth(2, 1).ports()), (2..=3, 2));
    }
}
