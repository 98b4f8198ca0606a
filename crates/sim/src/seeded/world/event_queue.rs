//! The events to come, by time. Of events at the same time, injected faults and operator actions come first, so that it
//! makes no difference when they were queued; the others keep the order in which they were queued.

use std::collections::BTreeMap;

use fleet::desired::Desired;
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::starts::StartId;
use fleet::time::Time;

use crate::seeded::plan::kinds::Kind;
use crate::seeded::plan::step::Action;

/// An event of the world.
#[derive(Clone, Debug)]
pub(crate) enum WorldEvent {
    /// A node's report arrives at the Management Node.
    Report { from: NodeId, observed: Observed, request: u64 },
    /// A desired state arrives at a node, perhaps as the answer to one of its requests.
    Desired {
        to: NodeId,
        desired: Desired,
        heard: Option<Time>,
        beside: Option<StartId>,
        answers: Option<u64>,
    },
    /// The Management Node checks whether a node is still connected.
    LinkCheck { node: NodeId },
    /// A link is taken for down although it is up.
    FalseDown { node: NodeId },
    /// A node reports although nothing has changed, or repeats an unanswered report.
    SendReport { node: NodeId, request: u64 },
    /// A deadline of a node's agent.
    NodeDue { node: NodeId },
    /// A staging is half done.
    HalfFetched { node: NodeId, job: u64 },
    /// A staging ends.
    StagingEnds { node: NodeId, job: u64 },
    /// boot starts a node's release.
    Boot { node: NodeId, start: u64 },
    /// A release that is tried confirms itself.
    Confirm { node: NodeId, start: u64 },
    /// boot gives up a try, or something interrupts it.
    TryEnds { node: NodeId, start: u64 },
    /// A call arrives.
    Dial { node: NodeId },
    /// A call ends.
    HangUp { node: NodeId, call: u64 },
    /// A deadline of the platform's state machine.
    ManagerDue,
    /// The Management Node's staging ends.
    ManagerStaged { start: u64 },
    /// The Management Node's process starts.
    ManagerBoot { start: u64 },
    /// A cut ends.
    CutEnds { nodes: Vec<NodeId> },
    /// The faults of a node end.
    Recover { node: NodeId },
    /// A program that hangs goes on; what arrived meanwhile is handled then.
    Resume { node: Option<NodeId> },
    /// A copy of a machine is switched off for good.
    CopyOff { machine: NodeId },
    /// The Management Node's disk can be written again.
    ManagerDiskRecovers,
    /// The start fault of the Management Node's machine ends.
    ManagerStartFaultEnds,
    /// A compromised node sends a report.
    FalseReport,
    /// A random fault is due; its target is drawn now.
    RandomFault(RandomFault),
    /// An operator action is due; its object is drawn now.
    Operator(OperatorAction),
    /// An action that was written down is due.
    Action(Action),
    /// All faults end.
    Heal,
}

/// A kind of fault that occurs at random. Its place in [`RandomFault::ALL`] belongs to the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RandomFault {
    NodeCrash,
    NodeOff,
    ManagerCrash,
    MemoryBack,
    Cut,
    Split,
    Blind,
    Unfit,
    NodeHang,
    ManagerHang,
    DiskFull,
    DiskFails,
    ManagerDisk,
    NodeClock,
    ManagerClock,
    StartFault,
    ManagerStartFault,
    Clone,
}

impl RandomFault {
    pub(crate) const ALL: [Self; 18] = [
        Self::NodeCrash,
        Self::NodeOff,
        Self::ManagerCrash,
        Self::MemoryBack,
        Self::Cut,
        Self::Split,
        Self::Blind,
        Self::Unfit,
        Self::NodeHang,
        Self::ManagerHang,
        Self::DiskFull,
        Self::DiskFails,
        Self::ManagerDisk,
        Self::NodeClock,
        Self::ManagerClock,
        Self::StartFault,
        Self::ManagerStartFault,
        Self::Clone,
    ];

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::NodeCrash => Kind::NodeCrash,
            Self::NodeOff => Kind::NodeOff,
            Self::ManagerCrash => Kind::ManagerCrash,
            Self::MemoryBack => Kind::MemoryBack,
            Self::Cut => Kind::Cut,
            Self::Split => Kind::Split,
            Self::Blind => Kind::Blind,
            Self::Unfit => Kind::Unfit,
            Self::NodeHang => Kind::NodeHang,
            Self::ManagerHang => Kind::ManagerHang,
            Self::DiskFull => Kind::DiskFull,
            Self::DiskFails => Kind::DiskFails,
            Self::ManagerDisk => Kind::ManagerDisk,
            Self::NodeClock => Kind::NodeClock,
            Self::ManagerClock => Kind::ManagerClock,
            Self::StartFault => Kind::StartFault,
            Self::ManagerStartFault => Kind::ManagerStartFault,
            Self::Clone => Kind::Clone,
        }
    }
}

/// A kind of operator action that occurs at random. Its place in [`OperatorAction::ALL`] belongs to the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OperatorAction {
    Maintenance,
    Nodes,
    Start,
    Restart,
    RestorePoint,
    Change,
    Order,
}

impl OperatorAction {
    pub(crate) const ALL: [Self; 7] = [
        Self::Maintenance,
        Self::Nodes,
        Self::Start,
        Self::Restart,
        Self::RestorePoint,
        Self::Change,
        Self::Order,
    ];

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Maintenance => Kind::Maintenance,
            Self::Nodes => Kind::Nodes,
            Self::Start => Kind::Start,
            Self::Restart => Kind::Restart,
            Self::RestorePoint => Kind::RestorePoint,
            Self::Change => Kind::Change,
            Self::Order => Kind::Order,
        }
    }
}

/// Which of two events at the same time comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Interference,
    Other,
}

/// The events to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventQueue {
    /// Boxed, because the map moves many entries with each insertion.
    entries: BTreeMap<(Time, Priority, u64), Box<WorldEvent>>,
    queued: u64,
}

impl EventQueue {
    pub(crate) fn push(&mut self, at: Time, event: WorldEvent) {
        self.insert(at, Priority::Other, event);
    }

    pub(crate) fn push_interference(&mut self, at: Time, event: WorldEvent) {
        self.insert(at, Priority::Interference, event);
    }

    fn insert(&mut self, at: Time, priority: Priority, event: WorldEvent) {
        self.entries.insert((at, priority, self.queued), Box::new(event));
        self.queued += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, WorldEvent)> {
        self.entries.pop_first().map(|((at, ..), event)| (at, *event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interference_comes_first_at_its_time_however_late_it_was_queued() {
        let mut queue = EventQueue::default();
        queue.push(Time(5), WorldEvent::ManagerDue);
        queue.push(Time(5), WorldEvent::Heal);
        queue.push_interference(Time(5), WorldEvent::Operator(OperatorAction::Start));
        queue.push_interference(Time(5), WorldEvent::Action(Action::RestorePoint));
        queue.push_interference(Time(6), WorldEvent::Operator(OperatorAction::Start));
        queue.push(Time(4), WorldEvent::ManagerDiskRecovers);
        let order: Vec<String> =
            std::iter::from_fn(|| queue.pop()).map(|(at, what)| format!("{} {what:?}", at.0)).collect();
        assert_eq!(
            order,
            [
                "4 ManagerDiskRecovers",
                "5 Operator(Start)",
                "5 Action(RestorePoint)",
                "5 ManagerDue",
                "5 Heal",
                "6 Operator(Start)",
            ]
        );
    }
}
