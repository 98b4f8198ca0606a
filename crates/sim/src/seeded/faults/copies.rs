//! Copies the machine of a node, and switches copies off. A copy has the same disk and nothing else of the original.

use fleet::node::NodeId;
use fleet::observed::Admission;
use fleet::time::Span;

use crate::seeded::plan::kinds::Kind;
use crate::seeded::world::World;
use crate::seeded::world::clock::Downtime;
use crate::seeded::world::copies::{COPIES, identity};
use crate::seeded::world::event_queue::WorldEvent;
use crate::seeded::world::machine::Machine;
use crate::seeded::world::network::GAP;

impl World {
    /// Copies a machine and switches the copy on.
    pub(crate) fn copy(&mut self, of: NodeId, lasts: Span) {
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

    /// A machine with the same disk and nothing else of the original.
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

    /// Switches a copy off for good; its connections break.
    pub(crate) fn copy_off(&mut self, machine: NodeId) {
        if let Some(copy) = self.nodes.remove(&machine) {
            self.counts.cut_off_by_power += copy.calls.len();
            let rejected = self.known(machine).rejected;
            self.copies.gone.insert(identity(machine), self.now);
            self.forget_node(machine);
            self.queue.push(self.now + GAP, WorldEvent::LinkCheck { node: identity(machine) });
            // What was reported of the copy alone is true of no machine any more.
            let runs = self.nodes.get(&identity(machine)).map(|machine| machine.disk.confirmed.0);
            if let Some(known) = self.truth.nodes.get_mut(&identity(machine)) {
                known.upgraded_to = known.upgraded_to.filter(|release| Some(*release) == runs);
                // Its rejection of a release may still be held by the platform.
                known.rejected |= rejected;
            }
        }
    }

    /// Switches off all copies, of one node or of all.
    pub(crate) fn copies_off(&mut self, of: Option<NodeId>) {
        let copies: Vec<NodeId> = self.nodes.range(NodeId(COPIES)..).map(|(machine, _)| *machine).collect();
        let concerned = |machine: &NodeId| of.is_none_or(|id| identity(*machine) == id);
        copies.into_iter().filter(concerned).for_each(|machine| self.copy_off(machine));
    }
}
