//! Reliable provisional responses of ours (RFC 3262 section 3).

use sip::dialog::provisional::first_rseq;
use sip::dialog::state::Dialog;
use sip::dialog::timing::Due;
use sip::message::Response;
use sip::time::Time;
use sip::transport::flow::Protocol;

use crate::kit::{TIMERS, as_uas, our_response, response_with, their_invite, their_request};

/// Our reliable 180, and its dialog, at time 0.
fn ringing() -> (Dialog, Response) {
    let invite = their_invite("");
    let response = response_with(&invite, 180, "ours", "Require: 100rel\r\nRSeq: 7\r\n");
    let mut dialog = Dialog::as_uas(&invite, &response, Protocol::Udp).expect("it begins a dialog");
    let _ = dialog.response_sent(Time(0), &TIMERS, &invite, &response);
    (dialog, response)
}

fn is_taken(dialog: &mut Dialog, rack: &str) -> bool {
    dialog.prack_received(&their_request("PRACK", 11, ";tag=ours", &format!("RAck: {rack}\r\n")))
}

/// What is due until a time, and when.
fn until(dialog: &mut Dialog, end: u64) -> Vec<(u64, Due)> {
    let mut all = Vec::new();
    while let Some(at) = dialog.next_deadline().filter(|at| at.0 <= end) {
        all.extend(dialog.pass_time(at, &TIMERS).into_iter().map(|due| (at.0, due)));
    }
    all
}

#[test]
fn provisional_response_is_repeated_after_twice_the_pause_until_64_t1() {
    let (mut dialog, response) = ringing();
    let due = until(&mut dialog, 100_000);
    let times: Vec<_> = due.iter().map(|(at, _)| *at).collect();
    // T2 is no bound of the pauses.
    assert_eq!(times, [500, 1500, 3500, 7500, 15_500, 31_500, 32_000]);
    let (last, repeated) = due.split_last().expect("something is due");
    assert!(repeated.iter().all(|(_, due)| *due == Due::Repeat(response.bytes().into())));
    assert_eq!(last.1, Due::NoPrack);
    assert!(!is_taken(&mut dialog, "7 10 INVITE"), "it is given up");
    assert_eq!(dialog.next_deadline(), None);
}

#[test]
fn prack_is_that_of_the_response_that_it_names_and_counts_once() {
    let (mut dialog, _) = ringing();
    for wrong in ["8 10 INVITE", "7 11 INVITE", "7 10 UPDATE", "7", ""] {
        assert!(!is_taken(&mut dialog, wrong), "{wrong}");
    }
    assert!(!dialog.prack_received(&their_request("PRACK", 11, ";tag=ours", "")), "no RAck");
    assert_eq!(until(&mut dialog, 600).len(), 1);
    assert!(is_taken(&mut dialog, "7 10 INVITE"));
    assert!(!is_taken(&mut dialog, "7 10 INVITE"));
    assert_eq!(dialog.next_deadline(), None);
}

#[test]
fn response_without_rseq_is_not_repeated() {
    let mut dialog = as_uas(180);
    assert_eq!(dialog.next_deadline(), None);
    assert!(!is_taken(&mut dialog, "7 10 INVITE"));
}

#[test]
fn final_response_ends_the_repetition_and_the_prack_may_still_come() {
    let answered = || {
        let (mut dialog, _) = ringing();
        let invite = their_invite("");
        let _ = dialog.response_sent(Time(100), &TIMERS, &invite, &our_response(&invite, 200));
        assert!(dialog.ack_received(&their_request("ACK", 10, ";tag=ours", "")));
        dialog
    };
    let mut dialog = answered();
    assert_eq!(until(&mut dialog, 31_999), []);
    assert!(is_taken(&mut dialog, "7 10 INVITE"));
    assert_eq!(dialog.next_deadline(), None);
    let mut dialog = answered();
    assert_eq!(until(&mut dialog, 32_000), [], "nobody has to wait for it");
    assert!(!is_taken(&mut dialog, "7 10 INVITE"));
    assert_eq!(dialog.next_deadline(), None);
}

#[test]
fn first_number_is_one_of_31_bits_and_not_zero() {
    let last = (1 << 31) - 1;
    for (random, expected) in [(0, 1), (1, 2), (last - 1, last as u32), (last, 1), (u64::MAX, 4)] {
        assert_eq!(first_rseq(random), expected);
    }
}
