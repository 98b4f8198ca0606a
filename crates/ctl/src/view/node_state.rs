//! The state of a node in a run, summarised for the display: mark, colour, and what counts as upgraded. Computed from
//! the status that the Management Node sends.

use answers::Node;
use fleet::status::Status;

use crate::api::release;
use crate::terminal::Tone;

/// The summarised state of a node, for the mark before its name and its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NodeState {
    /// An operator must look at it.
    Attention,
    /// Under way.
    UnderWay,
    /// Not yet.
    Waiting,
    /// Runs the release of the run.
    Upgraded,
    /// In no run.
    Idle,
}

impl NodeState {
    pub(super) fn mark(self) -> char {
        match self {
            Self::Attention => '!',
            Self::UnderWay => '>',
            Self::Waiting => '.',
            Self::Upgraded => '+',
            Self::Idle => ' ',
        }
    }

    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Attention => Tone::Bad,
            Self::UnderWay => Tone::Busy,
            Self::Waiting => Tone::Quiet,
            Self::Upgraded => Tone::Good,
            Self::Idle => Tone::Plain,
        }
    }
}

/// What a node runs, `-` if that is not known.
pub(crate) fn runs(node: &Node) -> String {
    node.version.as_deref().map_or("-".into(), |version| release(version, node.build))
}

/// The state of a node in a run to `target`.
pub(crate) fn node_state(node: &Node, target: Option<&str>) -> NodeState {
    let waits = node.waits.as_ref();
    let failed = waits.is_some_and(|waits| waits.is_stuck() || waits.waits_for == "failed");
    if failed {
        return NodeState::Attention;
    }
    match node.upgrade_status {
        Some(Status::CouldNotCommunicate) => NodeState::Attention,
        Some(Status::UpgradePending | Status::TimeoutWaitingForCallsToClear) => NodeState::Waiting,
        Some(
            Status::Preparing
            | Status::WaitingForCallsToClear
            | Status::UpgradeInProgress
            | Status::Rebooting,
        ) => NodeState::UnderWay,
        Some(Status::NoUpgradeInProgress) if target.is_some_and(|target| runs(node) == target) => {
            NodeState::Upgraded
        }
        Some(Status::NoUpgradeInProgress) => NodeState::Idle,
        // A status of a newer release, which is not known here.
        None => NodeState::UnderWay,
    }
}

/// How many nodes run `target`.
pub(crate) fn upgraded(nodes: &[Node], target: &str) -> usize {
    nodes.iter().filter(|node| runs(node) == target).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn node_that_needs_attention_is_marked_whatever_its_status() {
        let mut node = samples::under_way().nodes.remove(3);
        assert_eq!(node_state(&node, None), NodeState::UnderWay);
        node.waits.as_mut().unwrap().more.insert("stuck".into(), true.into());
        assert_eq!(node_state(&node, None), NodeState::Attention);
    }

    #[test]
    fn node_that_runs_the_target_is_upgraded_only_when_it_is_idle() {
        let mut node = samples::under_way().nodes.remove(1);
        assert_eq!(node_state(&node, Some("34.1 (34100)")), NodeState::Upgraded);
        assert_eq!(node_state(&node, Some("34.2 (34200)")), NodeState::Idle);
        assert_eq!(node_state(&node, None), NodeState::Idle);
        node.upgrade_status = Some(Status::Rebooting);
        assert_eq!(node_state(&node, Some("34.1 (34100)")), NodeState::UnderWay);
    }
}
