//! Reads from the history of a run when each node entered its phases.
//!
//! Relies on the names of facts in `pitlane --json upgrade history`. Judges nothing: that is `verdict`.

use std::collections::BTreeMap;

use callers::time::Time;
use demo::{Error, Pitlane};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// The times of one node's phases in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phases {
    /// When it was asked to enter maintenance mode, each time.
    pub(crate) preparing: Vec<Time>,
    /// When it returned to service, each time.
    pub(crate) returned: Vec<Time>,
    /// When it began to refuse calls, in the last attempt.
    pub(crate) draining: Option<Time>,
    /// When its calls had cleared.
    pub(crate) cleared: Option<Time>,
    /// When it accepted calls again on the new release.
    pub(crate) upgraded: Option<Time>,
    /// The number of attempts that ended at the drain limit.
    pub(crate) timeouts: usize,
}

/// The phases of all nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    nodes: BTreeMap<String, Phases>,
}

impl History {
    /// The history of the last run in a status.
    pub(crate) fn of_last_run(pitlane: &Pitlane, status: &Value) -> Result<Self, Error> {
        let run = status["last_run"]["id"].to_string();
        let answer = pitlane.query(&["upgrade", "history", &run])?;
        let mut history = Self::default();
        for fact in answer["facts"].as_array().into_iter().flatten() {
            if let (Some(at), Some(name)) = (time(&fact["at"]), fact["fact"]["name"].as_str()) {
                history.nodes.entry(name.to_owned()).or_default().note(at, &fact["fact"]["what"]);
            }
        }
        Ok(history)
    }

    /// The largest number of nodes that were out of service at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        let left = self.nodes.values().flat_map(|node| &node.preparing).map(|at| (*at, true));
        let back = self.nodes.values().flat_map(|node| &node.returned).map(|at| (*at, false));
        let mut moves: Vec<(Time, bool)> = left.chain(back).collect();
        // At equal times, a node that returns frees its place before the next node takes it.
        moves.sort_unstable();
        let (mut out, mut most) = (0_usize, 0);
        for (_, leaves) in moves {
            out = if leaves { out + 1 } else { out.saturating_sub(1) };
            most = most.max(out);
        }
        most
    }

    /// The times of one node's phases.
    pub(crate) fn of(&self, node: &str) -> Phases {
        self.nodes.get(node).cloned().unwrap_or_default()
    }
}

impl Phases {
    fn note(&mut self, at: Time, what: &Value) {
        let named = |name: &str| what == name || what.get(name).is_some();
        if named("preparing") {
            self.preparing.push(at);
        }
        if named("upgraded") || named("returned") || named("failed") {
            self.returned.push(at);
        }
        if named("draining") {
            self.draining = Some(at);
        } else if named("installing") {
            self.cleared = Some(at);
        } else if named("upgraded") {
            self.upgraded = Some(at);
        } else if named("drain_timed_out") {
            self.timeouts += 1;
        }
    }
}

/// A time of the management API: UTC, ISO 8601, without zone.
fn time(value: &Value) -> Option<Time> {
    let moment: DateTime = value.as_str()?.parse().ok()?;
    let moment = TimeZone::UTC.to_timestamp(moment).ok()?.as_millisecond();
    u64::try_from(moment).ok().map(Time)
}
