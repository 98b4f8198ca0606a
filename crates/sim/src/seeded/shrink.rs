//! Makes a failing world smaller: removes whatever can be removed while the same promise still breaks. It relies on
//! separate generators: removing one thing changes only what that thing itself would have done.

use std::collections::BTreeSet;

use fleet::time::Span;

use super::plan::file::Plan;
use super::plan::step::Step;
use super::plan::switch::Switch;
use super::world::BEGINNING;
use super::{SeedReport, Verbosity, run_plan};

/// The most runs of one search.
const REPLAYS: u32 = 200;

/// The shortest time of faults that is tried.
const SHORTEST: Span = Span::minutes(5);

struct Search<'a> {
    plan: Plan,
    promise: &'a str,
    replays: u32,
}

impl Plan {
    /// The plan with its drawn actions as steps, without whatever can be removed while the promise still breaks: first
    /// whole kinds of faults, then nodes, then steps, many at a time and one by one, then time.
    #[must_use]
    pub fn shrunk(self, promise: &str) -> Self {
        let written = self.written_down();
        let mut search = Search { plan: self, promise, replays: REPLAYS };
        search.try_less(written);
        search.take_kinds();
        search.take_nodes();
        search.take_steps();
        search.take_time();
        search.plan
    }

    /// The same world, with every action that the seed drew as a step.
    #[must_use]
    pub fn written_down(&self) -> Self {
        let SeedReport { steps, rates, .. } = run_plan(self, Verbosity::Sums);
        let without = self.without.iter().copied().filter(|switch| !switch.is_interference()).collect();
        Self { steps: Some(steps), without, compromised: rates.compromised, ..self.clone() }
    }

    fn breaks(&self, promise: &str) -> bool {
        let SeedReport { violations, .. } = run_plan(self, Verbosity::Sums);
        violations.iter().any(|violation| violation.promise == promise)
    }

    fn step_count(&self) -> usize {
        self.steps.as_ref().map_or(0, Vec::len)
    }

    /// The plan without the steps from one number up to another.
    fn without_steps(&self, from: usize, to: usize) -> Self {
        let mut less = self.clone();
        if let Some(steps) = &mut less.steps {
            steps.drain(from..to.min(steps.len()));
        }
        less
    }

    fn with_steps(&self, keep: impl Fn(&Step) -> bool) -> Self {
        let mut less = self.clone();
        if let Some(steps) = &mut less.steps {
            steps.retain(keep);
        }
        less
    }
}

impl Search<'_> {
    /// Continues with a smaller plan if that still breaks the promise. Returns false if it does not, or if no more
    /// runs are allowed.
    fn try_less(&mut self, less: Plan) -> bool {
        if self.replays == 0 {
            return false;
        }
        self.replays -= 1;
        let breaks = less.breaks(self.promise);
        if breaks {
            self.plan = less;
        }
        breaks
    }

    fn take_kinds(&mut self) {
        self.try_less(Plan { compromised: None, ..self.plan.clone() });
        let steps = self.plan.steps.as_deref().unwrap_or_default();
        let kinds: BTreeSet<_> = steps.iter().map(|step| step.action.kind() as usize).collect();
        for kind in kinds {
            self.try_less(self.plan.with_steps(|step| step.action.kind() as usize != kind));
        }
        for switch in Switch::ALL.into_iter().filter(|switch| !switch.is_interference()) {
            let mut less = self.plan.clone();
            less.without.push(switch);
            self.try_less(less);
        }
    }

    fn take_nodes(&mut self) {
        let mut nodes = run_plan(&self.plan, Verbosity::Sums).rates.nodes;
        while nodes > 1 {
            nodes /= 2;
            self.try_less(Plan { nodes: Some(nodes), ..self.plan.clone() });
        }
    }

    fn take_steps(&mut self) {
        let mut size = self.plan.step_count().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < self.plan.step_count() {
                if !self.try_less(self.plan.without_steps(from, from + size)) {
                    from += size;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    fn take_time(&mut self) {
        let mut time = run_plan(&self.plan, Verbosity::Sums).rates.faults_for;
        while time > SHORTEST {
            time = Span(time.0 / 2);
            let less = self.plan.with_steps(|step| step.at <= BEGINNING + time);
            self.try_less(Plan { faults_for: Some(time), ..less });
        }
    }
}
