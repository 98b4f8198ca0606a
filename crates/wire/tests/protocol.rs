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
use uuid::Uuid;
use wire::live::{
    Action, Command, Departed, Departure, Failure, MediaStatistics, Outcome, Participant, ParticipantChanges,
    Stream,
};
use wire::machine::Machine;
use wire::report::Report;
use wire::share::{CallShare, HeldShare};
use wire::{
    CertificateToShow, Configuration, ConfigurationChange, NodeCertificate, PROTOCOL, Room, ShownCertificate,
    Sync, SyncAnswer, Tally, Wait,
};

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

/// Everything that may be said of participants: one that takes part, one that is dialled, one that has left.
fn changes() -> ParticipantChanges {
    let dialled = Participant {
        id: Uuid::from_u128(2),
        conference: Uuid::from_u128(1 << 64),
        room: "standup".into(),
        conference_age: Span(61_000),
        locked: false,
        display_name: "Bob".into(),
        source_alias: "standup".into(),
        destination_alias: "bob@example.com".into(),
        call_id: String::new(),
        vendor: String::new(),
        remote: "192.0.2.2:5060".parse().unwrap(),
        dialled: true,
        joined: None,
        muted: false,
        on_hold: false,
        encrypted: None,
    };
    let taking_part = Participant {
        id: Uuid::from_u128(3),
        locked: true,
        call_id: "a84b4c76e66710".into(),
        vendor: "Phone/1.0".into(),
        remote: "[2001:db8::1]:5060".parse().unwrap(),
        dialled: false,
        joined: Some(Span(60_000)),
        muted: true,
        on_hold: true,
        encrypted: Some(true),
        ..dialled.clone()
    };
    ParticipantChanges {
        since: 3,
        to: 9,
        removed: vec![Uuid::from_u128(1)],
        changed: vec![dialled, taking_part],
        departures: Vec::new(),
    }
}

/// Every reason for which a participant may have left.
fn departures() -> Vec<Departed> {
    let all = [
        Departure::HungUp,
        Departure::Disconnected,
        Departure::ConferenceEnded,
        Departure::Rejected,
        Departure::NotAuthenticated,
        Departure::Failed,
        Departure::TimedOut,
        Departure::ShutDown,
        Departure::Moved,
    ];
    (1..).zip(all).map(|(id, why)| Departed { participant: Uuid::from_u128(id), why }).collect()
}

fn statistics() -> Vec<MediaStatistics> {
    let stream = |lost, jitter_us| Stream { codec: "opus".into(), packets: 3_000, lost, jitter_us };
    let of = |id, received| MediaStatistics {
        participant: Uuid::from_u128(id),
        received,
        sent: stream(None, None),
    };
    vec![of(2, None), of(3, Some(stream(Some(7), Some(1_250))))]
}

fn outcomes() -> Vec<Outcome> {
    let of = |id, participant, failure| Outcome { command: Uuid::from_u128(id), participant, failure };
    let failure = Failure { missing: true, why: "there is no such participant any more".into() };
    vec![of(4, None, None), of(5, Some(Uuid::from_u128(2)), None), of(6, None, Some(failure))]
}

fn commands() -> Vec<Command> {
    let (participant, room) = (Uuid::from_u128(3), || "standup".to_string());
    let dial =
        |display_name| Action::Dial { room: room(), destination: "sip:bob@example.com".into(), display_name };
    let actions = [
        Action::Disconnect { participant },
        Action::SetMuted { participant, muted: true },
        Action::DisconnectAll { room: room() },
        Action::SetLocked { room: room(), locked: true },
        dial(None),
        dial(Some("Bob".into())),
    ];
    let of = |(id, action)| Command { id: Uuid::from_u128(id), start: StartId(u64::MAX), action };
    (4..).zip(actions).map(of).collect()
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
        participants: None,
        statistics: Vec::new(),
        outcomes: Vec::new(),
        call_share: None,
        certificate: None,
        takes_changes: false,
        machine: None,
    };
    let mut syncs: Vec<Sync> = reports().into_iter().enumerate().map(of).collect();
    let with_participants = Sync {
        participants: Some(changes()),
        statistics: statistics(),
        outcomes: outcomes(),
        ..syncs[3].clone()
    };
    syncs.push(with_participants);
    for most in [None, Some(12)] {
        let call_share = Some(HeldShare { share: CallShare { most }, refused: 3 });
        syncs.push(Sync { call_share, ..syncs[1].clone() });
    }
    for shown in [ShownCertificate::Own, ShownCertificate::Operators(MANIFEST)] {
        syncs.push(Sync { certificate: Some(shown), ..syncs[2].clone() });
    }
    let changes = ParticipantChanges {
        removed: departures().iter().map(|departed| departed.participant).collect(),
        departures: departures(),
        ..ParticipantChanges::default()
    };
    syncs.push(Sync { participants: Some(changes), ..syncs[3].clone() });
    let machine = Machine {
        cpu_count: Some(4),
        cpu_model: Some("EPYC".into()),
        total_ram: Some(16_314_368),
        hypervisor: None,
        call_limit: Some(500),
    };
    syncs.push(Sync { machine: Some(machine), ..syncs[3].clone() });
    syncs.push(Sync { takes_changes: true, ..syncs[1].clone() });
    syncs
}

fn answers() -> Vec<SyncAnswer> {
    let room = Room { name: "standup".into(), aliases: vec!["standup".into(), "8000".into()] };
    let of = |(n, desired): (usize, Desired)| SyncAnswer {
        protocol: 2,
        desired: desired.into(),
        configuration: (n == 0).then(|| Configuration { revision: 2, rooms: vec![room.clone()] }),
        configuration_change: None,
        fetch_rate: (n > 0).then_some(1_000_000),
        heard_at: (n > 0).then_some(Time(1_795_463_936_010)),
        wall: (n > 0).then_some(Wall(1_795_463_936_030)),
        beside: (n > 1).then_some(StartId(7)),
        participants: None,
        commands: Vec::new(),
        call_share: None,
        certificate: None,
    };
    let mut answers: Vec<SyncAnswer> = desired().into_iter().enumerate().map(of).collect();
    answers.push(SyncAnswer { participants: Some(9), commands: commands(), ..answers[2].clone() });
    for most in [None, Some(12)] {
        answers.push(SyncAnswer { call_share: Some(CallShare { most }), ..answers[1].clone() });
    }
    let (chain, key) = ("-----BEGIN CERTIFICATE-----".into(), "-----BEGIN PRIVATE KEY-----".into());
    let certificate = NodeCertificate { id: MANIFEST, subject: "CN=lon-1.example.com".into(), chain, key };
    for to_show in [CertificateToShow::Own, CertificateToShow::Operators(certificate)] {
        answers.push(SyncAnswer { certificate: Some(to_show), ..answers[1].clone() });
    }
    let (changed, removed) = (vec![room.clone()], vec!["lounge".into()]);
    let change = ConfigurationChange { since: 5, revision: u64::MAX, changed, removed };
    answers.push(SyncAnswer { configuration_change: Some(change), ..answers[1].clone() });
    answers
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

#[test]
fn command_that_a_later_release_knows_is_read_as_one_that_is_not_known() {
    let later =
        r#"{"id":"00000000-0000-0000-0000-000000000004","start":7,"action":{"do":"applaud","how":"loud"}}"#;
    let command: Command = serde_json::from_str(later).unwrap();
    assert_eq!(command.action, Action::Unknown);
}

#[test]
fn as_many_participants_as_are_sent_at_once_fit_however_long_their_texts_are() {
    let mut long = changes().changed.remove(1);
    long.texts().for_each(|text| *text = "\u{1f600}".repeat(9_000));
    long.room = "\u{1f600}".repeat(250);
    let long = long.cut();
    assert_eq!(long.display_name.chars().count(), wire::live::FAR_TEXT);
    let changed = vec![long; wire::live::PARTICIPANTS_AT_ONCE];
    let mut sync = syncs().remove(3);
    let one = departures()[4];
    let departures = vec![one; wire::live::PARTICIPANTS_AT_ONCE];
    sync.participants = Some(ParticipantChanges { changed, departures, ..changes() });
    let one = statistics().remove(1);
    sync.statistics = vec![one; wire::live::STATISTICS_AT_ONCE];
    let failure = Some(Failure { missing: true, why: "\u{1f600}".repeat(wire::report::REPORTED_TEXT) });
    let outcome = Outcome { command: Uuid::nil(), participant: None, failure };
    sync.outcomes = vec![outcome; wire::live::COMMANDS_AT_ONCE];
    let bytes = serde_json::to_vec(&sync).unwrap().len();
    assert!(bytes < wire::report::REPORT_BYTES, "{bytes}");
}
