//! The rows that the API shows of the fleet: the status page, its nodes and its runs. Pure functions of the fleet and
//! `now`.

use std::collections::BTreeMap;
use std::sync::Arc;

use answers::{
    ManagementVm, Manager, PastRun, Paused, RefusedContact, Run, Tally, UpgradeStatus, UtcTime, WorkerVm,
};
use fleet::desired::{Owners, RunId};
use fleet::node::{Contact, Node, NodeId};
use fleet::observed::{Admission, Calls};
use fleet::platform::Fleet;
use fleet::run::{EndedRun, Package, Pause};
use fleet::status::Status;
use fleet::time::{Offset, Time, Wall};
use fleet::version::Release;
use fleet::wall::WallMap;
use wire::machine::Machine;

use super::reasons;
use super::tokens::{contact, lock, manager_step, outcome, owner_names};
use super::upgrade::policy_shown;
use crate::driver::NodeRuntime;
use crate::link::{Refusals, Refused};
use crate::resources::status;

/// What the compatible API has for a fact of a machine that is not known.
const UNKNOWN: &str = "Unknown";

/// Everything from which the rows are computed.
#[derive(Clone, Copy)]
pub(crate) struct ViewContext<'a> {
    /// The platform.
    pub(crate) fleet: &'a Fleet,
    /// The present time.
    pub(crate) now: Time,
    /// The Management Node's name.
    pub(crate) manager: &'a str,
    /// The name of each node's system location.
    pub(crate) locations: &'a BTreeMap<NodeId, String>,
    /// What is known of each node since the Management Node started.
    pub(crate) live: &'a BTreeMap<NodeId, NodeRuntime>,
    /// When each node's release started.
    pub(crate) started: &'a BTreeMap<NodeId, Wall>,
    /// What the nodes have said of their machines.
    pub(crate) machines: &'a BTreeMap<NodeId, Arc<Machine>>,
    /// The refusals of the nodes' listener.
    pub(crate) refusals: &'a Refusals,
}

impl ViewContext<'_> {
    /// The Upgrade status page (R22), without warnings of what the fleet does not know.
    pub(crate) fn upgrade(self) -> UpgradeStatus {
        let platform = &self.fleet.platform;
        UpgradeStatus {
            now: self.shown(self.now),
            clock_stepped_at: platform.wall.stepped_at().map(|at| self.shown(at)),
            manager: self.manager(),
            run: platform.run.as_ref().map(|run| self.run(run)),
            last_run: platform.last_run.as_ref().map(|run| ended_run(run, &platform.wall)),
            nodes: self.fleet.nodes().iter().map(|(id, node)| self.node(id, node)).collect(),
            warnings: Vec::new(),
        }
    }

    /// A time of the platform as of the wall clock.
    fn shown(self, time: Time) -> UtcTime {
        UtcTime::of(self.fleet.shown(time))
    }

    fn manager(self) -> Manager {
        let (status, platform) = (self.fleet.manager_status(), &self.fleet.platform);
        Manager {
            name: self.manager.into(),
            version: platform.release.version.to_string(),
            build: platform.release.build.0,
            upgrade_status: status.token().into(),
            upgrade_status_text: status.to_string(),
            start_fault: platform.start_fault.clone(),
        }
    }

    /// The run in progress.
    fn run(self, run: &fleet::run::Run) -> Run {
        let wall = &self.fleet.platform.wall;
        Run {
            id: run.id.0,
            source: run.source.to_string(),
            target: run.package.release.to_string(),
            manifest: run.package.manifest.to_string(),
            started_at: UtcTime::of(wall.shown(run.started_at)),
            limit: UtcTime::of(wall.shown(run.limit())),
            policy: policy_shown(&run.policy),
            manager_step: manager_step(run.manager).into(),
            lock: lock(run.lock).into(),
            paused: run.paused.as_ref().map(|Pause { since, order }| Paused {
                since: UtcTime::of(wall.shown(*since)),
                by: order.by.clone(),
                why: order.why.clone(),
            }),
            places_taken: u32::try_from(self.fleet.nodes().places().len()).unwrap_or(u32::MAX),
            places: run.policy.nodes_at_once,
            counts: self.counts(),
        }
    }

    /// How many nodes have each status.
    fn counts(self) -> BTreeMap<String, u32> {
        let mut counts: BTreeMap<String, u32> = Status::ALL.map(|status| (status.token().into(), 0)).into();
        for status in self.fleet.nodes().ids().into_iter().filter_map(|id| self.fleet.status(id)) {
            *counts.entry(status.token().into()).or_default() += 1;
        }
        counts
    }

    fn node(self, id: NodeId, node: &Node) -> answers::Node {
        let status = self.fleet.status(id).unwrap_or(Status::NoUpgradeInProgress);
        let waits = self.fleet.waits(id, self.now);
        let release = node.observed.as_ref().map(|observed| observed.release);
        answers::Node {
            id: id.0,
            name: node.name.clone(),
            system_location: self.locations.get(&id).cloned(),
            version: release.map(|release| release.version.to_string()),
            build: release.map(|release| release.build.0),
            upgrade_status: Some(status),
            upgrade_status_text: status.to_string(),
            waits: waits.as_ref().map(reasons::waits),
            waits_text: waits.as_ref().map(ToString::to_string),
            maintenance_mode: in_maintenance(node),
            maintenance_mode_owners: owner_names(&node.owners()).into_iter().map(Into::into).collect(),
            calls: known_calls(node),
            clock_offset_text: node.clock_off.map(|ahead| ahead.to_string()),
            contact: contact(node.contact).into(),
            start_fault: node.start_fault().map(Into::into),
            duplicate: node.duplicate().map(ToString::to_string),
            tally: Some(tally(self.live.get(&id).copied().unwrap_or_default().tally)),
        }
    }

    /// One object of `status/v1/worker_vm/`.
    pub(crate) fn worker_vm(self, id: NodeId, node: &Node) -> WorkerVm {
        let status = self.fleet.status(id).unwrap_or(Status::NoUpgradeInProgress);
        let reported = node.observed.as_ref().map(|_| node.reported_at);
        let heard = self.live.get(&id).map(|live| live.heard_at).or(reported).map(|at| self.shown(at));
        let maintenance = in_maintenance(node);
        let machine = self.machines.get(&id).cloned().unwrap_or_default();
        WorkerVm {
            id: id.0,
            configuration_id: id.0,
            name: node.name.clone(),
            node_type: "CONFERENCING".into(),
            system_location: self.locations.get(&id).cloned(),
            version: Some(node.observed.as_ref().map_or(String::new(), |o| o.release.to_string())),
            upgrade_status: status.token().into(),
            upgrade_status_text: Some(status.to_string()),
            sync_status: sync_status(node).into(),
            maintenance_mode: maintenance,
            maintenance_mode_reason: Some(if maintenance { reason(node) } else { String::new() }),
            media_load: self.media_load(id, node),
            signaling_count: known_calls(node),
            last_updated: heard,
            last_attempted_contact: heard,
            refused_contact: self.refused(id, node),
            boot_time: self.started.get(&id).map(|at| UtcTime::of(corrected(node, *at))),
            clock_offset: self.live.get(&id).and_then(|live| live.clock_ahead).map(in_seconds),
            clock_offset_text: node.clock_off.map(|ahead| ahead.to_string()),
            start_fault: node.start_fault().map(Into::into),
            duplicate: node.duplicate().map(ToString::to_string),
            cpu_count: machine.cpu_count.unwrap_or(0),
            cpu_model: machine.cpu_model.clone().unwrap_or_else(|| UNKNOWN.into()),
            hypervisor: machine.hypervisor.clone().unwrap_or_else(|| UNKNOWN.into()),
            total_ram: machine.total_ram.unwrap_or(0),
            max_audio_calls: machine.call_limit.unwrap_or(0),
            max_sd_calls: 0,
            max_hd_calls: 0,
            max_full_hd_calls: 0,
            resource_uri: status::worker_vm::WORKER_VM.uri(id.0.into()),
        }
    }

    /// The last refusal of the node, unless it has reported since.
    fn refused(self, id: NodeId, node: &Node) -> Option<RefusedContact> {
        let heard = self.live.get(&id).map(|live| live.heard_at);
        let last = self.refusals.last(id).filter(|refused| heard.is_none_or(|heard| heard <= refused.at));
        last.map(|Refused { reason, address, at }| RefusedContact {
            reason: reason.token().into(),
            text: reason.explained(node.contact),
            address: address.to_string(),
            at: self.shown(at),
        })
    }

    /// The one object of `status/v1/management_vm/`.
    pub(crate) fn management_vm(self) -> ManagementVm {
        let status = self.fleet.manager_status();
        let now = self.shown(self.now);
        ManagementVm {
            id: 1,
            configuration_id: 1,
            name: self.manager.into(),
            primary: true,
            version: self.fleet.platform.release.to_string(),
            upgrade_status: status.token().into(),
            upgrade_status_text: status.to_string(),
            sync_status: "SYNCED".into(),
            last_updated: now,
            last_attempted_contact: now,
            start_fault: self.fleet.platform.start_fault.clone(),
            resource_uri: status::management_vm::MANAGEMENT_VM.uri(1),
        }
    }
}

/// A run in progress as the history shows it: without what changes every second.
pub(crate) fn stored_run(run: &fleet::run::Run, wall: &WallMap) -> PastRun {
    PastRun {
        limit: Some(UtcTime::of(wall.shown(run.limit()))),
        policy: Some(policy_shown(&run.policy)),
        manager_step: Some(manager_step(run.manager).into()),
        lock: Some(lock(run.lock).into()),
        ..past_run(run.id, run.source, &run.package, UtcTime::of(wall.shown(run.started_at)))
    }
}

/// A run that has ended.
pub(crate) fn ended_run(run: &EndedRun, wall: &WallMap) -> PastRun {
    PastRun {
        ended_at: Some(UtcTime::of(wall.shown(run.ended_at))),
        outcome: Some(outcome(&run.outcome).into()),
        outcome_text: Some(run.outcome.to_string()),
        ..past_run(run.id, run.source, &run.package, UtcTime::of(wall.shown(run.started_at)))
    }
}

/// What every run has.
fn past_run(id: RunId, source: Release, package: &Package, started_at: UtcTime) -> PastRun {
    let Package { release, manifest, path: _ } = package;
    PastRun {
        id: id.0,
        source: source.to_string(),
        target: release.to_string(),
        manifest: manifest.to_string(),
        started_at,
        ended_at: None,
        outcome: None,
        outcome_text: None,
        limit: None,
        policy: None,
        manager_step: None,
        lock: None,
        facts: None,
        facts_evicted: None,
        facts_next: None,
        resource_uri: None,
    }
}

fn tally(tally: wire::Tally) -> Tally {
    let wire::Tally { carried, refused_maintenance, refused_other, vanished } = tally;
    Tally { carried, refused_maintenance, refused_other, vanished }
}

/// Converts a time of a node's clock to the Management Node's, so that a clock that is off is not shown.
fn corrected(node: &Node, at: Wall) -> Wall {
    at + Offset(node.clock_off.unwrap_or_default().0.saturating_neg())
}

/// In seconds, with a fraction.
fn in_seconds(ahead: Offset) -> f64 {
    ahead.0 as f64 / 1_000.0
}

/// `SYNCED` only when the node has reported that it has accepted its current desired state; `SUSPENDED` while a bursting
/// node is powered off.
fn sync_status(node: &Node) -> &'static str {
    let current = node.observed.as_ref().is_some_and(|observed| observed.generation == node.generation);
    match node.contact {
        Contact::Lost { .. } if node.is_at_rest() => "SUSPENDED",
        Contact::Never | Contact::Lost { .. } => "UNREACHABLE",
        Contact::Heard if current => "SYNCED",
        Contact::Heard | Contact::Silent { .. } => "SYNCING",
    }
}

/// Whether there is an owner of maintenance mode, or the node reports that it refuses calls.
pub(super) fn in_maintenance(node: &Node) -> bool {
    let refuses = node.observed.as_ref().is_some_and(|observed| observed.admission == Admission::Refusing);
    refuses || !node.owners().is_empty()
}

/// The operator's reason comes before the others: it is the one that somebody has to end.
fn reason(node: &Node) -> String {
    let Owners { operator, run, platform } = node.owners();
    let run = run.map(|_| "upgrade of the platform".to_string());
    operator.or(platform).or(run).unwrap_or_default()
}

/// How many calls the node has reported; none when the number is unknown.
pub(super) fn known_calls(node: &Node) -> Option<u32> {
    if node.contact.is_lost() {
        return None;
    }
    match node.observed.as_ref()?.calls {
        Calls::Known { count, oldest: _ } => Some(count),
        Calls::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use fleet::desired::Generation;
    use fleet::node::Duty;
    use fleet::observed::{Observed, ReleaseState, Staging};
    use fleet::path::{Path, Step};
    use fleet::platform::Event;
    use fleet::policy::Policy;
    use fleet::time::Span;
    use fleet::version::{Build, Sha256, Version};
    use serde_json::{Value, json};

    use super::*;

    const OLD: Release = Release { version: Version::new(34, 0), build: Build(34_000) };
    const NEW: Release = Release { version: Version::new(34, 1), build: Build(34_100) };

    fn report(fleet: &mut Fleet, id: u32, now: Time, calls: u32) {
        let id = NodeId(id);
        let desired = fleet.wanted(id).unwrap();
        let admission =
            if desired.intent.owners.is_empty() { Admission::Admitting } else { Admission::Refusing };
        let staging = match desired.intent.software {
            Some((assignment, _)) => Staging::Staged { manifest: assignment.manifest },
            None => Staging::Nothing,
        };
        let oldest = (calls > 0).then_some(Span::minutes(41));
        let observed = Observed {
            at: now,
            generation: desired.generation,
            release: OLD,
            release_state: ReleaseState::Confirmed,
            admission,
            calls: Calls::Known { count: calls, oldest },
            staging,
            unfit: None,
            start_fault: None,
            process: None,
        };
        fleet.apply(now, Event::Report { id, observed });
    }

    fn platform(nodes: u32) -> Fleet {
        let mut fleet = Fleet::new(OLD, Policy::standard());
        for id in 1..=nodes {
            fleet.apply(
                Time(0),
                Event::NodeAdded { id: NodeId(id), name: format!("node{id}"), duty: Duty::AlwaysOn },
            );
        }
        fleet
    }

    fn start(fleet: &mut Fleet, now: Time) {
        let step = Step { to: NEW.version, from: OLD.version, reason: "none".into() };
        let package = Package { release: NEW, manifest: Sha256([7; 32]), path: Path(vec![step]) };
        fleet.start(package, Policy { nodes_at_once: 1, ..Policy::standard() }, now).unwrap();
    }

    fn shown(fleet: &Fleet, now: Time) -> Value {
        let locations = BTreeMap::from([(NodeId(1), "Oslo".to_string())]);
        let tally = wire::Tally { carried: 5, ..wire::Tally::default() };
        let live = BTreeMap::from([(NodeId(1), NodeRuntime { tally, ..NodeRuntime::default() })]);
        let started = BTreeMap::new();
        let refusals = Refusals::default();
        let (manager, locations, live, started) = ("manager", &locations, &live, &started);
        let (machines, refusals) = (&BTreeMap::new(), &refusals);
        let view = ViewContext { fleet, now, manager, locations, live, started, machines, refusals };
        serde_json::to_value(view.upgrade()).unwrap()
    }

    #[test]
    fn platform_at_rest_is_shown_without_a_run() {
        let mut fleet = platform(2);
        report(&mut fleet, 1, Time(0), 3);
        let shown = shown(&fleet, Time(1_000));
        assert_eq!(shown["run"], Value::Null);
        assert_eq!(
            shown["manager"],
            json!({
                "name": "manager", "version": "34", "build": 34_000, "upgrade_status": "IDLE",
                "upgrade_status_text": "No upgrade in progress", "start_fault": null
            })
        );
        assert_eq!(
            shown["nodes"][0],
            json!({
                "id": 1, "name": "node1", "system_location": "Oslo", "version": "34", "build": 34_000,
                "upgrade_status": "IDLE", "upgrade_status_text": "No upgrade in progress",
                "waits": null, "waits_text": null, "maintenance_mode": false, "maintenance_mode_owners": [],
                "calls": 3, "clock_offset_text": null, "contact": "heard", "start_fault": null, "duplicate": null,
                "tally": {"carried": 5, "refused_maintenance": 0, "refused_other": 0, "vanished": 0}
            })
        );
        assert_eq!(shown["nodes"][1]["contact"], "never");
        assert_eq!(shown["nodes"][1]["calls"], Value::Null);
        assert_eq!(shown["nodes"][1]["version"], Value::Null);
    }

    #[test]
    fn run_under_way_says_why_each_node_waits() {
        let mut fleet = platform(2);
        (1..=2).for_each(|id| report(&mut fleet, id, Time(0), 3));
        start(&mut fleet, Time(0));
        let staging = shown(&fleet, Time(0));
        assert_eq!(staging["manager"]["upgrade_status"], "UPGRADING");
        assert_eq!(staging["run"]["manager_step"], "staging");
        assert_eq!(staging["nodes"][0]["waits"], json!({"waits_for": "manager"}));
        fleet.apply(Time(0), Event::ManagerStaged);
        fleet.apply(Time(0), Event::ManagerStarted { release: NEW, fell_back: None, wall: None });
        for now in [1, 2] {
            (1..=2).for_each(|id| report(&mut fleet, id, Time(now), 3));
        }
        let draining = shown(&fleet, Time(60_002));
        assert_eq!(draining["run"]["places_taken"], 1);
        assert_eq!(draining["run"]["lock"], "held");
        assert_eq!(draining["run"]["counts"]["WAITING_FOR_CALLS"], 1);
        assert_eq!(draining["run"]["counts"]["PENDING"], 1);
        assert_eq!(draining["run"]["counts"]["REBOOTING"], 0);
        assert_eq!(draining["run"]["limit"], "1970-01-02T00:00:00.000000");
        assert_eq!(draining["nodes"][0]["maintenance_mode_owners"], json!(["run"]));
        assert_eq!(
            draining["nodes"][0]["waits_text"],
            "waiting for 3 calls, oldest 42 min, drain limit in 59 min"
        );
        assert_eq!(draining["nodes"][1]["waits_text"], "in the queue, 1 of 1 places are taken");
    }

    #[test]
    fn run_that_has_ended_says_how() {
        let mut fleet = platform(0);
        start(&mut fleet, Time(0));
        fleet.apply(Time(5_000), Event::ManagerRejected { why: "the disk is full".into() });
        let shown = shown(&fleet, Time(6_000));
        assert_eq!(shown["run"], Value::Null);
        assert_eq!(shown["last_run"]["outcome"], "manager_rejected");
        assert_eq!(shown["last_run"]["ended_at"], "1970-01-01T00:00:05.000000");
        let text = shown["last_run"]["outcome_text"].as_str().unwrap();
        assert!(text.ends_with("the disk is full"), "{text}");
    }

    #[test]
    fn node_is_synced_only_when_it_has_said_so() {
        let mut fleet = platform(1);
        let check = |fleet: &Fleet, expected: &str| {
            assert_eq!(sync_status(fleet.nodes().get(NodeId(1)).unwrap()), expected);
        };
        check(&fleet, "UNREACHABLE");
        report(&mut fleet, 1, Time(0), 0);
        check(&fleet, "SYNCED");
        fleet.apply(Time(1), Event::Maintenance { id: NodeId(1), operator: Some("a fan".into()) });
        check(&fleet, "SYNCING");
        assert_eq!(reason(fleet.nodes().get(NodeId(1)).unwrap()), "a fan");
        report(&mut fleet, 1, Time(2), 0);
        check(&fleet, "SYNCED");
        assert_ne!(fleet.nodes().get(NodeId(1)).unwrap().generation, Generation::default());
    }
}
