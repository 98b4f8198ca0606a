//! Which dialog a message belongs to, the bounds, and the deadlines of all.

use sip::dialog::id::DialogId;
use sip::dialog::settings::Settings;
use sip::dialog::state::{Dialog, Phase};
use sip::dialog::table::{Dialogs, NotKept, Place};
use sip::dialog::timing::Due;
use sip::time::Time;
use sip::transport::flow::Protocol;

use crate::kit::{
    TIMERS, as_uac, as_uas, our_invite, response_with, their_invite, their_request, their_response, theirs,
};

fn with(dialog: Dialog) -> Dialogs {
    let mut dialogs = Dialogs::new(Settings::default());
    dialogs.insert(dialog).unwrap();
    dialogs
}

/// A dialog of a fork of our INVITE.
fn fork(tag: &str, status: u16) -> Dialog {
    let invite = our_invite("sip:ida@example.org");
    Dialog::as_uac(&invite, &response_with(&invite, status, tag, ""), Protocol::Udp).unwrap()
}

#[test]
fn request_belongs_to_the_dialog_of_its_tags() {
    let dialog = as_uas(200);
    let id = dialog.id().clone();
    let dialogs = with(dialog);
    assert_eq!(dialogs.place(&theirs("BYE", 11)), Place::Within(id.clone()));
    assert_eq!(dialogs.place(&their_request("BYE", 11, ";tag=OURS", "")), Place::Within(id));
    assert_eq!(dialogs.place(&their_request("BYE", 11, ";tag=other", "")), Place::Unknown);
    assert_eq!(dialogs.place(&their_invite("")), Place::Outside);
    for (from, to) in [("tag=theirs", "tag=other"), ("Call-ID: c1", "Call-ID: C1"), (";tag=theirs", "")] {
        let text = String::from_utf8(theirs("BYE", 11).bytes().to_vec()).unwrap().replace(from, to);
        assert_eq!(dialogs.place(&crate::support::request(text.as_bytes())), Place::Unknown, "{to}");
    }
}

#[test]
fn peer_of_rfc_2543_is_found_without_its_tag() {
    let invite = our_invite("sip:ida@example.org");
    let response = response_with(&invite, 200, "", "");
    let dialogs = with(Dialog::as_uac(&invite, &response, Protocol::Udp).unwrap());
    assert!(dialogs.of_response(&response).is_some());
    let text = String::from_utf8(theirs("BYE", 1).bytes().to_vec()).unwrap().replace(";tag=theirs", "");
    assert!(matches!(dialogs.place(&crate::support::request(text.as_bytes())), Place::Within(_)));
    assert_eq!(dialogs.place(&theirs("BYE", 1)), Place::Unknown);
}

#[test]
fn forks_are_dialogs_of_their_own() {
    let invite = our_invite("sip:ida@example.org");
    let mut dialogs = with(fork("a", 180));
    let other = response_with(&invite, 200, "b", "");
    assert_eq!(dialogs.of_response(&other), None);
    dialogs.insert(fork("b", 200)).unwrap();
    dialogs.insert(fork("c", 183)).unwrap();
    let id = dialogs.of_response(&other).unwrap();
    assert_eq!(id, DialogId::new("c1", "ours", Some("b")));
    dialogs.change(&id, |dialog| dialog.response_received(Time(0), &TIMERS, &other, 0)).unwrap();
    let acks: Vec<_> = ["a", "b", "c"]
        .map(|tag| dialogs.get(&DialogId::new("c1", "ours", Some(tag))).unwrap().ack(20).is_some())
        .to_vec();
    assert_eq!(acks, [false, true, false]);
}

#[test]
fn early_dialogs_of_an_invite_are_removed_together() {
    let mut dialogs = with(fork("a", 180));
    dialogs.insert(fork("b", 200)).unwrap();
    dialogs.insert(fork("c", 180)).unwrap();
    assert!(dialogs.remove_early("c1", "other").is_empty());
    assert!(dialogs.remove_early("c2", "ours").is_empty());
    let removed = dialogs.remove_early("c1", "OURS");
    let tags: Vec<_> = removed.iter().map(|dialog| (dialog.id().remote_tag(), dialog.phase())).collect();
    assert_eq!(tags, [(Some("a"), Phase::Early), (Some("c"), Phase::Early)]);
    assert_eq!(dialogs.count(), 1);
}

#[test]
fn number_and_size_of_dialogs_are_bounded() {
    let mut dialogs = Dialogs::new(Settings { dialogs: 2, dialog_bytes: 500, ..Settings::default() });
    assert_eq!(dialogs.insert(fork("a", 180)), Ok(()));
    assert_eq!(dialogs.insert(fork("a", 200)), Err(NotKept::Exists));
    let invite = their_invite(&format!("Record-Route: <sip:{}.example;lr>\r\n", "x".repeat(500)));
    let response = response_with(&invite, 180, "ours", "");
    let long = Dialog::as_uas(&invite, &response, Protocol::Udp).unwrap();
    assert_eq!(dialogs.insert(long), Err(NotKept::TooLarge));
    assert_eq!(dialogs.insert(fork("b", 180)), Ok(()));
    assert_eq!(dialogs.insert(fork("c", 180)), Err(NotKept::Full));
    assert!(dialogs.remove(&DialogId::new("c1", "ours", Some("a"))).is_some());
    assert_eq!(dialogs.insert(fork("c", 180)), Ok(()));
}

#[test]
fn deadline_of_all_is_that_of_the_first() {
    let answered = as_uas(200);
    let id = answered.id().clone();
    let mut dialogs = with(fork("a", 180));
    assert_eq!(dialogs.next_deadline(), None);
    dialogs.insert(answered).unwrap();
    assert_eq!(dialogs.next_deadline(), Some(Time(500)));
    assert_eq!(dialogs.pass_time(Time(499)), []);
    let due = dialogs.pass_time(Time(500));
    assert!(matches!(&due[..], [(due, Due::Repeat(_))] if *due == id), "{due:?}");
    assert_eq!(dialogs.next_deadline(), Some(Time(1_500)));
    assert_eq!(dialogs.change(&id, |dialog| dialog.ack_received(&theirs("ACK", 10))), Some(true));
    assert_eq!(dialogs.next_deadline(), None);
}

#[test]
fn removed_dialog_has_no_deadline() {
    let dialog = as_uac(200);
    let (id, invite) = (dialog.id().clone(), our_invite("sip:ida@example.org"));
    let mut dialogs = with(dialog);
    assert_eq!(dialogs.next_deadline(), Some(Time(32_000)));
    assert!(dialogs.remove(&id).is_some());
    assert_eq!(dialogs.next_deadline(), None);
    assert_eq!(dialogs.change(&id, |_| ()), None);
    assert_eq!(dialogs.of_response(&their_response(&invite, 200)), None);
}
