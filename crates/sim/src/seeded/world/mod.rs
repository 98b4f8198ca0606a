//! The state of a seeded world and its event loop: takes the next event from the queue, handles it, and has the oracle
//! judge the result. Handlers are in the files of what they concern; randomness comes from generators of the seed
//! alone.

pub(crate) mod event_queue;

pub(crate) mod clock;
pub(crate) mod machine;
pub(crate) mod manager;

pub(crate) mod copies;
pub(crate) mod tracked;

pub(crate) mod node_shell;
pub(crate) mod process;

pub(crate) mod manager_shell;

pub(crate) mod network;
pub(crate) mod wall_clocks;

use std::collections::BTreeMap;

use fleet::check::Violation;
use fleet::desired::RunId;
use fleet::node::{Duty, NodeId};
use fleet::observed::Admission;
use fleet::platform::{Event, Fleet};
use fleet::time::{Span, Time};
use fleet::version::{Release, Sha256};

use crate::seeded::canary::Canary;
use crate::seeded::draw::Draw;
use crate::seeded::oracle::truth::Truth;
use crate::seeded::plan::fault_rates::FaultRates;
use crate::seeded::plan::file::Plan;
use crate::seeded::plan::kinds::Kind;
use crate::seeded::plan::releases::{VERSIONS, installed};
use crate::seeded::plan::step::{Action, Step};
use crate::seeded::report::counts::Counts;
use crate::seeded::report::journal::Journal;
use crate::seeded::report::state::State;
use clock::Clock;
use copies::{COPIES, Copies, identity};
use event_queue::{EventQueue, OperatorAction, RandomFault, WorldEvent};
use machine::Machine;
use manager::{CommitResult, Manager};
use tracked::{Tracked, Unjudged};

/// The time at which every world begins.
pub(crate) const BEGINNING: Time = Time(1_000);

/// A seeded world: machines, messages, the truth about them, and what is recorded.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) queue: EventQueue,
    pub(crate) root: Draw,
    pub(crate) rates: FaultRates,
    pub(crate) canary: Option<Canary>,
    pub(crate) nodes: Tracked<Machine>,
    pub(crate) manager: Manager,
    pub(crate) truth: Truth,
    pub(crate) journal: Journal,
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<Violation>,
    /// The nodes whose own promises are to be judged.
    pub(crate) unjudged: Unjudged,
    /// The run for which each node was out of service when it was judged last.
    pub(crate) out: BTreeMap<NodeId, RunId>,
    /// The nodes whose shown status is to be judged.
    pub(crate) unjudged_shown: Unjudged,
    /// When all faults end.
    pub(crate) heals_at: Time,
    pub(crate) healed: bool,
    /// The actions so far.
    pub(crate) steps: Vec<Step>,
    pub(crate) fault_draws: BTreeMap<RandomFault, Draw>,
    pub(crate) operator_draws: BTreeMap<OperatorAction, Draw>,
    /// The generator of false reports.
    pub(crate) false_report_draw: Draw,
    /// Events for programs that hang.
    pub(crate) missed: Vec<WorldEvent>,
    pub(crate) next_id: NodeId,
    pub(crate) next_call: u64,
    pub(crate) copies: Copies,
}

impl World {
    pub(crate) fn new(plan: &Plan, journal: Journal) -> Self {
        let (root, canary) = (Draw::new(plan.seed), plan.canary);
        let mut rates = FaultRates::draw(&root);
        plan.alter(&mut rates);
        let first = installed(VERSIONS[0]);
        let mut clock_draw = root.child("clock", 0);
        let clock = Clock::draw(&mut clock_draw, rates.machines.clock_off, rates.machines.drift);
        let fleet = Fleet::new(first.0, rates.policy.clone());
        let mut world = Self {
            now: BEGINNING,
            queue: EventQueue::default(),
            manager: Manager::new(clock, fleet, first, root.child("manager", 0)),
            false_report_draw: root.child("lies", 0),
            root,
            rates,
            canary,
            nodes: Tracked::default(),
            truth: Truth::default(),
            journal,
            counts: Counts::default(),
            violations: Vec::new(),
            unjudged: Unjudged::default(),
            out: BTreeMap::new(),
            unjudged_shown: Unjudged::default(),
            heals_at: BEGINNING,
            healed: false,
            steps: Vec::new(),
            fault_draws: BTreeMap::new(),
            operator_draws: BTreeMap::new(),
            missed: Vec::new(),
            next_id: NodeId(1),
            next_call: 1,
            copies: Copies::default(),
        };
        let copies = |step: &Step| matches!(step.action, Action::Clone { .. });
        let written = plan.steps.iter().flatten().any(copies);
        world.copies.numbered = written || world.rates.machines.clone_every.is_some();
        for number in 0..world.rates.nodes {
            let bursting = number >= world.rates.nodes - world.rates.bursting;
            let duty = if bursting { Duty::Bursting } else { Duty::AlwaysOn };
            world.add_node(world.next_id, duty, first);
        }
        world.heals_at = BEGINNING + world.rates.faults_for;
        world.schedule_interferences(plan.steps.as_deref());
        world.schedule_false_report();
        world.queue.push(world.heals_at, WorldEvent::Heal);
        world
    }

    /// Installs and registers a node.
    pub(crate) fn add_node(&mut self, id: NodeId, duty: Duty, release: (Release, Sha256)) {
        self.next_id = NodeId(self.next_id.0.max(id.0.saturating_add(1)));
        let draw = self.root.child("node", u64::from(id.0));
        let mut clock_draw = draw.child("clock", 0);
        let clock = Clock::draw(&mut clock_draw, self.rates.machines.clock_off, self.rates.machines.drift);
        let mut machine = Machine::new(duty, clock, release, &draw);
        let first = machine.call_draw.wait(self.rates.calls.rush());
        self.nodes.insert(id, machine);
        if self.apply_to_platform(Event::NodeAdded { id, name: format!("node{id}"), duty })
            == CommitResult::NotCommitted
        {
            self.nodes.remove(&id);
            return;
        }
        if duty == Duty::AlwaysOn {
            self.boot_after(id, Span::seconds(1));
        }
        self.queue.push(self.now + first, WorldEvent::Dial { node: id });
    }

    /// The copies of a node's machine.
    pub(crate) fn copies_of(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let copies = self.nodes.range(NodeId(COPIES)..).map(|(machine, _)| *machine);
        copies.filter(move |machine| identity(*machine) == id)
    }

    /// The machines that report as a node.
    pub(crate) fn machines_of(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        self.nodes.contains_key(&id).then_some(id).into_iter().chain(self.copies_of(id))
    }

    /// Records what has changed since the last time, where that is wanted.
    pub(crate) fn record_differences(&mut self) {
        if self.journal.records_differences() {
            let state = State::of(self.fleet(), &self.manager, &self.nodes);
            self.journal.differences(self.now, state);
        }
    }

    /// Handles the next event and judges the world after it. False when no event is left.
    pub(crate) fn step(&mut self) -> bool {
        let Some((at, event)) = self.queue.pop() else { return false };
        self.record_differences();
        self.now = self.now.max(at);
        let alone = event.concerns_alone();
        self.journal.set_event(|| format!("{event:?}"));
        if self.is_blocked_by_a_hang(&event) {
            self.missed.push(event);
        } else {
            self.handle(event);
        }
        self.judge_nodes(alone);
        true
    }

    /// Whether an event is for a program that hangs. boot, the network and the callers go on.
    fn is_blocked_by_a_hang(&self, event: &WorldEvent) -> bool {
        let node = |id: &NodeId| self.nodes.get(id).is_some_and(|machine| machine.hung);
        match event {
            WorldEvent::Desired { to: id, .. }
            | WorldEvent::SendReport { node: id, .. }
            | WorldEvent::NodeDue { node: id }
            | WorldEvent::HalfFetched { node: id, .. }
            | WorldEvent::StagingEnds { node: id, .. }
            | WorldEvent::Confirm { node: id, .. }
            | WorldEvent::HangUp { node: id, .. } => node(id),
            WorldEvent::Report { .. }
            | WorldEvent::LinkCheck { .. }
            | WorldEvent::FalseDown { .. }
            | WorldEvent::ManagerDue
            | WorldEvent::ManagerStaged { .. } => self.manager.hung,
            WorldEvent::Boot { .. }
            | WorldEvent::TryEnds { .. }
            | WorldEvent::Dial { .. }
            | WorldEvent::ManagerBoot { .. }
            | WorldEvent::CutEnds { .. }
            | WorldEvent::Recover { .. }
            | WorldEvent::Resume { .. }
            | WorldEvent::CopyOff { .. }
            | WorldEvent::ManagerDiskRecovers
            | WorldEvent::ManagerStartFaultEnds
            | WorldEvent::FalseReport
            | WorldEvent::RandomFault(_)
            | WorldEvent::Operator(_)
            | WorldEvent::Action(_)
            | WorldEvent::Heal => false,
        }
    }

    /// Delivers what a program has missed while it hung, except answers: their connections have broken. Events for
    /// another program that still hangs are set aside again.
    pub(crate) fn handle_missed_events(&mut self) {
        for event in std::mem::take(&mut self.missed) {
            if matches!(event, WorldEvent::Desired { .. }) {
                self.counts.done.note(Kind::ReachedNobody);
            } else {
                self.queue.push(self.now, event);
            }
        }
    }

    fn handle(&mut self, event: WorldEvent) {
        match event {
            WorldEvent::Report { from, observed, request } => self.report_arrives(from, observed, request),
            WorldEvent::Desired { to, desired, heard, beside, answers } => {
                self.nodes.entry(to).and_modify(|machine| machine.note_beside(beside));
                self.desired_arrives(to, desired, heard, answers);
            }
            WorldEvent::LinkCheck { node } => self.link_check(node),
            WorldEvent::FalseDown { node } => self.false_down(node),
            WorldEvent::SendReport { node, request } => self.send_report_if_due(node, request),
            WorldEvent::NodeDue { node } => self.node_due(node),
            WorldEvent::HalfFetched { node, job } => self.half_fetched(node, job),
            WorldEvent::StagingEnds { node, job } => self.staging_ends(node, job),
            WorldEvent::Boot { node, start } => self.boots(node, start),
            WorldEvent::Confirm { node, start } => self.confirms(node, start),
            WorldEvent::TryEnds { node, start } => self.try_ends(node, start),
            WorldEvent::Dial { node } => self.dial(node),
            WorldEvent::HangUp { node, call } => self.hang_up(node, call),
            WorldEvent::ManagerDue => self.manager_due(),
            WorldEvent::ManagerStaged { start } => self.manager_staged(start),
            WorldEvent::ManagerBoot { start } => self.manager_boots(start),
            WorldEvent::CutEnds { nodes } => self.end_cut(&nodes),
            WorldEvent::Recover { node } => self.recover(node),
            WorldEvent::Resume { node } => self.resume(node),
            WorldEvent::CopyOff { machine } => self.copy_off(machine),
            WorldEvent::ManagerDiskRecovers => self.manager.disk_fails = false,
            WorldEvent::ManagerStartFaultEnds => self.manager_starts_again(),
            WorldEvent::FalseReport => self.send_false_report(),
            WorldEvent::RandomFault(fault) => self.random_fault(fault),
            WorldEvent::Operator(act) => self.operator(act),
            WorldEvent::Action(action) => self.interfere(action),
            WorldEvent::Heal => self.heal(),
        }
    }

    /// Handles a call to a node, and schedules the next one.
    fn dial(&mut self, id: NodeId) {
        if self.healed {
            return;
        }
        let calls = self.rates.calls.clone();
        let rests =
            self.fleet().nodes().get(id).and_then(fleet::node::Node::power) == Some(fleet::node::Power::Rest);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let next = machine.call_draw.wait(calls.rush());
        let dials = machine.call_draw.chance(calls.dials(self.now));
        let lasts = machine.call_draw.around(calls.median, calls.spread);
        self.queue.push(self.now + next, WorldEvent::Dial { node: id });
        if !dials {
            return;
        }
        if machine.process.is_none() || machine.hung || machine.engine == Admission::Refusing || rests {
            self.counts.refused += 1;
            return;
        }
        let call = self.next_call;
        self.next_call += 1;
        machine.calls.insert(call, machine.clock.shows(self.now));
        self.counts.calls += 1;
        self.queue.push(self.now + lasts, WorldEvent::HangUp { node: id, call });
        self.settle_node(id);
    }

    fn hang_up(&mut self, id: NodeId, call: u64) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if machine.calls.remove(&call).is_some() {
            self.settle_node(id);
        }
    }

    /// Records a broken promise, once for each subject.
    pub(crate) fn violation(&mut self, promise: &'static str, subject: String) {
        let violation = Violation { promise, subject };
        self.journal.line(self.now, || format!("BROKEN: {violation:?}"));
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }
}
