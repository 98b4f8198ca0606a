//! What ends a dialog (RFC 3261 sections 12.2.1.2 and 12.3).

use sip::dialog::answering::Answered;
use sip::dialog::responses::{Failure, Outcome};
use sip::time::Time;

use crate::kit::{
    TIMERS, as_uac, as_uas, confirmed_uas, our_invite, our_response, receive, sent, their_invite,
    their_response, theirs,
};

#[test]
fn early_dialog_ends_with_any_failure_of_its_invite() {
    for status in [302, 404, 486, 491, 603] {
        let response = their_response(&our_invite("sip:ida@example.org"), status);
        assert_eq!(receive(&mut as_uac(180), &response), Outcome::End, "{status}");
    }
}

#[test]
fn confirmed_dialog_ends_with_408_and_481_alone() {
    for (method, status, expected) in [
        ("INVITE", 408, Outcome::End),
        ("INVITE", 481, Outcome::End),
        ("INVITE", 488, Outcome::Deliver),
        ("INFO", 408, Outcome::End),
        ("INFO", 481, Outcome::End),
        ("INFO", 405, Outcome::Deliver),
        ("UPDATE", 491, Outcome::Deliver),
    ] {
        let mut dialog = as_uac(200);
        let request = sent(&mut dialog, method);
        assert_eq!(receive(&mut dialog, &their_response(&request, status)), expected, "{method} {status}");
    }
}

#[test]
fn provisional_responses_are_delivered_while_the_invite_is_in_progress() {
    let invite = our_invite("sip:ida@example.org");
    assert_eq!(receive(&mut as_uac(180), &their_response(&invite, 183)), Outcome::Deliver);
    assert_eq!(receive(&mut as_uac(200), &their_response(&invite, 183)), Outcome::Ignore);
}

#[test]
fn dialog_ends_with_any_final_response_to_bye_but_a_challenge() {
    for (status, expected) in [
        (100, Outcome::Deliver),
        (200, Outcome::End),
        (401, Outcome::Deliver),
        (407, Outcome::Deliver),
        (481, Outcome::End),
        (500, Outcome::End),
    ] {
        let mut dialog = as_uac(200);
        let bye = sent(&mut dialog, "BYE");
        assert_eq!(receive(&mut dialog, &their_response(&bye, status)), expected, "{status}");
    }
}

#[test]
fn our_response_ends_the_dialog_when_it_accepts_bye_or_refuses_the_first_invite() {
    let invite = their_invite("");
    for (status, expected) in [(183, Answered::Continues), (200, Answered::Continues), (486, Answered::Ends)]
    {
        let answered = as_uas(180).response_sent(Time(0), &TIMERS, &invite, &our_response(&invite, status));
        assert_eq!(answered, expected, "{status}");
    }
    for (method, status, expected) in [
        ("BYE", 200, Answered::Ends),
        ("BYE", 500, Answered::Continues),
        ("INFO", 200, Answered::Continues),
        ("INVITE", 488, Answered::Continues),
    ] {
        let mut dialog = confirmed_uas();
        let request = theirs(method, 11);
        dialog.request_received(&request, 0).unwrap();
        let answered = dialog.response_sent(Time(0), &TIMERS, &request, &our_response(&request, status));
        assert_eq!(answered, expected, "{method} {status}");
    }
}

#[test]
fn request_without_a_response_ends_the_dialog_by_timeout_and_its_invite_in_any_case() {
    assert_eq!(as_uac(180).request_failed(20, Failure::Transport), Outcome::End);
    assert_eq!(as_uac(180).request_failed(21, Failure::Transport), Outcome::Deliver);
    assert_eq!(as_uac(200).request_failed(21, Failure::Timeout), Outcome::End);
    let mut dialog = as_uac(200);
    let invite = sent(&mut dialog, "INVITE").headers().cseq().number;
    assert_eq!(dialog.request_failed(invite - 1, Failure::Transport), Outcome::Deliver);
    assert!(!dialog.may_invite());
    assert_eq!(dialog.request_failed(invite, Failure::Transport), Outcome::Deliver);
    assert!(dialog.may_invite());
}
