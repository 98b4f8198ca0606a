//! Events of wall clocks: they change which times are shown, and raise and lower alarms. They never change a run.
//! Relies on [`crate::wall`] for what counts as a step or an offset.

use alloc::vec::Vec;

use super::Fleet;
use crate::fact::{Fact, NodeFact};
use crate::node::NodeId;
use crate::time::{Offset, Time, Wall};
use crate::wall::Gap;

impl Fleet {
    /// The wall-clock time of a moment, by the Management Node's wall clock as it is now.
    pub fn shown(&self, time: Time) -> Wall {
        self.platform.wall.shown(time)
    }

    pub(super) fn wall_clock(&mut self, now: Time, wall: Wall, gap: Gap, facts: &mut Vec<Fact>) {
        if let Some(by) = self.platform.wall.step(now, wall) {
            self.platform.wall.follow(now, wall, gap);
            facts.push(Fact::ClockStepped { by, gap });
        }
    }

    pub(super) fn wall_clock_steady(&mut self, now: Time, facts: &mut Vec<Fact>) {
        if self.platform.wall.steady_at().is_some_and(|steady_at| steady_at <= now) {
            self.platform.wall.settle();
            facts.push(Fact::ClockSteady);
        }
    }

    pub(super) fn clock_offset(&mut self, id: NodeId, ahead: Offset, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        let (before, after) = (node.clock_off, node.clock_judged(ahead));
        if before == after {
            return;
        }
        let what = after.map_or(NodeFact::ClockRight, |ahead| NodeFact::ClockOff { ahead });
        self.nodes.edit(id, |node| node.clock_off = after);
        self.node_fact(id, what, facts);
    }
}
