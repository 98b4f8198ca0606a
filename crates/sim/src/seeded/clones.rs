//! Copied machines: a second machine under the identity of a node, with calls of its own, from some moment on.
//!
//! A copy has the number of its node and a multiple of [`COPIES`] above it. Everything that concerns machines
//! goes by that number, everything that the Management Node is told or tells goes by the node's. In a world
//! with copies every process has a random number; in the others none has, as in release 34.
//!
//! What is shown of a node is compared with the machine whose report the Management Node holds. The other machine's
//! state is not compared, for the Management Node does not hold it. What each machine promises by itself is judged
//! of both.

use std::collections::{BTreeMap, BTreeSet};

use fleet::desired::Desired;
use fleet::node::NodeId;
use fleet::observed::{Admission, Observed};
use fleet::starts::{Process, StartId};
use fleet::time::{Span, Time};
use fleet::version::Release;

use super::agenda::WorldEvent;
use super::clock::Downtime;
use super::kinds::Kind;
use super::machine::Machine;
use super::post::GAP;
use super::world::World;

/// What lies between the number of a node and that of its first copy.
const COPIES: u32 = 1_000_000;

/// Two processes that have named each other are known for so long after each was heard: the limit of the core,
/// less what it notes coarsely.
const KNOWN_FOR: Span = Span::minutes(15);

/// What the world knows of copies.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    /// Every process has a number.
    pub(super) numbered: bool,
    made: u32,
    /// The nodes of which a copy has lived since they were one machine for all that the platform knows.
    copied: BTreeSet<NodeId>,
    /// When the last copy of a node was switched off.
    gone: BTreeMap<NodeId, Time>,
    /// The nodes that were copied at any time.
    ever: BTreeSet<NodeId>,
    /// What each machine's process has named last, in a report that was committed, and when.
    named: BTreeMap<NodeId, (Process, Time)>,
}

/// The node as which a machine reports.
pub(super) fn identity(machine: NodeId) -> NodeId {
    NodeId(machine.0 % COPIES)
}

pub(super) fn is_copy(machine: NodeId) -> bool {
    machine.0 >= COPIES
}

/// The machine on which a process with this number was started.
fn machine_of(process: Process) -> NodeId {
    NodeId(u32::try_from(process.start.0 >> 32).unwrap_or_default())
}

impl Machine {
    fn start_id(&self, id: NodeId) -> StartId {
        StartId((u64::from(id.0) << 32) | self.start)
    }

    /// An answer has named another process of its node.
    pub(super) fn note_beside(&mut self, beside: Option<StartId>) {
        let linked = self.is_linked();
        if let Some(process) = self.process.as_mut().filter(|_| linked) {
            process.beside = beside;
        }
    }

    /// Which process says something, in a world where that is said.
    pub(super) fn process_of(&self, id: NodeId, numbered: bool) -> Option<Process> {
        let process = self.process.as_ref().filter(|_| numbered)?;
        Some(Process { start: self.start_id(id), beside: process.beside, address: None })
    }
}

impl World {
    /// Whether what is held of a node is what this machine has said of itself.
    pub(super) fn is_held(&self, machine: NodeId) -> bool {
        let held = self.fleet().nodes().get(identity(machine)).and_then(|node| node.observed.as_ref());
        let Some(held) = held else { return !is_copy(machine) };
        let speaker = held.process.map_or(identity(machine), machine_of);
        let process = self.nodes.get(&machine).and_then(|machine| machine.process.as_ref());
        let last = process.and_then(|process| process.reported.as_ref());
        speaker == machine || last.is_some_and(|last| held.says_the_same_as(last))
    }

    /// Whether the reports of this machine's process are taken for what its node does.
    pub(super) fn is_believed(&self, machine: NodeId) -> bool {
        let node = self.fleet().nodes().get(identity(machine)).filter(|node| node.duplicate().is_some());
        let numbered = self.copies.numbered;
        let says = |it: &Machine| {
            let last = it.process.as_ref()?.reported.clone()?;
            Some(Observed { process: it.process_of(machine, numbered), ..last })
        };
        let last = node.and_then(|_| says(self.nodes.get(&machine)?));
        last.zip(node).is_none_or(|(last, node)| node.starts.believes(&last))
    }

    /// Whether a copy of a node was switched off within the hold. It may have said last that it is back, so that the
    /// node's place is free while the machine that is left is still out; that one goes back within the hold, or
    /// leaves the release that it tries.
    pub(super) fn has_lost_a_copy(&self, machine: NodeId) -> bool {
        let gone = self.copies.gone.get(&identity(machine));
        gone.is_some_and(|at| self.now.since(*at) < self.rates.policy.hold())
    }

    /// Whether a node was copied at any time.
    pub(super) fn was_copied(&self, id: NodeId) -> bool {
        self.copies.ever.contains(&id)
    }

    /// Whether a machine is one of two, or its node is known as two: what is judged of it depends on the other,
    /// and on when each was heard.
    pub(super) fn is_two(&self, machine: NodeId) -> bool {
        let of = identity(machine);
        self.copies_of(of).next().is_some()
            || self.fleet().nodes().get(of).is_some_and(|node| node.duplicate().is_some())
    }

    fn copies_of(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let copies = self.nodes.range(NodeId(COPIES)..).map(|(machine, _)| *machine);
        copies.filter(move |machine| identity(*machine) == id)
    }

    /// The machines that report as a node.
    pub(super) fn machines_of(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        self.nodes.contains_key(&id).then_some(id).into_iter().chain(self.copies_of(id))
    }

    /// A machine is copied, and the copy is switched on.
    pub(super) fn copy(&mut self, of: NodeId, lasts: Span) {
        let of = identity(of);
        let possible = self.nodes.get(&of).is_some_and(|machine| machine.process.is_some());
        if !possible || self.copies_of(of).next().is_some() {
            return self.counts.impossible.note(Kind::Clone);
        }
        self.copies.made += 1;
        self.copies.copied.insert(of);
        self.copies.ever.insert(of);
        let copy = NodeId(COPIES * self.copies.made + of.0);
        let Some(machine) = self.nodes.get(&of).map(|machine| self.copy_of(machine)) else { return };
        let known = self.truth.nodes.get(&of).cloned().unwrap_or_default();
        let watch = *self.watch(of);
        self.nodes.insert(copy, machine);
        self.truth.nodes.insert(copy, known);
        self.truth.watches.insert(copy, watch);
        self.boot_after(copy, Span::seconds(5));
        self.queue.push(self.now + Span::seconds(6), WorldEvent::Dial { node: copy });
        self.queue.push(self.now + lasts, WorldEvent::CopyOff { machine: copy });
    }

    /// A machine with the same disk, and nothing else of the one that it is copied from.
    fn copy_of(&self, machine: &Machine) -> Machine {
        let draw = self.root.child("copy", u64::from(self.copies.made));
        let mut copy = machine.clone();
        if copy.process.take().is_some_and(|process| process.job.is_some()) {
            copy.disk.other = None;
            copy.disk.trying = None;
        }
        copy.calls.clear();
        copy.engine = Admission::Refusing;
        (copy.blind, copy.unfit, copy.hung, copy.cuts) = (false, false, false, 0);
        (copy.disk_fault, copy.start_fault, copy.timer) = (None, None, None);
        (copy.start, copy.request, copy.unanswered) = (0, 0, 0);
        copy.downtime = Downtime::Machine;
        copy.powered = true;
        copy.draw = draw.child("machine", 0);
        copy.call_draw = draw.child("calls", 0);
        copy.link_draw = draw.child("link", 0);
        copy
    }

    /// A copy is switched off for good, and its connections break with it.
    pub(super) fn copy_off(&mut self, machine: NodeId) {
        if let Some(copy) = self.nodes.remove(&machine) {
            self.counts.cut_off_by_power += copy.calls.len();
            let rejected = self.known(machine).rejected;
            self.copies.gone.insert(identity(machine), self.now);
            self.forget_node(machine);
            self.queue.push(self.now + GAP, WorldEvent::LinkCheck { node: identity(machine) });
            // What was said of the copy alone is true of nobody any more.
            let runs = self.nodes.get(&identity(machine)).map(|machine| machine.disk.confirmed.0);
            if let Some(known) = self.truth.nodes.get_mut(&identity(machine)) {
                known.upgraded_to = known.upgraded_to.filter(|said| Some(*said) == runs);
                // What it has said of a release may be held for a while.
                known.rejected |= rejected;
            }
        }
    }

    /// All of a node, or all that there are.
    pub(super) fn copies_off(&mut self, of: Option<NodeId>) {
        let copies: Vec<NodeId> = self.nodes.range(NodeId(COPIES)..).map(|(machine, _)| *machine).collect();
        let concerned = |machine: &NodeId| of.is_none_or(|id| identity(*machine) == id);
        copies.into_iter().filter(concerned).for_each(|machine| self.copy_off(machine));
    }

    /// What was named before counts for nothing: two machines of a node count as over, or the memory of the
    /// manager has gone back.
    pub(super) fn forget_processes(&mut self, of: Option<NodeId>) {
        if of.is_none() {
            self.copies.copied = self.copies.ever.clone();
        }
        self.copies.named.retain(|machine, _| of.is_some_and(|id| identity(*machine) != id));
    }

    /// A report is committed.
    pub(super) fn note_process(&mut self, machine: NodeId, observed: &Observed) {
        let Some(process) = observed.process else { return };
        let now = self.now;
        let known = self.copies.named.entry(machine).or_insert((process, now));
        let beside = process.beside.or(known.0.beside.filter(|_| known.0.start == process.start));
        *known = (Process { beside, ..process }, now);
    }

    /// What is sent to a process of a node names the other.
    pub(super) fn beside(&self, machine: NodeId) -> Option<StartId> {
        let start = self.nodes.get(&machine)?.process_of(machine, self.copies.numbered)?.start;
        self.fleet().nodes().get(identity(machine))?.starts.beside(start)
    }

    /// Sends every machine of a node what is wanted of it.
    pub(super) fn send_desired_to_all(&mut self, id: NodeId) {
        let machines: Vec<NodeId> = self.machines_of(id).collect();
        machines.into_iter().for_each(|machine| self.send_desired(machine, None));
    }

    /// Whether the platform knows that a copy lives beside its node, both having been heard lately.
    fn is_known(&self, copy: NodeId) -> bool {
        let of = identity(copy);
        if self.fleet().nodes().get(of).is_none() {
            return false;
        }
        let lately = |machine: NodeId| {
            let (process, at) = self.copies.named.get(&machine)?;
            let lives = self.nodes.get(&machine)?.process_of(machine, true)?.start == process.start;
            (lives && self.now.since(*at) < KNOWN_FOR).then_some(*process)
        };
        match (lately(of), lately(copy)) {
            (Some(one), Some(other)) => one.beside == Some(other.start) && other.beside == Some(one.start),
            (None, _) | (_, None) => false,
        }
    }

    /// A run is not complete while a machine that is known to be there runs another release.
    pub(super) fn check_copies(&mut self, target: Release) {
        let behind = |(machine, copy): (&NodeId, &Machine)| {
            let of = self.nodes.get(&identity(*machine)).map(|machine| machine.disk.confirmed.0);
            let differs = copy.disk.confirmed.0 != target || of.is_some_and(|runs| runs != target);
            (differs && self.is_known(*machine) && !self.is_compromised(*machine)).then_some(*machine)
        };
        let left: Vec<NodeId> = self.nodes.range(NodeId(COPIES)..).filter_map(behind).collect();
        if !left.is_empty() {
            let subject = format!("{left:?}");
            self.violation("a run is not complete while one of two machines of a node is behind", subject);
        }
    }

    /// Two machines of a node count as over.
    pub(super) fn note_one(&mut self, id: NodeId) {
        self.forget_processes(Some(id));
        if self.copies_of(id).next().is_none() {
            self.copies.copied.remove(&id);
        }
    }

    /// A node is taken for two machines only when it is two, or says so.
    pub(super) fn check_duplicate(&mut self, id: NodeId) {
        if !self.copies.copied.contains(&id) && !self.is_compromised(id) {
            self.violation("only a node that was copied is taken for two machines", format!("node{id}"));
        }
    }

    /// What is wanted of a machine, as the Management Node knows its node.
    pub(super) fn wanted_of(&self, machine: NodeId) -> Option<Desired> {
        self.fleet().wanted(identity(machine))
    }
}
