//! A seed that failed, as a file: the seed, the broken promise, and what was taken away from its world while
//! the same promise still broke. It replays on any machine, and a test holds those that are kept.

use std::fmt::Write as _;

use fleet::time::Span;

use super::canary::Canary;
use super::odds::{Odds, Switch};
use super::{Story, Telling, tell_plan};

/// What happens: a seed, less what was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The rule that is broken on purpose, for tests of this machinery.
    pub canary: Option<Canary>,
    /// The kinds of trouble that never come.
    pub without: Vec<Switch>,
    /// Another number of nodes than the seed draws.
    pub nodes: Option<u64>,
    /// Another time of trouble than the seed draws.
    pub troubled_for: Option<Span>,
}

impl Plan {
    /// A seed as it is drawn.
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(super) fn alter(&self, odds: &mut Odds) {
        self.without.iter().for_each(|switch| switch.off(odds));
        odds.nodes = self.nodes.unwrap_or(odds.nodes);
        odds.bursting = odds.bursting.min(odds.nodes);
        odds.troubled_for = self.troubled_for.unwrap_or(odds.troubled_for);
    }

    /// The file.
    pub fn to_text(&self, promise: &str) -> String {
        let mut text = format!("promise {promise}\nseed {}\n", self.seed);
        if let Some(canary) = self.canary {
            let _ = writeln!(text, "canary {canary:?}");
        }
        for switch in &self.without {
            let _ = writeln!(text, "without {switch:?}");
        }
        if let Some(nodes) = self.nodes {
            let _ = writeln!(text, "nodes {nodes}");
        }
        if let Some(Span(millis)) = self.troubled_for {
            let _ = writeln!(text, "troubled-for {millis}");
        }
        text
    }

    /// Reads a file; what follows a `#` is a remark.
    ///
    /// # Errors
    /// The line that says nothing.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let mut plan = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let number = || rest.parse::<u64>().map_err(|_| format!("no number: {line}"));
            match word {
                "promise" => {}
                "seed" => plan.seed = number()?,
                "nodes" => plan.nodes = Some(number()?),
                "troubled-for" => plan.troubled_for = Some(Span(number()?)),
                "canary" => plan.canary = Some(Canary::named(rest).ok_or(format!("no canary: {line}"))?),
                "without" => plan.without.push(Switch::named(rest).ok_or(format!("no trouble: {line}"))?),
                _ => return Err(format!("not understood: {line}")),
            }
        }
        Ok(plan)
    }

    /// Takes away from the world whatever can go while the same promise still breaks: whole kinds of trouble,
    /// then nodes, then time.
    pub fn shrunk(self, promise: &str) -> Self {
        let mut plan = self;
        for switch in Switch::ALL {
            let mut less = plan.clone();
            less.without.push(switch);
            plan = if less.breaks(promise) { less } else { plan };
        }
        let mut nodes = tell_plan(&plan, Telling::Sums).odds.nodes;
        while nodes > 1 {
            nodes /= 2;
            let less = Self { nodes: Some(nodes), ..plan.clone() };
            plan = if less.breaks(promise) { less } else { plan };
        }
        let mut time = tell_plan(&plan, Telling::Sums).odds.troubled_for;
        while time > Span::minutes(5) {
            time = Span(time.0 / 2);
            let less = Self { troubled_for: Some(time), ..plan.clone() };
            plan = if less.breaks(promise) { less } else { plan };
        }
        plan
    }

    fn breaks(&self, promise: &str) -> bool {
        let Story { violations, .. } = tell_plan(self, Telling::Sums);
        violations.iter().any(|violation| violation.promise == promise)
    }
}
