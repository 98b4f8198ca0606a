//! The messages of the present protocol, byte for byte: one of each shape that a report and an answer can have. The
//! files are what nodes and managers of this protocol send, so they never change; a later protocol adds files.

use std::fs;
use std::path::Path;

use fleet::desired::{Assignment, Depth, Desired, Generation, Intent, Owners, RunId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::starts::{Process, StartId};
use fleet::time::{Span, Time, Wall};
use fleet::version::{Build, Release, Sha256, Version};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::report::Report;
use wire::{Configuration, PROTOCOL, Room, Sync, SyncAnswer, Tally, Wait};

const MANIFEST: Sha256 = Sha256([7; 32]);
const RELEASE: Release = Release { version: Version::new(34, 1), build: Build(34_100) };

/// The report of a node that has just started, with this process.
fn started(process: Option<Process>) -> Observed {
    Observed {
        at: Time(1_795_463_936_010),
        generation: Generation { epoch: 0, n: 0 },
        release: RELEASE,
        release_state: ReleaseState::Trying,
        admission: Admission::Refusing,
        calls: Calls::Unknown,
        staging: Staging::Nothing,
        unfit: Some("no media port is free".into()),
        start_fault: None,
        process,
    }
}

fn reports() -> Vec<Observed> {
    let process = |beside| Some(Process { start: StartId(u64::MAX), beside, address: None });
    let fetching = Observed {
        generation: Generation { epoch: 1_795_463_919, n: 2 },
        release_state: ReleaseState::Confirmed,
        admission: Admission::Admitting,
        calls: Calls::Known { count: 2, oldest: Some(Span(61_000)) },
        staging: Staging::Fetching { manifest: MANIFEST, percent: 40 },
        unfit: None,
        start_fault: Some("node.toml cannot be read".into()),
        ..started(process(Some(StartId(7))))
    };
    let leaving = Observed {
        release_state: ReleaseState::Leaving,
        calls: Calls::NONE,
        staging: Staging::Staged { manifest: MANIFEST },
        ..started(process(None))
    };
    let rejected = Staging::Rejected { run: RunId(9), manifest: MANIFEST, why: "it is damaged".into() };
    vec![started(None), fetching, leaving, Observed { staging: rejected, ..started(process(None)) }]
}

fn desired() -> Vec<Desired> {
    let software = Assignment { run: RunId(9), release: RELEASE, manifest: MANIFEST };
    let owners = |operator: Option<&str>, run, platform: Option<&str>| Owners {
        operator: operator.map(Into::into),
        run,
        platform: platform.map(Into::into),
    };
    let of = |n, owners, software| Desired {
        generation: Generation { epoch: 1_795_463_919, n },
        intent: Intent { owners, software },
    };
    vec![
        Desired::default(),
        of(1, owners(Some("new power supply"), None, None), Some((software, Depth::Stage))),
        of(2, owners(None, Some(Span::hours(1)), Some("no media")), Some((software, Depth::Install))),
    ]
}

fn syncs() -> Vec<Sync> {
    let of = |(n, observed): (usize, Observed)| Sync {
        protocols: PROTOCOL,
        observed: observed.into(),
        tally: Tally { carried: 1, refused_maintenance: 2, refused_other: 3, vanished: 4 },
        configuration: 5,
        wait: if n == 0 { Wait::No } else { Wait::ForNews },
        started_at: (n > 0).then_some(1_795_463_930_000),
        wall: (n > 0).then_some(Wall(1_795_463_936_020)),
    };
    reports().into_iter().enumerate().map(of).collect()
}

fn answers() -> Vec<SyncAnswer> {
    let room = Room { name: "standup".into(), aliases: vec!["standup".into(), "8000".into()] };
    let of = |(n, desired): (usize, Desired)| SyncAnswer {
        protocol: 2,
        desired: desired.into(),
        configuration: (n == 0).then(|| Configuration { revision: 2, rooms: vec![room.clone()] }),
        fetch_rate: (n > 0).then_some(1_000_000),
        heard_at: (n > 0).then_some(Time(1_795_463_936_010)),
        wall: (n > 0).then_some(Wall(1_795_463_936_030)),
        beside: (n > 1).then_some(StartId(7)),
    };
    desired().into_iter().enumerate().map(of).collect()
}

/// The messages of a kind, one a line, as they were sent when the protocol was made.
fn recorded(name: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/2").join(name);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(Into::into).collect()
}

/// Checks that the messages are written as these lines, and read from them.
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(messages: &[T], name: &str) {
    let lines = recorded(name);
    let written: Vec<String> = messages.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
    assert_eq!(written, lines);
    let read: Vec<T> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, messages);
}

#[test]
fn messages_of_protocol_2_are_sent_byte_for_byte_as_before() {
    check(&syncs(), "syncs.jsonl");
    check(&answers(), "answers.jsonl");
}

#[test]
fn core_reads_from_a_message_what_it_has_put_in() {
    for observed in reports() {
        assert_eq!(Observed::from(Report::from(observed.clone())), observed);
    }
    for desired in desired() {
        assert_eq!(Desired::from(wire::desired::Desired::from(desired.clone())), desired);
    }
}

#[test]
fn address_that_a_node_claims_is_ignored() {
    let claims = recorded("syncs.jsonl")[1].replace(r#""address":null"#, r#""address":"192.0.2.1""#);
    let sync: Sync = serde_json::from_str(&claims).unwrap();
    assert!(sync.observed.process.unwrap().address.is_some());
    assert_eq!(Observed::from(sync.observed).process.unwrap().address, None);
}
