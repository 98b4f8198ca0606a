//! The world: everything in it, and the loop that lets happen what is next.

use std::collections::BTreeMap;

use fleet::check::Violation;
use fleet::desired::RunId;
use fleet::node::{Duty, NodeId};
use fleet::observed::Admission;
use fleet::platform::{Event, Fleet};
use fleet::time::{Span, Time};
use fleet::version::{Release, Sha256, Version};

use super::agenda::{Act, Agenda, Happening, Strike};
use super::canary::Canary;
use super::clock::Clock;
use super::clones::Clones;
use super::draw::Draw;
use super::journal::{Counts, Journal};
use super::kept::Plan;
use super::kinds::Kind;
use super::machine::Machine;
use super::manager::{Manager, Told};
use super::odds::Odds;
use super::step::{Deed, Step};
use super::truth::Truth;
use super::watched::{Unjudged, Watched};
use crate::world::package;

/// The versions that packages bring, after the one that the platform begins with.
pub(super) const VERSIONS: [Version; 3] = [Version::new(34, 0), Version::new(34, 1), Version::new(34, 2)];

/// When every world begins.
pub(super) const BEGINNING: Time = Time(1_000);

/// A release and the package that it comes from.
pub(super) fn installed(version: Version) -> (Release, Sha256) {
    let package = package(version);
    (package.release, package.manifest)
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Time,
    pub(super) agenda: Agenda,
    pub(super) root: Draw,
    pub(super) odds: Odds,
    pub(super) canary: Option<Canary>,
    pub(super) nodes: Watched<Machine>,
    pub(super) manager: Manager,
    pub(super) truth: Truth,
    pub(super) journal: Journal,
    pub(super) counts: Counts,
    pub(super) violations: Vec<Violation>,
    /// Whose own promises are to be judged.
    pub(super) unjudged: Unjudged,
    /// The run on behalf of which each was out of service when it was judged last.
    pub(super) out: BTreeMap<NodeId, RunId>,
    /// Of whom it is to be judged what is shown.
    pub(super) unjudged_shown: Unjudged,
    /// When nothing goes wrong any more.
    pub(super) heals_at: Time,
    pub(super) healed: bool,
    /// What was done to it so far.
    pub(super) steps: Vec<Step>,
    pub(super) strikes: BTreeMap<Strike, Draw>,
    pub(super) acts: BTreeMap<Act, Draw>,
    /// What a compromised node says is drawn from it.
    pub(super) lies: Draw,
    /// What came to programs that hang.
    pub(super) missed: Vec<Happening>,
    pub(super) next_id: NodeId,
    pub(super) next_call: u64,
    pub(super) clones: Clones,
}

impl World {
    pub(super) fn new(plan: &Plan, journal: Journal) -> Self {
        let (root, canary) = (Draw::new(plan.seed), plan.canary);
        let mut odds = Odds::draw(&root);
        plan.alter(&mut odds);
        let first = installed(VERSIONS[0]);
        let mut clock_draw = root.child("clock", 0);
        let clock = Clock::draw(&mut clock_draw, odds.machines.clock_off, odds.machines.drift);
        let fleet = Fleet::new(first.0, odds.policy.clone());
        let mut world = Self {
            now: BEGINNING,
            agenda: Agenda::default(),
            manager: Manager::new(clock, fleet, first, root.child("manager", 0)),
            lies: root.child("lies", 0),
            root,
            odds,
            canary,
            nodes: Watched::default(),
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
            strikes: BTreeMap::new(),
            acts: BTreeMap::new(),
            missed: Vec::new(),
            next_id: NodeId(1),
            next_call: 1,
            clones: Clones::default(),
        };
        let copies = |step: &Step| matches!(step.deed, Deed::Clone { .. });
        let written = plan.steps.iter().flatten().any(copies);
        world.clones.numbered = written || world.odds.machines.clone_every.is_some();
        for number in 0..world.odds.nodes {
            let bursting = number >= world.odds.nodes - world.odds.bursting;
            let duty = if bursting { Duty::Bursting } else { Duty::AlwaysOn };
            world.add_node(world.next_id, duty, first);
        }
        world.heals_at = BEGINNING + world.odds.troubled_for;
        world.enter_interferences(plan.steps.as_deref());
        world.enter_lie();
        world.agenda.enter(world.heals_at, Happening::Heal);
        world
    }

    /// A node is installed and registered.
    pub(super) fn add_node(&mut self, id: NodeId, duty: Duty, release: (Release, Sha256)) {
        self.next_id = NodeId(self.next_id.0.max(id.0.saturating_add(1)));
        let draw = self.root.child("node", u64::from(id.0));
        let mut clock_draw = draw.child("clock", 0);
        let clock = Clock::draw(&mut clock_draw, self.odds.machines.clock_off, self.odds.machines.drift);
        let mut machine = Machine::new(duty, clock, release, &draw);
        let first = machine.call_draw.wait(self.odds.calls.rush());
        self.nodes.insert(id, machine);
        if self.tell(Event::NodeAdded { id, name: format!("node{id}"), duty }) == Told::NotCommitted {
            self.nodes.remove(&id);
            return;
        }
        if duty == Duty::AlwaysOn {
            self.boot_after(id, Span::seconds(1));
        }
        self.agenda.enter(self.now + first, Happening::Dial { node: id });
    }

    /// Lets happen what is next, and judges the world after it. False when nothing is left to happen.
    pub(super) fn step(&mut self) -> bool {
        let Some((at, happening)) = self.agenda.next() else { return false };
        self.tell_differences();
        self.now = self.now.max(at);
        let alone = happening.concerns_alone();
        self.journal.happens(|| format!("{happening:?}"));
        if self.waits_for_a_hung_program(&happening) {
            self.missed.push(happening);
        } else {
            self.happen(happening);
        }
        self.judge_nodes(alone);
        true
    }

    /// Whether a happening is one that a program which hangs would have to deal with. boot, the wire and
    /// the people outside go on.
    fn waits_for_a_hung_program(&self, happening: &Happening) -> bool {
        let node = |id: &NodeId| self.nodes.get(id).is_some_and(|machine| machine.hung);
        match happening {
            Happening::Order { to: id, .. }
            | Happening::Speak { node: id, .. }
            | Happening::NodeDue { node: id }
            | Happening::HalfFetched { node: id, .. }
            | Happening::StagingEnds { node: id, .. }
            | Happening::Confirm { node: id, .. }
            | Happening::HangUp { node: id, .. } => node(id),
            Happening::Report { .. }
            | Happening::LinkCheck { .. }
            | Happening::FalseDown { .. }
            | Happening::ManagerDue
            | Happening::ManagerStaged { .. } => self.manager.hung,
            Happening::Boot { .. }
            | Happening::TryEnds { .. }
            | Happening::Dial { .. }
            | Happening::ManagerBoot { .. }
            | Happening::Mend { .. }
            | Happening::Recover { .. }
            | Happening::Resume { .. }
            | Happening::CopyOff { .. }
            | Happening::ManagerDiskWell
            | Happening::ManagerStartsAgain
            | Happening::Lie
            | Happening::Strike(_)
            | Happening::Operator(_)
            | Happening::Deed(_)
            | Happening::Heal => false,
        }
    }

    /// What a program has missed while it hung comes to it now, save answers: their connections have broken.
    /// What is still missed by another is missed again.
    pub(super) fn deal_with_what_was_missed(&mut self) {
        for happening in std::mem::take(&mut self.missed) {
            if matches!(happening, Happening::Order { .. }) {
                self.counts.done.note(Kind::ReachedNobody);
            } else {
                self.agenda.enter(self.now, happening);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Report { from, observed, turn } => self.report_arrives(from, observed, turn),
            Happening::Order { to, desired, heard, beside, answers } => {
                self.nodes.entry(to).and_modify(|machine| machine.is_told_beside(beside));
                self.order_arrives(to, desired, heard, answers);
            }
            Happening::LinkCheck { node } => self.link_check(node),
            Happening::FalseDown { node } => self.false_down(node),
            Happening::Speak { node, turn } => self.speak_in_turn(node, turn),
            Happening::NodeDue { node } => self.node_due(node),
            Happening::HalfFetched { node, job } => self.half_fetched(node, job),
            Happening::StagingEnds { node, job } => self.staging_ends(node, job),
            Happening::Boot { node, start } => self.boots(node, start),
            Happening::Confirm { node, start } => self.confirms(node, start),
            Happening::TryEnds { node, start } => self.try_ends(node, start),
            Happening::Dial { node } => self.dial(node),
            Happening::HangUp { node, call } => self.hang_up(node, call),
            Happening::ManagerDue => self.manager_due(),
            Happening::ManagerStaged { start } => self.manager_staged(start),
            Happening::ManagerBoot { start } => self.manager_boots(start),
            Happening::Mend { nodes } => self.mend(&nodes),
            Happening::Recover { node } => self.recover(node),
            Happening::Resume { node } => self.resume(node),
            Happening::CopyOff { machine } => self.copy_off(machine),
            Happening::ManagerDiskWell => self.manager.disk_fails = false,
            Happening::ManagerStartsAgain => self.manager_starts_again(),
            Happening::Lie => self.lie(),
            Happening::Strike(strike) => self.strike(strike),
            Happening::Operator(act) => self.operator(act),
            Happening::Deed(deed) => self.interfere(deed),
            Happening::Heal => self.heal(),
        }
    }

    /// A caller dials a node, and will dial again.
    fn dial(&mut self, id: NodeId) {
        if self.healed {
            return;
        }
        let calls = self.odds.calls.clone();
        let rests =
            self.fleet().nodes().get(id).and_then(fleet::node::Node::power) == Some(fleet::node::Power::Rest);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let next = machine.call_draw.wait(calls.rush());
        let dials = machine.call_draw.chance(calls.dials(self.now));
        let lasts = machine.call_draw.around(calls.median, calls.spread);
        self.agenda.enter(self.now + next, Happening::Dial { node: id });
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
        self.agenda.enter(self.now + lasts, Happening::HangUp { node: id, call });
        self.settle_node(id);
    }

    fn hang_up(&mut self, id: NodeId, call: u64) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if machine.calls.remove(&call).is_some() {
            self.settle_node(id);
        }
    }

    /// Notes a promise that does not hold, once for each subject.
    pub(super) fn violation(&mut self, promise: &'static str, subject: String) {
        let violation = Violation { promise, subject };
        self.journal.line(self.now, || format!("BROKEN: {violation:?}"));
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }
}
