//! The facts as the journal holds them and the history of the management API shows them: names of variants and fields
//! never change.

use fleet::desired::RunId;
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Duty, NodeId, Power};
use fleet::observed::Calls;
use fleet::progress::Failure;
use fleet::run::Outcome;
use fleet::starts::{Claimant, Duplicate};
use fleet::time::{Offset, Span, Time};
use fleet::version::{Build, Release, Version};
use fleet::wall::Gap;

const RELEASE: Release = Release { version: Version::new(34, 1), build: Build(34_100) };
const EARLIER: Release = Release { version: Version::new(34, 0), build: Build(34_000) };
const RUN: RunId = RunId(3);

fn why() -> String {
    "it is damaged".into()
}

fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::Complete,
        Outcome::Incomplete,
        Outcome::LimitReached,
        Outcome::TooManyFailures { failed: 2, ended: 3 },
        Outcome::ManagerRejected { why: why() },
        Outcome::ManagerFellBack { why: why() },
        Outcome::Replaced,
        Outcome::Halted { why: why() },
    ]
}

fn failures() -> Vec<Failure> {
    vec![
        Failure::Rejected(why()),
        Failure::Unreachable,
        Failure::Lost,
        Failure::NotStarted,
        Failure::Duplicate,
        Failure::OffPath { runs: RELEASE, brings: EARLIER },
    ]
}

fn of_platform() -> Vec<Fact> {
    let mut facts = vec![
        Fact::RunStarted { run: RUN, source: EARLIER, target: RELEASE, limit: Time(7) },
        Fact::ManagerInstalling { release: RELEASE },
        Fact::ManagerUpgraded { release: RELEASE },
        Fact::LockLifted { run: RUN },
        Fact::FailureStopOver { run: RUN },
        Fact::EpochRaised { epoch: 4 },
        Fact::ManagerStartFault { why: why() },
        Fact::ManagerStartFaultOver,
        Fact::ClockStepped { by: Offset(-5), gap: Gap::Counted },
        Fact::ClockStepped { by: Offset(5), gap: Gap::Estimated },
        Fact::ClockSteady,
    ];
    facts.extend(outcomes().into_iter().map(|outcome| Fact::RunEnded { run: RUN, outcome }));
    facts
}

fn of_node() -> Vec<NodeFact> {
    let address = Some([192, 0, 2, 1].into());
    let believed = Claimant { release: EARLIER, address };
    let other = Claimant { release: RELEASE, address: None };
    let mut facts = vec![
        NodeFact::Added,
        NodeFact::Removed,
        NodeFact::Renamed { to: "lon-2".into() },
        NodeFact::DutyChanged(Duty::AlwaysOn),
        NodeFact::DutyChanged(Duty::Bursting),
        NodeFact::OperatorMaintenanceOn { reason: "new power supply".into() },
        NodeFact::OperatorMaintenanceOff,
        NodeFact::Unfit { why: why() },
        NodeFact::Fit,
        NodeFact::StartFault { why: why() },
        NodeFact::StartFaultOver,
        NodeFact::OutOfDate { why: why() },
        NodeFact::OutOfDateOver,
        NodeFact::Duplicated(Duplicate { believed, other }),
        NodeFact::DuplicateOver,
        NodeFact::ContactMade { release: RELEASE },
        NodeFact::ContactLost,
        NodeFact::ContactRestored { after: Span(9) },
        NodeFact::Power(Power::On),
        NodeFact::Power(Power::Rest),
        NodeFact::Queued,
        NodeFact::Staged { release: RELEASE },
        NodeFact::ClockOff { ahead: Offset(7) },
        NodeFact::ClockRight,
        NodeFact::Preparing,
        NodeFact::Draining { calls: Calls::Unknown },
        NodeFact::DrainTimedOut { calls: Calls::Known { count: 2, oldest: Some(Span(8)) } },
        NodeFact::Installing,
        NodeFact::Rebooting,
        NodeFact::Upgraded { release: RELEASE, away: Span(9) },
        NodeFact::Returned,
        NodeFact::GivenUp { why: Failure::Lost },
    ];
    facts.extend(failures().into_iter().map(|why| NodeFact::Failed { why }));
    facts
}

#[test]
fn facts_are_stored_byte_for_byte_as_before() {
    let node = |what| Fact::Node { node: NodeId(1), name: "lon-1".into(), what };
    let facts: Vec<Fact> = of_platform().into_iter().chain(of_node().into_iter().map(node)).collect();
    let stored: String = facts.iter().map(|fact| serde_json::to_string(fact).unwrap() + "\n").collect();
    assert_eq!(stored, include_str!("stored/facts.jsonl"));
    let read: Vec<Fact> = stored.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, facts);
}
