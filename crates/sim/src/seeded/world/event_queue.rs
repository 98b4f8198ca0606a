//! What is to happen, and when. Of things of the same moment, what interferes comes first, so that it makes
//! no difference how long before it was entered; the others happen in the order in which they were entered.

use std::collections::BTreeMap;

use fleet::desired::Desired;
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::starts::StartId;
use fleet::time::Time;

use crate::seeded::plan::kinds::Kind;
use crate::seeded::plan::step::Action;

/// Something that happens in the world.
#[derive(Clone, Debug)]
pub(crate) enum WorldEvent {
    /// A node's report arrives at the Management Node.
    Report { from: NodeId, observed: Observed, request: u64 },
    /// What is wanted arrives at a node, perhaps as the answer to what it said in a turn.
    Desired {
        to: NodeId,
        desired: Desired,
        heard: Option<Time>,
        beside: Option<StartId>,
        answers: Option<u64>,
    },
    /// The Management Node looks whether a node is still there.
    LinkCheck { node: NodeId },
    /// A link is taken for down, and is not.
    FalseDown { node: NodeId },
    /// A node speaks although it has no news.
    SendReport { node: NodeId, request: u64 },
    /// A deadline of a node's brain.
    NodeDue { node: NodeId },
    /// A staging is half way.
    HalfFetched { node: NodeId, job: u64 },
    /// A staging ends.
    StagingEnds { node: NodeId, job: u64 },
    /// boot starts a node's release.
    Boot { node: NodeId, start: u64 },
    /// A release that is tried confirms itself.
    Confirm { node: NodeId, start: u64 },
    /// boot has waited long enough for a release, or something interrupts it.
    TryEnds { node: NodeId, start: u64 },
    /// A caller dials.
    Dial { node: NodeId },
    /// A call ends.
    HangUp { node: NodeId, call: u64 },
    /// A deadline of the platform's brain.
    ManagerDue,
    /// The Management Node's staging ends.
    ManagerStaged { start: u64 },
    /// The Management Node's process starts.
    ManagerBoot { start: u64 },
    /// A cut is mended.
    CutEnds { nodes: Vec<NodeId> },
    /// What ailed a node is over.
    Recover { node: NodeId },
    /// A program that hangs goes on; what has come meanwhile is dealt with then.
    Resume { node: Option<NodeId> },
    /// A copy of a machine is switched off for good.
    CopyOff { machine: NodeId },
    /// The Management Node's disk can be written again.
    ManagerDiskRecovers,
    /// The Management Node's machine would start again.
    ManagerStartFaultEnds,
    /// A compromised node says something.
    FalseReport,
    /// It is time that something goes wrong, drawn at that moment.
    RandomFault(RandomFault),
    /// It is time that the operator does something, drawn at that moment.
    Operator(OperatorAction),
    /// Something interferes that was written down.
    Action(Action),
    /// Nothing goes wrong any more.
    Heal,
}

/// Something that goes wrong.
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

/// Something that the operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OperatorAction {
    Maintenance,
    Nodes,
    Start,
    Restart,
    RestorePoint,
    Change,
}

impl OperatorAction {
    pub(crate) const ALL: [Self; 6] =
        [Self::Maintenance, Self::Nodes, Self::Start, Self::Restart, Self::RestorePoint, Self::Change];

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Maintenance => Kind::Maintenance,
            Self::Nodes => Kind::Nodes,
            Self::Start => Kind::Start,
            Self::Restart => Kind::Restart,
            Self::RestorePoint => Kind::RestorePoint,
            Self::Change => Kind::Change,
        }
    }
}

/// Which of two happenings of the same moment comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Interference,
    Other,
}

/// The happenings to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventQueue {
    /// Each in a box of its own: the map moves many of its entries for each that is entered.
    entries: BTreeMap<(Time, Priority, u64), Box<WorldEvent>>,
    entered: u64,
}

impl EventQueue {
    pub(crate) fn push(&mut self, at: Time, event: WorldEvent) {
        self.insert(at, Priority::Other, event);
    }

    pub(crate) fn push_interference(&mut self, at: Time, event: WorldEvent) {
        self.insert(at, Priority::Interference, event);
    }

    fn insert(&mut self, at: Time, priority: Priority, event: WorldEvent) {
        self.entries.insert((at, priority, self.entered), Box::new(event));
        self.entered += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, WorldEvent)> {
        self.entries.pop_first().map(|((at, ..), event)| (at, *event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_moment_what_interferes_comes_first_however_late_it_was_entered() {
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
