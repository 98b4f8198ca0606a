//! The counters of one seed or of many: what was done to the world, and which outcomes were reached.

use std::fmt::Write as _;

use crate::seeded::plan::kinds::{Kind, KindCounts};

/// How often each outcome was reached: an outcome that no world reaches is not tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Runs that were complete.
    pub complete: u64,
    /// Runs that ended with nodes left.
    pub incomplete: u64,
    /// Runs that were stopped at the overall limit.
    pub limit: u64,
    /// Runs that ended because the Management Node fell back or rejected the release.
    pub manager_fell_back: u64,
    /// Runs that stopped by themselves after too many failures.
    pub stopped: u64,
    /// Runs that the operator stopped.
    pub stopped_by_operator: u64,
    /// Runs that were started with nodes on other releases than the Management Node.
    pub from_mixture: u64,
    /// Of these, runs that were started with a node on the target release.
    pub on_target: u64,
    /// Runs that were replaced by another.
    pub replaced: u64,
    /// Drains that timed out.
    pub timeouts: u64,
    /// Nodes that were cut off and went back to service by themselves.
    pub let_go: u64,
    /// Nodes on which a release failed.
    pub failed: u64,
    /// Restores of the manager.
    pub memory_back: u64,
    /// Bursting nodes that were started for a run.
    pub woken: u64,
    /// Desired states that a node refused.
    pub commands_refused: u64,
}

impl Reached {
    /// The sums, each with the name that tables print.
    pub fn sums(&self) -> [(&'static str, u64); 15] {
        let Self {
            complete,
            incomplete,
            limit,
            manager_fell_back,
            stopped,
            stopped_by_operator,
            from_mixture,
            on_target,
            replaced,
            timeouts,
            let_go,
            failed,
            memory_back,
            woken,
            commands_refused,
        } = *self;
        [
            ("complete", complete),
            ("incomplete", incomplete),
            ("limit", limit),
            ("manager fell back", manager_fell_back),
            ("stopped after too many failures", stopped),
            ("stopped by the operator", stopped_by_operator),
            ("started from a mixture", from_mixture),
            ("started with nodes on the target", on_target),
            ("replaced", replaced),
            ("timeouts", timeouts),
            ("let go", let_go),
            ("failed", failed),
            ("memory back", memory_back),
            ("woken", woken),
            ("commands refused", commands_refused),
        ]
    }

    fn add(&mut self, other: &Self) {
        self.complete += other.complete;
        self.incomplete += other.incomplete;
        self.limit += other.limit;
        self.manager_fell_back += other.manager_fell_back;
        self.stopped += other.stopped;
        self.stopped_by_operator += other.stopped_by_operator;
        self.from_mixture += other.from_mixture;
        self.on_target += other.on_target;
        self.replaced += other.replaced;
        self.timeouts += other.timeouts;
        self.let_go += other.let_go;
        self.failed += other.failed;
        self.memory_back += other.memory_back;
        self.woken += other.woken;
        self.commands_refused += other.commands_refused;
    }
}

/// What happened in one seed or in many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that were applied to a state machine.
    pub events: u64,
    /// Runs that were started.
    pub runs: u64,
    /// Starts that were refused.
    pub refused_starts: u64,
    /// Calls that were admitted.
    pub calls: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Restarts of nodes into a selected release.
    pub restarts: u64,
    /// Calls that ended because their machine lost power.
    pub cut_off_by_power: usize,
    /// Faults and operator actions, by kind.
    pub done: KindCounts,
    /// Actions that were drawn and not possible, such as switching off what is off.
    pub impossible: KindCounts,
    /// Events for the Management Node while it was down.
    pub unheard: u64,
    /// Simulated time, in milliseconds.
    pub lasted: u64,
    /// The outcomes that were reached.
    pub reached: Reached,
}

impl Counts {
    /// Adds the counters of another seed.
    pub fn add(&mut self, other: &Self) {
        let Self {
            events,
            runs,
            refused_starts,
            calls,
            refused,
            restarts,
            cut_off_by_power,
            done,
            impossible,
            unheard,
            lasted,
            reached,
        } = other;
        self.events += events;
        self.runs += runs;
        self.refused_starts += refused_starts;
        self.calls += calls;
        self.refused += refused;
        self.restarts += restarts;
        self.cut_off_by_power += cut_off_by_power;
        self.done.add(done);
        self.impossible.add(impossible);
        self.unheard += unheard;
        self.lasted += lasted;
        self.reached.add(reached);
    }

    /// The counters as a table: what was done, how often it was not possible, and which outcomes were reached.
    pub fn table(&self) -> String {
        let hours = self.lasted / 3_600_000;
        let mut table = format!("{hours:>12}  simulated hours\n");
        let named = [
            ("events", self.events),
            ("runs started", self.runs),
            ("starts refused", self.refused_starts),
            ("calls admitted", self.calls),
            ("calls refused", self.refused),
            ("calls cut off by a loss of power", u64::try_from(self.cut_off_by_power).unwrap_or_default()),
            ("restarts of nodes into a release", self.restarts),
            ("faults and acts", self.done.sum()),
        ];
        for (name, sum) in named {
            let _ = writeln!(table, "{sum:>12}  {name}");
        }
        for (kind, name) in Kind::ALL {
            let (done, impossible) = (self.done.of(kind), self.impossible.of(kind));
            let _ = write!(table, "{done:>12}  {name}");
            let _ =
                if impossible > 0 { writeln!(table, " ({impossible} impossible)") } else { writeln!(table) };
        }
        for (name, sum) in self.reached.sums() {
            let _ = writeln!(table, "{sum:>12}  came to: {name}");
        }
        table
    }
}
