//! Dialogs that go on in another process.

use sip::dialog::exported::Exported;
use sip::dialog::state::Dialog;
use sip::method::Method;
use sip::name::Name;
use sip::time::Time;
use sip::transport::flow::Protocol;

use crate::kit::{TIMERS, as_uac, as_uas, our_response, their_invite, their_request, theirs};
/// A confirmed dialog of the peer's INVITE, whose ACK has come.
fn confirmed(more: &str) -> Dialog {
    let invite = their_invite(more);
    let response = our_response(&invite, 200);
    let mut dialog = Dialog::as_uas(&invite, &response, Protocol::Udp).expect("a dialog");
    let _ = dialog.response_sent(Time(0), &TIMERS, &invite, &response);
    assert!(dialog.ack_received(&theirs("ACK", 10)));
    dialog
}

#[test]
fn imported_dialog_writes_the_request_that_the_exported_one_would_have_written() {
    let routes = "Record-Route: <sip:p1.example.com;lr>,\r\n <sip:p2.example.com>\r\n";
    let mut dialog = confirmed(routes);
    dialog.request(Method::Options).expect("a request");
    let mut imported = Dialog::import(dialog.export().expect("at rest")).expect("what was exported");
    assert_eq!(imported, dialog);
    let written = |dialog: &mut Dialog| dialog.request(Method::Bye).expect("a request").finish();
    assert_eq!(written(&mut imported), written(&mut dialog));
    assert_eq!(imported.request_received(&theirs("INFO", 11), 0), Ok(()));
    assert!(imported.request_received(&theirs("INFO", 11), 0).is_err(), "CSeq of the other side goes on");
}

#[test]
fn folded_addresses_are_exported_in_one_line() {
    let folded = their_request(
        "INVITE",
        10,
        "",
        "Contact:\r\n <sip:ida@192.0.2.1>\r\nRecord-Route: \"p\r\n q\" <sip:p;lr>\r\n",
    );
    let response = our_response(&folded, 200);
    let mut dialog = Dialog::as_uas(&folded, &response, Protocol::Udp).expect("a dialog");
    let _ = dialog.response_sent(Time(0), &TIMERS, &folded, &response);
    assert!(dialog.ack_received(&theirs("ACK", 10)));
    let exported = dialog.export().expect("at rest");
    assert_eq!(exported.routes, [b"\"p   q\" <sip:p;lr>"]);
    assert!(Dialog::import(exported).is_ok());
}

#[test]
fn dialog_with_a_request_in_progress_is_not_exported() {
    assert_eq!(as_uas(180).export(), None, "early");
    assert_eq!(as_uas(200).export(), None, "no ACK has come");
    let mut inviting = confirmed("");
    inviting.request(Method::Invite).expect("a request");
    assert_eq!(inviting.export(), None, "our re-INVITE");
    let mut invited = confirmed("");
    assert_eq!(invited.request_received(&theirs("INVITE", 11), 0), Ok(()));
    assert_eq!(invited.export(), None, "their re-INVITE");
    assert!(as_uac(200).export().is_some());
}

#[test]
fn values_that_no_dialog_has_are_refused_with_their_header() {
    let good = confirmed("Record-Route: <sip:p;lr>\r\n").export().expect("at rest");
    let check = |change: fn(&mut Exported), name: Name| {
        let mut exported = good.clone();
        change(&mut exported);
        assert_eq!(Dialog::import(exported).map(drop).map_err(|error| error.name), Err(name));
    };
    check(|exported| exported.call_id = "a b".into(), Name::CallId);
    check(|exported| exported.call_id.clear(), Name::CallId);
    check(|exported| exported.local = b"<sip:meet@example.com>".to_vec(), Name::From);
    check(|exported| exported.local.extend(b"\r\nEvil: yes"), Name::From);
    check(|exported| exported.remote = b"<sip:a".to_vec(), Name::To);
    check(|exported| exported.remote = b"\"a\r\n b\" <sip:a>".to_vec(), Name::To);
    check(|exported| exported.target = "tel:1".into(), Name::Contact);
    check(|exported| exported.target = "sip:a@b?Subject=x".into(), Name::Contact);
    check(|exported| exported.routes.push(b"<tel:1>".to_vec()), Name::RecordRoute);
    check(|exported| exported.routes.push(b"<sip:a>\r\n <sip:b>".to_vec()), Name::RecordRoute);
    check(|exported| exported.local_sequence = Some(1 << 31), Name::CSeq);
    check(|exported| exported.remote_sequence = Some(u32::MAX), Name::CSeq);
}

#[test]
fn sequence_of_another_process_is_never_used_again() {
    let mut dialog = confirmed("");
    dialog.skip_sequence(7);
    dialog.skip_sequence(3);
    dialog.request(Method::Bye).expect("a request");
    assert_eq!(dialog.last_sequence(), Some(8));
}
