//! What is to happen, and when. Two things of the same moment happen in the order in which they were
//! entered.

use std::collections::BTreeMap;

use fleet::desired::Desired;
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::time::Time;

/// Something that happens in the world.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A node's report arrives at the Management Node.
    Report { from: NodeId, observed: Observed },
    /// What is wanted arrives at a node.
    Order { to: NodeId, desired: Desired },
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
    /// A call engine can count again, or a node is fit again.
    Recover { node: NodeId },
    /// Something goes wrong.
    Strike(Strike),
    /// The operator does something.
    Operator(Act),
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
}

/// Something that the operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Maintenance,
    Nodes,
    Start,
    Restart,
    RestorePoint,
}

/// The happenings to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    entries: BTreeMap<(Time, u64), Happening>,
    entered: u64,
}

impl Agenda {
    pub(super) fn enter(&mut self, at: Time, happening: Happening) {
        self.entries.insert((at, self.entered), happening);
        self.entered += 1;
    }

    pub(super) fn next(&mut self) -> Option<(Time, Happening)> {
        self.entries.pop_first().map(|((at, _), happening)| (at, happening))
    }
}
