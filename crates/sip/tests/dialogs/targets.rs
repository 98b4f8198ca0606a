//! Target refresh (RFC 3261 sections 12.2.1.2 and 12.2.2, RFC 3311).

use sip::dialog::state::Dialog;
use sip::time::Time;

use crate::kit::{
    TIMERS, as_uac, confirmed_uas, our_response, receive, response_with, sent, their_request, theirs,
};

const BEFORE: &str = "sip:ida@192.0.2.1";
const AFTER: &str = "sip:ida@192.0.2.9:5070";

fn answer(dialog: &mut Dialog, method: &str, status: u16) {
    let request = theirs(method, 11);
    dialog.request_received(&request, 0).unwrap();
    let _ = dialog.response_sent(Time(0), &TIMERS, &request, &our_response(&request, status));
}

#[test]
fn re_invite_and_update_of_the_other_side_refresh_the_target_when_accepted() {
    for (method, status, target) in [
        ("INVITE", 200, AFTER),
        ("UPDATE", 200, AFTER),
        ("INVITE", 180, BEFORE),
        ("INVITE", 488, BEFORE),
        ("UPDATE", 488, BEFORE),
        ("INFO", 200, BEFORE),
    ] {
        let mut dialog = confirmed_uas();
        answer(&mut dialog, method, status);
        assert_eq!(dialog.target(), target, "{method} {status}");
    }
}

#[test]
fn accepted_re_invite_and_update_of_ours_refresh_the_target() {
    for (method, status, target) in [
        ("INVITE", 200, AFTER),
        ("UPDATE", 200, AFTER),
        ("INVITE", 488, BEFORE),
        ("UPDATE", 488, BEFORE),
        ("INFO", 200, BEFORE),
    ] {
        let mut dialog = as_uac(200);
        let request = sent(&mut dialog, method);
        let contact = "Contact: <sip:ida@192.0.2.9:5070>\r\n";
        receive(&mut dialog, &response_with(&request, status, "theirs", contact));
        assert_eq!(dialog.target(), target, "{method} {status}");
    }
}

#[test]
fn target_stays_without_a_contact_that_can_be_used() {
    for contact in ["", "Contact: <tel:+1>\r\n", "Contact: *\r\n"] {
        let mut dialog = confirmed_uas();
        let request = their_request("UPDATE", 11, ";tag=ours", contact);
        dialog.request_received(&request, 0).unwrap();
        let _ = dialog.response_sent(Time(0), &TIMERS, &request, &our_response(&request, 200));
        assert_eq!(dialog.target(), BEFORE, "{contact}");
    }
}

#[test]
fn headers_of_a_contact_are_no_part_of_the_target() {
    let mut dialog = as_uac(200);
    let update = sent(&mut dialog, "UPDATE");
    let contact = "Contact: <sip:ida@192.0.2.9;x=y?Subject=s>, <sip:other@192.0.2.9>\r\n";
    receive(&mut dialog, &response_with(&update, 200, "theirs", contact));
    assert_eq!(dialog.target(), "sip:ida@192.0.2.9;x=y");
}
