//! What others can make grow has a bound.

use sip::transaction::TransactionId;
use sip::transaction::input::Input;
use sip::transaction::outgoing::Unsendable;
use sip::transaction::settings::Settings;
use sip::transport::flow::{Connection, Destination, Flow, Link, Peer, Protocol, Stream};

use crate::kit::{OURS, PEER, Side, at, settings, their};

/// A new request with a head of about so many bytes.
fn new(method: &str, number: usize, head: usize) -> String {
    let filler = format!("Call-ID: n{number}\r\nRecord-Route: <sip:p;lr;x={}>", "x".repeat(head));
    their(method, &number.to_string()).replace("Call-ID: c1", &filler)
}

fn inside(text: &str) -> String {
    text.replace("To: <sip:meet@192.0.2.2>", "To: <sip:meet@192.0.2.2>;tag=ours")
}

#[test]
fn dialogs_and_cancels_have_room_that_new_requests_have_not() {
    let bounded = Settings { server_transactions: 3, reserved_for_dialogs: 2, ..settings() };
    let mut side = Side::with(Protocol::Udp, bounded);
    for number in 1..=3 {
        assert_eq!(side.came(new("INVITE", number, 0)), format!("request {number} INVITE"));
    }
    assert_eq!(side.came(new("INVITE", 4, 0)), "send 503");
    assert_eq!(side.came(inside(&new("BYE", 5, 0))), "request 4 BYE");
    assert_eq!(side.came(new("CANCEL", 1, 0)), "cancel 5 of 1");
    assert_eq!(side.came(inside(&new("BYE", 6, 0))), "send 503");
    assert_eq!(side.came(new("CANCEL", 2, 0)), "send 503");
    assert_eq!(side.layer.load().of_others, 5);
}

#[test]
fn flood_of_long_requests_is_bounded_in_bytes_also_when_it_is_answered() {
    let bounded = Settings { kept: 200_000, ..settings() };
    let mut side = Side::with(Protocol::Udp, bounded);
    let mut taken = 0;
    for number in 0..200 {
        let said = side.came(new("INVITE", number, 7_000));
        if said != "send 503" {
            taken += 1;
            side.respond(taken, 200);
        }
        assert!(side.layer.load().kept <= 200_000, "{:?}", side.layer.load());
    }
    assert!((20..30).contains(&taken), "{taken} were taken");
    while side.came(new("OPTIONS", taken.try_into().expect("small"), 0)) != "send 503" {
        taken += 1;
        side.respond(taken, 200);
    }
    assert!(side.came(inside(&new("BYE", 300, 0))).starts_with("request"));
    side.until(32_000);
    assert_eq!((side.layer.load().kept, side.entries()), (0, 0));
    assert!(side.came(new("INVITE", 999, 7_000)).starts_with("request"));
}

#[test]
fn request_that_is_abandoned_gets_no_answer_and_leaves_nothing() {
    for method in ["INVITE", "OPTIONS"] {
        let mut side = Side::new(Protocol::Udp);
        assert_eq!(side.came(their(method, "1")), format!("request 1 {method}"));
        side.layer.abandon(TransactionId(1));
        assert_eq!(side.until(100_000), "");
        assert_eq!(side.entries(), 0);
        assert_eq!(side.came(their(method, "1")), format!("request 2 {method}"), "it is a new one");
    }
}

#[test]
fn request_of_ours_cannot_be_abandoned() {
    let mut side = Side::new(Protocol::Udp);
    side.request("OPTIONS");
    side.layer.abandon(TransactionId(1));
    assert_eq!(side.layer.load().ours, 1);
}

#[test]
fn flood_of_short_requests_is_bounded_in_number_and_over_after_32_seconds() {
    let bounded = Settings { server_transactions: 500, ..settings() };
    let mut side = Side::with(Protocol::Udp, bounded);
    for number in 0..5_000 {
        side.came(new("OPTIONS", number, 0));
        if number < 500 {
            side.respond(number as u64 + 1, 200);
        }
    }
    let load = side.layer.load();
    assert_eq!(load.of_others, 500);
    assert!(load.entries <= 500 * 5, "{load:?}");
    side.until(32_000);
    assert_eq!(side.layer.load().kept, 0);
    assert_eq!(side.entries(), 0);
}

#[test]
fn requests_of_ours_are_bounded() {
    let bounded = Settings { client_transactions: 2, ..settings() };
    let mut side = Side::with(Protocol::Udp, bounded);
    assert_eq!(side.request("INVITE"), "send INVITE");
    assert_eq!(side.request("OPTIONS"), "send OPTIONS");
    let destination = Destination::back_over(side.flow);
    assert_eq!(side.request_over("OPTIONS", 0, destination), Err(Unsendable::Full));
    assert_eq!(side.layer.load().ours, 2);
}

#[test]
fn connections_are_bounded_those_that_are_being_opened_included() {
    let bounded = Settings { connections: 2, ..settings() };
    let mut side = Side::with(Protocol::TCP, bounded);
    let flow = |number: u64| {
        let port = u16::try_from(number).expect("a port");
        let remote = at(&format!("192.0.2.9:{port}"));
        Flow { link: Link::Connection(Stream::Tcp, Connection(number)), local: at(OURS), remote }
    };
    let peer = |port: u16| Peer { stream: Stream::Tcp, remote: at(&format!("192.0.2.9:{port}")), name: None };
    let destination = |port| Destination::Stream { local: at(OURS).ip(), connection: None, peer: peer(port) };
    assert_eq!(side.request_over("OPTIONS", 0, destination(7)).as_deref(), Ok("open tcp 192.0.2.9:7"));
    assert_eq!(side.request_over("OPTIONS", 0, destination(8)).as_deref(), Ok("failed 2"));
    assert_eq!(side.input(Input::Accepted(flow(3))), "");
    // The place is taken meanwhile.
    assert_eq!(side.input(Input::Opened { peer: peer(7), flow: flow(7) }), "close 7, failed 1");
    assert_eq!(side.input(Input::Accepted(flow(4))), "close 4");
    assert_eq!((side.layer.load().connections, side.layer.load().opening), (2, 0));
    side.input(Input::Closed(Connection(3)));
    assert_eq!(side.input(Input::Accepted(flow(5))), "");
    assert_eq!(side.entries(), 0);
}

#[test]
fn long_request_goes_as_a_datagram_when_there_are_too_many_connections() {
    let bounded = Settings { connections: 0, ..settings() };
    let mut side = Side::with(Protocol::Udp, bounded);
    let destination = Destination::Datagrams { local: at(OURS), remote: at(PEER) };
    assert_eq!(side.request_over("OPTIONS", 2_000, destination).as_deref(), Ok("send OPTIONS"));
}
