//! RFC 3261 section 12.2.1.1: Request-URI and Route, and where a request goes.

use sip::dialog::state::Dialog;
use sip::message::Request;
use sip::name::Name;
use sip::transport::flow::Protocol;

use crate::kit::{our_response, sent, their_invite};

fn request(record_route: &str) -> Request {
    let invite = their_invite(record_route);
    let mut dialog = Dialog::as_uas(&invite, &our_response(&invite, 180), Protocol::Udp).unwrap();
    sent(&mut dialog, "INFO")
}

fn routes(request: &Request) -> Vec<&str> {
    request.headers().values(Name::Route).map(|route| str::from_utf8(route).unwrap()).collect()
}

#[test]
fn without_a_route_set_the_target_is_the_request_uri() {
    let request = request("");
    assert_eq!(request.uri().as_str(), "sip:ida@192.0.2.1");
    assert!(routes(&request).is_empty());
}

#[test]
fn loose_router_leaves_the_target_in_the_request_uri() {
    let request = request("Record-Route: <sip:p2.example;lr>, \"One\" <sip:p1.example>;z\r\n");
    assert_eq!(request.uri().as_str(), "sip:ida@192.0.2.1");
    assert_eq!(routes(&request), ["<sip:p2.example;lr>", "\"One\" <sip:p1.example>;z"]);
}

#[test]
fn strict_router_goes_into_the_request_uri_and_the_target_behind_the_routes() {
    let request =
        request("Record-Route: <sip:a;x@p2.example;Method=INFO;y=z?Subject=s>, <sip:p1.example;lr>\r\n");
    assert_eq!(request.uri().as_str(), "sip:a;x@p2.example;y=z");
    assert_eq!(routes(&request), ["<sip:p1.example;lr>", "<sip:ida@192.0.2.1>"]);
}

#[test]
fn request_goes_to_the_first_router_of_either_kind_or_to_the_target() {
    let check = |record_route: &str, host: &str, port: u16| {
        let invite = their_invite(record_route);
        let dialog = Dialog::as_uas(&invite, &our_response(&invite, 180), Protocol::Udp).unwrap();
        let hop = dialog.next_hop().unwrap();
        assert_eq!((hop.host.to_string().as_str(), hop.port), (host, port));
    };
    check("", "192.0.2.1", 5060);
    check("Record-Route: <sip:p2.example:5070;lr>, <sip:p1.example;lr>\r\n", "p2.example", 5070);
    check("Record-Route: <sip:p2.example>, <sip:p1.example;lr>\r\n", "p2.example", 5060);
    check("Record-Route: <sip:p2.example;lr;transport=tls>\r\n", "p2.example", 5061);
}
