//! RFC 3261 section 12.1.

use sip::dialog::creation::NoDialog;
use sip::dialog::state::{Dialog, Phase};
use sip::method::Method;
use sip::transport::flow::Protocol;

use crate::kit::{
    as_uac, as_uas, our_invite, our_response, receive, response_with, sent, their_invite, their_request,
    their_response, theirs,
};

const ROUTES: &str =
    "Record-Route: <sip:p3.example;lr>\r\nRecord-Route: <sip:p2.example;lr;x=y>, <sip:p1.example;lr>\r\n";

fn routes(dialog: &Dialog) -> Vec<String> {
    dialog.routes().map(|route| String::from_utf8_lossy(route).into_owned()).collect()
}

#[test]
fn route_set_of_a_uas_is_record_route_in_order() {
    let invite = their_invite(ROUTES);
    let dialog = Dialog::as_uas(&invite, &our_response(&invite, 200), Protocol::Udp).unwrap();
    assert_eq!(routes(&dialog), ["<sip:p3.example;lr>", "<sip:p2.example;lr;x=y>", "<sip:p1.example;lr>"]);
}

#[test]
fn route_set_of_a_uac_is_record_route_reversed() {
    let invite = our_invite("sip:ida@example.org");
    let response = response_with(&invite, 200, "theirs", ROUTES);
    let dialog = Dialog::as_uac(&invite, &response, Protocol::Udp).unwrap();
    assert_eq!(routes(&dialog), ["<sip:p1.example;lr>", "<sip:p2.example;lr;x=y>", "<sip:p3.example;lr>"]);
}

#[test]
fn identification_has_the_tags_of_each_side() {
    for dialog in [as_uas(200), as_uac(200)] {
        let id = dialog.id();
        assert_eq!((id.call_id(), id.local_tag(), id.remote_tag()), ("c1", "ours", Some("theirs")));
        assert_eq!(dialog.target(), "sip:ida@192.0.2.1");
    }
}

#[test]
fn provisional_response_begins_an_early_dialog_and_2xx_confirms_it() {
    let mut uas = as_uas(180);
    assert_eq!(uas.phase(), Phase::Early);
    let invite = their_invite("");
    let _ = uas.response_sent(sip::time::Time(0), &crate::kit::TIMERS, &invite, &our_response(&invite, 200));
    assert_eq!(uas.phase(), Phase::Confirmed);
    let mut uac = as_uac(183);
    assert_eq!(uac.phase(), Phase::Early);
    receive(&mut uac, &their_response(&our_invite("sip:ida@example.org"), 200));
    assert_eq!(uac.phase(), Phase::Confirmed);
}

#[test]
fn confirming_2xx_replaces_the_route_set_and_the_target_and_no_sequence() {
    let mut dialog = as_uac(180);
    sent(&mut dialog, "INFO");
    dialog.request_received(&theirs("INFO", 5), 0).unwrap();
    let invite = our_invite("sip:ida@example.org");
    let more = format!("{ROUTES}Contact: <sip:ida@192.0.2.8>\r\n");
    receive(&mut dialog, &response_with(&invite, 200, "theirs", &more));
    assert_eq!(routes(&dialog).len(), 3);
    assert_eq!(dialog.target(), "sip:ida@192.0.2.8");
    assert_eq!(sent(&mut dialog, "INFO").headers().cseq().number, 22);
    assert!(dialog.request_received(&theirs("INFO", 5), 0).is_err());
}

#[test]
fn dialog_is_secure_by_sips_over_tls() {
    let secure = |uri: &str, protocol| {
        let invite = our_invite(uri);
        Dialog::as_uac(&invite, &their_response(&invite, 200), protocol).unwrap().is_secure()
    };
    assert!(secure("sips:ida@example.org", Protocol::TLS));
    assert!(!secure("sips:ida@example.org", Protocol::TCP));
    assert!(!secure("sip:ida@example.org", Protocol::TLS));
}

#[test]
fn peer_of_rfc_2543_has_no_tag_and_no_contact() {
    let invite = our_invite("sip:ida@example.org");
    let mut dialog = Dialog::as_uac(&invite, &response_with(&invite, 200, "", ""), Protocol::Udp).unwrap();
    assert_eq!((dialog.id().remote_tag(), dialog.target()), (None, "sip:ida@example.org"));
    assert_eq!(sent(&mut dialog, "BYE").headers().to().tag(), None);
    let early = Dialog::as_uac(&invite, &response_with(&invite, 180, "", ""), Protocol::Udp);
    assert_eq!(early, Err(NoDialog::Tag));
}

#[test]
fn what_begins_no_dialog_is_refused() {
    let uas = |request, status| {
        let response = our_response(&request, status);
        Dialog::as_uas(&request, &response, Protocol::Udp).map(|dialog| dialog.phase())
    };
    assert_eq!(uas(their_request("OPTIONS", 1, "", ""), 200), Err(NoDialog::Method));
    assert_eq!(uas(their_invite(""), 100), Err(NoDialog::Status));
    assert_eq!(uas(their_invite(""), 302), Err(NoDialog::Status));
    assert_eq!(uas(their_invite(""), 101), Ok(Phase::Early));
    for contact in ["", "Contact: *\r\n", "Contact: <tel:+1>\r\n", "Contact: <\r\n"] {
        let invite = their_request("INVITE", 10, "", contact);
        assert!(matches!(uas(invite, 200), Err(NoDialog::Field(_))), "{contact}");
    }
    assert!(matches!(uas(their_invite("Record-Route: <tel:+1>\r\n"), 200), Err(NoDialog::Field(_))));
    let invite = their_invite("");
    let untagged = response_with(&invite, 200, "", "");
    assert_eq!(Dialog::as_uas(&invite, &untagged, Protocol::Udp), Err(NoDialog::Tag));
}

#[test]
fn addresses_of_the_dialog_are_copied_byte_for_byte() {
    let mut dialog = crate::kit::confirmed_uas();
    let bye = dialog.request(Method::Bye).unwrap().finish();
    let text = String::from_utf8(bye).unwrap();
    assert!(text.contains("\r\nFrom: <sip:meet@example.com>;tag=ours\r\n"), "{text}");
    assert!(text.contains("\r\nTo: \"Ida\" <sip:ida@example.org>;tag=theirs\r\n"), "{text}");
}
