//! Calls to the outside until their answer: what is sent, and why there is none.

use std::time::Duration;

use sip::dialog::settings::Settings as DialogSettings;
use sip::dialog::table::Dialogs;
use sip::transaction::input::Input as TransportInput;
use sip::transaction::layer::Layer;
use sip::transaction::settings::Settings as LayerSettings;

use crate::admission::{Admission, Closed};
use crate::dial::{DialError, DialOptions};

use super::super::{Input, NoPort, UserAgent};
use super::far_end::{FAR, after_ack, answer, has_failed, to};
use super::kit::{Ports, SDP, World, header, settings};

const BOB: &str = "sip:bob@192.0.2.7:5070";

fn world_dialling() -> (World, String) {
    let mut world = World::new();
    let invite = world.dial(&to(BOB));
    (world, invite)
}

#[test]
fn invite_offers_sound_names_the_room_and_goes_where_the_uri_says() {
    let mut world = World::new();
    world.try_to_dial(&to("sip:bob@192.0.2.7:5070;transport=udp?Subject=a")).expect("dialled");
    assert_eq!(world.count(), 1, "it is counted from the start");
    let (flow, invite) = world.sent.pop().expect("an INVITE");
    assert_eq!(flow.remote, super::kit::address(FAR));
    assert!(invite.starts_with("INVITE sip:bob@192.0.2.7:5070;transport=udp SIP/2.0\r\n"), "{invite}");
    assert!(header(&invite, "From").starts_with("\"Meeting\" <sip:meet@192.0.2.1:5060>;tag="), "{invite}");
    assert_eq!(header(&invite, "To"), "<sip:bob@192.0.2.7:5070;transport=udp>");
    assert_eq!(header(&invite, "CSeq"), "1 INVITE");
    assert_eq!(header(&invite, "Contact"), "<sip:192.0.2.1:5060;transport=udp>");
    assert_eq!(header(&invite, "Session-Expires"), "1800;refresher=uac");
    assert_eq!((header(&invite, "Supported"), header(&invite, "Min-SE")), ("timer", "90"));
    assert!(invite.contains("m=audio 40000 RTP/AVP "), "{invite}");
}

#[test]
fn caller_may_be_shown_by_another_uri() {
    let mut world = World::new();
    let mut dial = to(BOB);
    dial.options.from = Some("sip:+4930123@provider.example".into());
    let invite = world.dial(&dial);
    assert!(header(&invite, "From").starts_with("\"Meeting\" <sip:+4930123@provider.example>;tag="));
}

#[test]
fn call_that_cannot_be_made_leaves_nothing() {
    let check = |change: fn(&mut World), dial: super::super::Dial, expected: DialError| {
        let mut world = World::with(crate::settings::Settings { call_limit: 1, ..settings() });
        change(&mut world);
        let before = world.count();
        assert_eq!(world.try_to_dial(&dial), Err(expected));
        assert_eq!((world.count(), world.take_sent().len(), world.stats().dialled), (before, 0, 0));
    };
    let close = |world: &mut World| world.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
    check(close, to(BOB), DialError::Closed("System in maintenance mode".into()));
    check(|world| world.call(&mut super::kit::Phone::new("a")), to(BOB), DialError::CallLimit);
    check(|world| world.agent.set_licensed(Some(0)), to(BOB), DialError::Licences);
    let elsewhere = super::super::Dial { room: "Elsewhere".into(), ..to(BOB) };
    check(|_| {}, elsewhere, DialError::NoRoom("Elsewhere".into()));
    let wrong = |uri: &str, why: &str| DialError::Target { uri: uri.into(), why: why.into() };
    check(|_| {}, to("tel:123"), wrong("tel:123", "it is neither a sip: nor a sips: URI"));
    check(|_| {}, to("bob"), wrong("bob", "a URI has no scheme"));
    let mut from = to(BOB);
    from.options.from = Some("<sip:a@b>".into());
    let error = wrong("<sip:a@b>", "a URI has a byte that must be escaped in it");
    check(|_| {}, from, error);
}

#[test]
fn target_that_cannot_be_reached_is_a_failure_with_its_reason() {
    let check = |uri: &str, reason: &str| {
        let mut world = World::new();
        world.try_to_dial(&to(uri)).expect("it is tried");
        has_failed(&mut world, reason);
    };
    check("sips:bob@192.0.2.7", "sips:bob@192.0.2.7 cannot be reached from this node");
    check("sip:bob@[2001:db8::1]", "sip:bob@[2001:db8::1] cannot be reached from this node");
    check("sip:bob@0.0.0.0", "sip:bob@0.0.0.0 cannot be reached from this node");
    let transport = "\"sip:bob@192.0.2.7;transport=sctp\" cannot be called: the URI requires another transport than UDP, TCP and TLS";
    check("sip:bob@192.0.2.7;transport=sctp", transport);
    check("sip:bob@nowhere.example", "the name nowhere.example has no address that this node can reach");
}

#[test]
fn name_is_resolved_before_its_invite() {
    let mut world = World::new();
    world.names.insert("pbx.example".into(), [192, 0, 2, 9].into());
    world.try_to_dial(&to("sip:bob@pbx.example")).expect("dialled");
    let (flow, invite) = world.sent.pop().expect("an INVITE");
    assert_eq!(flow.remote, super::kit::address("192.0.2.9:5060"));
    assert!(invite.starts_with("INVITE sip:bob@pbx.example SIP/2.0"), "{invite}");
}

#[test]
fn call_that_waits_for_a_name_can_be_given_up() {
    let mut world = World::new();
    world.act(|agent, now| {
        let (begun, mut outputs) = agent.dial(now, &to("sip:bob@pbx.example"));
        begun.expect("dialled");
        outputs.retain(|output| !matches!(output, super::super::Output::Resolve(_)));
        outputs
    });
    world.act(|agent, now| agent.handle(now, port_opened()));
    world.take_done();
    world.hang_up(1);
    assert_eq!(world.count(), 0);
    let late = Input::Resolved { name: "pbx.example".into(), addresses: vec![[192, 0, 2, 9].into()] };
    world.act(|agent, now| agent.handle(now, late));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
    assert_eq!(world.agent.entries(), 0);
}

fn port_opened() -> Input {
    Input::PortOpened { call: crate::audio::Participant(1), address: super::kit::address("192.0.2.1:40000") }
}

#[test]
fn call_without_a_media_port_fails() {
    let mut world = World::new();
    world.ports = Ports::None(NoPort::Exhausted);
    world.try_to_dial(&to(BOB)).expect("it is tried");
    assert_eq!(world.take_done(), ["dialled 1: there is no media port for the call: calls have all of them"]);
    assert_eq!((world.count(), world.take_sent().len()), (0, 0));
}

#[test]
fn refusal_ends_the_call_with_its_status() {
    for (status, reason) in [
        ("486 Busy Here", "the call was refused with 486 Busy Here"),
        ("603 Decline", "the call was refused with 603 Decline"),
        ("305 Use Proxy", "the call was refused with 305 Use Proxy"),
        ("302 Moved", "the call was refused with 302 Moved"),
    ] {
        let (mut world, invite) = world_dialling();
        world.receive(FAR, &answer(&invite, "180 Ringing", "bob", "", ""));
        world.receive(FAR, &answer(&invite, status, "bob", "", ""));
        assert_eq!(after_ack(&mut world), [] as [&str; 0]);
        has_failed(&mut world, reason);
    }
}

#[test]
fn far_end_that_does_not_respond_is_given_up_after_64_t1() {
    let (mut world, _) = world_dialling();
    world.pass(Duration::from_millis(31_999));
    assert_eq!(world.count(), 1);
    world.pass(Duration::from_millis(1));
    world.take_sent();
    has_failed(&mut world, "sip:bob@192.0.2.7:5070 does not respond");
}

#[test]
fn connection_that_cannot_be_opened_is_a_failure() {
    let mut world = World::new();
    world.try_to_dial(&to("sip:bob@192.0.2.7:5070;transport=tcp")).expect("dialled");
    let peer = world.opening.pop().expect("a connection");
    assert_eq!(peer.remote, super::kit::address(FAR));
    world.act(|agent, now| agent.handle(now, Input::Transport(TransportInput::NotOpened(peer))));
    has_failed(&mut world, "sip:bob@192.0.2.7:5070;transport=tcp cannot be reached from this node");
}

#[test]
fn call_that_nobody_answers_in_time_is_cancelled() {
    let mut world = World::new();
    let mut dial = to(BOB);
    dial.options = DialOptions { answer_within: Duration::from_secs(20), ..dial.options };
    let invite = world.dial(&dial);
    world.receive(FAR, &answer(&invite, "180 Ringing", "bob", "", ""));
    world.pass(Duration::from_secs(20));
    let cancel = world.answer();
    assert!(cancel.starts_with("CANCEL sip:bob@192.0.2.7:5070 SIP/2.0"), "{cancel}");
    assert_eq!(header(&cancel, "Via"), header(&invite, "Via"));
    assert_eq!(world.take_done(), ["dialled 1: nobody has answered within 20s", "release 1"]);
    assert_eq!(world.count(), 1, "the device rings until it has heard of it");
    world.receive(FAR, &answer(&cancel, "200 OK", "bob", "", ""));
    world.receive(FAR, &answer(&invite, "487 Request Terminated", "bob", "", ""));
    assert!(world.answer().starts_with("ACK "));
    assert_eq!(world.count(), 0);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.agent.entries(), 0);
}

#[test]
fn call_that_is_hung_up_before_any_response_is_cancelled_when_one_comes() {
    let (mut world, invite) = world_dialling();
    world.hang_up(1);
    assert_eq!(world.take_done(), ["dialled 1: the call was hung up before it was answered", "release 1"]);
    assert_eq!(world.take_sent(), [] as [&str; 0]);
    world.receive(FAR, &answer(&invite, "180 Ringing", "bob", "", ""));
    assert!(world.answer().starts_with("CANCEL "));
    world.hang_up(1);
    assert_eq!((world.take_sent().len(), world.count()), (0, 1));
    world.pass(Duration::from_secs(32));
    assert_eq!(world.count(), 0, "not even the CANCEL was answered");
}

#[test]
fn answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let (mut world, invite) = world_dialling();
    world.receive(FAR, &answer(&invite, "180 Ringing", "bob", "", ""));
    world.hang_up(1);
    world.take_sent();
    let accepted = answer(&invite, "200 OK", "bob", "Contact: <sip:bob@192.0.2.7:5070>\r\n", SDP);
    world.receive(FAR, &accepted);
    let sent = world.take_sent();
    assert!(sent[0].starts_with("ACK ") && sent[1].starts_with("BYE "), "{sent:?}");
    assert_eq!(world.count(), 1, "until the BYE is answered");
    world.receive(FAR, &accepted);
    assert_eq!(world.answer(), sent[0], "the answer came again");
    world.receive(FAR, &answer(&sent[1], "200 OK", "", "", ""));
    assert_eq!((world.count(), world.stats().not_answered), (0, 1));
    assert_eq!(world.take_done(), ["dialled 1: the call was hung up before it was answered", "release 1"]);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.agent.entries(), 0);
}

#[test]
fn shut_down_gives_up_what_is_dialled() {
    let (mut world, invite) = world_dialling();
    world.receive(FAR, &answer(&invite, "180 Ringing", "bob", "", ""));
    world.act(UserAgent::shut_down);
    assert!(world.answer().starts_with("CANCEL "));
    assert_eq!(world.take_done(), ["dialled 1: the call engine is shut down", "release 1"]);
}

#[test]
fn redirection_is_followed_in_the_order_of_preference() {
    let (mut world, first) = world_dialling();
    let contacts =
        "Contact: <sip:a@192.0.2.8>;q=0.1, <sip:b@192.0.2.9>;q=0.9, <tel:5>, <sip:bob@192.0.2.7:5070>\r\n";
    world.receive(FAR, &answer(&first, "302 Moved", "bob", contacts, ""));
    let sent = after_ack(&mut world);
    assert!(sent[0].starts_with("INVITE sip:b@192.0.2.9 SIP/2.0"), "{sent:?}");
    assert_eq!(header(&sent[0], "Call-ID"), header(&first, "Call-ID"));
    assert_eq!((header(&sent[0], "CSeq"), header(&sent[0], "To")), ("2 INVITE", "<sip:bob@192.0.2.7:5070>"));
    world.receive("192.0.2.9:5060", &answer(&sent[0], "404 Not Found", "b", "", ""));
    let sent = after_ack(&mut world);
    assert!(sent[0].starts_with("INVITE sip:a@192.0.2.8 SIP/2.0"), "{sent:?}");
    world.receive("192.0.2.8:5060", &answer(&sent[0], "480 Gone", "a", "", ""));
    assert_eq!(after_ack(&mut world), [] as [&str; 0]);
    has_failed(&mut world, "the call was refused with 480 Gone");
}

#[test]
fn preferred_contact_is_followed_wherever_it_stands() {
    let (mut world, invite) = world_dialling();
    let others: Vec<_> = (0..20).map(|n| format!("<sip:n{n}@192.0.2.8>;q=0.1")).collect();
    let contacts = format!("Contact: {}, <sip:best@192.0.2.9>;q=0.9\r\n", others.join(", "));
    world.receive(FAR, &answer(&invite, "302 Moved", "bob", &contacts, ""));
    let sent = after_ack(&mut world);
    assert!(sent[0].starts_with("INVITE sip:best@192.0.2.9 "), "{sent:?}");
}

#[test]
fn redirections_are_bounded_and_never_lead_back() {
    let (mut world, mut invite) = world_dialling();
    let mut targets = 1;
    loop {
        let from = invite.split("sip:").nth(1).and_then(|rest| rest.split(' ').next()).expect("a URI");
        let host = from.split('@').nth(1).expect("a host").to_owned();
        let from = if host.contains(':') { host } else { format!("{host}:5060") };
        let contact = format!("Contact: <sip:n{targets}@192.0.2.{}>, <{BOB}>\r\n", 100 + targets);
        world.receive(&from, &answer(&invite, "302 Moved", "bob", &contact, ""));
        let Some(next) = after_ack(&mut world).pop() else { break };
        (invite, targets) = (next, targets + 1);
    }
    assert_eq!(targets, 12);
    has_failed(&mut world, "the call was refused with 302 Moved");
}

#[test]
fn longer_session_is_agreed_to() {
    let (mut world, invite) = world_dialling();
    world.receive(FAR, &answer(&invite, "422 Too Small", "bob", "Min-SE: 3600\r\n", ""));
    let again = after_ack(&mut world);
    assert_eq!(header(&again[0], "Session-Expires"), "3600;refresher=uac");
    assert_eq!(header(&again[0], "Min-SE"), "3600", "the largest that was asked for");
    world.receive(FAR, &answer(&again[0], "422 Too Small", "bob", "Min-SE: 3600\r\n", ""));
    assert_eq!(after_ack(&mut world), [] as [&str; 0]);
    has_failed(&mut world, "the call was refused with 422 Too Small");
}

#[test]
fn far_end_that_wants_an_ever_longer_session_is_given_up() {
    let (mut world, mut invite) = world_dialling();
    let mut invites = 1;
    loop {
        let min_se = format!("Min-SE: {}\r\n", 2000 + invites);
        world.receive(FAR, &answer(&invite, "422 Too Small", "bob", &min_se, ""));
        let Some(again) = after_ack(&mut world).pop() else { break };
        (invite, invites) = (again, invites + 1);
    }
    assert_eq!(invites, 24);
    has_failed(&mut world, "the call was refused with 422 Too Small");
}

#[test]
fn full_node_says_so() {
    let full = "the node has as many requests or dialogs as it may have; try again in a moment";
    let mut world = World::new();
    let settings = LayerSettings { client_transactions: 0, ..world.agent.layer.settings().clone() };
    world.agent.layer = Layer::new(settings, 1);
    world.try_to_dial(&to(BOB)).expect("it is tried");
    has_failed(&mut world, full);

    let (mut world, invite) = world_dialling();
    world.agent.dialogs = Dialogs::new(DialogSettings { dialogs: 0, ..DialogSettings::default() });
    world.receive(FAR, &answer(&invite, "200 OK", "bob", "Contact: <sip:bob@192.0.2.7:5070>\r\n", SDP));
    let sent = world.take_sent();
    assert!(sent[0].starts_with("ACK ") && sent[1].starts_with("BYE "), "{sent:?}");
    has_failed(&mut world, full);
}

#[test]
fn call_that_waits_for_its_media_port_can_be_given_up() {
    let mut world = World::new();
    world.ports = Ports::Pending;
    world.try_to_dial(&to(BOB)).expect("it is tried");
    world.hang_up(1);
    has_failed(&mut world, "the call was hung up before it was answered");
    world.act(|agent, now| agent.handle(now, port_opened()));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
}

#[test]
fn node_that_listens_everywhere_calls_from_its_media_address() {
    let mut settings = settings();
    settings.sip = super::kit::address("0.0.0.0:5060");
    let mut world = World::with(settings);
    world.try_to_dial(&to(BOB)).expect("dialled");
    let (flow, invite) = world.sent.pop().expect("an INVITE");
    assert_eq!(flow.local, super::kit::address("192.0.2.1:5060"));
    assert!(header(&invite, "Via").starts_with("SIP/2.0/UDP 192.0.2.1:5060;"), "{invite}");
    assert_eq!(header(&invite, "Contact"), "<sip:192.0.2.1:5060;transport=udp>");
    assert!(header(&invite, "From").contains("<sip:meet@192.0.2.1:5060>"), "{invite}");
}
