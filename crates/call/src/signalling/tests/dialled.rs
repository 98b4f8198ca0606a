//! Calls to the outside from their answer on: they are calls like any other.

use std::time::Duration;

use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Connection, Flow, Link, Stream};

use crate::accounts::Secret;
use crate::admission::{Admission, Closed};
use crate::logins::{Login, Logins};

use super::super::Input;
use super::far_end::{FAR, answer, request, to};
use super::kit::{SDP, World, address, has_header, header};

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
fn requests_of_the_call_answer_the_challenges_of_a_provider() {
    let mut world = World::new();
    let secret = Secret::Password("geheim".into());
    world.agent.set_logins(Logins::new([Login { realm: "pbx".into(), username: "trunk".into(), secret }]));
    world.dialled();
    let challenge = |nonce: &str| {
        format!("Proxy-Authenticate: Digest realm=\"pbx\", nonce=\"{nonce}\", qop=\"auth\"\r\n")
    };
    world.pass(Duration::from_secs(900));
    let refresh = world.answer();
    assert!(!has_header(&refresh, "Proxy-Authorization"));
    world.receive(FAR, &answer(&refresh, "407 Who", "", &challenge("n1"), ""));
    world.take_sent();
    world.pass(Duration::ZERO);
    let refresh = world.answer();
    assert!(header(&refresh, "Proxy-Authorization").contains("nonce=\"n1\""), "{refresh}");
    world.receive(FAR, &answer(&refresh, "200 OK", "", CONTACT, SDP));
    let ack = world.answer();
    assert_eq!(header(&ack, "Proxy-Authorization"), header(&refresh, "Proxy-Authorization"));
    world.hang_up(1);
    let bye = world.answer();
    assert!(header(&bye, "Proxy-Authorization").contains("nc=00000002"), "{bye}");
    world.receive(FAR, &answer(&bye, "407 Who", "", &challenge("n2"), ""));
    let bye = world.answer();
    assert!(header(&bye, "Proxy-Authorization").contains("nonce=\"n2\""), "{bye}");
    world.receive(FAR, &answer(&bye, "407 Who", "", &challenge("n3"), ""));
    assert_eq!(world.take_sent(), [] as [&str; 0], "the login is refused");
    world.pass(Duration::from_secs(4));
    assert_eq!(world.count(), 0);
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
    world.receive_over_connection(&answer(&invite, "200 OK", "bob", CONTACT, SDP));
    assert!(world.agent.connections().contains(&Connection(1)));
    world.take_sent();
    world.hang_up(1);
    let (_, bye) = world.sent.pop().expect("a BYE");
    world.receive_over_connection(&answer(&bye, "200 OK", "", "", ""));
    assert_eq!((world.count(), world.agent.connections().len()), (0, 0));
}
