//! Judges worlds in which machines are copied. What is shown of a node is compared with the machine whose report the
//! platform holds; the platform does not know the state of the other machine. What each machine promises by itself is
//! judged of both.

use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::starts::Process;
use fleet::time::Span;
use fleet::version::Release;

use crate::seeded::world::World;
use crate::seeded::world::copies::{COPIES, identity, is_copy, machine_of};
use crate::seeded::world::machine::Machine;

/// How long two processes that have named each other are known after each has reported: the limit of the core, less
/// the granularity of its times.
const KNOWN_FOR: Span = Span::minutes(15);

impl World {
    /// Whether the report that the platform holds of a node is of this machine.
    pub(crate) fn is_held(&self, machine: NodeId) -> bool {
        let held = self.fleet().nodes().get(identity(machine)).and_then(|node| node.observed.as_ref());
        let Some(held) = held else { return !is_copy(machine) };
        let speaker = held.process.map_or(identity(machine), machine_of);
        let process = self.nodes.get(&machine).and_then(|machine| machine.process.as_ref());
        let last = process.and_then(|process| process.reported.as_ref());
        speaker == machine || last.is_some_and(|last| held.says_the_same_as(last))
    }

    /// Whether the platform believes the reports of this machine's process.
    pub(crate) fn is_believed(&self, machine: NodeId) -> bool {
        let node = self.fleet().nodes().get(identity(machine)).filter(|node| node.duplicate().is_some());
        let numbered = self.copies.numbered;
        let last_report = |it: &Machine| {
            let last = it.process.as_ref()?.reported.clone()?;
            Some(Observed { process: it.process_of(machine, numbered), ..last })
        };
        let last = node.and_then(|_| last_report(self.nodes.get(&machine)?));
        last.zip(node).is_none_or(|(last, node)| node.starts.believes(&last))
    }

    /// Whether a copy of a node was switched off within the hold. Its last report may have been that it is back, so
    /// that the node's place is free while the remaining machine is still out of service; that one goes back within
    /// the hold, or leaves the release that it tries.
    pub(crate) fn has_lost_a_copy(&self, machine: NodeId) -> bool {
        let gone = self.copies.gone.get(&identity(machine));
        gone.is_some_and(|at| self.now.since(*at) < self.rates.policy.hold())
    }

    /// Whether a node was copied at any time.
    pub(crate) fn was_copied(&self, id: NodeId) -> bool {
        self.copies.ever.contains(&id)
    }

    /// Whether a machine is one of two, or its node is known as two: its judgement depends on the other machine, and on
    /// when each has reported.
    pub(crate) fn is_two(&self, machine: NodeId) -> bool {
        let of = identity(machine);
        self.copies_of(of).next().is_some()
            || self.fleet().nodes().get(of).is_some_and(|node| node.duplicate().is_some())
    }

    /// Forgets the process numbers that were reported: of one node whose two machines count as over, or of all after a
    /// restore of the manager.
    pub(crate) fn forget_processes(&mut self, of: Option<NodeId>) {
        if of.is_none() {
            self.copies.copied = self.copies.ever.clone();
        }
        self.copies.named.retain(|machine, _| of.is_some_and(|id| identity(*machine) != id));
    }

    /// Records the process numbers of a committed report.
    pub(crate) fn note_process(&mut self, machine: NodeId, observed: &Observed) {
        let Some(process) = observed.process else { return };
        let now = self.now;
        let known = self.copies.named.entry(machine).or_insert((process, now));
        let beside = process.beside.or(known.0.beside.filter(|_| known.0.start == process.start));
        *known = (Process { beside, ..process }, now);
    }

    /// Whether the platform knows that a copy runs beside its node, because both have reported recently.
    fn is_known(&self, copy: NodeId) -> bool {
        let of = identity(copy);
        if self.fleet().nodes().get(of).is_none() {
            return false;
        }
        let recently = |machine: NodeId| {
            let (process, at) = self.copies.named.get(&machine)?;
            let lives = self.nodes.get(&machine)?.process_of(machine, true)?.start == process.start;
            (lives && self.now.since(*at) < KNOWN_FOR).then_some(*process)
        };
        match (recently(of), recently(copy)) {
            (Some(one), Some(other)) => one.beside == Some(other.start) && other.beside == Some(one.start),
            (None, _) | (_, None) => false,
        }
    }

    /// A run is not complete while a machine that the platform knows runs another release.
    pub(crate) fn check_copies(&mut self, target: Release) {
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

    /// A node that was two machines counts as one again.
    pub(crate) fn note_one(&mut self, id: NodeId) {
        self.forget_processes(Some(id));
        if self.copies_of(id).next().is_none() {
            self.copies.copied.remove(&id);
        }
    }

    /// Only a node that was copied, or a compromised one, is taken for two machines.
    pub(crate) fn check_duplicate(&mut self, id: NodeId) {
        if !self.copies.copied.contains(&id) && !self.is_compromised(id) {
            self.violation("only a node that was copied is taken for two machines", format!("node{id}"));
        }
    }
}
