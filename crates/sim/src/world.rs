//! The world of a scenario: time, machines, links, and the loop that handles everything that is due. Nothing in it is
//! random; what goes wrong is in the script.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fleet::desired::RunId;
use fleet::fact::Fact;
use fleet::node::{Duty, NodeId, Power};
use fleet::path::{Path, Step};
use fleet::platform::{Blocker, Event, Fleet};
use fleet::policy::Policy;
use fleet::run::{Order, Package};
use fleet::starts::StartId;
use fleet::time::{Span, Time};
use fleet::version::{Build, Release, Sha256, Version};

use crate::machine::Machine;
use crate::manager::ManagerMachine;

/// The most exchanges at one time; a world that needs more does not settle.
const STEPS_AT_ONE_TIME: usize = 1_000;

/// How long a bursting node's machine takes to start.
const START_UP: Span = Span::minutes(2);

/// A platform and its machines.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) now: Time,
    pub(crate) fleet: Fleet,
    pub(crate) machines: BTreeMap<NodeId, Machine>,
    pub(crate) manager: ManagerMachine,
    /// The Management Node's restore point.
    pub(crate) restore_point: Option<Fleet>,
    /// The nodes as which copied machines report.
    copies: BTreeMap<NodeId, NodeId>,
    starting: BTreeMap<NodeId, Time>,
    facts: Vec<(Time, Fact)>,
}

/// A release as the world names it: a version with build 0.
pub(crate) fn release(version: Version) -> Release {
    Release { version, build: Build(0) }
}

/// A package that installs on the major version before it, or later, as R15 says for 34.
pub(crate) fn package(version: Version) -> Package {
    package_of(release(version))
}

/// The package of one build of a version.
pub(crate) fn package_of(release: Release) -> Package {
    let version = release.version;
    let step = |to: (u16, u16), from: (u16, u16), reason: &str| Step {
        to: Version::new(to.0, to.1),
        from: Version::new(from.0, from.1),
        reason: reason.into(),
    };
    let mut steps = vec![
        step((27, 4), (22, 0), "the configuration store changed"),
        step((31, 4), (27, 0), "the licence format changed"),
        step((version.major, version.minor), (31, 4), "the operating system changed"),
    ];
    steps.dedup_by_key(|step| step.to);
    let mut manifest = [0; 32];
    manifest[..2].copy_from_slice(&version.major.to_be_bytes());
    manifest[2..4].copy_from_slice(&version.minor.to_be_bytes());
    manifest[4..8].copy_from_slice(&release.build.0.to_be_bytes());
    Package { release, manifest: Sha256(manifest), path: Path(steps) }
}

impl World {
    /// A platform of `nodes` always-on nodes, all on one version and reachable.
    pub fn new(nodes: u32, version: Version) -> Self {
        let fleet = Fleet::new(release(version), Policy::standard());
        let mut world = Self {
            now: Time(0),
            fleet,
            machines: BTreeMap::new(),
            manager: ManagerMachine::new(),
            restore_point: None,
            copies: BTreeMap::new(),
            starting: BTreeMap::new(),
            facts: Vec::new(),
        };
        for id in 1..=nodes {
            world.add_node(NodeId(id), Duty::AlwaysOn, version);
        }
        world.settle();
        world.facts.clear();
        world
    }

    pub(crate) fn add_node(&mut self, id: NodeId, duty: Duty, version: Version) {
        let mut machine = Machine::new(release(version), self.now);
        machine.powered = duty == Duty::AlwaysOn;
        self.machines.insert(id, machine);
        self.apply(Event::NodeAdded { id, name: format!("node{id}"), duty });
    }

    /// Copies the machine of a node; both machines report as it from now on.
    pub(crate) fn copy(&mut self, of: NodeId, copy: NodeId) {
        let Some(machine) = self.machines.get(&of) else { return };
        let (mut one, mut other) = (machine.clone(), machine.copy(self.now));
        for (id, machine) in [(of, &mut one), (copy, &mut other)] {
            let [.., high, low] = id.0.to_be_bytes();
            machine.number(StartId(u64::from(id.0)), IpAddr::from([10, 0, high, low]));
        }
        self.machines.insert(of, one);
        self.machines.insert(copy, other);
        self.copies.insert(copy, of);
    }

    pub(crate) fn start(&mut self, package: Package, policy: Policy) -> Result<(), Vec<Blocker>> {
        let applied = self.fleet.start(package, policy, self.now)?;
        self.note(applied.facts);
        self.check();
        self.settle();
        Ok(())
    }

    /// The operator orders the run under way to `pause`, to `resume` or to `stop`.
    pub(crate) fn order(&mut self, what: &str, why: String) {
        let order = Order { by: "ann".into(), why };
        let run = self.fleet.platform.run.as_ref().map_or(RunId(0), |run| run.id);
        self.apply(match what {
            "pause" => Event::RunPaused { run, order },
            "resume" => Event::RunResumed { run, order },
            _ => Event::RunStopped { run, order },
        });
    }

    pub(crate) fn apply(&mut self, event: Event) {
        let applied = self.fleet.apply(self.now, event);
        self.note(applied.facts);
        self.check();
    }

    fn note(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            if let Fact::Node { node, what: fleet::fact::NodeFact::Power(power), .. } = &fact {
                self.power(*node, *power);
            }
            self.facts.push((self.now, fact));
        }
    }

    fn power(&mut self, node: NodeId, power: Power) {
        match power {
            Power::On => {
                self.starting.insert(node, self.now + START_UP);
            }
            Power::Rest => {
                if let Some(machine) = self.machines.get_mut(&node) {
                    machine.powered = false;
                }
            }
        }
    }

    /// # Panics
    /// When a promise is broken.
    fn check(&self) {
        let violations = self.fleet.check();
        assert!(violations.is_empty(), "at {:?}: {violations:?}", self.now);
    }

    /// The facts since the last call.
    pub(crate) fn take_facts(&mut self) -> Vec<(Time, Fact)> {
        std::mem::take(&mut self.facts)
    }

    /// Advances time by `span`.
    pub(crate) fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while let Some(next) = self.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.settle();
        }
        self.now = until;
        self.settle();
    }

    /// Advances time until the run has ended and every node has reported so, or by `limit`.
    pub(crate) fn pass_until_done(&mut self, limit: Span) {
        let until = self.now + limit;
        while self.fleet.platform.run.is_some() || self.fleet.nodes().places().iter().next().is_some() {
            let Some(next) = self.next_deadline().filter(|next| *next <= until) else { return };
            self.now = self.now.max(next);
            self.settle();
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let machines = self.machines.values().filter(|machine| machine.powered);
        let machines = machines.filter_map(Machine::next_deadline);
        let starting = self.starting.values().copied();
        let platform = self.fleet.next_deadline().filter(|_| self.manager.is_up());
        machines.chain(starting).chain(platform).chain(self.manager.next_deadline()).min()
    }

    /// Handles everything that follows at the current time.
    ///
    /// # Panics
    /// When it does not settle.
    pub(crate) fn settle(&mut self) {
        for _ in 0..STEPS_AT_ONE_TIME {
            if !self.step() {
                return;
            }
        }
        panic!("at {:?} the world does not settle", self.now);
    }

    /// One exchange between all machines; returns whether anything changed.
    fn step(&mut self) -> bool {
        let before = self.fleet.clone();
        self.start_up_due();
        for machine in self.machines.values_mut().filter(|machine| machine.powered) {
            machine.pass_time(self.now);
        }
        if let Some(event) = self.manager.pass_time(self.now, &self.fleet) {
            self.apply(event);
        }
        if self.manager.is_up() {
            self.exchange();
            if self.fleet.next_deadline().is_some_and(|deadline| deadline <= self.now) {
                self.apply(Event::DeadlinePassed);
            }
        }
        while let Some(event) = self.manager.act(self.now, &self.fleet) {
            self.apply(event);
        }
        self.fleet != before
    }

    fn start_up_due(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.starting.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.starting.remove(&id);
            if let Some(machine) = self.machines.get_mut(&id) {
                machine.powered = true;
            }
        }
    }

    /// Whether any machine of a node is heard.
    fn is_heard(&self, of: NodeId) -> bool {
        let is_of = |id: &NodeId| self.copies.get(id).copied().unwrap_or(*id) == of;
        self.machines.iter().any(|(id, machine)| is_of(id) && machine.is_heard())
    }

    /// Every node that is heard accepts its desired state and reports.
    fn exchange(&mut self) {
        let ids: Vec<NodeId> = self.machines.keys().copied().collect();
        for id in ids {
            let Some(machine) = self.machines.get_mut(&id) else { continue };
            let of = self.copies.get(&id).copied().unwrap_or(id);
            if !machine.is_heard() {
                if !self.is_heard(of) {
                    self.apply(Event::LinkDown { id: of });
                }
                continue;
            }
            if let Some(desired) = self.fleet.wanted(of) {
                machine.accept(self.now, desired);
            }
            if let Some(node) = self.fleet.nodes().get(of) {
                machine.note_beside(&node.starts);
            }
            if machine.is_heard() {
                let observed = machine.observed(self.now);
                self.apply(Event::Report { id: of, observed });
            }
        }
    }
}
