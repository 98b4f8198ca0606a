//! How a node stands in a run: the mark in front of it, its colour, and what counts as upgraded.

use fleet::status::Status;

use crate::api::{Node, release};
use crate::terminal::Tone;

/// How a node stands, for the mark in front of it and its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Somebody must look at it.
    Trouble,
    /// Under way.
    UnderWay,
    /// Not yet.
    Waiting,
    /// Runs what the run brings.
    Upgraded,
    /// In no run.
    AtRest,
}

impl Standing {
    pub(super) fn mark(self) -> char {
        match self {
            Self::Trouble => '!',
            Self::UnderWay => '>',
            Self::Waiting => '.',
            Self::Upgraded => '+',
            Self::AtRest => ' ',
        }
    }

    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Trouble => Tone::Bad,
            Self::UnderWay => Tone::Busy,
            Self::Waiting => Tone::Quiet,
            Self::Upgraded => Tone::Good,
            Self::AtRest => Tone::Plain,
        }
    }
}

/// What a node runs, `-` when that is not known.
pub(crate) fn runs(node: &Node) -> String {
    node.version.as_deref().map_or("-".into(), |version| release(version, node.build))
}

/// How a node stands in a run to `target`.
pub(crate) fn standing(node: &Node, target: Option<&str>) -> Standing {
    let waits = node.waits.as_ref();
    let failed = waits.is_some_and(|waits| waits.stuck || waits.waits_for == "failed");
    if failed {
        return Standing::Trouble;
    }
    match node.upgrade_status {
        Some(Status::CouldNotCommunicate) => Standing::Trouble,
        Some(Status::UpgradePending | Status::TimeoutWaitingForCallsToClear) => Standing::Waiting,
        Some(
            Status::Preparing
            | Status::WaitingForCallsToClear
            | Status::UpgradeInProgress
            | Status::Rebooting,
        ) => Standing::UnderWay,
        Some(Status::NoUpgradeInProgress) if target.is_some_and(|target| runs(node) == target) => {
            Standing::Upgraded
        }
        Some(Status::NoUpgradeInProgress) => Standing::AtRest,
        // A newer release's status: neither trouble nor done, as far as anybody can tell here.
        None => Standing::UnderWay,
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
    fn a_node_that_needs_a_look_says_so_whatever_its_status() {
        let mut node = samples::under_way().nodes.remove(3);
        assert_eq!(standing(&node, None), Standing::UnderWay);
        node.waits.as_mut().unwrap().stuck = true;
        assert_eq!(standing(&node, None), Standing::Trouble);
    }

    #[test]
    fn a_node_that_runs_the_target_is_upgraded_only_at_rest() {
        let mut node = samples::under_way().nodes.remove(1);
        assert_eq!(standing(&node, Some("34.1 (34100)")), Standing::Upgraded);
        assert_eq!(standing(&node, Some("34.2 (34200)")), Standing::AtRest);
        assert_eq!(standing(&node, None), Standing::AtRest);
        node.upgrade_status = Some(Status::Rebooting);
        assert_eq!(standing(&node, Some("34.1 (34100)")), Standing::UnderWay);
    }
}
