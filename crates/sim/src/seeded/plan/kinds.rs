//! The kinds of faults and of operator actions, and how often each occurred: the figures that documents can state.

/// A kind of fault or of operator action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A node loses power for minutes.
    NodeCrash,
    /// A node loses power for hours.
    NodeOff,
    /// A node's program hangs, and goes on later.
    NodeHang,
    /// The Management Node loses power.
    ManagerCrash,
    /// The Management Node's program hangs, and goes on later.
    ManagerHang,
    /// The Management Node is restored from a restore point.
    MemoryBack,
    /// One node is cut off.
    Cut,
    /// Many nodes are cut off at once.
    Split,
    /// A call engine does not know how many calls it has.
    Blind,
    /// A node is not fit to take calls.
    Unfit,
    /// A node's disk is full.
    DiskFull,
    /// A node's disk fails now and then.
    DiskFails,
    /// The Management Node's disk fails.
    ManagerDisk,
    /// A node's wall clock jumps.
    NodeClock,
    /// The Management Node's wall clock jumps.
    ManagerClock,
    /// A write of a node's persistent state fails and leaves the old contents.
    FailedWrite,
    /// A write of a node's persistent state fails at its last step, and leaves the new contents.
    UncertainWrite,
    /// A commit of the Management Node fails.
    FailedCommit,
    /// A commit fails at its last step: it is found at the next start.
    UncertainCommit,
    /// A message is lost.
    Lost,
    /// A message arrives twice.
    Doubled,
    /// A message is delayed for long.
    Late,
    /// A message is overtaken by a later one.
    Overtaken,
    /// A message arrives where no process runs.
    ReachedNobody,
    /// A link is taken for down although it is up.
    FalseDown,
    /// A staging is interrupted and resumed later.
    StagingBroken,
    /// A release cannot be staged on a node.
    StagingRejected,
    /// A release does not start on a node.
    BadRelease,
    /// A release does not start on the Management Node.
    BadManagerRelease,
    /// A change of release is interrupted by a loss of power.
    Interrupted,
    /// The operator puts a node into maintenance mode or takes it out.
    Maintenance,
    /// The operator renames a node or changes its duty.
    Change,
    /// The operator registers or removes a node.
    Nodes,
    /// The operator presses Start.
    Start,
    /// The operator restarts the Management Node.
    Restart,
    /// The operator makes a restore point.
    RestorePoint,
    /// A node's machine would not start again.
    StartFault,
    /// The Management Node's machine would not start again.
    ManagerStartFault,
    /// A compromised node sends a false report.
    FalseReport,
    /// A node's machine is copied, and both run.
    Clone,
    /// The operator pauses, resumes or stops a run.
    Order,
}

/// How many kinds there are.
const KINDS: usize = 41;

impl Kind {
    /// All of them, each with the name that tables print.
    pub const ALL: [(Self, &str); KINDS] = [
        (Self::NodeCrash, "node loses power"),
        (Self::NodeOff, "node off for hours"),
        (Self::NodeHang, "node hangs"),
        (Self::ManagerCrash, "manager loses power"),
        (Self::ManagerHang, "manager hangs"),
        (Self::MemoryBack, "manager restored from a restore point"),
        (Self::Cut, "node cut off"),
        (Self::Split, "many nodes cut off at once"),
        (Self::Blind, "call engine cannot count"),
        (Self::Unfit, "node not fit"),
        (Self::DiskFull, "node's disk full"),
        (Self::DiskFails, "node's disk fails"),
        (Self::ManagerDisk, "manager's disk fails"),
        (Self::NodeClock, "node's clock jumps"),
        (Self::ManagerClock, "manager's clock jumps"),
        (Self::FailedWrite, "write of a node failed"),
        (Self::UncertainWrite, "write of a node failed at its last step"),
        (Self::FailedCommit, "commit failed"),
        (Self::UncertainCommit, "commit failed at its last step"),
        (Self::Lost, "message lost"),
        (Self::Doubled, "message doubled"),
        (Self::Late, "message held up"),
        (Self::Overtaken, "message overtaken"),
        (Self::ReachedNobody, "message reached nobody"),
        (Self::FalseDown, "link falsely taken for down"),
        (Self::StagingBroken, "staging broken off"),
        (Self::StagingRejected, "staging impossible"),
        (Self::BadRelease, "bad release on a node"),
        (Self::BadManagerRelease, "bad release on the manager"),
        (Self::Interrupted, "change of release interrupted"),
        (Self::Maintenance, "operator: maintenance mode"),
        (Self::Change, "operator: name or duty changed"),
        (Self::Nodes, "operator: node added or removed"),
        (Self::Start, "operator: start pressed"),
        (Self::Restart, "operator: manager restarted"),
        (Self::RestorePoint, "operator: restore point made"),
        (Self::StartFault, "node would not start again"),
        (Self::ManagerStartFault, "manager would not start again"),
        (Self::FalseReport, "compromised node lies"),
        (Self::Clone, "node copied"),
        (Self::Order, "operator: run paused, resumed or stopped"),
    ];
}

/// How often each kind occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindCounts([u64; KINDS]);

impl Default for KindCounts {
    fn default() -> Self {
        Self([0; KINDS])
    }
}

impl KindCounts {
    /// How often this kind occurred.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// The sum over all kinds.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn note(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_where_it_is_looked_up() {
        for (at, (kind, name)) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at, "{name}");
        }
    }
}
