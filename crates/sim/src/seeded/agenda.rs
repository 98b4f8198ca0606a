//! What is to happen, and when. Of things of the same moment, what interferes comes first, so that it makes
//! no difference how long before it was entered; the others happen in the order in which they were entered.

use std::collections::BTreeMap;

use fleet::desired::Desired;
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::starts::StartId;
use fleet::time::Time;

use super::kinds::Kind;
use super::step::Deed;

/// Something that happens in the world.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A node's report arrives at the Management Node.
    Report { from: NodeId, observed: Observed, turn: u64 },
    /// What is wanted arrives at a node, perhaps as the answer to what it said in a turn.
    Order { to: NodeId, desired: Desired, heard: Option<Time>, beside: Option<StartId>, answers: Option<u64> },
    /// The Management Node looks whether a node is still there.
    LinkCheck { node: NodeId },
    /// A link is taken for down, and is not.
    FalseDown { node: NodeId },
    /// A node speaks although it has no news.
    Speak { node: NodeId, turn: u64 },
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
    Mend { nodes: Vec<NodeId> },
    /// What ailed a node is over.
    Recover { node: NodeId },
    /// A program that hangs goes on; what has come meanwhile is dealt with then.
    Resume { node: Option<NodeId> },
    /// A copy of a machine is switched off for good.
    CopyOff { machine: NodeId },
    /// The Management Node's disk can be written again.
    ManagerDiskWell,
    /// The Management Node's machine would start again.
    ManagerStartsAgain,
    /// A compromised node says something.
    Lie,
    /// It is time that something goes wrong, drawn at that moment.
    Strike(Strike),
    /// It is time that the operator does something, drawn at that moment.
    Operator(Act),
    /// Something interferes that was written down.
    Deed(Deed),
    /// Nothing goes wrong any more.
    Heal,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strike {
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

impl Strike {
    pub(super) const ALL: [Self; 18] = [
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

    pub(super) fn kind(self) -> Kind {
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
pub(super) enum Act {
    Maintenance,
    Nodes,
    Start,
    Restart,
    RestorePoint,
    Change,
}

impl Act {
    pub(super) const ALL: [Self; 6] =
        [Self::Maintenance, Self::Nodes, Self::Start, Self::Restart, Self::RestorePoint, Self::Change];

    pub(super) fn kind(self) -> Kind {
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
enum Turn {
    Interference,
    Other,
}

/// The happenings to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    /// Each in a box of its own: the map moves many of its entries for each that is entered.
    entries: BTreeMap<(Time, Turn, u64), Box<Happening>>,
    entered: u64,
}

impl Agenda {
    pub(super) fn enter(&mut self, at: Time, happening: Happening) {
        self.insert(at, Turn::Other, happening);
    }

    pub(super) fn enter_interference(&mut self, at: Time, happening: Happening) {
        self.insert(at, Turn::Interference, happening);
    }

    fn insert(&mut self, at: Time, turn: Turn, happening: Happening) {
        self.entries.insert((at, turn, self.entered), Box::new(happening));
        self.entered += 1;
    }

    pub(super) fn next(&mut self) -> Option<(Time, Happening)> {
        self.entries.pop_first().map(|((at, ..), happening)| (at, *happening))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_moment_what_interferes_comes_first_however_late_it_was_entered() {
        let mut agenda = Agenda::default();
        agenda.enter(Time(5), Happening::ManagerDue);
        agenda.enter(Time(5), Happening::Heal);
        agenda.enter_interference(Time(5), Happening::Operator(Act::Start));
        agenda.enter_interference(Time(5), Happening::Deed(Deed::RestorePoint));
        agenda.enter_interference(Time(6), Happening::Operator(Act::Start));
        agenda.enter(Time(4), Happening::ManagerDiskWell);
        let order: Vec<String> =
            std::iter::from_fn(|| agenda.next()).map(|(at, what)| format!("{} {what:?}", at.0)).collect();
        assert_eq!(
            order,
            [
                "4 ManagerDiskWell",
                "5 Operator(Start)",
                "5 Deed(RestorePoint)",
                "5 ManagerDue",
                "5 Heal",
                "6 Operator(Start)",
            ]
        );
    }
}
