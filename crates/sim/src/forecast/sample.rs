//! One sample of a forecast: one run on one random day. The platform's state machine decides which nodes go when, over
//! machines and calls.

use std::collections::{BTreeSet, VecDeque};

use fleet::fact::{Fact, NodeFact};
use fleet::node::{Duty, NodeId};
use fleet::path::{Path, Step};
use fleet::platform::{Blocker, Event, Fleet, ManagerEffect, ManagerOutcome, ManagerReconciler};
use fleet::run::{Outcome, Package};
use fleet::time::{Span, Time};
use fleet::version::{Build, Release, Sha256, Version};

use super::chance::Chance;
use super::crowd::{CallModel, Crowd, LONGEST_CALL, Sums};
use super::machine::Machine;
use super::plan::Plan;

/// When Start is pressed: late enough that every call in progress began after time 0.
const START: Time = Time(LONGEST_CALL.0);

/// Points of a curve over a whole run.
const POINTS: u64 = 1_440;

const OLD: Release = Release { version: Version::new(1, 0), build: Build(1) };
const NEW: Release = Release { version: Version::new(2, 0), build: Build(2) };

/// The result of one sample for one location.
#[derive(Clone, Debug)]
pub(super) struct LocationSample {
    /// What happened to its calls.
    pub(super) sums: Sums,
    /// Fewest nodes in service.
    pub(super) fewest: u32,
    /// The largest used fraction of the capacity in service.
    pub(super) fullest: f64,
    /// Nodes in service at each point.
    pub(super) in_service: Vec<u32>,
}

/// The result of one sample.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// How long the run took.
    pub(super) took: Span,
    /// Whether every node is on the new release.
    pub(super) complete: bool,
    /// Nodes that are not.
    pub(super) left: u32,
    /// For each node, the number of attempts.
    pub(super) attempts: Vec<u32>,
    /// The locations.
    pub(super) locations: Vec<LocationSample>,
    /// Nodes upgraded at each point.
    pub(super) upgraded: Vec<u32>,
    /// Events that the state machines applied.
    pub(super) events: u64,
}

/// The interval between the points of a curve.
pub(super) fn pace(plan: &Plan) -> Span {
    Span((plan.policy.run_limit.0 / POINTS).max(Span::minutes(1).0))
}

struct World<'a> {
    plan: &'a Plan,
    now: Time,
    fleet: Fleet,
    upgrade: ManagerReconciler,
    /// When the Management Node has restarted into the release.
    manager_starts_at: Option<Time>,
    machines: Vec<Machine>,
    crowds: Vec<Crowd<'a>>,
    due: BTreeSet<(Time, NodeId)>,
    deadlines: Vec<Option<Time>>,
    chance: Chance,
    sample: Sample,
    upgraded: u32,
    next_point: Time,
    touched: VecDeque<NodeId>,
}

/// Simulates one run.
///
/// # Errors
/// The blockers of its start.
pub(super) fn run(plan: &Plan, model: &CallModel, chance: Chance) -> Result<Sample, Vec<Blocker>> {
    let mut world = World::new(plan, model, chance);
    world.start()?;
    while world.fleet.platform.run.is_some() || !world.fleet.nodes().places().is_empty() {
        let Some(next) = world.next_time() else { break };
        world.advance_to(next.max(world.now));
    }
    Ok(world.finish())
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, model: &'a CallModel, mut chance: Chance) -> Self {
        let crowd = |location| Crowd::new(model, location, plan.start, START, &mut chance);
        let crowds: Vec<Crowd<'a>> = plan.locations.iter().map(crowd).collect();
        let nodes = plan.nodes() as usize;
        let mut world = Self {
            plan,
            now: START,
            fleet: Fleet::new(OLD, plan.policy.clone()),
            upgrade: ManagerReconciler::default(),
            manager_starts_at: None,
            machines: Vec::with_capacity(nodes),
            crowds,
            due: BTreeSet::new(),
            deadlines: vec![None; nodes],
            chance,
            sample: Sample {
                took: Span::ZERO,
                complete: false,
                left: 0,
                attempts: vec![0; nodes],
                locations: Vec::new(),
                upgraded: Vec::new(),
                events: 0,
            },
            upgraded: 0,
            next_point: START,
            touched: VecDeque::new(),
        };
        world.sample.locations = world.crowds.iter().map(location).collect();
        world.add_nodes();
        world
    }

    /// The nodes of all locations alternate in the queue, as on a platform that has grown.
    fn add_nodes(&mut self) {
        let most = self.plan.locations.iter().map(|location| location.nodes).max().unwrap_or_default();
        for nth in 0..most {
            for at in 0..self.plan.locations.len() {
                if nth < self.plan.locations[at].nodes {
                    self.add_node(at, nth);
                }
            }
        }
        self.settle();
    }

    fn add_node(&mut self, location: usize, nth: u32) {
        let known = self.plan.locations[location].calls_now.as_ref();
        let known = known.and_then(|calls| calls.get(nth as usize)).copied().unwrap_or_default();
        let crowd = &mut self.crowds[location];
        let calls = crowd.in_progress(known, &mut self.chance);
        crowd.bring(&calls);
        self.machines.push(Machine::new(OLD, location, calls));
        let id = NodeId(u32::try_from(self.machines.len()).unwrap_or(u32::MAX));
        self.apply(Event::NodeAdded { id, name: format!("node{id}"), duty: Duty::AlwaysOn });
    }

    fn start(&mut self) -> Result<(), Vec<Blocker>> {
        let path = Path(vec![Step { to: NEW.version, from: OLD.version, reason: String::new() }]);
        let package = Package { release: NEW, manifest: Sha256([1; 32]), path };
        self.fleet.start(package, self.plan.policy.clone(), self.now)?;
        self.advance_to(START);
        Ok(())
    }

    fn next_time(&self) -> Option<Time> {
        let nodes = self.due.first().map(|(at, _)| *at);
        [nodes, self.manager_starts_at, self.fleet.next_deadline()].into_iter().flatten().min()
    }

    fn advance_to(&mut self, next: Time) {
        while self.next_point <= next {
            let at = self.next_point;
            self.advance_calls(at);
            self.record_point();
            self.next_point = at + pace(self.plan);
        }
        self.now = next;
        self.advance_calls(next);
        if self.manager_starts_at.take_if(|at| *at <= next).is_some() {
            self.upgrade = ManagerReconciler::default();
            self.apply(Event::ManagerStarted { release: NEW, fell_back: None, wall: None });
            self.touched.extend(self.fleet.nodes().ids());
        }
        self.manager_acts();
        while let Some((_, id)) = self.due.first().copied().filter(|(at, _)| *at <= next) {
            self.due.pop_first();
            let at = index(id);
            self.deadlines[at] = None;
            self.machines[at].pass_time(next);
            self.sample.events += 1;
            self.touched.push_back(id);
        }
        self.settle();
        if self.fleet.next_deadline().is_some_and(|deadline| deadline <= next) {
            self.apply(Event::DeadlinePassed);
            self.settle();
        }
    }

    /// The time of the plan is that of the whole upgrade of the Management Node, so staging takes none.
    fn manager_acts(&mut self) {
        while let Some(effect) = self.upgrade.next(&self.fleet) {
            match effect {
                ManagerEffect::BeginStaging(_) | ManagerEffect::BeginCheck(_) => {
                    self.upgrade.complete(ManagerOutcome::Done);
                }
                ManagerEffect::SelectSlot(_) => {
                    self.upgrade.complete(ManagerOutcome::Done);
                    self.manager_starts_at = Some(self.now + self.plan.machines.manager);
                }
                ManagerEffect::CloseApi | ManagerEffect::OpenApi => {}
                ManagerEffect::Commit(event) => {
                    if let Some(event) = event.if_wanted(&self.fleet) {
                        self.apply(event);
                    }
                }
            }
        }
    }

    fn advance_calls(&mut self, until: Time) {
        for crowd in &mut self.crowds {
            crowd.advance_to(until, &mut self.chance);
        }
    }

    fn record_point(&mut self) {
        self.sample.upgraded.push(self.upgraded);
        for (location, crowd) in self.sample.locations.iter_mut().zip(&self.crowds) {
            location.in_service.push(crowd.admitting);
        }
    }

    fn apply(&mut self, event: Event) {
        let applied = self.fleet.apply(self.now, event);
        self.sample.events += 1;
        self.touched.extend(applied.changed);
        for fact in applied.facts {
            match fact {
                Fact::Node { node, what: NodeFact::Preparing, .. } => self.sample.attempts[index(node)] += 1,
                Fact::Node { what: NodeFact::Upgraded { .. }, .. } => self.upgraded += 1,
                Fact::RunEnded { outcome, .. } => {
                    self.sample.took = self.now.since(START);
                    self.sample.complete = outcome == Outcome::Complete;
                }
                Fact::Node { .. }
                | Fact::RunStarted { .. }
                | Fact::ManagerInstalling { .. }
                | Fact::ManagerUpgraded { .. }
                | Fact::LockLifted { .. }
                | Fact::RunPaused { .. }
                | Fact::RunResumed { .. }
                | Fact::FailureStopOver { .. }
                | Fact::EpochRaised { .. }
                | Fact::ManagerStartFault { .. }
                | Fact::ManagerStartFaultOver
                | Fact::ClockStepped { .. }
                | Fact::ClockSteady => {}
            }
        }
    }

    /// Exchanges messages with every node whose state or desired state may have changed.
    fn settle(&mut self) {
        while let Some(id) = self.touched.pop_front() {
            let at = index(id);
            let (times, now) = (self.plan.machines, self.now);
            let machine = &mut self.machines[at];
            if let Some(desired) = self.fleet.wanted(id).filter(|_| machine.is_heard()) {
                machine.accept(now, desired);
            }
            machine.act(now, times, &mut self.crowds[machine.location], &mut self.chance);
            let next = machine.next_deadline();
            let heard = machine.is_heard();
            let event = if heard {
                Event::Report { id, observed: machine.observed(now) }
            } else {
                Event::LinkDown { id }
            };
            self.set_deadline_of(id, next);
            self.apply(event);
        }
    }

    fn set_deadline_of(&mut self, id: NodeId, next: Option<Time>) {
        let before = std::mem::replace(&mut self.deadlines[index(id)], next);
        if before != next {
            self.due.extend(next.map(|at| (at, id)));
            if let Some(before) = before {
                self.due.remove(&(before, id));
            }
        }
    }

    fn finish(mut self) -> Sample {
        self.record_point();
        self.sample.left = self.plan.nodes() - self.upgraded;
        for (location, crowd) in self.sample.locations.iter_mut().zip(&self.crowds) {
            location.sums = crowd.sums;
            location.fewest = crowd.fewest;
            location.fullest = crowd.fullest;
        }
        self.sample
    }
}

fn location(crowd: &Crowd<'_>) -> LocationSample {
    LocationSample { sums: crowd.sums, fewest: crowd.fewest, fullest: crowd.fullest, in_service: Vec::new() }
}

fn index(id: NodeId) -> usize {
    (id.0 as usize).saturating_sub(1)
}
