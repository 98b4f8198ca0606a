//! 2xx and ACK on both sides (RFC 3261 sections 13.2.2.4 and 13.3.1.4).

use std::sync::Arc;

use sip::dialog::responses::Outcome;
use sip::dialog::state::{Dialog, SentAck};
use sip::dialog::timing::Due;
use sip::method::Method;
use sip::time::Time;
use sip::transaction::effect::Effect;
use sip::transaction::layer::Layer;
use sip::transaction::outgoing::{Branch, Outgoing};
use sip::transaction::settings::Settings;
use sip::transport::flow::Destination;

use crate::kit::{
    TIMERS, as_uac, as_uas, our_invite, our_response, read, receive, sent, their_invite, their_response,
    theirs,
};

/// What is due until a time, and when.
fn until(dialog: &mut Dialog, end: u64) -> Vec<(u64, Due)> {
    let mut all = Vec::new();
    while let Some(at) = dialog.next_deadline().filter(|at| at.0 <= end) {
        all.extend(dialog.pass_time(at, &TIMERS).into_iter().map(|due| (at.0, due)));
    }
    all
}

#[test]
fn a_2xx_is_repeated_until_64_t1() {
    let mut dialog = as_uas(200);
    let due = until(&mut dialog, 100_000);
    let times: Vec<_> = due.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000]);
    let expected = our_response(&their_invite(""), 200);
    let (last, repeated) = due.split_last().unwrap();
    assert!(repeated.iter().all(|(_, due)| *due == Due::Repeat(expected.bytes().into())));
    assert_eq!(last.1, Due::NoAck);
    assert_eq!(dialog.next_deadline(), None);
    assert!(dialog.request(Method::Bye).is_ok());
}

#[test]
fn dialog_that_awaits_no_ack_any_more_repeats_nothing_and_may_be_ended() {
    let mut dialog = as_uas(200);
    assert!(dialog.request(Method::Bye).is_err());
    dialog.await_no_ack();
    assert_eq!(dialog.next_deadline(), None);
    assert_eq!(dialog.last_sequence(), None);
    assert!(dialog.request(Method::Bye).is_ok());
    assert_eq!(dialog.last_sequence(), Some(1));
}

#[test]
fn nothing_is_repeated_before_its_time_and_nothing_but_2xx() {
    let mut dialog = as_uas(200);
    assert_eq!(dialog.pass_time(Time(499), &TIMERS), []);
    assert_eq!(as_uas(180).next_deadline(), None);
}

#[test]
fn ack_ends_the_repetition_and_only_that_of_its_invite() {
    let mut dialog = as_uas(200);
    assert!(!dialog.ack_received(&theirs("ACK", 9)));
    assert_eq!(until(&mut dialog, 600).len(), 1);
    assert!(dialog.ack_received(&theirs("ACK", 10)));
    assert!(!dialog.ack_received(&theirs("ACK", 10)));
    assert_eq!(dialog.next_deadline(), None);
}

#[test]
fn a_2xx_to_a_re_invite_is_repeated_and_given_once() {
    let mut dialog = crate::kit::confirmed_uas();
    let request = theirs("INVITE", 11);
    dialog.request_received(&request, 0).unwrap();
    let response = our_response(&request, 200);
    let _ = dialog.response_sent(Time(1_000), &TIMERS, &request, &response);
    let _ = dialog.response_sent(Time(1_200), &TIMERS, &request, &response);
    assert_eq!(dialog.next_deadline(), Some(Time(1_500)));
}

fn sent_ack(number: u8) -> SentAck {
    SentAck { bytes: Arc::from([number]), random: [number; 16] }
}

#[test]
fn ack_has_the_sequence_of_the_invite_and_is_owed_once() {
    let mut dialog = as_uac(200);
    sent(&mut dialog, "INFO");
    let ack = read(dialog.ack(20).unwrap());
    assert_eq!(ack.headers().cseq().to_string(), "20 ACK");
    assert_eq!(ack.uri().as_str(), "sip:ida@192.0.2.1");
    assert!(dialog.ack(21).is_none());
    dialog.ack_sent(20, sent_ack(1));
    assert!(dialog.ack(20).is_none());
    assert_eq!(sent(&mut dialog, "INFO").headers().cseq().number, 22);
}

#[test]
fn ack_is_repeated_byte_for_byte_for_a_2xx_that_comes_again() {
    let invite = our_invite("sip:ida@example.org");
    let again = their_response(&invite, 200);
    let mut dialog = as_uac(180);
    assert_eq!(receive(&mut dialog, &again), Outcome::Acknowledge { sequence: 20 });
    assert_eq!(receive(&mut dialog, &again), Outcome::Ignore);
    dialog.ack_sent(20, sent_ack(1));
    dialog.ack_sent(20, sent_ack(2));
    assert_eq!(receive(&mut dialog, &again), Outcome::RepeatAck(sent_ack(1)));
    // A re-INVITE has an ACK of its own.
    let second = sent(&mut dialog, "INVITE");
    assert_eq!(receive(&mut dialog, &again), Outcome::RepeatAck(sent_ack(1)));
    assert!(!dialog.may_invite());
    let accepted = their_response(&second, 202);
    assert_eq!(receive(&mut dialog, &accepted), Outcome::Acknowledge { sequence: 21 });
    dialog.ack_sent(21, sent_ack(3));
    assert_eq!(receive(&mut dialog, &again), Outcome::RepeatAck(sent_ack(1)));
    assert_eq!(receive(&mut dialog, &accepted), Outcome::RepeatAck(sent_ack(3)));
}

#[test]
fn ack_is_kept_for_64_t1() {
    let again = their_response(&our_invite("sip:ida@example.org"), 200);
    let mut dialog = as_uac(200);
    dialog.ack_sent(20, sent_ack(1));
    assert_eq!(until(&mut dialog, 31_999), []);
    assert_eq!(receive(&mut dialog, &again), Outcome::RepeatAck(sent_ack(1)));
    assert_eq!(dialog.next_deadline(), Some(Time(32_000)));
    assert_eq!(until(&mut dialog, 32_000), []);
    assert_eq!(receive(&mut dialog, &again), Outcome::Ignore);
    assert_eq!(dialog.next_deadline(), None);
}

#[test]
fn four_acks_are_kept_at_most() {
    let mut dialog = as_uac(200);
    dialog.ack_sent(20, sent_ack(0));
    for number in 1..=4 {
        let invite = sent(&mut dialog, "INVITE");
        receive(&mut dialog, &their_response(&invite, 200));
        dialog.ack_sent(20 + u32::from(number), sent_ack(number));
    }
    let initial = our_invite("sip:ida@example.org");
    assert_eq!(receive(&mut dialog, &their_response(&initial, 200)), Outcome::Ignore);
    let text = String::from_utf8(initial.bytes().to_vec()).unwrap().replace("CSeq: 20 ", "CSeq: 21 ");
    let second = their_response(&crate::support::request(text.as_bytes()), 200);
    assert_eq!(receive(&mut dialog, &second), Outcome::RepeatAck(sent_ack(1)));
}

#[test]
fn kept_ack_makes_the_same_bytes_in_the_transaction_layer() {
    let mut dialog = as_uac(200);
    let bytes = Arc::from(dialog.ack(20).unwrap().finish());
    dialog.ack_sent(20, SentAck { bytes, random: [7; 16] });
    let (local, remote) = ("192.0.2.2:5060".parse().unwrap(), "192.0.2.1:5060".parse().unwrap());
    let mut layer = Layer::new(Settings::default(), 1);
    let mut sent = || {
        let again = their_response(&our_invite("sip:ida@example.org"), 200);
        let Outcome::RepeatAck(ack) = receive(&mut dialog, &again) else { panic!("no ACK is kept") };
        let destination = Destination::Datagrams { local, remote };
        let outgoing = Outgoing { bytes: ack.bytes.to_vec(), destination, branch: Branch::new(ack.random) };
        match &layer.request(Time(0), outgoing).unwrap().1[..] {
            [Effect::Send { bytes, .. }] => bytes.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sent(), sent());
}
