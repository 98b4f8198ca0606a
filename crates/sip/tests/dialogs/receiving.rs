//! RFC 3261 section 12.2.2: the order of the requests of the other side.

use sip::dialog::receiving::Rejection;

use crate::kit::{as_uac, confirmed_uas, theirs};

#[test]
fn older_request_is_answered_500() {
    let mut dialog = confirmed_uas();
    for (sequence, expected) in [
        (11, Ok(())),
        (15, Ok(())),
        (14, Err(Rejection::OutOfOrder)),
        (15, Err(Rejection::OutOfOrder)),
        (16, Ok(())),
    ] {
        assert_eq!(dialog.request_received(&theirs("INFO", sequence), 0), expected, "{sequence}");
    }
    assert_eq!(Rejection::OutOfOrder.status().code(), 500);
}

#[test]
fn sequence_of_a_uas_begins_with_the_invite() {
    assert_eq!(confirmed_uas().request_received(&theirs("BYE", 10), 0), Err(Rejection::OutOfOrder));
}

#[test]
fn first_request_to_a_uac_may_have_any_sequence() {
    let mut dialog = as_uac(200);
    assert_eq!(dialog.request_received(&theirs("INFO", 0), 0), Ok(()));
    assert_eq!(dialog.request_received(&theirs("INFO", 0), 0), Err(Rejection::OutOfOrder));
}

#[test]
fn ack_and_cancel_have_the_sequence_of_their_invite() {
    let mut dialog = confirmed_uas();
    dialog.request_received(&theirs("INFO", 20), 0).unwrap();
    for method in ["ACK", "CANCEL"] {
        assert_eq!(dialog.request_received(&theirs(method, 10), 0), Ok(()));
        assert_eq!(dialog.request_received(&theirs(method, 30), 0), Ok(()));
    }
    assert_eq!(dialog.request_received(&theirs("INFO", 21), 0), Ok(()));
}
