//! A snapshot of a world, to log its differences: the platform's state, what each node's agent stores and observes, and
//! what is true of each machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fleet::agent::{Agent, PersistentState};
use fleet::desired::{Depth, Desired, Intent, Owners};
use fleet::node::{Node, NodeId};
use fleet::observed::{Admission, Observed};
use fleet::platform::{Fleet, Platform};
use fleet::time::Time;
use fleet::version::Release;
use serde_json::{Value, json};

use super::differences::compare;
use crate::seeded::world::machine::{DiskFault, Machine};
use crate::seeded::world::manager::Manager;

/// The parts of a snapshot, in the order in which differences are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Platform,
    Record(NodeId),
    Manager,
    Node(NodeId),
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Platform(Box<Platform>),
    Record(Box<Node>),
    Manager(ManagerTruth),
    Node(Box<NodeTruth>),
}

/// What is true of a Conferencing Node's machine, and what its agent stores and observes.
#[derive(Clone, Debug, PartialEq)]
struct NodeTruth {
    persistent_state: PersistentState,
    /// The contents of the disk, if they differ from what the program knows.
    other_state_on_disk: Option<PersistentState>,
    runs: Option<Release>,
    observes: Option<Observed>,
    confirmed: Release,
    other: Option<Release>,
    torn: bool,
    tries: Option<u32>,
    powered: bool,
    engine: Admission,
    calls: usize,
    hangs: bool,
    blind: bool,
    unfit: bool,
    disk_fault: Option<DiskFault>,
    cuts: u32,
}

/// What is true of the Management Node's machine.
#[derive(Clone, Debug, PartialEq)]
struct ManagerTruth {
    up: bool,
    hangs: bool,
    disk_fails: bool,
    confirmed: Release,
    trying: Option<(Release, u32)>,
}

/// The state at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct State(BTreeMap<Place, Part>);

impl State {
    pub(crate) fn of(fleet: &Fleet, manager: &Manager, nodes: &BTreeMap<NodeId, Machine>) -> Self {
        let platform = Part::Platform(Box::new(fleet.platform.clone()));
        let manager = Part::Manager(ManagerTruth::of(manager));
        let mut parts = BTreeMap::from([(Place::Platform, platform), (Place::Manager, manager)]);
        for (id, node) in fleet.nodes().iter() {
            parts.insert(Place::Record(id), Part::Record(Box::new(node.clone())));
        }
        for (id, machine) in nodes.iter() {
            parts.insert(Place::Node(*id), Part::Node(Box::new(NodeTruth::of(machine))));
        }
        Self(parts)
    }

    /// The differences from the state before. The first state has none.
    pub(crate) fn differences(&self, before: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if before.0.is_empty() {
            return found;
        }
        let places: BTreeSet<&Place> = before.0.keys().chain(self.0.keys()).collect();
        for place in places {
            let [old, new] = [before, self].map(|state| state.0.get(place));
            if old != new {
                let [old, new] = [old, new].map(|part| part.map(Part::value).unwrap_or_default());
                compare(&place.to_string(), &old, &new, &mut found);
            }
        }
        found
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Record(id) => write!(f, "platform.node{id}"),
            Self::Manager => f.write_str("manager"),
            Self::Node(id) => write!(f, "node{id}"),
        }
    }
}

impl Part {
    fn value(&self) -> Value {
        match self {
            Self::Platform(platform) => json!(platform),
            Self::Record(node) => json!(node),
            Self::Manager(manager) => manager.value(),
            Self::Node(node) => node.value(),
        }
    }
}

impl NodeTruth {
    fn of(machine: &Machine) -> Self {
        let Machine { disk, engine, blind, unfit, disk_fault, hung, cuts, powered, .. } = machine;
        let agent = machine.process.as_ref().map(|process| process.node.agent());
        // Observed at a fixed time, so that ages do not count as changes.
        let observes = agent.map(|agent| agent.observed(Time::default()));
        let state = agent.map_or(&disk.persistent_state, Agent::persistent_state);
        Self {
            persistent_state: state.clone(),
            other_state_on_disk: Some(&disk.persistent_state).filter(|stored| *stored != state).cloned(),
            runs: observes.as_ref().map(|observes| observes.release),
            observes,
            confirmed: disk.confirmed.0,
            other: disk.other.map(|(release, _)| release),
            torn: disk.torn,
            tries: disk.trying,
            powered: *powered,
            engine: *engine,
            calls: machine.calls.len(),
            hangs: *hung,
            blind: *blind,
            unfit: *unfit,
            disk_fault: *disk_fault,
            cuts: *cuts,
        }
    }

    fn value(&self) -> Value {
        let release = |release: Option<Release>| release.map(|release| release.to_string());
        json!({
            "persistent_state": persistent(&self.persistent_state),
            "other_state_on_disk": self.other_state_on_disk.as_ref().map(persistent),
            "runs": release(self.runs),
            "observes": self.observes,
            "slots": {
                "confirmed": release(Some(self.confirmed)),
                "other": release(self.other),
                "torn": self.torn,
                "tries": self.tries,
            },
            "powered": self.powered,
            "engine": self.engine,
            "calls": self.calls,
            "hangs": self.hangs,
            "blind": self.blind,
            "unfit": self.unfit,
            "disk": self.disk_fault.map(|disk_fault| format!("{disk_fault:?}")),
            "cuts": self.cuts,
        })
    }
}

/// What a node keeps, field by field, so that a difference names the field.
fn persistent(state: &PersistentState) -> Value {
    let PersistentState { accepted, held_until, let_go, selected, rejected, fell_back_at } = state;
    let Desired { generation, intent: Intent { owners, software } } = accepted;
    let Owners { operator, run, platform } = owners;
    let depth = |depth: &Depth| match depth {
        Depth::Stage => "stage",
        Depth::Install => "install",
    };
    json!({
        "accepted": {
            "generation": generation,
            "intent": {
                "owners": {"operator": operator, "run": run, "platform": platform},
                "software": software.as_ref().map(|(software, to)| json!([software, depth(to)])),
            },
        },
        "held_until": held_until,
        "let_go": let_go,
        "selected": selected,
        "rejected": rejected,
        "fell_back_at": fell_back_at,
    })
}

impl ManagerTruth {
    fn of(manager: &Manager) -> Self {
        let store = &manager.store;
        Self {
            up: manager.up,
            hangs: manager.hung,
            disk_fails: manager.disk_fails,
            confirmed: store.release.0,
            trying: store.trying.map(|(of, tries)| (of.release, tries)),
        }
    }

    fn value(&self) -> Value {
        json!({
            "up": self.up,
            "hangs": self.hangs,
            "disk_fails": self.disk_fails,
            "slots": {
                "confirmed": self.confirmed.to_string(),
                "trying": self.trying.map(|(release, tries)| format!("{release}, try {tries}")),
            },
        })
    }
}
