//! Requests of ours: Via, transport by size, connections, and which responses are theirs (RFC 3261 sections 8.1.3.3
//! and 18.1).

use std::sync::Arc;

use sip::transaction::input::Input;
use sip::transaction::outgoing::{Branch, Outgoing, Unsendable};
use sip::transport::flow::{Connection, Destination, Flow, Link, Peer, Protocol, Stream};

use crate::kit::{OURS, PEER, Side, answer, at, bare};

/// The length of subject that makes a request of a length, over UDP.
fn subject(of_length: usize) -> usize {
    let mut side = Side::new(Protocol::Udp);
    side.request_over("OPTIONS", 0, datagrams()).expect("it can be sent");
    of_length - side.sent.len()
}

fn datagrams() -> Destination {
    Destination::Datagrams { local: at(OURS), remote: at(PEER) }
}

fn peer(stream: Stream, name: Option<&str>) -> Peer {
    Peer { stream, remote: at(PEER), name: name.map(Arc::from) }
}

fn stream(peer: &Peer) -> Destination {
    Destination::Stream { local: at(OURS).ip(), connection: None, peer: peer.clone() }
}

/// A connection of ours to the peer.
fn opened(peer: &Peer, number: u64) -> Input {
    let link = Link::Connection(peer.stream, Connection(number));
    let flow = Flow { link, local: at("192.0.2.2:40000"), remote: peer.remote };
    Input::Opened { peer: peer.clone(), flow }
}

#[test]
fn via_is_the_first_header_and_all_else_stays_byte_for_byte() {
    for (protocol, name, port) in [(Protocol::Udp, "UDP", 5060), (Protocol::TCP, "TCP", 5060)] {
        let mut side = Side::new(protocol);
        side.request("OPTIONS");
        let branch = "z9hG4bK01010101010101010101010101010101";
        let via = format!("Via: SIP/2.0/{name} 192.0.2.2:{port};rport;branch={branch}");
        assert_eq!(side.text().lines().nth(1), Some(via.as_str()));
        let rest = side.text().replace(&(via + "\r\n"), "");
        assert_eq!(rest.as_bytes(), bare("OPTIONS", 0));
    }
}

#[test]
fn request_of_more_than_1300_bytes_takes_a_connection() {
    let mut side = Side::new(Protocol::Udp);
    let sent = side.request_over("OPTIONS", subject(1_300), datagrams());
    assert_eq!((sent.as_deref(), side.sent.len()), (Ok("send OPTIONS"), 1_300));
    let sent = side.request_over("OPTIONS", subject(1_301), datagrams());
    assert_eq!(sent.as_deref(), Ok("open tcp 192.0.2.1:5062"));
    let input = opened(&peer(Stream::Tcp, None), 2);
    assert_eq!(side.input(input), "send OPTIONS to 192.0.2.1:5062 over 2");
    assert!(side.text().contains("Via: SIP/2.0/TCP 192.0.2.2:5060;"), "{}", side.text());
    let options = side.sent.clone();
    // Over a connection nothing is repeated; the first request is.
    assert!(!side.until(31_000).contains("over 2"));
    assert_eq!(side.came(answer(&options, 200)), "response 2 200");
}

#[test]
fn long_request_goes_as_a_datagram_when_no_connection_comes_about() {
    let mut side = Side::new(Protocol::Udp);
    side.request_over("INVITE", subject(1_400), datagrams()).expect("it can be sent");
    side.now.0 = 300;
    assert_eq!(side.input(Input::NotOpened(peer(Stream::Tcp, None))), "send INVITE");
    let invite = side.sent.clone();
    let via = "Via: SIP/2.0/UDP 192.0.2.2:5060;rport;branch=z9hG4bK01010101010101010101010101010101\r\n";
    assert!(side.text().contains(via), "{}", side.text());
    assert_eq!(side.until(800), "800: send INVITE");
    assert_eq!(side.came(answer(&invite, 486)), "send ACK, response 1 486");
}

#[test]
fn long_request_waits_for_a_connection_for_two_seconds() {
    let mut side = Side::new(Protocol::Udp);
    side.request_over("OPTIONS", subject(1_400), datagrams()).expect("it can be sent");
    assert_eq!(side.until(2_600), "2000: send OPTIONS, 2500: send OPTIONS");
    // The connection is there for the next request.
    assert_eq!(side.input(opened(&peer(Stream::Tcp, None), 2)), "");
    let sent = side.request_over("OPTIONS", subject(1_400), datagrams());
    assert_eq!(sent.as_deref(), Ok("send OPTIONS to 192.0.2.1:5062 over 2"));
}

#[test]
fn connection_that_was_opened_is_used_again_until_it_is_closed() {
    let mut side = Side::new(Protocol::Udp);
    let peer = peer(Stream::Tcp, None);
    let sent = side.request_over("OPTIONS", 0, stream(&peer));
    assert_eq!(sent.as_deref(), Ok("open tcp 192.0.2.1:5062"));
    assert_eq!(side.request_over("OPTIONS", 0, stream(&peer)).as_deref(), Ok(""));
    let both = "send OPTIONS to 192.0.2.1:5062 over 2, send OPTIONS to 192.0.2.1:5062 over 2";
    assert_eq!(side.input(opened(&peer, 2)), both);
    let sent = side.request_over("OPTIONS", 0, stream(&peer));
    assert_eq!(sent.as_deref(), Ok("send OPTIONS to 192.0.2.1:5062 over 2"));
    assert_eq!(side.input(Input::Closed(Connection(2))), "failed 1, failed 2, failed 3");
    let sent = side.request_over("OPTIONS", 0, stream(&peer));
    assert_eq!(sent.as_deref(), Ok("open tcp 192.0.2.1:5062"));
    assert_eq!(side.input(Input::NotOpened(peer.clone())), "failed 4");
    assert_eq!(side.entries(), 0);
    side.request_over("OPTIONS", 0, stream(&peer)).expect("it can be sent");
    side.input(opened(&peer, 3));
    let sent = side.request_over("OPTIONS", 0, stream(&peer));
    assert_eq!(sent.as_deref(), Ok("send OPTIONS to 192.0.2.1:5062 over 3"));
}

#[test]
fn connection_of_the_peer_is_used_for_a_request_to_its_address() {
    let mut side = Side::new(Protocol::TCP);
    let sent = side.request_over("OPTIONS", 0, stream(&peer(Stream::Tcp, None)));
    assert_eq!(sent.as_deref(), Ok("send OPTIONS"));
}

#[test]
fn connection_over_tls_is_used_for_the_name_that_it_was_opened_for_only() {
    let mut side = Side::new(Protocol::TLS);
    let (one, other) = (peer(Stream::Tls, Some("a.example")), peer(Stream::Tls, Some("b.example")));
    let sent = side.request_over("OPTIONS", 0, stream(&one));
    assert_eq!(sent.as_deref(), Ok("open tls 192.0.2.1:5062 as a.example"));
    side.input(opened(&one, 2));
    let sent = side.request_over("OPTIONS", 0, stream(&one));
    assert_eq!(sent.as_deref(), Ok("send OPTIONS to 192.0.2.1:5062 over 2"));
    let sent = side.request_over("OPTIONS", 0, stream(&other));
    assert_eq!(sent.as_deref(), Ok("open tls 192.0.2.1:5062 as b.example"));
}

#[test]
fn request_that_has_timed_out_is_not_sent_when_its_connection_opens() {
    let mut side = Side::new(Protocol::Udp);
    let peer = peer(Stream::Tcp, None);
    side.request_over("OPTIONS", 0, stream(&peer)).expect("it can be sent");
    assert_eq!(side.until(32_000), "32000: timeout 1");
    assert_eq!(side.entries(), 0);
    assert_eq!(side.input(opened(&peer, 2)), "");
}

#[test]
fn ack_of_a_2xx_is_sent_once_and_is_no_transaction() {
    let mut side = Side::new(Protocol::Udp);
    assert_eq!(side.request("ACK"), "send ACK");
    assert_eq!((side.entries(), side.layer.next_deadline()), (0, None));
    let peer = peer(Stream::Tcp, None);
    for (input, said) in [
        (opened(&peer, 2), "send ACK to 192.0.2.1:5062 over 2"),
        (Input::NotOpened(peer.clone()), "failed 3"),
    ] {
        side.request_over("ACK", 0, stream(&peer)).expect("it can be sent");
        assert_eq!(side.input(input), said);
        assert_eq!(side.entries(), 0);
        side.input(Input::Closed(Connection(2)));
    }
}

#[test]
fn cancel_takes_the_connection_of_its_invite() {
    let mut side = Side::new(Protocol::TCP);
    let to_another = Peer { remote: at("192.0.2.1:5070"), ..peer(Stream::Tcp, None) };
    let link = Link::Connection(Stream::Tcp, Connection(1));
    let destination =
        Destination::Stream { local: at(OURS).ip(), connection: Some(Connection(1)), peer: to_another };
    assert_eq!(side.request_over("INVITE", 0, destination).as_deref(), Ok("send INVITE"));
    let invite = side.sent.clone();
    side.came(answer(&invite, 180));
    assert_eq!(side.cancel(1).as_deref(), Ok("send CANCEL"));
    assert_eq!(side.came(answer(&invite, 487)), "send ACK, response 1 487");
    assert_eq!(side.flow.link, link);
}

#[test]
fn response_that_is_not_to_a_request_of_ours_is_dropped() {
    let mut side = Side::new(Protocol::Udp);
    side.request("OPTIONS");
    let options = side.sent.clone();
    let right = answer(&options, 200);
    let wrong = [
        right.replace("192.0.2.2:5060;rport", "192.0.2.9:5060;rport"),
        right.replace("192.0.2.2:5060;rport", "192.0.2.2:5061;rport"),
        right.replace("z9hG4bK01", "z9hG4bK02"),
        right.replace("branch=z9hG4bK", "branch="),
        right.replace("1 OPTIONS", "1 INVITE"),
        right.replace("From:", "Via: SIP/2.0/UDP other\r\nFrom:"),
    ];
    for wrong in wrong {
        assert_ne!(wrong, right);
        assert_eq!(side.came(&wrong), "", "{wrong}");
    }
    assert_eq!(side.came(right.replace("z9hG4bK", "Z9HG4BK")), "response 1 200");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut side = Side::new(Protocol::Udp);
    let branch = || Branch::new([9; 16]);
    let refused = |side: &mut Side, bytes: Vec<u8>| {
        let destination = Destination::back_over(side.flow);
        side.layer
            .request(side.now, Outgoing { bytes, destination, branch: branch() })
            .map(|_| ())
            .unwrap_err()
    };
    assert_eq!(refused(&mut side, bare("CANCEL", 0)), Unsendable::Cancel);
    assert_eq!(refused(&mut side, b"SIP/2.0 200 OK\r\n\r\n".to_vec()), Unsendable::NotARequest);
    assert_eq!(refused(&mut side, Vec::new()), Unsendable::NotARequest);
    assert_eq!(refused(&mut side, bare("OPTIONS", 9_000)), Unsendable::NotARequest);
    let destination = Destination::back_over(side.flow);
    let first = Outgoing { bytes: bare("OPTIONS", 0), destination, branch: branch() };
    side.layer.request(side.now, first).expect("it can be sent");
    assert_eq!(refused(&mut side, bare("OPTIONS", 0)), Unsendable::BranchInUse);
}
