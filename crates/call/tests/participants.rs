//! Participants as the engine shows them, and what an operator does to them, over real sockets.

mod common;

use std::time::Duration;

use call::audio::Codec;
use call::{CallEngine, CommandError, Lock, ParticipantState, Voice};
use common::{BOUND, Caller, address, engine, header, settings, wait_for_calls};

async fn caller(engine: &CallEngine, test: u8, host: u8) -> Caller {
    Caller::new(engine, address(test, host), &format!("caller-{test}-{host}")).await
}

fn shown(engine: &CallEngine) -> Vec<ParticipantState> {
    engine.participants(0, 100).changed
}

/// Waits until what is shown meets a condition. The revision wakes whoever waits.
async fn wait_until_shown(engine: &CallEngine, condition: impl Fn(&[ParticipantState]) -> bool) {
    let mut revision = engine.participant_revision();
    let waited = revision.wait_for(|_| condition(&shown(engine)));
    let met = tokio::time::timeout(BOUND, waited).await.map(|met| met.is_ok());
    assert_eq!(met, Ok(true), "{:?}", shown(engine));
}

/// Both send until the second one hears this level of the first.
async fn until_heard(a: &mut Caller, b: &mut Caller, wanted: i16) {
    for _ in 0..200 {
        a.say(Codec::Pcmu, 1000).await;
        b.say(Codec::Pcmu, -500).await;
        a.hear(Codec::Pcmu).await;
        let heard = b.hear(Codec::Pcmu).await.1;
        if (i32::from(heard) - i32::from(wanted)).abs() <= 40 {
            return;
        }
    }
    panic!("never heard {wanted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn participants_are_shown_muted_heard_again_and_disconnected() {
    let engine = engine(settings(161)).await;
    let (mut a, mut b) = (caller(&engine, 161, 2).await, caller(&engine, 161, 3).await);
    a.call(Codec::Pcmu).await;
    b.call(Codec::Pcmu).await;
    let takes_part = |state: &ParticipantState| state.joined.is_some() && state.codec == Some(Codec::Pcmu);
    wait_until_shown(&engine, |shown| shown.len() == 2 && shown.iter().all(takes_part)).await;
    let of = |engine: &CallEngine, caller: &Caller| {
        let remote = caller.sip.local_addr().expect("bound");
        shown(engine).into_iter().find(|state| state.remote == remote).expect("it is shown")
    };
    until_heard(&mut a, &mut b, 1000).await;
    let id = of(&engine, &a).id;
    assert_eq!(engine.set_voice(id, Voice::Muted), Ok(()));
    until_heard(&mut a, &mut b, 0).await;
    assert_eq!(of(&engine, &a).voice, Voice::Muted);
    assert_eq!(engine.set_voice(id, Voice::Heard), Ok(()));
    until_heard(&mut a, &mut b, 1000).await;

    let statistics = engine.media_statistics().await;
    let of_a = statistics.iter().find(|statistics| statistics.participant == id).expect("it has a leg");
    let received = of_a.received.expect("it has said something");
    assert!(received.packets > 2 && of_a.sent.packets > 2, "{of_a:?}");
    assert_eq!((received.codec, received.lost), (Codec::Pcmu, Some(0)));

    assert_eq!(engine.disconnect(id), Ok(()));
    let bye = a.expect("BYE ").await;
    assert_eq!(header(&bye, "Reason"), "SIP;cause=200;text=\"Disconnected by an administrator\"");
    wait_until_shown(&engine, |shown| shown.len() == 1).await;
    assert_eq!(engine.disconnect(id), Err(CommandError::NoParticipant));
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn locked_conference_refuses_and_is_ended_as_a_whole() {
    let engine = engine(settings(162)).await;
    let (mut a, mut b) = (caller(&engine, 162, 2).await, caller(&engine, 162, 3).await);
    a.call(Codec::Pcmu).await;
    assert_eq!(engine.set_lock(&"Meeting".into(), Lock::Locked), Ok(()));
    let offer = b.offer(Codec::Pcmu, "sendrecv");
    b.send(&b.request("INVITE", "x", "Content-Type: application/sdp\r\n", &offer)).await;
    let refusal = b.expect("SIP/2.0 403").await;
    assert_eq!(header(&refusal, "Reason"), "SIP;cause=403;text=\"Locked conference\"");
    assert_eq!(engine.set_lock(&"Meeting".into(), Lock::Open), Ok(()));
    b.sequence += 1;
    b.call(Codec::Pcmu).await;
    wait_for_calls(&engine, 2).await;
    assert_eq!(engine.disconnect_all(&"Meeting".into()), Ok(()));
    a.expect("BYE ").await;
    b.expect("BYE ").await;
    let mut calls = engine.calls();
    let gone = calls.wait_for(|calls| matches!(calls, call::Calls::Known { count: 0, .. }));
    assert!(tokio::time::timeout(Duration::from_secs(60), gone).await.is_ok());
    engine.shut_down().await;
}
