//! Ringing that is sent reliably (RFC 3262): which 180 that is, its PRACK, and what crosses it.

use std::time::Duration;

use super::kit::{PHONE, Phone, SDP, World, has_header, header, settings};

/// A node that lets a call ring for 40 s, longer than it waits for a PRACK.
fn world() -> World {
    let mut ringing = settings();
    ringing.ring_time = Duration::from_secs(40);
    World::with(ringing)
}

fn phone(extra: &str) -> Phone {
    let mut phone = Phone::new("a");
    phone.extra = extra.into();
    phone
}

const REQUIRED: &str = "Require: 100rel\r\n";

/// A call that rings reliably, and its 180.
fn ringing() -> (World, Phone, String) {
    let (mut world, mut phone) = (world(), phone(REQUIRED));
    world.receive(PHONE, &phone.invite(SDP));
    let ringing = world.answer();
    phone.answered(&ringing);
    phone.sequence += 1;
    phone.extra = format!("RAck: {} {}\r\n", header(&ringing, "RSeq"), header(&ringing, "CSeq"));
    (world, phone, ringing)
}

/// The ACK for the 200 to the INVITE, which is the first request.
fn ack(phone: &Phone) -> String {
    Phone { sequence: 1, extra: String::new(), ..phone.clone() }.request("ACK", "ack", "")
}

#[test]
fn ringing_is_reliable_only_for_a_far_end_that_requires_it() {
    let (_, _, reliable) = ringing();
    assert!(reliable.starts_with("SIP/2.0 180"), "{reliable}");
    assert_eq!(header(&reliable, "Require"), "100rel");
    assert!((1..1 << 31).contains(&header(&reliable, "RSeq").parse::<u64>().expect("a number")));
    for extra in ["Supported: 100rel\r\n", ""] {
        let mut world = world();
        world.receive(PHONE, &phone(extra).invite(SDP));
        let plain = world.answer();
        assert!(plain.starts_with("SIP/2.0 180"), "{plain}");
        assert!(!has_header(&plain, "RSeq") && !has_header(&plain, "Require"), "{plain}");
        world.pass(Duration::from_secs(39));
        assert!(world.sent.is_empty(), "it is not repeated");
    }
}

#[test]
fn far_end_that_wants_our_offer_and_reliable_ringing_is_told_of_none() {
    let (mut world, mut phone) = (world(), phone(REQUIRED));
    world.receive(PHONE, &phone.invite(""));
    world.pass(Duration::from_secs(39));
    assert!(world.answer().starts_with("SIP/2.0 100"), "the transaction says that it is at work");
    world.pass(Duration::from_secs(1));
    let offer = world.answer();
    assert!(offer.starts_with("SIP/2.0 200") && offer.contains("m=audio 40000"), "{offer}");
    phone.answered(&offer);
    world.receive(PHONE, &phone.ack(SDP));
    assert_eq!(world.stats().carried, 1);
}

#[test]
fn ringing_is_repeated_until_its_prack_which_is_answered() {
    let (mut world, mut phone, ringing) = ringing();
    world.pass(Duration::from_secs(2));
    assert_eq!(world.take_sent(), [&ringing[..], &ringing[..]], "after 0.5 and 1.5 s");
    world.receive(PHONE, &phone.next("PRACK", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    world.receive(PHONE, &phone.next("PRACK", ""));
    assert!(world.answer().starts_with("SIP/2.0 481"), "there is nothing left to acknowledge");
    world.pass(Duration::from_secs(37));
    assert!(world.sent.is_empty());
    world.pass(Duration::from_secs(1));
    let answer = world.answer();
    assert!(answer.starts_with("SIP/2.0 200") && answer.contains("m=audio 40000"), "{answer}");
    assert_eq!(header(&answer, "Supported"), "timer, 100rel");
    world.receive(PHONE, &ack(&phone));
    assert_eq!((world.count(), world.stats().carried), (1, 1));
}

#[test]
fn prack_of_another_response_is_refused_and_ends_no_repetition() {
    let (mut world, mut phone, ringing) = ringing();
    let right = std::mem::replace(&mut phone.extra, "RAck: 2147483648 1 INVITE\r\n".into());
    world.receive(PHONE, &phone.next("PRACK", ""));
    assert!(world.answer().starts_with("SIP/2.0 481"));
    phone.extra = String::new();
    world.receive(PHONE, &phone.next("PRACK", ""));
    assert!(world.answer().starts_with("SIP/2.0 481"), "without RAck");
    world.pass(Duration::from_millis(500));
    assert_eq!(world.answer(), ringing);
    phone.extra = right;
    world.receive(PHONE, &phone.next("PRACK", SDP));
    let answer = world.answer();
    assert!(answer.starts_with("SIP/2.0 200") && !answer.contains("m=audio"), "{answer}");
}

#[test]
fn call_whose_ringing_is_never_acknowledged_is_refused() {
    let (mut world, _, ringing) = ringing();
    world.pass(Duration::from_secs(32));
    let sent = world.take_sent();
    let (last, repeated) = sent.split_last().expect("something is sent");
    assert!(repeated.len() == 6 && repeated.iter().all(|text| *text == ringing), "{sent:?}");
    assert!(last.starts_with("SIP/2.0 504"), "{last}");
    assert_eq!(header(last, "Reason"), "SIP;cause=504;text=\"no PRACK\"");
    assert_eq!(world.take_done(), ["release 1"]);
    assert_eq!((world.count(), world.stats().ended_without_ack), (0, 1));
}

/// A call that is answered and confirmed before the PRACK of its 180 has come, and its phone, which has it ready.
fn answered_before_its_prack() -> (World, Phone) {
    let mut short = settings();
    short.ring_time = Duration::from_secs(1);
    let (mut world, mut phone) = (World::with(short), phone(REQUIRED));
    world.receive(PHONE, &phone.invite(SDP));
    let ringing = world.answer();
    world.pass(Duration::from_secs(1));
    let sent = world.take_sent();
    assert!(sent.len() == 2 && sent[1].starts_with("SIP/2.0 200"), "180 again, and the answer: {sent:?}");
    phone.answered(&ringing);
    world.receive(PHONE, &ack(&phone));
    phone.sequence += 1;
    phone.extra = format!("RAck: {} 1 INVITE\r\n", header(&ringing, "RSeq"));
    world.pass(Duration::from_secs(10));
    assert!(world.sent.is_empty(), "the answer says more than the ringing");
    (world, phone)
}

#[test]
fn answer_waits_for_no_prack_and_one_that_comes_later_is_answered() {
    let (mut world, mut phone) = answered_before_its_prack();
    world.receive(PHONE, &phone.next("PRACK", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    assert_eq!((world.count(), world.stats().carried), (1, 1));
}

#[test]
fn call_that_is_answered_goes_on_though_no_prack_comes() {
    let (mut world, _) = answered_before_its_prack();
    world.pass(Duration::from_secs(60));
    assert_eq!((world.count(), world.stats().carried), (1, 1));
    assert!(world.sent.is_empty());
}

#[test]
fn call_that_rings_reliably_can_be_cancelled_or_hung_up_before_its_prack() {
    for method in ["CANCEL", "BYE"] {
        let (mut world, mut phone, _) = ringing();
        let prack = phone.next("PRACK", "");
        if method == "CANCEL" {
            let invite = Phone { sequence: 1, tag: String::new(), ..phone.clone() };
            world.receive(PHONE, &invite.request("CANCEL", "i1", ""));
        } else {
            world.receive(PHONE, &phone.next("BYE", ""));
        }
        let sent = world.take_sent();
        assert!(sent[0].starts_with("SIP/2.0 200") && sent[1].starts_with("SIP/2.0 487"), "{sent:?}");
        world.receive(PHONE, &prack);
        assert!(world.answer().starts_with("SIP/2.0 481"), "its dialog is gone");
        let invite = Phone { sequence: 1, tag: String::new(), ..phone };
        world.receive(PHONE, &invite.request("ACK", "i1", ""));
        world.pass(Duration::from_secs(60));
        assert_eq!(world.take_sent(), [] as [&str; 0], "nothing is repeated");
        assert_eq!((world.count(), world.stats().cancelled), (0, 1));
        assert_eq!(world.agent.entries(), 0);
    }
}
