//! The JSON of what the core says about why something does not start or does not advance: blockers, warnings, and what
//! a node waits for. Its names are the API's own, so the core's may change. The sentence that goes with each is the
//! core's, and is added by the caller.

use fleet::observed::Calls;
use fleet::path::{OffPath, Step};
use fleet::platform::{Blocker, Warning};
use fleet::progress::Failure;
use fleet::starts::{Claimant, Duplicate};
use fleet::status::Waits;
use fleet::version::Release;
use serde_json::{Value, json};

/// A blocker of a start.
pub(super) fn blocker(blocker: &Blocker) -> Value {
    match blocker {
        Blocker::RunUnderWay { since, ends_in, manager_is_done } => json!({
            "blocker": "run_under_way",
            "since": since.0,
            "ends_in": ends_in.0,
            "manager_is_done": manager_is_done,
        }),
        Blocker::OffPath { why } => json!({"blocker": "off_path", "why": off_path(why)}),
        Blocker::OtherPackage { version, installed } => json!({
            "blocker": "other_package",
            "version": version.to_string(),
            "installed": installed.to_string(),
        }),
        Blocker::NothingToDo { release } => {
            json!({"blocker": "nothing_to_do", "release": release_pair(*release)})
        }
        Blocker::Unreachable { node } => json!({"blocker": "unreachable", "node": node}),
        Blocker::NodeOffPath { node, runs, brings, why } => json!({
            "blocker": "node_off_path",
            "node": node,
            "runs": runs.to_string(),
            "brings": brings.to_string(),
            "why": off_path(why),
        }),
        Blocker::ManagerStartFault { why } => json!({"blocker": "manager_start_fault", "why": why}),
        Blocker::StartFault { node, why } => json!({"blocker": "start_fault", "node": node, "why": why}),
        Blocker::Duplicate { node, two } => {
            json!({"blocker": "duplicate", "node": node, "two": duplicate(two)})
        }
    }
}

/// A warning about a start.
pub(super) fn warning(warning: &Warning) -> Value {
    match warning {
        Warning::Unreachable { node } => json!({"warning": "unreachable", "node": node}),
        Warning::OtherVersion { node, runs, expected } => json!({
            "warning": "other_version",
            "node": node,
            "runs": runs.to_string(),
            "expected": expected.to_string(),
        }),
        Warning::StartFault { node, why } => json!({"warning": "start_fault", "node": node, "why": why}),
        Warning::ClockOff { node, ahead } => json!({"warning": "clock_off", "node": node, "ahead": ahead.0}),
        Warning::Duplicate { node, two } => {
            json!({"warning": "duplicate", "node": node, "two": duplicate(two)})
        }
    }
}

/// What a node waits for.
pub(super) fn waits(waits: &Waits) -> answers::Waits {
    match waits {
        Waits::Manager => waiting("manager", []),
        Waits::Staging { percent } => waiting("staging", [("percent", json!(percent))]),
        Waits::Queue { taken, places } => {
            waiting("queue", [("taken", json!(taken)), ("places", json!(places))])
        }
        Waits::FirstNodes { under_way } => waiting("first_nodes", [("under_way", json!(under_way))]),
        Waits::LostNodes { nodes } => waiting("lost_nodes", [("nodes", json!(nodes))]),
        Waits::Paused { order } => waiting("paused", [("by", json!(order.by)), ("why", json!(order.why))]),
        Waits::Rest { ends_in } => waiting("rest", [("ends_in", json!(ends_in.0))]),
        Waits::AlwaysOnNodes => waiting("always_on_nodes", []),
        Waits::StartUp { limit_in } => waiting("start_up", [("limit_in", json!(limit_in.0))]),
        Waits::Answer { since } => waiting("answer", [("since", json!(since.0))]),
        Waits::Calls { calls, oldest, limit_in } => {
            let oldest = json!(oldest.map(|oldest| oldest.0));
            let known = [("calls", counted(*calls)), ("oldest", oldest), ("limit_in", json!(limit_in.0))];
            waiting("calls", known)
        }
        Waits::Restart { since, stuck } => {
            waiting("restart", [("since", json!(since.0)), ("stuck", json!(stuck))])
        }
        Waits::Return { since } => waiting("return", [("since", json!(since.0))]),
        Waits::Contact { silent } => waiting("contact", [("silent", json!(silent.map(|silent| silent.0)))]),
        Waits::Duplicate { two } => waiting("duplicate", [("two", duplicate(two))]),
        Waits::Operator { reason } => waiting("operator", [("reason", json!(reason))]),
        Waits::Failed { why, text } => waiting("failed", [("why", failure(why)), ("text", json!(text))]),
    }
}

fn waiting<const N: usize>(waits_for: &str, more: [(&str, Value); N]) -> answers::Waits {
    let more = more.into_iter().map(|(key, value)| (key.into(), value)).collect();
    answers::Waits { waits_for: waits_for.into(), more }
}

fn off_path(why: &OffPath) -> Value {
    let step = |Step { to, from, reason }: &Step| json!({"to": to.to_string(), "from": from.to_string(), "reason": reason});
    match why {
        OffPath::StepSkipped { from, steps } => {
            let steps: Vec<Value> = steps.iter().map(step).collect();
            json!({"step_skipped": {"from": from.to_string(), "steps": steps}})
        }
        OffPath::Older { from, to } => json!({"older": {"from": from.to_string(), "to": to.to_string()}}),
        OffPath::OlderBuild { from, to } => {
            json!({"older_build": {"from": release_pair(*from), "to": release_pair(*to)}})
        }
        OffPath::TooOld { from, oldest } => {
            json!({"too_old": {"from": from.to_string(), "oldest": oldest.to_string()}})
        }
    }
}

fn failure(why: &Failure) -> Value {
    match why {
        Failure::Rejected(why) => json!({"rejected": why}),
        Failure::Unreachable => json!("unreachable"),
        Failure::Lost => json!("lost"),
        Failure::NotStarted => json!("not_started"),
        Failure::Duplicate => json!("duplicate"),
        Failure::OffPath { runs, brings } => {
            json!({"off_path": {"runs": release_pair(*runs), "brings": release_pair(*brings)}})
        }
    }
}

fn counted(calls: Calls) -> Value {
    match calls {
        Calls::Unknown => json!("unknown"),
        Calls::Known { count, oldest } => {
            json!({"known": {"count": count, "oldest": oldest.map(|oldest| oldest.0)}})
        }
    }
}

fn duplicate(Duplicate { believed, other }: &Duplicate) -> Value {
    let claimant = |Claimant { release, address }: &Claimant| json!({"release": release_pair(*release), "address": address.map(|address| address.to_string())});
    json!({"believed": claimant(believed), "other": claimant(other)})
}

fn release_pair(release: Release) -> Value {
    json!({"version": release.version.to_string(), "build": release.build.0})
}

#[cfg(test)]
mod tests {
    use fleet::time::{Offset, Span};
    use fleet::version::{Build, Sha256, Version};

    use super::*;

    const RELEASE: Release = Release { version: Version::new(34, 1), build: Build(34_100) };
    const EARLIER: Release = Release { version: Version::new(34, 0), build: Build(34_000) };

    fn two() -> Duplicate {
        let address = Some([192, 0, 2, 1].into());
        Duplicate {
            believed: Claimant { release: EARLIER, address },
            other: Claimant { release: RELEASE, address: None },
        }
    }

    fn off_paths() -> Vec<OffPath> {
        let (from, to) = (EARLIER.version, RELEASE.version);
        let step = Step { to, from, reason: "the store changed".into() };
        vec![
            OffPath::StepSkipped { from, steps: vec![step] },
            OffPath::Older { from: to, to: from },
            OffPath::OlderBuild { from: RELEASE, to: EARLIER },
            OffPath::TooOld { from, oldest: to },
        ]
    }

    fn blockers() -> Vec<Blocker> {
        let (node, why) = ("lon-1".to_string(), "boot.json is damaged".to_string());
        let (runs, brings) = (EARLIER.version, RELEASE.version);
        let mut all: Vec<Blocker> = off_paths().into_iter().map(|why| Blocker::OffPath { why }).collect();
        all.extend([
            Blocker::RunUnderWay { since: Span(1), ends_in: Span(2), manager_is_done: true },
            Blocker::OtherPackage { version: brings, installed: Sha256([7; 32]) },
            Blocker::NothingToDo { release: RELEASE },
            Blocker::Unreachable { node: node.clone() },
            Blocker::NodeOffPath {
                node: node.clone(),
                runs,
                brings,
                why: OffPath::Older { from: runs, to: brings },
            },
            Blocker::ManagerStartFault { why: why.clone() },
            Blocker::StartFault { node: node.clone(), why },
            Blocker::Duplicate { node, two: two() },
        ]);
        all
    }

    fn warnings() -> Vec<Warning> {
        let node = || "lon-1".to_string();
        vec![
            Warning::Unreachable { node: node() },
            Warning::OtherVersion { node: node(), runs: EARLIER.version, expected: RELEASE.version },
            Warning::StartFault { node: node(), why: "boot.json is damaged".into() },
            Warning::ClockOff { node: node(), ahead: Offset(-7_000) },
            Warning::Duplicate { node: node(), two: two() },
        ]
    }

    fn all_waits() -> Vec<Waits> {
        let failed = |why: Failure| Waits::Failed { why, text: "in words".into() };
        vec![
            Waits::Manager,
            Waits::Staging { percent: 40 },
            Waits::Queue { taken: 9, places: 10 },
            Waits::FirstNodes { under_way: 1 },
            Waits::LostNodes { nodes: 10 },
            Waits::Rest { ends_in: Span(1) },
            Waits::AlwaysOnNodes,
            Waits::StartUp { limit_in: Span(2) },
            Waits::Answer { since: Span(3) },
            Waits::Calls { calls: Calls::Unknown, oldest: None, limit_in: Span(4) },
            Waits::Calls {
                calls: Calls::Known { count: 2, oldest: Some(Span(5)) },
                oldest: Some(Span(5)),
                limit_in: Span(4),
            },
            Waits::Restart { since: Span(6), stuck: true },
            Waits::Return { since: Span(7) },
            Waits::Contact { silent: None },
            Waits::Contact { silent: Some(Span(8)) },
            Waits::Duplicate { two: two() },
            Waits::Operator { reason: "new power supply".into() },
            failed(Failure::Rejected("it is damaged".into())),
            failed(Failure::Unreachable),
            failed(Failure::Lost),
            failed(Failure::NotStarted),
            failed(Failure::Duplicate),
            failed(Failure::OffPath { runs: RELEASE, brings: EARLIER }),
        ]
    }

    /// The JSON of every shape, one a line, as release 34.1 answers.
    fn shapes() -> String {
        let all = blockers().iter().map(blocker).collect::<Vec<_>>().into_iter();
        let all = all.chain(warnings().iter().map(warning).collect::<Vec<_>>());
        let all = all.chain(all_waits().iter().map(|it| json!(waits(it))).collect::<Vec<_>>());
        all.map(|shape| shape.to_string() + "\n").collect()
    }

    #[test]
    fn reasons_are_answered_byte_for_byte_as_before() {
        assert_eq!(shapes(), include_str!("tests/reasons.jsonl"));
    }
}
