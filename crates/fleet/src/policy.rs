//! The limits and thresholds of a run. Each is a setting with a name, a unit and a default whose reason stands here.
//! Who may change them, and within which bounds, is the manager's part.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// How a run treats the nodes. [`Policy::standard`] follows the operator's rules to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The policy's name, for pages and logs.
    pub name: String,
    /// How many nodes may be out of service on behalf of the run at any time (R2, R6).
    pub nodes_at_once: u32,
    /// How long a node waits for its calls to clear before it goes back to service (R5).
    pub drain_limit: Span,
    /// How long the whole run may take (R8).
    pub run_limit: Span,
    /// How long a node stays in service after a drain that timed out, before it is tried again.
    /// Without it a small platform with long calls would be out of service for a day.
    pub rest: Span,
    /// How long a node may be silent before it counts as not reachable (R11). Longer than a restart of the manager
    /// takes, and short enough for an operator to wait for.
    pub silent_after: Span,
    /// How long a node that restarts into its new release may be silent before it counts as not
    /// reachable: three tries of five minutes each, and a fall-back, fit in.
    pub reboot_silent_after: Span,
    /// How long a node may take over its install before it is shown as stuck (R27), and after which
    /// a run that has nothing else left does not wait for it any longer.
    pub stuck_after: Span,
    /// How long a run that has nothing else left waits for nodes that could not be reached (R11).
    pub absent_grace: Span,
    /// How long a bursting node may take to start up (R7). A cloud instance takes about five minutes.
    pub start_limit: Span,
    /// How many nodes that the run took must have failed before it stops taking nodes; with 0 it never stops. The
    /// share of [`Policy::stop_at_failure_percent`] must be reached, too (G8).
    #[serde(default = "stop_at_failures")]
    pub stop_at_failures: u32,
    /// How many of the attempts that have ended must have failed, in percent, before the run stops taking
    /// nodes.
    #[serde(default = "stop_at_failure_percent")]
    pub stop_at_failure_percent: u32,
    /// How many nodes are taken alone: no other is taken before as many are upgraded. With 0 the first nodes are as
    /// many as there are places (R2).
    #[serde(default)]
    pub first_nodes: u32,
}

/// One or two nodes fail for reasons of their own machines (a full disk, a worn-out drive). Three of one run
/// have something in common, and that is the release.
const fn stop_at_failures() -> u32 {
    3
}

/// Faults of single machines affect a few nodes in a hundred. If one node in four fails, the fault is in the
/// release, or in the release on one kind of machine; and a run over a hundred nodes goes on after three failures
/// as long as nine of its nodes are upgraded.
const fn stop_at_failure_percent() -> u32 {
    25
}

impl Policy {
    /// The operator's rules R1 to R29: ten nodes at once, an hour to drain, a day for the run.
    pub fn standard() -> Self {
        Self {
            name: "standard".into(),
            nodes_at_once: 10,
            drain_limit: Span::hours(1),
            run_limit: Span::hours(24),
            rest: Span::minutes(10),
            silent_after: Span::minutes(1),
            reboot_silent_after: Span::minutes(20),
            stuck_after: Span::hours(1),
            absent_grace: Span::minutes(10),
            start_limit: Span::minutes(15),
            stop_at_failures: stop_at_failures(),
            stop_at_failure_percent: stop_at_failure_percent(),
            first_nodes: 0,
        }
    }

    /// The lease of the run's maintenance mode on a node that is cut off: the drain limit, and the time that the
    /// platform needs to notice that the node is gone.
    pub fn hold(&self) -> Span {
        self.drain_limit + self.silent_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_policy_stops_at_three_failures_and_a_quarter_of_the_nodes() {
        let Policy { stop_at_failures, stop_at_failure_percent, .. } = Policy::standard();
        assert_eq!((stop_at_failures, stop_at_failure_percent), (3, 25));
    }

    #[test]
    fn lease_outlasts_the_drain_by_the_time_until_a_silent_node_is_noticed() {
        assert_eq!(Policy::standard().hold(), Span::minutes(61));
    }
}
