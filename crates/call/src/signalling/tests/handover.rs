//! Calls that move from one node to another.

use std::time::Duration;

use crate::handover::message::{ExportedCall, ExportedKeys, ExportedReceived};
use crate::handover::{Changed, NotExported, NotImported, NotTakenOver};
use crate::settings::Settings;

use sip::dialog::table::NotKept;

use super::super::{Handover, NoPort};
use super::kit::{PHONE, Phone, Ports, SDP, STREAM, World, address, has_header, header, response};
use crate::audio::Participant;

/// The node that takes calls over.
const OTHER: &str = "192.0.2.3:5060";
pub(super) const CALL: Participant = Participant(1);

pub(super) fn other_settings() -> Settings {
    Settings::new(address(OTHER), address(OTHER).ip())
}

/// A confirmed call of this phone.
fn calling(phone: &mut Phone) -> World {
    let mut world = World::new();
    world.call(phone);
    world.take_done();
    world
}

pub(super) fn export(world: &mut World) -> ExportedCall {
    world.agent.export(world.now, CALL, Vec::new()).expect("it is at rest")
}

/// The node that takes a call over, and its probe.
fn importing(exported: ExportedCall) -> (World, String) {
    let mut world = World::with(other_settings());
    let imported = import(&mut world, exported);
    assert_eq!(imported, Ok(CALL));
    let probe = world.answer();
    assert!(probe.starts_with("OPTIONS "), "{probe}");
    (world, probe)
}

pub(super) fn import(world: &mut World, exported: ExportedCall) -> Result<Participant, NotImported> {
    let mut imported = None;
    world.act(|agent, now| {
        let (result, outputs) = agent.import(now, exported);
        imported = Some(result);
        outputs
    });
    imported.expect("it has acted")
}

/// The node that takes a call over, when its re-INVITE has been sent.
fn taking_over(exported: ExportedCall) -> (World, String) {
    let (mut world, probe) = importing(exported);
    world.receive(PHONE, &response(&probe, "200 OK", "", ""));
    assert_eq!(std::mem::take(&mut world.reports), [Handover::Ready { last_sequence: Some(1) }]);
    world.act(|agent, now| agent.take_over(now, CALL));
    let invite = world.answer();
    (world, invite)
}

#[test]
fn call_moves_with_its_dialog_session_and_stream() {
    let mut phone = Phone::new("a");
    let mut giving = calling(&mut phone);
    giving.pass(Duration::from_secs(100));
    let (mut taking, invite) = taking_over(export(&mut giving));
    assert!(invite.starts_with("INVITE sip:phone@192.0.2.2:5062 SIP/2.0"), "{invite}");
    assert_eq!(header(&invite, "Contact"), "<sip:192.0.2.3:5060;transport=udp>");
    assert_eq!(header(&invite, "From"), format!("<sip:meet@192.0.2.1>{}", phone.tag));
    assert_eq!(header(&invite, "CSeq"), "2 INVITE");
    assert!(invite.contains(" 2 IN IP4 192.0.2.1\r\n"), "o= stays and its version rises: {invite}");
    assert!(invite.contains("c=IN IP4 192.0.2.3\r\n"), "{invite}");

    let contact = "Contact: <sip:phone@192.0.2.2:5062>\r\n";
    taking.receive(PHONE, &response(&invite, "200 OK", contact, SDP));
    assert!(taking.answer().starts_with("ACK sip:phone@192.0.2.2:5062 SIP/2.0"));
    assert_eq!(std::mem::take(&mut taking.reports), [Handover::TakenOver]);
    assert_eq!(taking.take_done(), ["join 1 Meeting"], "it is heard, and says nothing yet");

    giving.act(|agent, now| agent.hand_out(now, CALL).1);
    assert_eq!(giving.take_done(), ["hand out 1"]);
    assert_eq!(std::mem::take(&mut giving.reports), [Handover::Stream(STREAM)]);
    assert_eq!((giving.count(), giving.stats().handed_over), (0, 1));
    taking.act(|agent, now| agent.go_on(now, CALL, Some(STREAM)));
    assert_eq!(taking.take_done(), ["resume 1 at 8", "start 1"]);
    assert_eq!((taking.count(), taking.stats().taken_over), (1, 1));
    let age = taking.now.since(taking.agent.counted().1.expect("a call"));
    assert_eq!(age, Duration::from_millis(1000), "as far as the time of this node goes back");

    taking.receive(PHONE, &phone.next("BYE", ""));
    assert!(taking.answer().starts_with("SIP/2.0 200 OK"));
    giving.pass(Duration::from_secs(40));
    taking.pass(Duration::from_secs(40));
    assert_eq!((giving.agent.entries(), taking.agent.entries()), (0, 0));
    assert_eq!(giving.take_sent(), [] as [&str; 0]);
}

/// The session description of the phone with a key that is this letter.
fn encrypted(letter: &str) -> String {
    let key = letter.repeat(40);
    SDP.replace("RTP/AVP", "RTP/SAVP") + &format!("a=crypto:5 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n")
}

#[test]
fn encrypted_call_moves_with_its_keys_and_the_count_of_its_packets() {
    let (mut giving, mut phone) = (World::new(), Phone::new("a"));
    giving.receive(PHONE, &phone.invite(&encrypted("A")));
    let answer = giving.answer();
    phone.answered(&answer);
    giving.receive(PHONE, &phone.ack(""));
    let received = vec![ExportedReceived { ssrc: 9, sound: Some(70_000), control: Some(3) }];
    let exported = giving.agent.export(giving.now, CALL, received.clone()).expect("it is at rest");
    assert_eq!(exported.received, received);
    assert!(!format!("{exported:?}").contains("AAAA"), "keys are secret");

    let (mut taking, invite) = taking_over(exported);
    let key_line = |text: &str| text.lines().find(|line| line.starts_with("a=crypto")).map(str::to_owned);
    assert!(invite.contains("RTP/SAVP"), "{invite}");
    assert_eq!(key_line(&invite), key_line(&answer), "our key stays, so that no packet is lost");
    taking.receive(PHONE, &response(&invite, "200 OK", "", &encrypted("C")));
    assert_eq!(taking.take_done(), ["join 1 Meeting", "go on receiving 1 with 1 streams"]);
}

#[test]
fn session_timer_goes_on_at_the_other_node() {
    let mut phone = Phone::new("a");
    let mut giving = calling(&mut phone);
    giving.pass(Duration::from_secs(800));
    let (mut taking, invite) = taking_over(export(&mut giving));
    assert_eq!(header(&invite, "Session-Expires"), "1800;refresher=uac");
    taking.receive(PHONE, &response(&invite, "200 OK", "", SDP));
    taking.take_sent();
    taking.pass(Duration::from_secs(899));
    assert_eq!(taking.take_sent(), [] as [&str; 0], "the session was refreshed when the call moved");
    taking.pass(Duration::from_secs(1));
    assert!(taking.answer().starts_with("INVITE "));
    assert_eq!(giving.take_sent(), [] as [&str; 0]);
}

#[test]
fn call_whose_far_end_does_not_answer_the_other_node_stays() {
    let mut phone = Phone::new("a");
    let mut giving = calling(&mut phone);
    let (mut taking, _) = importing(export(&mut giving));
    taking.pass(Duration::from_millis(699));
    assert_eq!(taking.reports, []);
    taking.pass(Duration::from_millis(1));
    let why = NotTakenOver::NoAnswer;
    assert_eq!(
        taking.reports,
        [Handover::NotTakenOver { last_sequence: Some(1), changed: Changed::No, why }]
    );
    taking.take_sent();
    taking.pass(Duration::from_secs(64));
    assert_eq!((taking.count(), taking.agent.entries()), (0, 0), "nothing is left, and no BYE was sent");
    assert!(taking.take_sent().iter().all(|sent| sent.starts_with("OPTIONS ")));

    giving.act(|agent, now| agent.take_back(now, CALL, Some(1), Changed::No));
    giving.pass(Duration::from_secs(900));
    let refresh = giving.answer();
    assert_eq!(header(&refresh, "CSeq"), "2 INVITE", "the CSeq of the other node is not used again");
}

#[test]
fn far_end_that_may_have_been_changed_is_brought_back_at_once() {
    let mut phone = Phone::new("a");
    let mut giving = calling(&mut phone);
    let (mut taking, _) = taking_over(export(&mut giving));
    taking.pass(Duration::from_secs(32));
    let why = NotTakenOver::NoAnswer;
    let failed = Handover::NotTakenOver { last_sequence: Some(2), changed: Changed::Perhaps, why };
    assert_eq!(taking.reports, [failed]);
    giving.act(|agent, now| agent.take_back(now, CALL, Some(2), Changed::Perhaps));
    giving.pass(Duration::ZERO);
    let invite = giving.answer();
    assert_eq!(header(&invite, "CSeq"), "3 INVITE");
    assert_eq!(header(&invite, "Contact"), "<sip:192.0.2.1:5060;transport=udp>");
}

#[test]
fn refusal_of_the_change_leaves_the_call_where_it_was() {
    for status in [481, 488, 491, 500] {
        let mut giving = calling(&mut Phone::new("a"));
        let (mut taking, invite) = taking_over(export(&mut giving));
        taking.receive(PHONE, &response(&invite, &format!("{status} No"), "", ""));
        assert!(taking.answer().starts_with("ACK "));
        let why = NotTakenOver::Refused(status);
        let failed = Handover::NotTakenOver { last_sequence: Some(2), changed: Changed::No, why };
        assert_eq!(taking.reports, [failed]);
        assert_eq!(taking.count(), 0);
        taking.pass(Duration::from_secs(64));
        assert_eq!(taking.take_sent(), [] as [&str; 0], "{status}: no BYE");
    }
}

#[test]
fn exported_call_answers_its_far_end_but_changes_nothing_and_asks_for_nothing() {
    let mut phone = Phone::new("a");
    let mut giving = calling(&mut phone);
    giving.pass(Duration::from_secs(899));
    export(&mut giving);
    assert_eq!(giving.agent.export(giving.now, CALL, Vec::new()), Err(NotExported::Busy), "once");
    giving.pass(Duration::from_secs(10));
    assert_eq!(giving.take_sent(), [] as [&str; 0], "its refresh waits");
    giving.receive(PHONE, &phone.next("INFO", ""));
    assert!(giving.answer().starts_with("SIP/2.0 200 "));
    for (method, body) in [("INVITE", SDP), ("UPDATE", "")] {
        giving.receive(PHONE, &phone.next(method, body));
        let answer = giving.answer();
        assert!(answer.starts_with("SIP/2.0 500 ") && has_header(&answer, "Retry-After"), "{answer}");
    }
    giving.silent(1);
    assert_eq!((giving.count(), giving.take_sent()), (1, Vec::new()), "silence does not end it");
}

#[test]
fn process_that_says_nothing_is_taken_for_lost_and_the_call_is_brought_back() {
    let mut phone = Phone::new("a");
    let mut giving = calling(&mut phone);
    export(&mut giving);
    giving.pass(Duration::from_secs(46));
    assert_eq!(giving.take_sent(), [] as [&str; 0]);
    giving.pass(Duration::from_secs(1));
    assert_eq!(header(&giving.answer(), "CSeq"), "1001 INVITE", "beyond all that it may have sent");
}

#[test]
fn far_end_that_hangs_up_while_its_call_moves_is_heard_at_either_node() {
    let mut phone = Phone::new("a");
    let mut giving = calling(&mut phone);
    let (mut taking, invite) = taking_over(export(&mut giving));
    giving.receive(PHONE, &phone.clone().next("BYE", ""));
    assert!(giving.answer().starts_with("SIP/2.0 200 "));
    assert_eq!((giving.reports.as_slice(), giving.count()), (&[Handover::Ended][..], 0));
    taking.act(|agent, now| agent.give_up_import(now, CALL));
    assert_eq!((taking.count(), taking.take_sent()), (0, Vec::new()));

    let mut giving = calling(&mut Phone::new("a"));
    let (mut taking, again) = taking_over(export(&mut giving));
    assert_eq!(header(&again, "CSeq"), header(&invite, "CSeq"));
    taking.receive(PHONE, &phone.next("BYE", ""));
    assert!(taking.answer().starts_with("SIP/2.0 200 "));
    assert_eq!((taking.reports.as_slice(), taking.count()), (&[Handover::Ended][..], 0));
    giving.act(|agent, now| agent.end_moved(now, CALL));
    assert_eq!((giving.count(), giving.take_sent()), (0, Vec::new()));
    assert_eq!((giving.stats().ended_by_far_end, taking.stats().ended_by_far_end), (1, 0));
}

#[test]
fn call_is_counted_until_its_leg_has_left() {
    let mut giving = calling(&mut Phone::new("a"));
    export(&mut giving);
    let (handed_out, outputs) = giving.agent.hand_out(giving.now, CALL);
    assert!(handed_out);
    assert_eq!(giving.count(), 1, "a drain waits for the leg");
    giving.act(|_, _| outputs);
    assert_eq!(giving.count(), 0);
}

#[test]
fn bye_that_crosses_the_move_is_answered_reported_and_counted_where_the_call_is() {
    let mut phone = Phone::new("a");
    let mut giving = calling(&mut phone);
    let (mut taking, invite) = taking_over(export(&mut giving));
    taking.receive(PHONE, &response(&invite, "200 OK", "", SDP));
    giving.act(|agent, now| agent.hand_out(now, CALL).1);
    giving.reports.clear();
    giving.receive(PHONE, &phone.next("BYE", ""));
    assert!(giving.answer().starts_with("SIP/2.0 200 "));
    assert_eq!(giving.reports, [Handover::Ended]);
    taking.act(|agent, now| agent.end_moved(now, CALL));
    assert_eq!((giving.stats().ended_by_far_end, taking.stats().ended_by_far_end), (0, 1));
    giving.pass(Duration::from_secs(40));
    assert_eq!(giving.agent.entries(), 0);
}

#[test]
fn call_that_has_just_moved_away_may_come_back() {
    let mut giving = calling(&mut Phone::new("a"));
    let exported = export(&mut giving);
    assert_eq!(import(&mut giving, exported.clone()), Err(NotImported::NotKept(NotKept::Exists)));
    giving.act(|agent, now| agent.hand_out(now, CALL).1);
    assert_eq!(import(&mut giving, exported), Ok(Participant(2)));
    assert!(giving.answer().starts_with("OPTIONS "));
    giving.pass(Duration::from_secs(64));
    assert_eq!(giving.agent.entries(), 0);
}

#[test]
fn call_that_is_not_at_rest_is_not_exported() {
    let check = |world: &mut World, expected| {
        assert_eq!(world.agent.export(world.now, CALL, Vec::new()).map(drop), Err(expected));
    };
    let mut unanswered = World::new();
    check(&mut unanswered, NotExported::Unknown);
    let phone = Phone::new("a");
    unanswered.receive(PHONE, &phone.invite(SDP));
    check(&mut unanswered, NotExported::Busy);
    let mut refreshing = calling(&mut Phone::new("a"));
    refreshing.pass(Duration::from_secs(900));
    check(&mut refreshing, NotExported::Busy);
    let mut phone = Phone::new("a");
    let mut changing = calling(&mut phone);
    changing.receive(PHONE, &phone.invite(SDP));
    check(&mut changing, NotExported::Busy);
    let (mut protected, mut phone) = (World::new(), Phone::new("a"));
    let certificate = format!("a=setup:actpass\r\na=fingerprint:sha-256 00{}\r\n", ":11".repeat(31));
    protected.receive(PHONE, &phone.invite(&(SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVP") + &certificate)));
    phone.answered(&protected.answer());
    protected.receive(PHONE, &phone.ack(""));
    check(&mut protected, NotExported::Handshake);
    let mut translated = World::new();
    let mut phone = Phone::new("a");
    phone.via = "SIP/2.0/TCP 10.0.0.1".into();
    translated.accept(PHONE);
    translated.receive_over_connection(&phone.invite(SDP));
    phone.answered(&translated.answer());
    translated.receive_over_connection(&phone.ack(""));
    check(&mut translated, NotExported::Unreachable);
}

#[test]
fn call_over_a_connection_goes_to_the_target_over_a_new_one() {
    let mut giving = World::new();
    let mut phone = Phone::new("a");
    phone.via = format!("SIP/2.0/TCP {PHONE}");
    phone.contact = "<sip:phone@192.0.2.2:5070;transport=tcp>".into();
    giving.accept(PHONE);
    giving.receive_over_connection(&phone.invite(SDP));
    phone.answered(&giving.answer());
    giving.receive_over_connection(&phone.ack(""));
    let exported = export(&mut giving);
    let mut taking = World::with(other_settings());
    assert_eq!(import(&mut taking, exported), Ok(CALL));
    assert_eq!(taking.opening.first().map(|peer| peer.remote), Some(address("192.0.2.2:5070")));
}

#[test]
fn call_that_cannot_be_carried_is_not_imported_and_leaves_nothing() {
    let (mut giving, mut phone) = (World::new(), Phone::new("a"));
    giving.receive(PHONE, &phone.invite(&encrypted("A")));
    phone.answered(&giving.answer());
    giving.receive(PHONE, &phone.ack(""));
    let exported = export(&mut giving);
    let check = |settings: Settings, change: fn(&mut ExportedCall), expected: &str| {
        let mut world = World::with(settings);
        let mut exported = exported.clone();
        change(&mut exported);
        let refused = import(&mut world, exported).expect_err(expected).to_string();
        assert!(refused.contains(expected), "{refused}");
        assert_eq!((world.count(), world.agent.entries()), (0, 0));
    };
    check(other_settings(), |call| call.format = 2, "form 2");
    check(other_settings(), |call| call.dialog.target = "nowhere".into(), "Contact");
    check(other_settings(), |call| call.dialog.target = format!("sip:{}", "a".repeat(9000)), "too long");
    check(other_settings(), |call| call.session.audio = 7, "no media line");
    check(other_settings(), |call| call.session.agreed.packet_ms = 25, "no packets of that length");
    check(other_settings(), |call| call.session.agreed.sends.encoding = "EVS/16000".into(), "has not one");
    check(other_settings(), |call| call.session.formats[0].number = 128, "beyond 127");
    check(other_settings(), |call| call.session.lines[0].media = "audio 0\r\nm=video".into(), "characters");
    fn keys(call: &mut ExportedCall, change: fn(&mut ExportedKeys)) {
        change(call.session.keys.as_mut().expect("keys"));
    }
    check(other_settings(), |call| keys(call, |keys| keys.suite = "F8_128_HMAC_SHA1_80".into()), "its suite");
    check(other_settings(), |call| keys(call, |keys| keys.ours.truncate(36)), "wrong length");
    check(other_settings(), |call| keys(call, |keys| keys.tag = 1_000_000_000), "tag or identifier");
    check(other_settings(), |call| keys(call, |keys| keys.theirs_mki = 129), "tag or identifier");
    fn stream(ssrc: u32) -> ExportedReceived {
        ExportedReceived { ssrc, sound: Some(1 << 48), control: None }
    }
    check(other_settings(), |call| call.received = vec![stream(1)], "beyond 48 bits");
    check(other_settings(), |call| call.received = (0..65).map(stream).collect(), "too many streams");
    check(other_settings(), |call| call.path.remote = address("[2001:db8::1]:5060"), "no listener");
    let mut full = other_settings();
    full.call_limit = 0;
    check(full, |_| (), "call_limit");
}

#[test]
fn call_for_which_there_is_no_media_port_is_left_to_the_other_node() {
    let exported = export(&mut calling(&mut Phone::new("a")));
    let mut world = World::with(other_settings());
    world.ports = Ports::None(NoPort::Exhausted);
    assert_eq!(import(&mut world, exported), Ok(CALL));
    let why = NotTakenOver::NoPort;
    let failed = Handover::NotTakenOver { last_sequence: None, changed: Changed::No, why };
    assert_eq!(world.reports, [failed]);
    assert_eq!((world.agent.entries(), world.take_sent()), (0, Vec::new()));
}

#[test]
fn node_that_shuts_down_leaves_moving_calls_to_the_other_one() {
    let mut giving = calling(&mut Phone::new("a"));
    let (mut taking, _) = taking_over(export(&mut giving));
    for world in [&mut giving, &mut taking] {
        world.take_sent();
        world.act(super::super::UserAgent::shut_down);
        assert_eq!((world.count(), world.take_sent()), (0, Vec::new()), "no BYE");
    }
}
