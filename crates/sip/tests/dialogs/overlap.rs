//! INVITEs that overlap (RFC 3261 section 14).

use sip::dialog::receiving::Rejection;
use sip::dialog::responses::Outcome;
use sip::dialog::sending::Unsendable;
use sip::dialog::state::Dialog;
use sip::dialog::timing::Due;
use sip::method::Method;
use sip::time::Time;

use crate::kit::{
    TIMERS, as_uac, as_uas, confirmed_uas, our_invite, our_response, receive, sent, their_response, theirs,
};

#[test]
fn invite_while_ours_is_in_progress_is_answered_491() {
    let mut early = as_uac(180);
    assert_eq!(early.request_received(&theirs("INVITE", 1), 0), Err(Rejection::OurInvite));
    assert_eq!(early.request_received(&theirs("UPDATE", 2), 0), Ok(()));
    receive(&mut early, &their_response(&our_invite("sip:ida@example.org"), 200));
    assert_eq!(early.request_received(&theirs("INVITE", 3), 0), Ok(()));
    let mut dialog = confirmed_uas();
    let invite = sent(&mut dialog, "INVITE");
    assert_eq!(dialog.request_received(&theirs("INVITE", 11), 0), Err(Rejection::OurInvite));
    receive(&mut dialog, &their_response(&invite, 488));
    assert_eq!(dialog.request_received(&theirs("INVITE", 12), 0), Ok(()));
    assert_eq!(Rejection::OurInvite.status().code(), 491);
    assert_eq!(Rejection::OurInvite.retry_after(), None);
}

#[test]
fn invite_while_one_of_the_same_side_is_in_progress_is_answered_500_with_retry_after() {
    let mut early = as_uas(180);
    let waits: Vec<_> = (0..22)
        .map(|random| match early.request_received(&theirs("INVITE", 11 + random), u64::from(random)) {
            Err(rejection @ Rejection::TheirInvite { .. }) => {
                assert_eq!(rejection.status().code(), 500);
                rejection.retry_after().unwrap()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((waits.iter().min(), waits.iter().max()), (Some(&0), Some(&10)));
    let mut dialog = confirmed_uas();
    let first = theirs("INVITE", 11);
    dialog.request_received(&first, 0).unwrap();
    let second = theirs("INVITE", 12);
    assert!(dialog.request_received(&second, 0).is_err());
    // The response to the second one does not end the first.
    let _ = dialog.response_sent(Time(0), &TIMERS, &second, &our_response(&second, 500));
    assert!(dialog.request_received(&theirs("INVITE", 13), 0).is_err());
    let _ = dialog.response_sent(Time(0), &TIMERS, &first, &our_response(&first, 488));
    assert_eq!(dialog.request_received(&theirs("INVITE", 14), 0), Ok(()));
}

#[test]
fn our_invite_waits_for_any_that_is_in_progress() {
    let refused = |dialog: &mut Dialog| dialog.request(Method::Invite).err();
    let in_progress = Some(Unsendable::InviteInProgress);
    assert_eq!(refused(&mut as_uac(180)), in_progress);
    assert_eq!(refused(&mut as_uas(180)), in_progress);
    let mut unacknowledged = as_uas(200);
    assert_eq!(refused(&mut unacknowledged), in_progress);
    unacknowledged.ack_received(&theirs("ACK", 10));
    assert_eq!(refused(&mut unacknowledged), None);
    assert_eq!(refused(&mut unacknowledged), in_progress);
    let mut dialog = confirmed_uas();
    dialog.request_received(&theirs("INVITE", 11), 0).unwrap();
    assert_eq!(refused(&mut dialog), in_progress);
}

/// When a re-INVITE that is answered 491 at time 1000 is due again.
fn retry_at(mut dialog: Dialog, random: u64) -> u64 {
    let invite = sent(&mut dialog, "INVITE");
    let response = their_response(&invite, 491);
    assert_eq!(dialog.response_received(Time(1_000), &TIMERS, &response, random), Outcome::RetryLater);
    dialog.next_deadline().unwrap().0 - 1_000
}

#[test]
fn owner_of_the_call_id_retries_after_2100_to_4000_ms_and_the_other_side_within_2000() {
    let quiet = || {
        let mut dialog = as_uac(200);
        dialog.pass_time(Time(32_000), &TIMERS);
        dialog
    };
    let spread = |dialog: &dyn Fn() -> Dialog| {
        let all: Vec<_> = (0..1_000).map(|random| retry_at(dialog(), random)).collect();
        assert!(all.iter().all(|pause| pause % 10 == 0));
        (*all.iter().min().unwrap(), *all.iter().max().unwrap())
    };
    assert_eq!(spread(&quiet), (2_100, 4_000));
    assert_eq!(spread(&confirmed_uas), (0, 2_000));
}

#[test]
fn retry_is_due_once_and_waits_for_an_invite_of_the_other_side() {
    let mut dialog = confirmed_uas();
    let invite = sent(&mut dialog, "INVITE");
    dialog.response_received(Time(0), &TIMERS, &their_response(&invite, 491), 10);
    assert_eq!(dialog.pass_time(Time(99), &TIMERS), []);
    let theirs = theirs("INVITE", 11);
    dialog.request_received(&theirs, 0).unwrap();
    assert_eq!(dialog.next_deadline(), None);
    assert_eq!(dialog.pass_time(Time(200), &TIMERS), []);
    let _ = dialog.response_sent(Time(200), &TIMERS, &theirs, &our_response(&theirs, 488));
    assert_eq!(dialog.next_deadline(), Some(Time(100)));
    assert_eq!(dialog.pass_time(Time(200), &TIMERS), [Due::Retry]);
    assert_eq!(dialog.next_deadline(), None);
}

#[test]
fn new_re_invite_takes_the_place_of_a_retry() {
    let mut dialog = confirmed_uas();
    let invite = sent(&mut dialog, "INVITE");
    receive(&mut dialog, &their_response(&invite, 491));
    let second = sent(&mut dialog, "INVITE");
    receive(&mut dialog, &their_response(&second, 488));
    assert_eq!(dialog.next_deadline(), None);
}
