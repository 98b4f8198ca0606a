//! Calls to the outside from their answer on: they are calls like any other.

use std::time::Duration;

use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Connection, Flow, Link, Stream};

use crate::admission::{Admission, Closed};
use crate::handover::NotExported;

use super::super::Input;
use super::far_end::{FAR, answer, request, to};
use super::handover::{CALL, export, import, other_settings};
use super::kit::{SDP, STREAM, World, address, header};

const CONTACT: &str = "Contact: <sip:bob@192.0.2.7:5070>\r\n";

#[test]
fn answer_is_acknowledged_and_the_call_joins_its_room() {
    let mut world = World::new();
    let invite = world.dial(&to("sip:bob@192.0.2.7:5070"));
    world.receive(FAR, &answer(&invite, "100 Trying", "", "", ""));
    world.receive(FAR, &answer(&invite, "183 Progress", "bob", CONTACT, SDP));
    assert_eq!(world.take_done(), [] as [&str; 0], "sound before the answer is not taken");
    let accepted = answer(&invite, "200 OK", "bob", CONTACT, SDP);
    world.receive(FAR, &accepted);
    let ack = world.answer();
    assert_eq!((header(&ack, "CSeq"), header(&ack, "To")), ("1 ACK", header(&accepted, "To")));
    assert_eq!(world.take_done(), ["join 1 Meeting", "dialled 1: answered", "start 1"]);
    assert_eq!((world.count(), world.stats().carried, world.stats().not_answered), (1, 1, 0));
    world.receive(FAR, &accepted);
    assert_eq!(world.answer(), ack, "the 200 came again");
}

#[test]
fn far_end_hangs_up() {
    let mut world = World::new();
    let (_, accepted) = world.dialled();
    world.receive(FAR, &request(&accepted, "BYE", 1, ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    assert_eq!(world.take_done(), ["release 1"]);
    assert_eq!((world.count(), world.stats().ended_by_far_end), (0, 1));
    world.pass(Duration::from_secs(60));
    assert_eq!(world.agent.entries(), 0);
}

#[test]
fn whoever_has_dialled_hangs_up() {
    let mut world = World::new();
    world.dialled();
    world.hang_up(1);
    let bye = world.answer();
    assert!(bye.starts_with("BYE sip:bob@192.0.2.7:5070 SIP/2.0"), "{bye}");
    assert_eq!((header(&bye, "CSeq"), header(&bye, "Reason")), ("2 BYE", "SIP;cause=200;text=\"hung up\""));
    assert_eq!(world.count(), 1);
    world.receive(FAR, &answer(&bye, "200 OK", "", "", ""));
    assert_eq!((world.count(), world.stats().hung_up), (0, 1));
    world.hang_up(1);
    assert_eq!(world.take_sent(), [] as [&str; 0]);
}

#[test]
fn session_is_changed_by_the_far_end_and_refreshed_by_the_node() {
    let mut world = World::new();
    let (_, accepted) = world.dialled();
    let held = SDP.replace("RTP/AVP 0\r\n", "RTP/AVP 0\r\na=sendonly\r\n");
    world.receive(FAR, &request(&accepted, "INVITE", 1, &held));
    let changed = world.answer();
    assert!(changed.starts_with("SIP/2.0 200") && changed.contains("a=recvonly"), "{changed}");
    world.receive(FAR, &request(&accepted, "ACK", 1, ""));
    assert_eq!(world.take_done(), ["change 1 ReceiveOnly"]);
    world.pass(Duration::from_secs(900));
    let refresh = world.answer();
    assert!(refresh.starts_with("INVITE ") && header(&refresh, "CSeq") == "2 INVITE", "{refresh}");
    world.receive(FAR, &answer(&refresh, "200 OK", "", CONTACT, &held));
    assert!(world.answer().starts_with("ACK "));
    assert_eq!(world.count(), 1);
}

#[test]
fn session_timer_is_that_of_the_answer() {
    let mut world = World::new();
    let invite = world.dial(&to("sip:bob@192.0.2.7:5070"));
    let timer = format!("{CONTACT}Require: timer\r\nSession-Expires: 120;refresher=uas\r\n");
    world.receive(FAR, &answer(&invite, "200 OK", "bob", &timer, SDP));
    world.take_sent();
    world.pass(Duration::from_millis(87_999));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
    world.pass(Duration::from_millis(1));
    assert_eq!(header(&world.answer(), "Reason"), "SIP;cause=408;text=\"session timer lapsed\"");
}

#[test]
fn answer_of_a_second_fork_is_acknowledged_and_ended() {
    let mut world = World::new();
    let (invite, _) = world.dialled();
    let other = answer(&invite, "200 OK", "other", "Contact: <sip:other@192.0.2.8>\r\n", SDP);
    for _ in 0..2 {
        world.receive(FAR, &other);
        let sent = world.take_sent();
        assert!(
            sent[0].starts_with("ACK sip:other@192.0.2.8 ")
                && sent[1].starts_with("BYE sip:other@192.0.2.8 ")
        );
        assert!(header(&sent[1], "To").ends_with(";tag=other") && header(&sent[0], "CSeq") == "1 ACK");
        world.receive(FAR, &answer(&sent[1], "200 OK", "", "", ""));
    }
    assert_eq!((world.count(), world.take_done().len()), (1, 0), "the first one goes on");
}

#[test]
fn answers_of_ever_new_forks_are_ended_a_few_times() {
    let mut world = World::new();
    let (invite, _) = world.dialled();
    for tag in 0..100 {
        let other = answer(&invite, "200 OK", &tag.to_string(), "Contact: <sip:other@192.0.2.8>\r\n", SDP);
        world.receive(FAR, &other);
    }
    let byes = world.take_sent().into_iter().filter(|text| text.starts_with("BYE ")).count();
    assert_eq!((byes, world.count()), (8, 1));
    world.hang_up(1);
    world.pass(Duration::from_secs(120));
    assert_eq!((world.count(), world.agent.entries()), (0, 0));
}

#[test]
fn answer_without_a_codec_of_ours_is_acknowledged_and_ended() {
    for body in ["", "nonsense", &SDP.replace("AVP 0", "AVP 18")] {
        let mut world = World::new();
        let invite = world.dial(&to("sip:bob@192.0.2.7:5070"));
        world.receive(FAR, &answer(&invite, "200 OK", "bob", CONTACT, body));
        let sent = world.take_sent();
        assert!(sent[0].starts_with("ACK ") && sent[1].starts_with("BYE "), "{sent:?}");
        let reason = "dialled 1: the far end has answered with what cannot be used: no codec of ours";
        assert_eq!(world.take_done(), [reason, "release 1"]);
        world.receive(FAR, &answer(&sent[1], "200 OK", "", "", ""));
        assert_eq!((world.count(), world.stats().carried, world.stats().not_acceptable), (0, 0, 1));
    }
}

#[test]
fn answer_that_begins_no_dialog_ends_the_call() {
    let mut world = World::new();
    let invite = world.dial(&to("sip:bob@192.0.2.7:5070"));
    world.receive(FAR, &answer(&invite, "200 OK", "bob", "Contact: <tel:5>\r\n", SDP));
    let reason = "dialled 1: the far end has answered with what cannot be used: it begins no dialog";
    assert_eq!(world.take_done(), [reason, "release 1"]);
    assert_eq!(world.count(), 0);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.agent.entries(), 0);
}

#[test]
fn maintenance_mode_does_not_touch_a_call_that_was_dialled() {
    let mut world = World::new();
    let (_, accepted) = world.dialled();
    world.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
    world.pass(Duration::from_secs(60));
    world.receive(FAR, &request(&accepted, "OPTIONS", 1, ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
    assert_eq!(world.count(), 1);
}

#[test]
fn silent_far_end_is_hung_up() {
    let mut world = World::new();
    world.dialled();
    world.silent(1);
    assert_eq!(header(&world.answer(), "Reason"), "SIP;cause=408;text=\"media timeout\"");
}

#[test]
fn call_that_rings_or_was_given_up_does_not_move() {
    let mut world = World::new();
    let invite = world.dial(&to("sip:bob@192.0.2.7:5070"));
    world.receive(FAR, &answer(&invite, "180 Ringing", "bob", "", ""));
    assert_eq!(world.agent.export(world.now, CALL, Vec::new()).map(drop), Err(NotExported::Busy));
    assert_eq!(world.agent.calls_in(&"Meeting".into()), [CALL]);
    world.hang_up(1);
    assert_eq!(world.count(), 1);
    assert_eq!(world.agent.export(world.now, CALL, Vec::new()).map(drop), Err(NotExported::Unknown));
    assert_eq!((world.agent.calls_in(&"Meeting".into()), world.agent.conferences().len()), (vec![], 0));
}

#[test]
fn answered_call_moves_to_another_process() {
    let mut giving = World::new();
    let (invite, accepted) = giving.dialled();
    let mut taking = World::with(other_settings());
    assert_eq!(import(&mut taking, export(&mut giving)), Ok(CALL));
    let probe = taking.answer();
    assert!(probe.starts_with("OPTIONS sip:bob@192.0.2.7:5070 "), "{probe}");
    assert_eq!(header(&probe, "CSeq"), "2 OPTIONS");
    taking.receive(FAR, &answer(&probe, "200 OK", "", "", ""));
    taking.act(|agent, now| agent.take_over(now, CALL));
    let again = taking.answer();
    assert_eq!((header(&again, "From"), header(&again, "CSeq")), (header(&invite, "From"), "3 INVITE"));
    assert_eq!(header(&again, "To"), header(&accepted, "To"));
    taking.receive(FAR, &answer(&again, "200 OK", "", CONTACT, SDP));
    assert!(taking.answer().starts_with("ACK "));
    giving.act(|agent, now| agent.hand_out(now, CALL).1);
    taking.act(|agent, now| agent.go_on(now, CALL, Some(STREAM)));
    assert_eq!((giving.count(), taking.count()), (0, 1));
    assert_eq!(taking.take_done(), ["join 1 Meeting", "resume 1 at 8", "start 1"]);
    taking.receive(FAR, &request(&accepted, "BYE", 1, ""));
    assert!(taking.answer().starts_with("SIP/2.0 200"));
    giving.pass(Duration::from_secs(40));
    taking.pass(Duration::from_secs(40));
    assert_eq!((giving.agent.entries(), taking.agent.entries()), (0, 0));
}

#[test]
fn connection_that_was_opened_for_a_call_is_in_use_until_its_end() {
    let mut world = World::new();
    world.try_to_dial(&to("sip:bob@192.0.2.7:5070;transport=tcp")).expect("dialled");
    let peer = world.opening.pop().expect("a connection");
    let link = Link::Connection(Stream::Tcp, Connection(1));
    let flow = Flow { link, local: address("192.0.2.1:49152"), remote: peer.remote };
    world.act(|agent, now| agent.handle(now, Input::Transport(TransportInput::Opened { peer, flow })));
    let (over, invite) = world.sent.pop().expect("an INVITE");
    assert_eq!(over, flow);
    assert!(header(&invite, "Via").starts_with("SIP/2.0/TCP 192.0.2.1:5060;"), "{invite}");
    world.receive_over_connection(&answer(&invite, "180 Ringing", "bob", "", ""));
    assert!(world.agent.connections().contains(&Connection(1)), "it rings");
    world.receive_over_connection(&answer(&invite, "200 OK", "bob", CONTACT, SDP));
    assert!(world.agent.connections().contains(&Connection(1)));
    world.take_sent();
    world.hang_up(1);
    let (_, bye) = world.sent.pop().expect("a BYE");
    world.receive_over_connection(&answer(&bye, "200 OK", "", "", ""));
    assert_eq!((world.count(), world.agent.connections().len()), (0, 0));
}
