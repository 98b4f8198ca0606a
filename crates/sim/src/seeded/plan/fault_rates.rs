//! Size, load and fault rates of a seeded world, drawn from its seed. A kind of fault is absent from many seeds, so
//! that the others are seen alone. The draws are in a fixed order: a new one is appended, or every existing seed
//! changes.

use std::fmt;

use fleet::policy::Policy;
use fleet::time::{Span, Time};
use fleet::version::Version;

use super::compromised::Compromised;
use super::releases::VERSIONS;
use crate::seeded::draw::Draw;

/// Size, load and fault rates of a world. Probabilities are in thousandths; `None` is never.
#[derive(Clone, Debug)]
pub struct FaultRates {
    /// How many Conferencing Nodes there are at first.
    pub nodes: u64,
    /// How many of them are bursting nodes (R7).
    pub bursting: u64,
    /// How a run treats the nodes.
    pub policy: Policy,
    /// How long faults are injected before everything heals.
    pub faults_for: Span,
    /// The calls.
    pub calls: CallLoad,
    /// The messages.
    pub links: LinkRates,
    /// The machines.
    pub machines: MachineRates,
    /// The operator.
    pub operator: OperatorRates,
    /// A node that sends false reports.
    pub compromised: Option<Compromised>,
}

/// How calls come and last.
#[derive(Clone, Debug)]
pub struct CallLoad {
    /// The mean time between two calls to one node.
    pub every: Span,
    /// Half of the calls last longer.
    pub median: Span,
    /// Their deviation, in sixty-fourths of a doubling.
    pub spread: u64,
    /// The hour of the day at which the world begins.
    pub from_hour: u64,
}

/// How busy each hour of a day is, in hundredths of the mean: offices, with a dip at noon.
const DAY: [u64; 24] =
    [9, 5, 4, 4, 6, 14, 33, 80, 160, 225, 245, 220, 165, 205, 245, 235, 195, 135, 80, 50, 35, 25, 18, 12];

/// The busiest hour.
const BUSIEST: u64 = 245;

impl CallLoad {
    /// Measured calls: 27 minutes on average with a deviation of 20 minutes. Lengths are lognormal, so
    /// s = sqrt(ln(1 + (20/27)^2)) = 0.661, the median is 27 min / exp(s^2 / 2) = 21.7 min, and s is
    /// 0.954 of a doubling, which is 61 sixty-fourths.
    pub(crate) const REAL: Self =
        Self { every: Span::minutes(10), median: Span::seconds(1_302), spread: 61, from_hour: 8 };

    /// The mean time between two calls in the busiest hour.
    pub(crate) fn rush(&self) -> Span {
        Span(self.every.0 * 100 / BUSIEST)
    }

    /// The probability that such a call is made at this hour, in thousandths.
    pub(crate) fn dials(&self, now: Time) -> u64 {
        let hour = usize::try_from((self.from_hour + now.0 / 3_600_000) % 24).unwrap_or_default();
        DAY[hour] * 1_000 / BUSIEST
    }
}

/// What happens to messages.
#[derive(Clone, Debug)]
pub struct LinkRates {
    /// Half of the messages take longer.
    pub delay: Span,
    /// Messages that get lost.
    pub lost: u64,
    /// Messages that arrive twice.
    pub doubled: u64,
    /// Messages that are delayed for long.
    pub late: u64,
    /// How long at most.
    pub late_most: Span,
    /// How often a node reports although nothing has changed.
    pub heartbeat: Span,
    /// Links that are taken for down although they are up.
    pub false_down: u64,
    /// One node is cut off.
    pub cut_every: Option<Span>,
    /// Many nodes are cut off at once.
    pub split_every: Option<Span>,
    /// Half of the cuts last longer.
    pub cut_median: Span,
}

/// What machines do, and how they fail.
#[derive(Clone, Debug)]
pub struct MachineRates {
    /// Half of the stagings take longer.
    pub staging: Span,
    /// Stagings that are interrupted and retried.
    pub staging_breaks: u64,
    /// Releases that a node cannot stage.
    pub rejected: u64,
    /// Releases that do not start on a node.
    pub falls_back: u64,
    /// The version that starts on no node, even when everything has healed.
    pub bad_on_nodes: Option<Version>,
    /// Releases that do not start on the Management Node.
    pub manager_falls_back: u64,
    /// Restarts into a new release that are interrupted.
    pub interrupted: u64,
    /// A node loses power.
    pub crash_every: Option<Span>,
    /// A node loses power for long.
    pub off_every: Option<Span>,
    /// The Management Node loses power.
    pub manager_crash_every: Option<Span>,
    /// The Management Node is restored from a restore point.
    pub memory_back_every: Option<Span>,
    /// A restore point is made, in worlds that restore the Management Node.
    pub restore_point_every: Option<Span>,
    /// How many restores, restarts and starts follow a restore at most.
    pub restores_in_chain: u64,
    /// A node's program hangs for a while.
    pub hang_every: Option<Span>,
    /// The Management Node's program hangs for a while.
    pub manager_hang_every: Option<Span>,
    /// A node's disk is full for a while.
    pub disk_full_every: Option<Span>,
    /// A node's disk fails now and then for a while.
    pub disk_fails_every: Option<Span>,
    /// The Management Node's disk fails for a while.
    pub manager_disk_every: Option<Span>,
    /// A node's wall clock jumps.
    pub clock_jumps_every: Option<Span>,
    /// The Management Node's wall clock jumps.
    pub manager_clock_jumps_every: Option<Span>,
    /// How far at most.
    pub clock_jumps: Span,
    /// A call engine does not know for a while how many calls it has.
    pub blind_every: Option<Span>,
    /// A node reports itself unfit to take calls for a while.
    pub unfit_every: Option<Span>,
    /// How far a clock is off at most.
    pub clock_off: Span,
    /// The largest drift of a clock, in millionths.
    pub drift: u64,
    /// A node's machine would not start again for a while.
    pub start_fault_every: Option<Span>,
    /// The Management Node's machine would not start again for a while.
    pub manager_start_fault_every: Option<Span>,
    /// A node's machine is copied, and both run for a while.
    pub clone_every: Option<Span>,
}

/// What the operator does meanwhile.
#[derive(Clone, Debug)]
pub struct OperatorRates {
    /// Puts a node into maintenance mode or takes one out.
    pub maintenance_every: Option<Span>,
    /// Renames a node or changes its duty.
    pub change_every: Option<Span>,
    /// Registers a node or removes one.
    pub nodes_every: Option<Span>,
    /// Presses Start, whether or not a run is under way.
    pub start_every: Option<Span>,
    /// Restarts the Management Node.
    pub restart_every: Option<Span>,
    /// Pauses, resumes or stops a run.
    pub order_every: Option<Span>,
}

impl FaultRates {
    /// The rates of a seed.
    pub fn draw(root: &Draw) -> Self {
        let mut draw = root.child("sizes", 0);
        let nodes = if draw.chance(600) { draw.between(1, 8) } else { draw.between(9, 40) };
        let bursting = if draw.chance(600) { 0 } else { draw.below(nodes.div_ceil(3) + 1) };
        let faults_for = draw.span(Span::minutes(40), Span::hours(10));
        let mut rates = Self {
            nodes,
            bursting,
            policy: policy(&mut root.child("policy", 0)),
            faults_for,
            calls: calls(&mut root.child("call odds", 0), nodes),
            links: links(&mut root.child("link odds", 0), nodes),
            machines: machines(&mut root.child("machine odds", 0), nodes),
            operator: operator(&mut root.child("operator odds", 0)),
            compromised: None,
        };
        stops(&mut rates.policy, &mut root.child("stops", 0));
        rates.draw_bad_release(&mut root.child("bad release", 0));
        rates.restore_often(root.child("restores", 0));
        rates.compromise(root.child("compromised", 0));
        rates
    }

    /// In some seeds the second version starts on no node, and the operator upgrades to the third.
    fn draw_bad_release(&mut self, draw: &mut Draw) {
        let (bad, forward) = (draw.chance(150), draw.span(Span::minutes(30), Span::hours(2)));
        if bad {
            self.machines.bad_on_nodes = Some(VERSIONS[1]);
            self.operator.start_every =
                Some(self.operator.start_every.map_or(forward, |every| every.min(forward)));
        }
    }
}

/// The failure threshold of a run, and how many nodes go first: in half of the seeds none of either.
fn stops(policy: &mut Policy, draw: &mut Draw) {
    let number = |draw: &mut Draw, most| u32::try_from(draw.between(1, most)).unwrap_or(1);
    let (failures, percent, first) = (number(draw, 5), number(draw, 100), number(draw, 3));
    policy.stop_at_failures = if draw.chance(500) { failures } else { 0 };
    policy.stop_at_failure_percent = percent;
    policy.first_nodes = if draw.chance(300) { first } else { 0 };
}

fn policy(draw: &mut Draw) -> Policy {
    Policy {
        name: "drawn".into(),
        nodes_at_once: u32::try_from(draw.between(1, 12)).unwrap_or(1),
        drain_limit: draw.span(Span::minutes(5), Span::minutes(90)),
        run_limit: draw.span(Span::hours(2), Span::hours(24)),
        rest: draw.span(Span::ZERO, Span::minutes(20)),
        silent_after: draw.span(Span::seconds(20), Span::minutes(3)),
        reboot_silent_after: draw.span(Span::minutes(5), Span::minutes(25)),
        stuck_after: draw.span(Span::minutes(20), Span::hours(1)),
        absent_grace: draw.span(Span::minutes(1), Span::minutes(10)),
        start_limit: draw.span(Span::minutes(4), Span::minutes(15)),
        ..Policy::standard()
    }
}

/// Nodes of larger platforms have fewer calls, so that no seed takes much longer than another.
fn calls(draw: &mut Draw, nodes: u64) -> CallLoad {
    let every = Span(draw.span(Span::minutes(2), Span::minutes(20)).0 * nodes.div_ceil(4));
    let (median, spread) = (draw.span(Span::minutes(1), Span::minutes(40)), draw.between(16, 96));
    let from_hour = draw.below(24);
    let real = draw.chance(500);
    let CallLoad { median: usual, spread: as_usual, .. } = CallLoad::REAL;
    CallLoad {
        every,
        median: if real { usual } else { median },
        spread: if real { as_usual } else { spread },
        from_hour,
    }
}

fn links(draw: &mut Draw, nodes: u64) -> LinkRates {
    LinkRates {
        delay: draw.span(Span(2), Span(400)),
        lost: some(draw, 500, 250),
        doubled: some(draw, 500, 200),
        late: some(draw, 500, 60),
        late_most: draw.span(Span::minutes(1), Span::hours(4)),
        heartbeat: Span(draw.span(Span::minutes(1), Span::minutes(6)).0 * nodes.div_ceil(10)),
        false_down: some(draw, 300, 20),
        cut_every: every(draw, 600, Span::minutes(20), Span::hours(6)),
        split_every: every(draw, 350, Span::hours(1), Span::hours(8)),
        cut_median: draw.span(Span::seconds(20), Span::minutes(40)),
    }
}

fn machines(draw: &mut Draw, nodes: u64) -> MachineRates {
    // Per platform, whatever its size: one in some hours.
    let often = Span::minutes(30 + nodes);
    MachineRates {
        staging: draw.span(Span::seconds(10), Span::minutes(10)),
        staging_breaks: some(draw, 400, 300),
        rejected: some(draw, 300, 200),
        falls_back: some(draw, 400, 250),
        bad_on_nodes: None,
        manager_falls_back: some(draw, 300, 500),
        interrupted: some(draw, 400, 300),
        crash_every: every(draw, 500, often, Span::hours(8)),
        off_every: every(draw, 300, Span::hours(1), Span::hours(10)),
        manager_crash_every: every(draw, 500, Span::minutes(15), Span::hours(6)),
        memory_back_every: every(draw, 120, Span::hours(2), Span::hours(8)),
        restore_point_every: Some(Span::minutes(50)),
        restores_in_chain: 0,
        hang_every: every(draw, 350, often, Span::hours(6)),
        manager_hang_every: every(draw, 300, Span::minutes(30), Span::hours(6)),
        disk_full_every: every(draw, 300, often, Span::hours(6)),
        disk_fails_every: every(draw, 350, often, Span::hours(6)),
        manager_disk_every: every(draw, 300, Span::minutes(30), Span::hours(6)),
        clock_jumps_every: every(draw, 400, Span::minutes(15), Span::hours(4)),
        manager_clock_jumps_every: every(draw, 350, Span::minutes(30), Span::hours(6)),
        clock_jumps: draw.pick(&JUMPS).unwrap_or(JUMPS[0]),
        blind_every: every(draw, 300, Span::minutes(30), Span::hours(6)),
        unfit_every: every(draw, 300, Span::minutes(30), Span::hours(6)),
        clock_off: if draw.chance(300) { Span::ZERO } else { draw.span(Span(1), Span::hours(30)) },
        drift: some(draw, 700, 500),
        start_fault_every: every(draw, 300, often, Span::hours(6)),
        manager_start_fault_every: every(draw, 250, Span::minutes(30), Span::hours(6)),
        clone_every: every(draw, 150, Span::minutes(20), Span::hours(3)),
    }
}

fn operator(draw: &mut Draw) -> OperatorRates {
    OperatorRates {
        maintenance_every: every(draw, 600, Span::minutes(10), Span::hours(3)),
        change_every: every(draw, 300, Span::minutes(20), Span::hours(4)),
        nodes_every: every(draw, 400, Span::minutes(30), Span::hours(4)),
        start_every: every(draw, 800, Span::minutes(20), Span::hours(4)),
        restart_every: every(draw, 400, Span::minutes(30), Span::hours(4)),
        order_every: every(draw, 400, Span::minutes(10), Span::hours(2)),
    }
}

/// How far wall clocks jump: set by hand, a wrong time zone, a day, an empty battery.
const JUMPS: [Span; 4] = [Span::minutes(5), Span::hours(12), Span::hours(30), Span::hours(175_000)];

/// A probability of up to `most`, in `seeds` of a thousand seeds; zero in the others.
fn some(draw: &mut Draw, seeds: u64, most: u64) -> u64 {
    let drawn = draw.between(1, most);
    if draw.chance(seeds) { drawn } else { 0 }
}

fn every(draw: &mut Draw, seeds: u64, least: Span, most: Span) -> Option<Span> {
    let drawn = draw.span(least, most);
    draw.chance(seeds).then_some(drawn)
}

impl fmt::Display for FaultRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, bursting, policy, faults_for, calls, links, machines, operator, compromised } =
            self;
        writeln!(f, "{nodes} nodes, {bursting} of them bursting, with faults for {faults_for}")?;
        writeln!(f, "{policy:?}\n{calls:?}\n{links:?}\n{machines:?}\n{operator:?}\n{compromised:?}")
    }
}
