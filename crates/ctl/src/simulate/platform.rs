//! The state of a running platform for a forecast, from the answers of its management API. Reads nothing itself.

use std::collections::BTreeMap;

use answers::{Node, UpgradeStatus};
use fleet::policy::Policy;
use fleet::time::Span;
use serde::Deserialize;

/// How long a day is.
const DAY: Span = Span::hours(24);

/// The name of the location of nodes that have none.
const NO_LOCATION: &str = "no location";

/// The state of a running platform, as far as a forecast needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlatformState {
    /// The calls on each node, by system location.
    pub(crate) locations: BTreeMap<String, Vec<u32>>,
    /// the default policy.
    pub(crate) policy: Policy,
    /// The Management Node's time of day.
    pub(crate) clock: Span,
}

/// A policy of the API; every field is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PolicyNumbers {
    name: Option<String>,
    nodes_at_once: Option<u32>,
    drain_limit_seconds: Option<u64>,
    run_limit_seconds: Option<u64>,
    rest_seconds: Option<u64>,
    silent_after_seconds: Option<u64>,
    reboot_silent_after_seconds: Option<u64>,
    stuck_after_seconds: Option<u64>,
    absent_grace_seconds: Option<u64>,
    start_limit_seconds: Option<u64>,
    stop_at_failures: Option<u32>,
    stop_at_failure_percent: Option<u32>,
    first_nodes: Option<u32>,
}

impl PolicyNumbers {
    /// The policy, with the values of the standard policy for missing fields.
    pub(crate) fn policy(self) -> Policy {
        let standard = Policy::standard();
        let span = |given: Option<u64>, standard: Span| given.map_or(standard, Span::seconds);
        Policy {
            name: self.name.unwrap_or(standard.name),
            nodes_at_once: self.nodes_at_once.unwrap_or(standard.nodes_at_once).max(1),
            drain_limit: span(self.drain_limit_seconds, standard.drain_limit),
            run_limit: span(self.run_limit_seconds, standard.run_limit),
            rest: span(self.rest_seconds, standard.rest),
            silent_after: span(self.silent_after_seconds, standard.silent_after),
            reboot_silent_after: span(self.reboot_silent_after_seconds, standard.reboot_silent_after),
            stuck_after: span(self.stuck_after_seconds, standard.stuck_after),
            absent_grace: span(self.absent_grace_seconds, standard.absent_grace),
            start_limit: span(self.start_limit_seconds, standard.start_limit),
            stop_at_failures: self.stop_at_failures.unwrap_or(standard.stop_at_failures),
            stop_at_failure_percent: self.stop_at_failure_percent.unwrap_or(standard.stop_at_failure_percent),
            first_nodes: self.first_nodes.unwrap_or(standard.first_nodes),
        }
    }
}

/// What the forecast uses of the platform, and messages about what it does not.
pub(crate) fn state(status: &UpgradeStatus, policy: Policy) -> (PlatformState, Vec<String>) {
    let (heard, unheard): (Vec<&Node>, Vec<&Node>) =
        status.nodes.iter().partition(|node| node.contact == "heard" && node.calls.is_some());
    let mut locations: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for node in &heard {
        let name = node.system_location.clone().unwrap_or_else(|| NO_LOCATION.into());
        let calls = node.calls.unwrap_or_default();
        locations.entry(name).or_default().push(calls);
    }
    let refuses = |node: &&&Node| !node.maintenance_mode_owners.is_empty();
    let counts = [
        (unheard.len(), "not reachable now, or with an unknown number of calls, and left out"),
        (heard.iter().filter(refuses).count(), "in maintenance mode now, and counted as in service"),
    ];
    let counted = counts.iter().filter(|(count, _)| *count > 0);
    let mut messages: Vec<String> = counted.map(|(count, what)| format!("Nodes {what}: {count}.")).collect();
    if status.run.is_some() {
        messages
            .push("A run is under way; the forecast is of another one, which begins with every node.".into());
    }
    let clock = Span(u64::try_from(status.now.0.as_millisecond()).unwrap_or_default() % DAY.0);
    (PlatformState { locations, policy, clock }, messages)
}
