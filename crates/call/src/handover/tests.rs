//! Which step follows which on both sides, without engines: their reports are written by hand.

use crate::audio::Participant;
use crate::signalling::Handover;

use super::giver::{self, Given, Giver};
use super::message::{ExportedCall, ExportedStream};
use super::protocol::{FromGiver, FromTaker};
use super::taker::{self, Taker};
use super::{Changed, NotExported, NotImported, NotTakenOver};

const RECORDED: &str = include_str!("../../tests/recorded/34.1/call-plain.json");

fn call() -> ExportedCall {
    serde_json::from_str(RECORDED).expect("a message of this release")
}

/// Where a stream has come to.
pub(crate) const STREAM: ExportedStream = ExportedStream {
    ssrc: 7,
    sequence: 8,
    timestamp: 9,
    packets: 10,
    octets: 11,
    target: None,
    sealed: None,
};

const A: Participant = Participant(1);
const B: Participant = Participant(2);

/// A giver of two calls, which are offered.
fn giver() -> Giver {
    let (giver, steps) = Giver::begin(vec![(A, Ok(call())), (B, Ok(call()))]);
    let offered = |number| giver::Step::Say(FromGiver::Call { number, call: Box::new(call()) });
    assert_eq!(steps, [offered(1), offered(2)]);
    giver
}

fn ready(number: u64) -> FromTaker {
    FromTaker::Ready { number, last_sequence: Some(7) }
}

/// A giver whose calls are being taken over.
fn agreed() -> Giver {
    let mut giver = giver();
    assert_eq!(giver.hear(ready(1)), [], "the other is not ready");
    assert_eq!(giver.hear(ready(2)), [giver::Step::Say(FromGiver::TakeOver)]);
    giver
}

fn take_back(call: Participant, last_sequence: Option<u32>, changed: Changed) -> giver::Step {
    giver::Step::TakeBack { call, last_sequence, changed }
}

fn outcomes(giver: &Giver) -> Option<Vec<Given>> {
    giver.outcome().map(|outcome| outcome.into_values().collect())
}

#[test]
fn call_is_handed_out_when_it_is_taken_over_and_its_stream_follows() {
    let mut giver = agreed();
    for (number, call) in [(1, A), (2, B)] {
        assert_eq!(outcomes(&giver), None);
        assert_eq!(giver.hear(FromTaker::TakenOver { number }), [giver::Step::HandOut(call)]);
        assert_eq!(giver.hear(FromTaker::TakenOver { number }), [], "once");
        let said = giver::Step::Say(FromGiver::Stream { number, stream: STREAM });
        assert_eq!(giver.report(call, &Handover::Stream(STREAM)), [said]);
    }
    assert_eq!(outcomes(&giver), Some(vec![Given::Moved, Given::Moved]));
}

#[test]
fn conference_of_which_one_call_cannot_move_stays() {
    let mut giver = giver();
    let why = "no room".to_owned();
    assert_eq!(giver.hear(ready(1)), []);
    let steps = giver.hear(FromTaker::NotImported { number: 2, why: why.clone() });
    let given_up = giver::Step::Say(FromGiver::GiveUp);
    let (first, second) = (take_back(A, Some(7), Changed::No), take_back(B, None, Changed::No));
    assert_eq!(steps, [second, given_up.clone(), first]);
    assert_eq!(outcomes(&giver), Some(vec![Given::StaysWithOthers, Given::NotImported(why)]));

    let busy = NotExported::Busy;
    let (giver, steps) = Giver::begin(vec![(A, Err(busy)), (B, Ok(call()))]);
    assert_eq!(steps, [given_up, take_back(B, None, Changed::No)]);
    assert_eq!(outcomes(&giver), Some(vec![Given::NotExported(busy), Given::StaysWithOthers]));
}

#[test]
fn far_end_that_does_not_come_over_stays_with_what_is_known_of_it() {
    let mut giver = agreed();
    let why = NotTakenOver::NoAnswer;
    let failed =
        FromTaker::NotTakenOver { number: 1, last_sequence: Some(8), changed: Changed::Perhaps, why };
    assert_eq!(giver.hear(failed.clone()), [take_back(A, Some(8), Changed::Perhaps)]);
    assert_eq!(giver.hear(failed), [], "once");
    giver.hear(FromTaker::TakenOver { number: 2 });
    giver.report(B, &Handover::Stream(STREAM));
    assert_eq!(outcomes(&giver), Some(vec![Given::NotTakenOver(why), Given::Moved]));
}

#[test]
fn process_that_is_lost_keeps_what_it_has_said_to_have() {
    let mut giver = agreed();
    giver.hear(FromTaker::TakenOver { number: 1 });
    assert_eq!(giver.lose(), [giver::Step::TakeBackFromLost(B)]);
    assert_eq!(outcomes(&giver), Some(vec![Given::Moved, Given::Lost]));
    assert_eq!(giver.lose(), []);
    assert_eq!(giver.hear(FromTaker::TakenOver { number: 2 }), [], "it is taken back");
}

#[test]
fn call_that_ends_is_ended_at_both_and_does_not_keep_the_others() {
    let mut giver = giver();
    giver.hear(ready(2));
    let ended = giver::Step::Say(FromGiver::Ended { number: 1 });
    assert_eq!(giver.report(A, &Handover::Ended), [ended, giver::Step::Say(FromGiver::TakeOver)]);
    assert_eq!(giver.hear(FromTaker::Ended { number: 2 }), [giver::Step::End(B)]);
    assert_eq!(outcomes(&giver), Some(vec![Given::Ended, Given::Ended]));

    let mut giver = agreed();
    giver.hear(FromTaker::TakenOver { number: 1 });
    let ended = giver::Step::Say(FromGiver::Ended { number: 1 });
    assert_eq!(giver.not_handed_out(A), [ended]);
}

#[test]
fn giver_ignores_what_is_said_of_calls_that_it_has_not() {
    let mut giver = giver();
    for said in [
        ready(9),
        FromTaker::TakenOver { number: 9 },
        FromTaker::TakenOver { number: 1 },
        FromTaker::NotImported { number: 9, why: String::new() },
        FromTaker::Ended { number: 9 },
    ] {
        assert_eq!(giver.hear(said.clone()), [], "{said:?}");
    }
}

/// A taker of two calls, whose numbers at the other process are 11 and 12.
fn taker() -> Taker {
    let mut taker = Taker::default();
    for (number, id) in [(11, A), (12, B)] {
        let steps = taker.hear(FromGiver::Call { number, call: Box::new(call()) });
        assert_eq!(steps, [taker::Step::Import { number, call: Box::new(call()) }]);
        assert_eq!(taker.imported(number, Ok(id)), []);
    }
    taker
}

fn report(taker: &mut Taker, call: Participant, event: Handover) -> Vec<taker::Step> {
    taker.report(call, &event)
}

const READY: Handover = Handover::Ready { last_sequence: Some(7) };

#[test]
fn call_is_taken_over_and_goes_on_with_its_stream() {
    let mut taker = taker();
    let said = |said| taker::Step::Say(said);
    assert_eq!(report(&mut taker, A, READY), [said(ready(11))]);
    assert_eq!(report(&mut taker, B, READY), [said(ready(12))]);
    let take_over = taker.hear(FromGiver::TakeOver);
    assert_eq!(take_over, [taker::Step::TakeOver(A), taker::Step::TakeOver(B)]);
    assert_eq!(report(&mut taker, A, Handover::TakenOver), [said(FromTaker::TakenOver { number: 11 })]);
    assert_eq!(taker.hear(FromGiver::Stream { number: 12, stream: STREAM }), [], "it is not here yet");
    let go_on = taker::Step::GoOn { call: A, stream: Some(STREAM) };
    assert_eq!(taker.hear(FromGiver::Stream { number: 11, stream: STREAM }), [go_on]);
    assert_eq!(taker.hear(FromGiver::Stream { number: 11, stream: STREAM }), [], "once");

    assert_eq!(taker.outcome(), None);
    assert_eq!(taker.lose(), [], "the re-INVITE of the other is under way");
    assert_eq!(taker.outcome(), None);
    let go_on = taker::Step::GoOn { call: B, stream: None };
    assert_eq!(report(&mut taker, B, Handover::TakenOver), [go_on]);
    assert_eq!(taker.outcome(), Some(2));
}

#[test]
fn calls_that_were_not_brought_over_are_given_up_when_the_other_process_says_so_or_is_lost() {
    for lost in [false, true] {
        let mut taker = taker();
        report(&mut taker, B, READY);
        let steps = if lost { taker.lose() } else { taker.hear(FromGiver::GiveUp) };
        assert_eq!(steps, [taker::Step::GiveUp(A), taker::Step::GiveUp(B)]);
        assert_eq!(taker.hear(FromGiver::TakeOver), []);
        taker.lose();
        assert_eq!(taker.outcome(), Some(0));
    }
}

#[test]
fn call_that_ended_at_the_other_process_ends_here_whatever_its_stage() {
    let mut taker = taker();
    assert_eq!(taker.hear(FromGiver::Ended { number: 11 }), [taker::Step::End(A)]);
    assert_eq!(taker.hear(FromGiver::Ended { number: 11 }), [], "once");
    report(&mut taker, B, READY);
    taker.hear(FromGiver::TakeOver);
    report(&mut taker, B, Handover::TakenOver);
    taker.hear(FromGiver::Stream { number: 12, stream: STREAM });
    assert_eq!(taker.hear(FromGiver::Ended { number: 12 }), [taker::Step::End(B)], "the BYE has crossed");
    taker.lose();
    assert_eq!(taker.outcome(), Some(0));
}

#[test]
fn call_that_is_not_imported_is_said_with_the_reason() {
    let mut taker = Taker::default();
    let steps = taker.imported(11, Err(NotImported::Full));
    let why = NotImported::Full.to_string();
    assert_eq!(steps, [taker::Step::Say(FromTaker::NotImported { number: 11, why })]);
    taker.lose();
    assert_eq!(taker.outcome(), Some(0));
}
