//! Wall clocks that are wrong: the Management Node checks its own, and compares each node's with it. They are shown and
//! raise alarms only; that they decide nothing is held by all other promises, which are judged by the world's time.

use fleet::node::{Node, NodeId};
use fleet::observed::Observed;
use fleet::platform::Event;
use fleet::time::Wall;
use fleet::wall::Gap;

use super::World;
use super::clock::Downtime;
use super::copies::identity;
use super::manager::CommitResult;

impl World {
    /// The reading of the Management Node's wall clock.
    pub(crate) fn managers_wall(&self) -> Wall {
        Wall(self.manager.clock.wall(self.now).0)
    }

    /// Its reading at a start of the Management Node, and how the time before was measured.
    pub(crate) fn wall_at_start(&self, downtime: Downtime) -> (Wall, Gap) {
        let gap = match downtime {
            Downtime::Program => Gap::Counted,
            Downtime::Machine => Gap::Estimated,
        };
        (self.managers_wall(), gap)
    }

    /// The Management Node's wall clock was set while its program runs, which checks it once a second.
    pub(crate) fn manager_clock_set(&mut self) {
        let (now, wall) = (self.manager_now(), self.managers_wall());
        let is_step = self.fleet().platform.wall.step(now, wall).is_some();
        if is_step
            && self.manager.up
            && !self.manager.hung
            && self.apply_to_platform(Event::WallClock { wall }) == CommitResult::Committed
        {
            self.check_wall();
        }
    }

    /// The times that are shown follow the wall clock.
    pub(crate) fn check_wall(&mut self) {
        let (now, wall) = (self.manager_now(), self.managers_wall());
        if self.fleet().platform.wall.step(now, wall).is_some() {
            let shown = self.fleet().shown(now);
            self.violation("what is shown follows the wall clock", format!("{wall:?}, shown {shown:?}"));
        }
    }

    /// Compares the wall clock of a node that is heard with the Management Node's.
    pub(crate) fn compare_clock(&mut self, from: NodeId, observed: &Observed) {
        let Some(machine) = self.nodes.get(&from) else { return };
        let ahead = Wall(machine.clock.wall(self.now).0).ahead_of(self.managers_wall());
        let id = identity(from);
        let is_news = |node: &Node| node.clock_judged(ahead) != node.clock_off;
        let believed = self.fleet().believes(id, self.manager_now(), observed);
        if believed && self.fleet().nodes().get(id).is_some_and(is_news) {
            self.apply_to_platform(Event::ClockOffset { id, ahead });
        }
    }
}
