//! When two states are equal for the model checker. Of times only the distance to the next deadlines counts; of
//! generations and times of reports, only their order. What is shown and decides nothing (since when, what the last run
//! was) is left out, so that equivalent states are checked once.
//!
//! Every type is destructured field by field, so that a new field must be considered here.

use std::hash::{Hash, Hasher};

use fleet::desired::{Desired, Generation};
use fleet::node::{Contact, Node, NodeId};
use fleet::observed::Observed;
use fleet::platform::{Fleet, Platform};
use fleet::progress::{Attempt, Phase, Progress};
use fleet::run::{EndedRun, ManagerStep, Run};
use fleet::time::Time;

use super::possible::NEVER;
use super::state::{Machine, Manager, Message, State};

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { now: _, manager: _, machines: _, held_up: _, budget, broken } = self;
        (budget, broken).hash(state);
        self.hash_situation(state);
        for message in &self.held_up {
            let (Message::Report { from: id, .. } | Message::Desired { to: id, .. }) = &**message;
            id.hash(state);
            Ranks::of(self, *id).hash_message(message, state);
        }
    }
}

impl State {
    /// Hashes the situation alone, without the remaining budget and the delayed messages.
    pub(crate) fn hash_situation<H: Hasher>(&self, state: &mut H) {
        let Manager { fleet, stored, up, upgrade, slot, trying, fell_back } = &*self.manager;
        (up, slot, trying, fell_back.is_some(), stored.is_some()).hash(state);
        // What else the upgrade knows follows from the platform: between two steps, nothing but a staging that is not
        // wanted any more is in flight without being wanted.
        let staging = upgrade.awaited().is_some() && !upgrade.is_wanted(fleet);
        staging.hash(state);
        for fleet in std::iter::once(fleet).chain(stored) {
            hash_platform(&fleet.platform, self.now, state);
        }
        for id in self.ids() {
            let ranks = Ranks::of(self, id);
            for fleet in std::iter::once(fleet).chain(stored) {
                if let Some(node) = fleet.nodes().get(id) {
                    (node.reported_at < fleet.platform.started_at).hash(state);
                    ranks.hash_record(node, self.now, state);
                }
            }
            ranks.hash_machine(self.machine(id), self.now, state);
        }
    }
}

/// How far a deadline lies ahead.
fn ahead(now: Time, deadline: Time) -> u64 {
    now.until(deadline).min(NEVER).0
}

fn hash_platform<H: Hasher>(platform: &Platform, now: Time, state: &mut H) {
    // The epoch is above that of every desired state, which is its only purpose. No wall clock is set in a small world.
    let Platform {
        release,
        epoch: _,
        runs,
        policy: _,
        run,
        last_run,
        installed,
        started_at: _,
        start_fault,
        wall: _,
    } = platform;
    (release, runs, installed.map(|installed| installed.manifest), start_fault).hash(state);
    if let Some(run) = run {
        // The versions that it began with only cause a warning at the next start.
        let Run {
            id,
            package: _,
            source,
            policy,
            started_at: _,
            lock,
            manager,
            idle_since,
            held_up_since,
            paused,
            tag: _,
            sources: _,
            on_target,
        } = run;
        let step = match manager {
            ManagerStep::Staging { since: _ } => 0_u8,
            ManagerStep::Installing { since: _ } => 1,
            ManagerStep::Confirmed { at: _ } => 2,
        };
        let grace = idle_since.map(|since| ahead(now, since + policy.absent_grace));
        let held_up = held_up_since.map(|since| ahead(now, since + policy.drain_limit));
        (id, source, lock, step, grace, held_up, paused.is_some(), ahead(now, run.limit()), on_target)
            .hash(state);
    }
    if let Some(last) = last_run {
        let EndedRun { id, package: _, source: _, started_at: _, ended_at: _, outcome, tag: _, sources: _ } =
            last;
        (id, outcome).hash(state);
    }
}

/// The order of one node's generations and of the times of its reports.
struct Ranks {
    generations: Vec<Generation>,
    times: Vec<Time>,
}

impl Ranks {
    fn of(state: &State, id: NodeId) -> Self {
        let (machine, manager) = (state.machine(id), &state.manager);
        let mut ranks = Self { generations: Vec::with_capacity(8), times: Vec::with_capacity(4) };
        ranks.generations.push(machine.persistent_state.accepted.generation);
        ranks.generations.extend(machine.operator_since);
        machine.report.iter().for_each(|report| ranks.take_report(report));
        ranks.generations.extend(machine.desired.as_ref().map(|desired| desired.generation));
        let fleets = std::iter::once(&manager.fleet).chain(&manager.stored);
        for node in fleets.filter_map(|fleet: &Fleet| fleet.nodes().get(id)) {
            ranks.generations.push(node.generation);
            node.observed.iter().for_each(|report| ranks.take_report(report));
        }
        for message in &state.held_up {
            match &**message {
                Message::Report { from, observed } if *from == id => ranks.take_report(observed),
                Message::Desired { to, desired } if *to == id => ranks.generations.push(desired.generation),
                Message::Report { .. } | Message::Desired { .. } => {}
            }
        }
        ranks.generations.sort_unstable();
        ranks.generations.dedup();
        ranks.times.sort_unstable();
        ranks.times.dedup();
        ranks
    }

    fn take_report(&mut self, report: &Observed) {
        self.generations.push(report.generation);
        self.times.push(report.at);
    }

    fn generation(&self, generation: Generation) -> usize {
        self.generations.partition_point(|other| *other < generation)
    }

    fn hash_report<H: Hasher>(&self, report: &Observed, state: &mut H) {
        let Observed {
            at,
            generation,
            release,
            release_state,
            admission,
            calls,
            staging,
            unfit,
            start_fault,
            process: _,
        } = report;
        self.times.partition_point(|other| other < at).hash(state);
        (self.generation(*generation), release, release_state, admission, calls, staging, unfit).hash(state);
        start_fault.hash(state);
    }

    fn hash_desired<H: Hasher>(&self, desired: &Desired, state: &mut H) {
        let Desired { generation, intent } = desired;
        (self.generation(*generation), intent).hash(state);
    }

    fn hash_message<H: Hasher>(&self, message: &Message, state: &mut H) {
        match message {
            Message::Report { from: _, observed } => {
                0_u8.hash(state);
                self.hash_report(observed, state);
            }
            Message::Desired { to: _, desired } => {
                1_u8.hash(state);
                self.hash_desired(desired, state);
            }
        }
    }

    fn hash_record<H: Hasher>(&self, node: &Node, now: Time, state: &mut H) {
        let Node {
            name: _,
            duty: _,
            operator_maintenance,
            generation,
            contact,
            observed,
            reported_at: _,
            assigned,
            progress,
            woken,
            hold,
            cleared_at: _,
            clock_off: _,
            result,
            failed_before,
            out_of_date,
            reached,
            went_back_at,
            // No process has a number here.
            starts: _,
        } = node;
        let held = (operator_maintenance.is_some(), out_of_date.is_some());
        (reached, went_back_at.map(|since| now.since(since).min(NEVER))).hash(state);
        (held, self.generation(*generation), assigned, woken, hold).hash(state);
        (result, failed_before).hash(state);
        match contact {
            Contact::Never => 0_u64.hash(state),
            Contact::Heard => 1_u64.hash(state),
            Contact::Silent { since: _, lost_at } => (2_u64, ahead(now, *lost_at)).hash(state),
            Contact::Lost { since: _ } => 3_u64.hash(state),
        }
        observed.is_some().hash(state);
        observed.iter().for_each(|report| self.hash_report(report, state));
        hash_progress(progress, now, state);
    }

    fn hash_machine<H: Hasher>(&self, machine: &Machine, now: Time, state: &mut H) {
        let Machine {
            persistent_state,
            confirmed,
            other,
            trying,
            fell_back,
            process,
            calls,
            engine,
            report,
            desired,
            operator_since,
            timeouts,
        } = machine;
        let fleet::agent::PersistentState { accepted, held_until, let_go, selected, rejected, fell_back_at } =
            persistent_state;
        self.hash_desired(accepted, state);
        (held_until.map(|until| ahead(now, until)), let_go, selected).hash(state);
        let known = fell_back.as_ref().map(|fell_back| *fell_back_at == Some(fell_back.at));
        (rejected, confirmed, other, trying, known, calls, engine, timeouts).hash(state);
        operator_since.map(|since| self.generation(since)).hash(state);
        (process.is_some(), report.is_some(), desired.is_some()).hash(state);
        // What an agent knows beside its persistent state shows in its report and in what it wants.
        if let Some(process) = process {
            let observed = process.node.agent().observed(now);
            (process.answered, observed.release, observed.release_state, observed.staging).hash(state);
            (observed.admission, observed.calls).hash(state);
        }
        report.iter().for_each(|report| self.hash_report(report, state));
        desired.iter().for_each(|desired| self.hash_desired(desired, state));
    }
}

fn hash_progress<H: Hasher>(progress: &Progress, now: Time, state: &mut H) {
    std::mem::discriminant(progress).hash(state);
    match progress {
        Progress::Idle | Progress::Upgraded { at: _ } => {}
        Progress::Pending { tried, rests_until } => {
            (tried, rests_until.map(|until| ahead(now, until))).hash(state);
        }
        Progress::Attempt(Attempt { tried, since: _, phase }) => {
            tried.hash(state);
            hash_phase(phase, now, state);
        }
        Progress::Failed { why, at: _ } => why.hash(state),
    }
}

fn hash_phase<H: Hasher>(phase: &Phase, now: Time, state: &mut H) {
    std::mem::discriminant(phase).hash(state);
    match phase {
        Phase::Starting { until } | Phase::Preparing { until } | Phase::Draining { until } => {
            ahead(now, *until).hash(state);
        }
        Phase::Installing { drain_until, stuck_at } => {
            (ahead(now, *drain_until), ahead(now, *stuck_at)).hash(state);
        }
        Phase::Rebooting { stuck_at } => ahead(now, *stuck_at).hash(state),
        Phase::Releasing { ending } => ending.hash(state),
    }
}
