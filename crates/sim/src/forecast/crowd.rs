//! The calls of one location as counts: how many came in each step and are still in progress. Only the calls of a node
//! that stops taking calls become single ones, each with its end.
//!
//! A call goes to any node of its location that takes calls, with equal probability. A call to a node in maintenance
//! mode is placed on another of the location; if none has capacity, it is refused. So a node that is taken out holds an
//! equal share of every step since it takes calls, and the remaining length of each call follows from its age.

use std::collections::{BTreeMap, VecDeque};

use fleet::time::{Span, Time};

use super::chance::Chance;
use super::lengths::{Lengths, seconds};
use super::plan::{Day, Location, Plan};

/// The longest call that is followed; hardly any is longer.
pub(super) const LONGEST_CALL: Span = Span::hours(48);

/// Steps in the mean length of a call: enough that hardly any call begins and ends within one.
const STEPS_IN_A_CALL: u64 = 20;

/// The shortest and the longest step.
const STEPS: [Span; 2] = [Span::seconds(2), Span::minutes(1)];

/// The fraction of a step's calls below which they are no longer followed.
const NONE_LEFT: f64 = 1e-9;

/// How often a time within a step is redrawn before the nearest one is used.
const TRIES: usize = 64;

/// The model of calls that all locations and samples share.
#[derive(Clone, Debug)]
pub(super) struct CallModel {
    lengths: Lengths,
    day: Day,
    places_per_node: u32,
    /// The length of a step.
    pub(super) step: Span,
    /// The fraction of the calls of a step that are in progress so many steps after its beginning.
    alive: Vec<f64>,
}

impl CallModel {
    pub(super) fn new(plan: &Plan) -> Self {
        let mean = Span((plan.lengths.mean * 1_000.0) as u64);
        let step = Span((mean.0 / STEPS_IN_A_CALL).clamp(STEPS[0].0, STEPS[1].0));
        let length = seconds(step);
        let lived = |steps: u64| plan.lengths.lived_by(steps as f64 * length);
        let mut alive = vec![1.0];
        alive.extend(
            (1..=LONGEST_CALL.0 / step.0)
                .map(|age| (lived(age) - lived(age - 1)) / length)
                .take_while(|part| *part > NONE_LEFT),
        );
        let Plan { lengths, places_per_node, .. } = *plan;
        Self { lengths, day: plan.day.clone(), places_per_node, step, alive }
    }

    fn alive(&self, age: usize) -> f64 {
        self.alive.get(age).copied().unwrap_or_default()
    }
}

/// The calls that came in one step, on nodes that have taken calls ever since.
#[derive(Clone, Copy, Debug)]
struct Cohort {
    calls: u32,
    holders: u32,
}

/// What happened to the calls of a location.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// Calls that came.
    pub(super) offered: u64,
    /// Calls for which no node of the location had capacity.
    pub(super) refused: u64,
    /// Calls to a node out of service that were placed on another.
    pub(super) moved: u64,
}

/// The calls of one location.
#[derive(Clone, Debug)]
pub(super) struct Crowd<'a> {
    model: &'a CallModel,
    busiest: f64,
    /// The location's time of day at time 0.
    clock: Span,
    nodes: u32,
    /// Nodes that take calls.
    pub(super) admitting: u32,
    /// The smallest such number so far.
    pub(super) fewest: u32,
    cohorts: VecDeque<Cohort>,
    step: u64,
    /// Ends of the calls that nodes kept when they came back to service, by step.
    brought: BTreeMap<u64, u32>,
    /// What happened to the calls.
    pub(super) sums: Sums,
    /// The largest used fraction of the capacity in service so far.
    pub(super) fullest: f64,
}

impl<'a> Crowd<'a> {
    /// The calls in progress at `now`, on nodes that take calls.
    pub(super) fn new(
        model: &'a CallModel,
        location: &Location,
        start: Span,
        now: Time,
        chance: &mut Chance,
    ) -> Self {
        let nodes = location.nodes;
        let mut crowd = Self {
            model,
            busiest: location.calls,
            clock: Span((start + location.ahead + Span::hours(48)).0.saturating_sub(now.0)),
            nodes,
            admitting: nodes,
            fewest: nodes,
            cohorts: VecDeque::new(),
            step: now.0 / model.step.0,
            brought: BTreeMap::new(),
            sums: Sums::default(),
            fullest: 0.0,
        };
        for age in (1..model.alive.len()).rev() {
            let mean = crowd.coming(crowd.step - age as u64) * model.alive(age);
            let known = location.calls_now.is_some();
            let calls = if known { 0 } else { chance.arrivals(mean) };
            crowd.cohorts.push_back(Cohort { calls, holders: nodes });
        }
        crowd.keep_to_the_places(chance);
        crowd.arrive(chance);
        crowd
    }

    /// The mean number of calls that come within a step.
    fn coming(&self, step: u64) -> f64 {
        let middle = Span(step * self.model.step.0 + self.model.step.0 / 2);
        let part = self.model.day.part_at(self.clock + middle);
        self.busiest * part * seconds(self.model.step) / self.model.lengths.mean
    }

    /// Limits a load that exceeds the capacity at the start.
    fn keep_to_the_places(&mut self, chance: &mut Chance) {
        let (calls, places) = (self.calls(), self.places());
        if calls > places {
            let kept = f64::from(places) / f64::from(calls);
            self.cohorts.iter_mut().for_each(|cohort| cohort.calls = chance.chosen(cohort.calls, kept));
        }
    }

    /// Calls on nodes that take calls.
    pub(super) fn calls(&self) -> u32 {
        self.cohorts.iter().map(|cohort| cohort.calls).sum::<u32>() + self.brought.values().sum::<u32>()
    }

    fn places(&self) -> u32 {
        self.admitting.saturating_mul(self.model.places_per_node)
    }

    fn begin_of(&self, step: u64) -> Time {
        Time(step * self.model.step.0)
    }

    /// Advances over all steps that have ended at `now`.
    pub(super) fn advance_to(&mut self, now: Time, chance: &mut Chance) {
        while self.begin_of(self.step + 1) <= now {
            self.step += 1;
            self.depart(chance);
            self.arrive(chance);
        }
    }

    fn depart(&mut self, chance: &mut Chance) {
        let count = self.cohorts.len();
        for (at, cohort) in self.cohorts.iter_mut().enumerate().filter(|(_, cohort)| cohort.calls > 0) {
            let age = count - at;
            let before = self.model.alive(age - 1);
            let stays = if before > 0.0 { self.model.alive(age) / before } else { 0.0 };
            cohort.calls -= chance.chosen(cohort.calls, 1.0 - stays);
        }
        while self.cohorts.len() >= self.model.alive.len() {
            self.cohorts.pop_front();
        }
        self.brought = self.brought.split_off(&self.step);
    }

    /// Adds the calls of the step that begins.
    fn arrive(&mut self, chance: &mut Chance) {
        let (calls, places) = (self.calls(), self.places());
        if places > 0 {
            // The calls that end within a step are an average below, so a step may begin with a call too many.
            self.fullest = self.fullest.max(f64::from(calls) / f64::from(places)).min(1.0);
        }
        let offered = chance.arrivals(self.coming(self.step));
        let admitted = if calls + offered <= places {
            offered
        } else {
            offered.min(chance.rounded(f64::from(places) - f64::from(calls) + self.leaving() / 2.0))
        };
        let away = self.nodes.saturating_sub(self.admitting);
        let part_away = f64::from(away) / f64::from(self.nodes.max(1));
        self.sums.offered += u64::from(offered);
        self.sums.refused += u64::from(offered - admitted);
        self.sums.moved += u64::from(chance.chosen(admitted, part_away));
        self.cohorts.push_back(Cohort { calls: admitted, holders: self.admitting });
    }

    /// The mean capacity that becomes free within the step that begins, of which a call finds half. Without a node that
    /// takes calls there is none.
    fn leaving(&self) -> f64 {
        if self.admitting == 0 {
            return 0.0;
        }
        let count = self.cohorts.len();
        let leaves = |(at, cohort): (usize, &Cohort)| {
            let age = count - at;
            let before = self.model.alive(age).max(NONE_LEFT);
            f64::from(cohort.calls) * (1.0 - self.model.alive(age + 1) / before)
        };
        let brought = self.brought.get(&self.step).copied().unwrap_or_default();
        self.cohorts.iter().enumerate().map(leaves).sum::<f64>() + f64::from(brought)
    }

    /// A node takes calls again and keeps those that it has. Returns the step from which on it has its share.
    pub(super) fn open(&mut self, calls: &[Time]) -> u64 {
        self.admitting += 1;
        self.bring(calls);
        self.step + 1
    }

    /// Adds calls whose ends are known.
    pub(super) fn bring(&mut self, calls: &[Time]) {
        for end in calls {
            *self.brought.entry(end.0 / self.model.step.0).or_default() += 1;
        }
    }

    /// A node refuses calls from now on. Returns the ends of its calls: its share since it took calls, and those that
    /// it kept before.
    pub(super) fn close(
        &mut self,
        since: u64,
        brought: &[Time],
        now: Time,
        chance: &mut Chance,
    ) -> Vec<Time> {
        let mut ends = self.take_back(brought, now);
        let count = self.cohorts.len();
        for at in 0..count {
            let step = self.step + 1 + at as u64 - count as u64;
            let Some(cohort) = self.cohorts.get(at).copied().filter(|_| step >= since) else { continue };
            let share = chance.chosen(cohort.calls, 1.0 / f64::from(cohort.holders.max(1)));
            let mut taken = 0;
            for _ in 0..share {
                let (began, end) = self.call_of(step, self.step, chance);
                taken += u32::from(began <= now);
                ends.extend((began <= now && end > now).then_some(end));
            }
            let left = cohort.calls - taken;
            if let Some(cohort) = self.cohorts.get_mut(at) {
                cohort.holders = cohort.holders.saturating_sub(1);
                // Calls to the last node of the location in the rest of this step are refused.
                cohort.calls = if cohort.holders == 0 { 0 } else { left };
                self.sums.refused += u64::from(left - cohort.calls);
            }
        }
        self.admitting -= 1;
        self.fewest = self.fewest.min(self.admitting);
        ends
    }

    fn take_back(&mut self, brought: &[Time], now: Time) -> Vec<Time> {
        for end in brought {
            if let Some(count) = self.brought.get_mut(&(end.0 / self.model.step.0)) {
                *count = count.saturating_sub(1);
            }
        }
        brought.iter().copied().filter(|end| *end > now).collect()
    }

    /// The beginning and the end of a call of `step` that is in progress at the beginning of step `present`.
    fn call_of(&self, step: u64, present: u64, chance: &mut Chance) -> (Time, Time) {
        let length = seconds(self.model.step);
        let age_of_step = present.saturating_sub(step) as f64 * length;
        let youngest = (age_of_step - length).max(0.0);
        let most = self.model.lengths.outlasting(youngest);
        let mut age = youngest;
        for _ in 0..TRIES {
            let drawn = age_of_step - chance.part() * length;
            if chance.part() * most <= self.model.lengths.outlasting(drawn) {
                age = drawn;
                break;
            }
        }
        let began = self.begin_of(present).0 as f64 / 1_000.0 - age;
        let end = began + self.model.lengths.beyond(age.max(0.0), chance);
        (Time((began * 1_000.0) as u64), Time((end * 1_000.0).ceil() as u64))
    }

    /// The ends of `count` calls that are in progress now and whose age is unknown.
    pub(super) fn in_progress(&self, count: u32, chance: &mut Chance) -> Vec<Time> {
        let ages = 1..self.model.alive.len();
        let weights: Vec<f64> = ages
            .scan(0.0, |sum, age| {
                *sum += self.coming(self.step - age as u64).max(NONE_LEFT) * self.model.alive(age);
                Some(*sum)
            })
            .collect();
        let all = weights.last().copied().unwrap_or_default();
        let end = |_| {
            let mark = chance.part() * all;
            let age = weights.partition_point(|sum| *sum < mark) as u64 + 1;
            self.call_of(self.step - age, self.step, chance).1
        };
        (0..count).map(end).collect()
    }
}
