//! The figures of the call log, and what counts as a failure.

use super::*;
use crate::live::Cause;

fn node(name: &str) -> NodeName {
    NodeName(name.to_owned())
}

fn refusal(name: &str, at: u64) -> Refusal {
    Refusal { node: node(name), at: Time(at), why: Why::MaintenanceMode }
}

fn call(id: &str, on: &str, answered: u64, ended: Option<(u64, Cause)>) -> CallRecord {
    CallRecord {
        id: CallId(id.to_owned()),
        node: node(on),
        room: "lobby".to_owned(),
        transport: Transport::Udp,
        tone: Tone::nth(0),
        kind: Kind::Ordinary,
        answered: Time(answered),
        ended: ended.map(|(at, cause)| Ended { at: Time(at), cause }),
        refused_before: Vec::new(),
        sound: Sound::default(),
        own_stall: Millis(0),
    }
}

fn log(calls: Vec<CallRecord>) -> CallLog {
    let calls = calls.into_iter().map(|call| (call.id.clone(), call)).collect();
    CallLog { calls, ..CallLog::default() }
}

fn dead() -> Cause {
    Cause::Silence { lasted: Millis::seconds(5) }
}

#[test]
fn lost_call_is_a_failure_and_one_that_was_hung_up_is_none() {
    let log = log(vec![
        call("a", "x", 0, Some((50, Cause::HungUp))),
        call("b", "x", 0, Some((60, dead()))),
        call("c", "y", 0, None),
    ]);
    let [failure] = &log.failures()[..] else { panic!("one failure") };
    assert_eq!(failure.to_string(), "call b on x was LOST at 60: no RTP received for 5.0 s");
    let x = &log.by_node()[&node("x")];
    assert_eq!((x.placed, x.alive, x.ended_by_caller, x.lost), (2, 0, 1, 1));
    assert_eq!(log.totals().alive, 1);
}

#[test]
fn own_tone_foreign_tone_and_missing_tone_are_failures() {
    let mut record = call("a", "x", 0, None);
    record.sound.own_tone = 3;
    record.sound.strangers.insert(Tone::nth(4), 7);
    let mut log = log(vec![record]);
    let missing = Missing { tone: Tone::nth(2), since: Time(9), lasted: Millis(2500), over: false };
    log.note_missing(MissingTone {
        node: node("x"),
        room: "lobby".to_owned(),
        listener: CallId("a".to_owned()),
        speaker: None,
        missing,
    });
    let texts: Vec<String> = log.failures().iter().map(Failure::to_string).collect();
    assert_eq!(
        texts,
        [
            "call a on x heard its own tone for 300 ms",
            "call a on x heard a tone of another conference (800 Hz) for 700 ms",
            "call a on x did not hear a caller that has left (600 Hz) for 2.5 s from 9",
        ]
    );
}

#[test]
fn gap_that_goes_on_is_recorded_once() {
    let mut log = CallLog::default();
    let mut note = |lasted, over| {
        log.note_missing(MissingTone {
            node: node("x"),
            room: "lobby".to_owned(),
            listener: CallId("a".to_owned()),
            speaker: None,
            missing: Missing { tone: Tone::nth(2), since: Time(9), lasted: Millis(lasted), over },
        });
    };
    note(2000, false);
    note(2500, false);
    note(2700, true);
    assert_eq!(log.missing.len(), 1);
    assert_eq!(log.missing[0].missing.lasted, Millis(2700));
}

#[test]
fn drain_counts_calls_that_lasted_through_it_and_calls_placed_elsewhere() {
    let mut moved = call("moved", "y", 150, None);
    moved.refused_before.push(refusal("x", 149));
    let mut log = log(vec![
        call("before", "x", 0, Some((90, Cause::HungUp))),
        call("short", "x", 0, Some((120, Cause::HungUp))),
        call("long", "x", 0, Some((199, Cause::HungUp))),
        call("longer", "x", 0, Some((250, Cause::HungUp))),
        call("dropped", "x", 0, Some((150, dead()))),
        call("late", "x", 101, Some((110, Cause::HungUp))),
        moved,
    ]);
    log.given_up.push(GivenUp { at: Time(160), refusals: vec![refusal("x", 160)] });
    let report = log.drain(&Drain { node: node("x"), from: Time(100), to: Time(200), slack: Millis(5) });
    let expected = DrainReport {
        carried: 5,
        lived_through: 2,
        ended_by_caller: 3,
        lost: 1,
        answered: 1,
        refused: 2,
        placed_elsewhere: 1,
    };
    assert_eq!(report, expected);
    assert_eq!(log.moves(), BTreeMap::from([((node("x"), node("y")), 1)]));
    assert_eq!(log.by_node()[&node("x")].refused_for_good, 1);
}

#[test]
fn only_a_503_with_maintenance_mode_in_its_reason_counts_as_such() {
    let refused = |status, reason: Option<&str>| {
        Why::of(&DialError::Refused {
            status,
            phrase: "Service Unavailable".to_owned(),
            reason: reason.map(str::to_owned),
            retry_after: None,
        })
    };
    assert_eq!(refused(503, Some("SIP;cause=503;text=\"System in maintenance mode\"")), Why::MaintenanceMode);
    assert_eq!(refused(503, None), Why::Status { status: 503, words: "Service Unavailable".to_owned() });
    assert!(matches!(refused(480, Some("maintenance mode")), Why::Status { status: 480, .. }));
}
