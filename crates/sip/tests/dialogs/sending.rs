//! Requests of this side: CSeq, what may not be sent.

use sip::dialog::sending::Unsendable;
use sip::method::Method;

use crate::kit::{as_uac, as_uas, confirmed_uas, sent, theirs};

#[test]
fn request_has_the_headers_of_the_dialog() {
    let request = sent(&mut as_uac(200), "INFO");
    let headers = request.headers();
    assert_eq!((headers.from().tag(), headers.to().tag()), (Some("ours"), Some("theirs")));
    assert_eq!(headers.call_id(), "c1");
    assert_eq!(headers.max_forwards().unwrap().unwrap().0, 70);
}

#[test]
fn sequence_grows_by_one_with_each_request() {
    let mut uac = as_uac(200);
    assert_eq!(sent(&mut uac, "INFO").headers().cseq().number, 21);
    assert_eq!(sent(&mut uac, "BYE").headers().cseq().number, 22);
    assert_eq!(sent(&mut confirmed_uas(), "BYE").headers().cseq().number, 1);
}

#[test]
fn sequence_ends_below_2_to_the_31() {
    let text = crate::kit::our_invite("sip:ida@example.org");
    let text = String::from_utf8(text.bytes().to_vec()).unwrap().replace("CSeq: 20 ", "CSeq: 2147483646 ");
    let invite = crate::support::request(text.as_bytes());
    let response = crate::kit::their_response(&invite, 200);
    let udp = sip::transport::flow::Protocol::Udp;
    let mut dialog = sip::dialog::state::Dialog::as_uac(&invite, &response, udp).unwrap();
    assert_eq!(sent(&mut dialog, "INFO").headers().cseq().number, 2_147_483_647);
    assert_eq!(dialog.request(Method::Info).err(), Some(Unsendable::NoSequence));
}

#[test]
fn ack_and_cancel_are_no_requests_of_a_dialog() {
    for method in [Method::Ack, Method::Cancel] {
        assert_eq!(as_uac(180).request(method).err(), Some(Unsendable::Method));
    }
}

#[test]
fn called_side_sends_no_bye_before_the_ack() {
    assert_eq!(as_uas(180).request(Method::Bye).err(), Some(Unsendable::ByeTooEarly));
    let mut dialog = as_uas(200);
    assert_eq!(dialog.request(Method::Bye).err(), Some(Unsendable::ByeTooEarly));
    dialog.ack_received(&theirs("ACK", 10));
    assert!(dialog.request(Method::Bye).is_ok());
    assert!(as_uac(180).request(Method::Bye).is_ok());
}
