//! Those whom the node calls: how it dials them, and what they answer.

use std::time::Duration;

use crate::audio::Participant;
use crate::dial::{DialError, DialOptions, DialTarget};

use super::super::Dial;
use super::kit::{SDP, World, header, response};

/// Where the far end of the tests is called.
pub(crate) const FAR: &str = "192.0.2.7:5070";

/// The options of a call to somebody.
pub(crate) fn to(uri: &str) -> Dial {
    Dial { room: "Meeting".into(), target: DialTarget::Uri(uri.into()), options: DialOptions::default() }
}

pub(crate) fn to_device(alias: &str) -> Dial {
    Dial { target: DialTarget::Device(alias.into()), ..to("sip:x@x") }
}

impl World {
    pub(crate) fn try_to_dial(&mut self, dial: &Dial) -> Result<Participant, DialError> {
        let mut begun = Err(DialError::ShutDown);
        self.act(|agent, now| {
            let (result, outputs) = agent.dial(now, dial);
            let result = result.map(|(call, _)| call);
            begun = result;
            outputs
        });
        begun
    }

    /// Dials, and returns the INVITE.
    pub(crate) fn dial(&mut self, dial: &Dial) -> String {
        self.try_to_dial(dial).expect("it can be dialled");
        let invite = self.answer();
        assert!(invite.starts_with("INVITE "), "{invite}");
        invite
    }

    /// A call to [`FAR`] that is answered; its INVITE and the answer.
    pub(crate) fn dialled(&mut self) -> (String, String) {
        let invite = self.dial(&to(&format!("sip:bob@{FAR}")));
        let answer = answer(&invite, "200 OK", "bob", "Contact: <sip:bob@192.0.2.7:5070>\r\n", SDP);
        self.receive(FAR, &answer);
        let ack = self.answer();
        assert!(ack.starts_with("ACK sip:bob@192.0.2.7:5070 SIP/2.0\r\n"), "{ack}");
        self.take_done();
        (invite, answer)
    }

    pub(crate) fn hang_up(&mut self, call: u64) {
        self.act(|agent, now| agent.hang_up_dialled(now, Participant(call)));
    }
}

/// A response with a tag of the far end.
pub(crate) fn answer(request: &str, status: &str, tag: &str, headers: &str, body: &str) -> String {
    let to = header(request, "To");
    let tagged = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag={tag}") };
    let response = response(request, status, headers, body);
    response.replacen(&format!("To: {to}\r\n"), &format!("To: {tagged}\r\n"), 1)
}

/// A request of the far end within the dialog of an INVITE and its answer.
pub(crate) fn request(answer: &str, method: &str, sequence: u32, body: &str) -> String {
    let (from, to, id) = (header(answer, "To"), header(answer, "From"), header(answer, "Call-ID"));
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:meet@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {FAR};branch=z9hG4bKfar{sequence}{method}\r\n\
         Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {sequence} {method}\r\n\
         Contact: <sip:bob@{FAR}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Nothing is left of a call that has failed for this reason.
pub(crate) fn has_failed(world: &mut World, reason: &str) {
    let done = world.take_done();
    assert_eq!(done, [format!("dialled 1: {reason}"), "release 1".into()], "in this order");
    world.pass(Duration::from_secs(300));
    assert_eq!((world.count(), world.agent.entries()), (0, 0));
    assert_eq!((world.stats().dialled, world.stats().not_answered), (1, 1));
}

/// The ACK that the transaction sends for a refusal, and what follows it.
pub(crate) fn after_ack(world: &mut World) -> Vec<String> {
    let mut sent = world.take_sent();
    assert!(sent[0].starts_with("ACK "), "{sent:?}");
    sent.remove(0);
    sent
}
