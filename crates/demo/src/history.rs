//! When each node went through its phases, read from the history that the Management Node keeps.

use std::collections::BTreeMap;

use callers::time::Time;
use demo::{Error, Pitlane};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// The phases of one node in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phases {
    /// When it was asked into maintenance mode, each time.
    pub(crate) preparing: Vec<Time>,
    /// When it was back, each time.
    pub(crate) back: Vec<Time>,
    /// When it refused calls; the last time, when it was tried again.
    pub(crate) draining: Option<Time>,
    /// When its calls had cleared.
    pub(crate) cleared: Option<Time>,
    /// When it took calls again on the new release.
    pub(crate) upgraded: Option<Time>,
    /// How often its calls had not cleared in time.
    pub(crate) timeouts: usize,
}

/// The phases of all nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    nodes: BTreeMap<String, Phases>,
}

impl History {
    /// The history of the run that a status names as the last.
    pub(crate) fn of_last_run(pitlane: &Pitlane, status: &Value) -> Result<Self, Error> {
        let run = status["last_run"]["id"].to_string();
        let answer = pitlane.ask(&["upgrade", "history", &run])?;
        let mut history = Self::default();
        for fact in answer["facts"].as_array().into_iter().flatten() {
            if let (Some(at), Some(name)) = (time(&fact["at"]), fact["fact"]["name"].as_str()) {
                history.nodes.entry(name.to_owned()).or_default().note(at, &fact["fact"]["what"]);
            }
        }
        Ok(history)
    }

    /// The most nodes that were out of service at one time.
    pub(crate) fn most_at_once(&self) -> usize {
        let left = self.nodes.values().flat_map(|node| &node.preparing).map(|at| (*at, true));
        let back = self.nodes.values().flat_map(|node| &node.back).map(|at| (*at, false));
        let mut moves: Vec<(Time, bool)> = left.chain(back).collect();
        // At one moment, the place is given back before it is taken.
        moves.sort_unstable();
        let (mut out, mut most) = (0_usize, 0);
        for (_, leaves) in moves {
            out = if leaves { out + 1 } else { out.saturating_sub(1) };
            most = most.max(out);
        }
        most
    }

    /// The phases of one node.
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
            self.back.push(at);
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
