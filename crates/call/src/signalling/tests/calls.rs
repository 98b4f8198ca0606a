//! Calls from their INVITE to their end.

use std::time::Duration;

use crate::admission::{Admission, Closed};

use super::super::NoPort;
use super::kit::{PHONE, Phone, Ports, SDP, World, has_header, header, settings};

#[test]
fn call_is_counted_from_its_admission_until_its_media_is_gone() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.ports = Ports::Pending;
    world.receive(PHONE, &phone.invite(SDP));
    assert_eq!(world.count(), 1);
    assert_eq!(world.take_sent(), [] as [&str; 0]);
    let mut world = World::new();
    world.call(&mut phone);
    assert_eq!(world.take_done(), ["join 1 Meeting", "start 1"]);
    assert_eq!((world.count(), world.stats().carried), (1, 1));
    world.receive(PHONE, &phone.next("BYE", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    assert_eq!(world.take_done(), ["release 1"]);
    assert_eq!((world.count(), world.stats().ended_by_far_end), (0, 1));
}

#[test]
fn maintenance_mode_refuses_new_calls_and_touches_no_running_one() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    world.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
    world.receive(PHONE, &Phone::new("b").invite(SDP));
    let refusal = world.answer();
    assert!(refusal.starts_with("SIP/2.0 503"), "{refusal}");
    assert_eq!(header(&refusal, "Reason"), "SIP;cause=503;text=\"System in maintenance mode\"");
    assert_eq!(header(&refusal, "Retry-After"), "120");
    world.receive(PHONE, &Phone::new("b").request("ACK", "i1", ""));
    world.receive(PHONE, &phone.next("OPTIONS", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    world.receive(PHONE, &phone.invite(&SDP.replace("RTP/AVP 0\r\n", "RTP/AVP 0\r\na=sendonly\r\n")));
    assert!(world.answer().contains("a=recvonly"));
    world.receive(PHONE, &phone.ack(""));
    world.pass(Duration::from_secs(600));
    assert_eq!((world.count(), world.stats().refused_maintenance), (1, 1));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
}

#[test]
fn licences_refuse_new_calls_with_their_reason_and_touch_no_running_one() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    world.agent.set_licensed(Some(1));
    world.receive(PHONE, &Phone::new("b").invite(SDP));
    let refusal = world.answer();
    assert!(refusal.starts_with("SIP/2.0 503"), "{refusal}");
    assert_eq!(header(&refusal, "Reason"), "SIP;cause=503;text=\"Insufficient licenses\"");
    world.receive(PHONE, &Phone::new("b").request("ACK", "i1", ""));
    world.agent.set_licensed(Some(0));
    world.receive(PHONE, &phone.invite(&SDP.replace("RTP/AVP 0\r\n", "RTP/AVP 0\r\na=sendonly\r\n")));
    assert!(world.answer().contains("a=recvonly"), "a change is no new call");
    world.receive(PHONE, &phone.ack(""));
    assert_eq!((world.count(), world.stats().refused_licences), (1, 1));
    world.agent.set_licensed(Some(2));
    world.call(&mut Phone::new("c"));
    assert_eq!(world.count(), 2);
}

#[test]
fn delayed_offer_is_answered_by_the_ack() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(""));
    let offer = world.answer();
    assert!(offer.contains("m=audio 40000 RTP/AVP"), "{offer}");
    assert_eq!(world.take_done(), [] as [&str; 0]);
    phone.answered(&offer);
    world.receive(PHONE, &phone.ack(SDP));
    assert_eq!(world.take_done(), ["join 1 Meeting", "start 1"]);
    assert_eq!(world.count(), 1);
}

#[test]
fn delayed_offer_without_an_answer_ends_the_call() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(""));
    let offer = world.answer();
    phone.answered(&offer);
    world.receive(PHONE, &phone.ack(""));
    let bye = world.answer();
    assert!(bye.starts_with("BYE sip:phone@"), "{bye}");
    assert_eq!(header(&bye, "Reason"), "SIP;cause=488;text=\"no usable codec\"");
    world.pass(Duration::from_secs(40));
    assert_eq!((world.count(), world.stats().not_acceptable), (0, 1));
}

#[test]
fn answer_is_repeated_until_its_ack_and_an_unconfirmed_call_sends_no_sound() {
    let (mut world, phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(SDP));
    let answer = world.answer();
    world.pass(Duration::from_secs(3));
    let again = world.take_sent();
    assert_eq!(again.len(), 2, "after 0.5 and 1.5 s");
    assert!(again.iter().all(|text| *text == answer), "byte for byte");
    world.pass(Duration::from_secs(40));
    assert!(world.take_sent().iter().any(|text| text.starts_with("BYE ")));
    assert_eq!(world.take_done(), ["join 1 Meeting", "release 1"]);
    assert_eq!((world.count(), world.stats().ended_without_ack), (0, 1));
}

#[test]
fn repeated_invite_is_answered_again_and_is_no_second_call() {
    let (mut world, phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(SDP));
    world.answer();
    world.receive(PHONE, &phone.invite(SDP));
    assert_eq!(world.count(), 1);
}

#[test]
fn ringing_call_can_be_cancelled_or_hung_up() {
    let mut ringing = settings();
    ringing.ring_time = Duration::from_secs(5);
    for method in ["CANCEL", "BYE"] {
        let (mut world, mut phone) = (World::with(ringing.clone()), Phone::new("a"));
        world.receive(PHONE, &phone.invite(SDP));
        let ringing = world.answer();
        assert!(ringing.starts_with("SIP/2.0 180"), "{ringing}");
        if method == "CANCEL" {
            world.receive(PHONE, &phone.request("CANCEL", "i1", ""));
        } else {
            phone.answered(&ringing);
            phone.sequence = 2;
            world.receive(PHONE, &phone.next("BYE", ""));
        }
        let sent = world.take_sent();
        assert!(sent[0].starts_with("SIP/2.0 200") && sent[1].starts_with("SIP/2.0 487"), "{sent:?}");
        assert_eq!(header(&sent[0], "To"), header(&sent[1], "To"), "RFC 3261 section 9.2");
        assert_eq!(world.take_done(), ["release 1"]);
        assert_eq!((world.count(), world.stats().cancelled), (0, 1));
    }
}

#[test]
fn call_that_rings_is_answered_when_its_time_is_over() {
    let mut ringing = settings();
    ringing.ring_time = Duration::from_secs(5);
    let (mut world, mut phone) = (World::with(ringing), Phone::new("a"));
    world.receive(PHONE, &phone.invite(SDP));
    let ringing = world.answer();
    world.pass(Duration::from_secs(5));
    let answer = world.answer();
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_eq!(header(&answer, "To"), header(&ringing, "To"));
    phone.answered(&answer);
    world.receive(PHONE, &phone.ack(""));
    assert_eq!(world.stats().carried, 1);
}

#[test]
fn cancel_that_crosses_the_answer_changes_nothing() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(SDP));
    phone.answered(&world.answer());
    let tag = std::mem::take(&mut phone.tag);
    world.receive(PHONE, &phone.request("CANCEL", "i1", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    phone.tag = tag;
    world.receive(PHONE, &phone.ack(""));
    assert_eq!((world.count(), world.stats().carried), (1, 1));
}

#[test]
fn change_that_overtakes_the_ack_waits_for_it() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(SDP));
    phone.answered(&world.answer());
    let ack = phone.ack("");
    let held = SDP.replace("RTP/AVP 0\r\n", "RTP/AVP 0\r\na=inactive\r\n");
    world.receive(PHONE, &phone.invite(&held));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
    world.receive(PHONE, &ack);
    let answer = world.answer();
    assert!(answer.starts_with("SIP/2.0 200") && answer.contains("a=inactive"), "{answer}");
    world.receive(PHONE, &phone.ack(""));
    assert_eq!(world.take_done(), ["join 1 Meeting", "start 1", "change 1 Inactive"]);
}

#[test]
fn change_that_is_refused_changes_nothing() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    world.take_done();
    for (body, extra, status) in [
        ("nonsense", "", "400"),
        (SDP, "Require: replaces\r\n", "420"),
        (SDP, "Supported: timer\r\nSession-Expires: 10\r\n", "422"),
    ] {
        phone.extra = extra.into();
        world.receive(PHONE, &phone.invite(body));
        let refusal = world.answer();
        assert!(refusal.starts_with(&format!("SIP/2.0 {status}")), "{refusal}");
        world.receive(PHONE, &phone.request("ACK", &format!("i{}", phone.sequence), ""));
        phone.sequence += 1;
    }
    phone.extra = String::new();
    assert_eq!(world.take_done(), [] as [&str; 0]);
    world.receive(PHONE, &phone.next("BYE", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"), "the call is there");
}

#[test]
fn silent_far_end_is_hung_up_and_its_call_ends_though_it_does_not_answer() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    world.silent(1);
    let bye = world.answer();
    assert_eq!(header(&bye, "Reason"), "SIP;cause=408;text=\"media timeout\"");
    assert_eq!(world.count(), 1, "its BYE is not answered");
    world.pass(Duration::from_secs(4));
    assert_eq!((world.count(), world.stats().ended_by_media_timeout), (0, 1));
}

#[test]
fn call_whose_handshake_gives_no_keys_is_hung_up_and_counted_as_such() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    world.no_keys(1);
    assert_eq!(header(&world.answer(), "Reason"), "SIP;cause=488;text=\"no keys by DTLS\"");
    let stats = world.stats();
    assert_eq!((stats.ended_without_keys, stats.ended_by_media_timeout), (1, 0));
}

#[test]
fn both_sides_may_hang_up_at_the_same_time() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    world.silent(1);
    world.take_sent();
    world.receive(PHONE, &phone.next("BYE", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    world.pass(Duration::from_secs(4));
    assert_eq!(world.count(), 0);
}

#[test]
fn shut_down_ends_every_call_also_one_that_is_not_confirmed() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    world.receive(PHONE, &Phone::new("b").invite(SDP));
    world.take_sent();
    world.act(super::super::UserAgent::shut_down);
    let byes = world.take_sent();
    assert_eq!(byes.len(), 2);
    assert!(
        byes.iter().all(|bye| header(bye, "Reason") == "SIP;cause=503;text=\"shutting down\""),
        "{byes:?}"
    );
    world.pass(Duration::from_secs(40));
    assert_eq!((world.count(), world.stats().ended_by_shutdown), (0, 2));
}

#[test]
fn call_without_a_media_port_is_refused_and_options_say_so_until_there_is_one() {
    let mut world = World::new();
    world.ports = Ports::None(NoPort::Exhausted);
    world.receive(PHONE, &Phone::new("a").invite(SDP));
    let refusal = world.answer();
    assert_eq!(header(&refusal, "Reason"), "SIP;cause=503;text=\"Out of resource\"");
    assert_eq!((world.count(), world.stats().refused_limit), (0, 1));
    let options = |world: &mut World, id: &str| {
        world.receive(PHONE, &Phone::new(id).request("OPTIONS", "o", ""));
        world.answer()
    };
    assert!(options(&mut world, "o1").starts_with("SIP/2.0 200"), "calls have the ports, and give them back");
    world.ports = Ports::None(NoPort::Refused("no such address".into()));
    world.receive(PHONE, &Phone::new("b").invite(SDP));
    assert!(world.answer().starts_with("SIP/2.0 503"));
    assert_eq!(world.stats().refused_resource, 1);
    assert!(options(&mut world, "o2").starts_with("SIP/2.0 503"), "no call is possible");
    world.ports = Ports::Open;
    let mut phone = Phone::new("c");
    world.call(&mut phone);
    assert!(options(&mut world, "o3").starts_with("SIP/2.0 200"));
}

#[test]
fn probe_is_admitted_once_in_maintenance_mode_and_is_not_counted() {
    let mut world = World::new();
    world.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
    let mut phone = Phone::new("a");
    phone.target = "sip:probe-1@192.0.2.1".into();
    world.agent.expect_probe("probe-1".into(), super::kit::address("192.0.2.9:1"));
    world.receive(PHONE, &phone.invite(SDP));
    assert!(world.answer().starts_with("SIP/2.0 503"), "from another address");
    let mut phone = Phone { call_id: "b".into(), ..phone };
    world.agent.expect_probe("probe-1".into(), super::kit::address(PHONE));
    world.call(&mut phone);
    assert_eq!(world.take_done(), ["join 1 probe-1", "start 1"]);
    assert_eq!((world.count(), world.stats().carried), (0, 0));
    world.receive(PHONE, &Phone { call_id: "c".into(), tag: String::new(), ..phone }.invite(SDP));
    assert!(world.answer().starts_with("SIP/2.0 503"), "it was good for once");
}

#[test]
fn caller_waits_while_a_probe_has_the_last_port() {
    let mut world = World::new();
    let mut probe = Phone::new("p");
    probe.target = "sip:probe-1@192.0.2.1".into();
    world.agent.expect_probe("probe-1".into(), super::kit::address(PHONE));
    world.call(&mut probe);
    world.ports = Ports::None(NoPort::Exhausted);
    world.receive(PHONE, &Phone::new("a").invite(SDP));
    world.pass(Duration::from_millis(100));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
    world.receive(PHONE, &probe.next("BYE", ""));
    assert!(world.take_done().ends_with(&["release 1".into(), "probe over".into()]));
    world.ports = Ports::Open;
    world.take_sent();
    world.pass(Duration::from_millis(20));
    assert!(world.answer().starts_with("SIP/2.0 200"));
}

#[test]
fn caller_does_not_wait_for_the_port_of_a_probe_for_ever() {
    let mut world = World::new();
    let mut probe = Phone::new("p");
    probe.target = "sip:probe-1@192.0.2.1".into();
    world.agent.expect_probe("probe-1".into(), super::kit::address(PHONE));
    world.call(&mut probe);
    world.ports = Ports::None(NoPort::Exhausted);
    world.receive(PHONE, &Phone::new("a").invite(SDP));
    world.pass(Duration::from_secs(1));
    let sent = world.take_sent();
    assert!(sent[0].starts_with("SIP/2.0 100") && sent[1].starts_with("SIP/2.0 503"), "{sent:?}");
}

#[test]
fn requests_within_a_call_get_the_answers_of_the_rfcs() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    for (method, status, has_allow) in [
        ("OPTIONS", 200, true),
        ("INFO", 200, false),
        ("PRACK", 481, false),
        ("NOTIFY", 481, false),
        ("REFER", 405, true),
        ("MESSAGE", 405, true),
        ("SUBSCRIBE", 405, true),
        ("FROBNICATE", 501, true),
    ] {
        world.receive(PHONE, &phone.next(method, ""));
        let answer = world.answer();
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{method}: {answer}");
        assert_eq!(has_header(&answer, "Allow"), has_allow, "{answer}");
    }
    phone.extra = "Info-Package: dtmf\r\n".into();
    world.receive(PHONE, &phone.next("INFO", ""));
    let refusal = world.answer();
    assert!(refusal.starts_with("SIP/2.0 469"), "a package that was not agreed on (RFC 6086)");
    assert_eq!(header(&refusal, "Recv-Info"), "nil");
    phone.sequence -= 1;
    world.receive(PHONE, &phone.request("INFO", "again", ""));
    assert!(world.answer().starts_with("SIP/2.0 500"), "out of order");
    assert_eq!(world.count(), 1);
}

#[test]
fn update_waits_for_no_ack_and_conflicts_with_an_offer_of_ours_alone() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(""));
    phone.answered(&world.answer());
    let ack = phone.ack(SDP);
    world.receive(PHONE, &phone.next("UPDATE", SDP));
    assert!(world.answer().starts_with("SIP/2.0 491"));
    world.receive(PHONE, &phone.next("UPDATE", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    world.receive(PHONE, &ack);
    assert_eq!(world.stats().carried, 1);
}

#[test]
fn change_that_waits_can_be_cancelled() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(SDP));
    phone.answered(&world.answer());
    let ack = phone.ack("");
    let held = SDP.replace("RTP/AVP 0\r\n", "RTP/AVP 0\r\na=inactive\r\n");
    world.receive(PHONE, &phone.invite(&held));
    world.receive(PHONE, &phone.request("CANCEL", &format!("i{}", phone.sequence), ""));
    let sent = world.take_sent();
    assert!(sent[0].starts_with("SIP/2.0 200") && sent[1].starts_with("SIP/2.0 487"), "{sent:?}");
    world.receive(PHONE, &ack);
    assert_eq!(world.take_done(), ["join 1 Meeting", "start 1"]);
    assert_eq!(world.count(), 1);
}

#[test]
fn required_extension_that_is_not_supported_is_refused_in_every_request() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    world.call(&mut phone);
    phone.extra = "Require: nothingSupportsThis\r\n".into();
    for method in ["OPTIONS", "INFO", "UPDATE", "BYE"] {
        world.receive(PHONE, &phone.next(method, ""));
        let refusal = world.answer();
        assert!(refusal.starts_with("SIP/2.0 420"), "{method}: {refusal}");
        assert_eq!(header(&refusal, "Unsupported"), "nothingSupportsThis");
    }
    let mut other = Phone::new("b");
    other.extra = phone.extra.clone();
    world.receive(PHONE, &other.request("OPTIONS", "o", ""));
    assert!(world.answer().starts_with("SIP/2.0 420"));
    assert_eq!(world.count(), 1);
}

#[test]
fn change_that_waits_for_an_ack_is_answered_when_the_call_ends() {
    let (mut world, mut phone) = (World::new(), Phone::new("a"));
    let answer = world.exchange(PHONE, &phone.invite(SDP));
    phone.answered(&answer);
    phone.sequence += 1;
    world.receive(PHONE, &phone.invite(SDP));
    assert_eq!(world.take_sent(), [] as [&str; 0], "it waits for the ACK");
    phone.sequence += 1;
    world.receive(PHONE, &phone.next("BYE", ""));
    let sent = world.take_sent();
    let statuses: Vec<_> = sent.iter().map(|text| (&text[8..11], header(text, "CSeq"))).collect();
    assert_eq!(statuses, [("200", "3 BYE"), ("487", "2 INVITE")]);
    assert_eq!(world.count(), 0);
}
