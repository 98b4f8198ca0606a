//! The ledger read back: who is counted where, and what counts as a failure.

use super::*;

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

fn ledger(calls: Vec<CallRecord>) -> Ledger {
    let calls = calls.into_iter().map(|call| (call.id.clone(), call)).collect();
    Ledger { calls, ..Ledger::default() }
}

fn dead() -> Cause {
    Cause::Silence { lasted: Millis::seconds(5) }
}

#[test]
fn a_lost_call_is_a_failure_and_one_that_was_hung_up_is_none() {
    let ledger = ledger(vec![
        call("a", "x", 0, Some((50, Cause::HungUp))),
        call("b", "x", 0, Some((60, dead()))),
        call("c", "y", 0, None),
    ]);
    let [failure] = &ledger.failures()[..] else { panic!("one failure") };
    assert_eq!(failure.to_string(), "call b on x was LOST at 60: no sound for 5.0 s");
    let x = &ledger.by_node()[&node("x")];
    assert_eq!((x.placed, x.alive, x.ended_by_caller, x.lost), (2, 0, 1, 1));
    assert_eq!(ledger.totals().alive, 1);
}

#[test]
fn hearing_oneself_or_a_stranger_or_not_hearing_somebody_is_a_failure() {
    let mut record = call("a", "x", 0, None);
    record.sound.own_tone = 3;
    record.sound.strangers.insert(Tone::nth(4), 7);
    let mut ledger = ledger(vec![record]);
    let missing = Missing { tone: Tone::nth(2), since: Time(9), lasted: Millis(2500), over: false };
    ledger.note_missing(MissingTone {
        node: node("x"),
        room: "lobby".to_owned(),
        listener: CallId("a".to_owned()),
        speaker: None,
        missing,
    });
    let words: Vec<String> = ledger.failures().iter().map(Failure::to_string).collect();
    assert_eq!(
        words,
        [
            "call a on x heard its own tone for 300 ms",
            "call a on x heard a stranger (800 Hz) for 700 ms",
            "call a on x did not hear a caller who has left (600 Hz) for 2.5 s from 9",
        ]
    );
}

#[test]
fn a_failure_that_goes_on_is_noted_once() {
    let mut ledger = Ledger::default();
    let mut note = |lasted, over| {
        ledger.note_missing(MissingTone {
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
    assert_eq!(ledger.missing.len(), 1);
    assert_eq!(ledger.missing[0].missing.lasted, Millis(2700));
}

#[test]
fn a_drain_tells_who_lived_through_it_and_who_went_elsewhere() {
    let mut moved = call("moved", "y", 150, None);
    moved.refused_before.push(refusal("x", 149));
    let mut ledger = ledger(vec![
        call("before", "x", 0, Some((90, Cause::HungUp))),
        call("short", "x", 0, Some((120, Cause::HungUp))),
        call("long", "x", 0, Some((199, Cause::HungUp))),
        call("longer", "x", 0, Some((250, Cause::HungUp))),
        call("dropped", "x", 0, Some((150, dead()))),
        call("late", "x", 101, Some((110, Cause::HungUp))),
        moved,
    ]);
    ledger.given_up.push(GivenUp { at: Time(160), refusals: vec![refusal("x", 160)] });
    let report = ledger.drain(&Drain { node: node("x"), from: Time(100), to: Time(200), slack: Millis(5) });
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
    assert_eq!(ledger.moves(), BTreeMap::from([((node("x"), node("y")), 1)]));
    assert_eq!(ledger.by_node()[&node("x")].refused_for_good, 1);
}

#[test]
fn only_a_503_that_names_maintenance_mode_is_one() {
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
