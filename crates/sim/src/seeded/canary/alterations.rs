//! What each canary alters, at the points where the world calls it. Without a canary every function returns its input.

use fleet::agent::{Agent, PersistentState};
use fleet::desired::{Assignment, Depth, Desired, Generation, Owners};
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Contact, Node, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState};
use fleet::platform::{Event, Fleet, Platform};
use fleet::progress::{Phase, Progress};
use fleet::run::ManagerStep;
use fleet::starts::Starts;
use fleet::status::Status;
use fleet::time::{Span, Time};

use crate::seeded::canary::Canary;
use crate::seeded::faults::compromised::EPOCHS;
use crate::seeded::world::World;
use crate::seeded::world::clock::{Clock, Downtime, Stamp};
use crate::seeded::world::machine::Machine;

/// A hold that no run outlives.
const FOR_EVER: Span = Span::hours(100_000);

impl Canary {
    /// The desired state that arrives at a node.
    pub(crate) fn alter_arrival(canary: Option<Self>, agent: &Agent, mut desired: Desired) -> Desired {
        if canary == Some(Self::HoldNeverLapses) {
            desired.intent.owners.run = desired.intent.owners.run.map(|_| FOR_EVER);
        }
        let accepted = agent.persistent_state().accepted.generation;
        if canary == Some(Self::StaleAccepted) && desired.generation < accepted {
            desired.generation = Generation { n: accepted.n + 1, ..accepted };
        }
        desired
    }

    /// What the call engine of a node does about new calls.
    pub(crate) fn alter_admission(canary: Option<Self>, machine: &Machine, wanted: Admission) -> Admission {
        let takes = canary == Some(Self::CallsTakenInMaintenance) && !machine.is_between_releases();
        if takes { Admission::Admitting } else { wanted }
    }

    /// The software for which a node leaves without its guard.
    pub(crate) fn skipped_guard(canary: Option<Self>, machine: &Machine) -> Option<Assignment> {
        canary.filter(|canary| *canary == Self::GuardSkipped).and_then(|_| eager(machine))
    }

    /// The calls that a call engine has counted.
    pub(crate) fn alter_calls(canary: Option<Self>, counted: Calls) -> Calls {
        match counted {
            Calls::Unknown if canary == Some(Self::UnknownIsIdle) => Calls::NONE,
            Calls::Unknown | Calls::Known { .. } => counted,
        }
    }

    /// The effects of an event whose commit has failed.
    pub(crate) fn act_without_commit(world: &mut World, event: Event) {
        if world.canary != Some(Self::FailedCommitCounts) {
            return;
        }
        let (mut fleet, now) = (world.fleet().clone(), world.manager_now());
        for id in fleet.apply(now, event).changed {
            if let Some(desired) = fleet.wanted(id) {
                world.check_sent(id, &desired);
            }
        }
    }

    /// The platform's epoch after a report, as release 34 raised it.
    pub(crate) fn alter_epoch(world: &mut World, event: &Event) {
        let Event::Report { observed, .. } = event else { return };
        let (claimed, platform) = (observed.generation.epoch, &world.fleet().platform);
        if world.canary == Some(Self::EpochAdopted) && claimed > platform.epoch && claimed <= EPOCHS {
            let platform = Platform { epoch: claimed + 1, ..platform.clone() };
            let nodes = world.fleet().nodes().iter().map(|(id, node)| (id, node.clone())).collect();
            world.manager.store.fleet = Fleet::restore(platform, nodes).into();
        }
    }

    /// The manager's clock at a start.
    pub(crate) fn resume_clock(world: &mut World, stamp: Stamp) {
        let back = world.manager.clock.wall(world.now) < stamp.wall();
        if world.canary == Some(Self::TimeGoesBack) && back {
            world.manager.clock.resume(world.now, Stamp::default(), Downtime::Machine);
        }
    }

    /// The contents of a slot after an interrupted staging.
    pub(crate) fn alter_torn(canary: Option<Self>, machine: &mut Machine) {
        let job = machine.process.as_ref().and_then(|process| process.job);
        if let (Some(Self::TornReleaseSelected), Some((software, _))) = (canary, job) {
            machine.disk.other = Some((software.release, software.manifest));
            machine.disk.torn = true;
        }
    }

    /// The additional delay of a desired state.
    pub(crate) fn alter_delay_of(world: &World, desired: &Desired) -> Span {
        let installs = matches!(desired.intent.software, Some((_, Depth::Install)));
        let dawdles = world.canary == Some(Self::RunDawdles) && world.healed && installs;
        if dawdles { world.rates.policy.drain_limit } else { Span::ZERO }
    }

    /// The status that is shown.
    pub(crate) fn alter_status(canary: Option<Self>, status: Status) -> Status {
        let ahead = canary == Some(Self::StatusAhead) && status == Status::WaitingForCallsToClear;
        if ahead { Status::UpgradeInProgress } else { status }
    }

    /// The report of a node.
    pub(crate) fn alter_observed(canary: Option<Self>, observed: Observed) -> Observed {
        match canary {
            Some(Self::AdmissionMisreported) => Observed { admission: Admission::Admitting, ..observed },
            Some(_) | None => observed,
        }
    }

    /// A node's clock at a start.
    pub(crate) fn alter_clock(canary: Option<Self>, clock: &mut Clock) {
        if canary == Some(Self::ClockSlow) {
            clock.slow();
        }
    }

    /// The facts of an event.
    pub(crate) fn alter_facts(canary: Option<Self>, facts: &[Fact]) -> Vec<Fact> {
        let mut facts = facts.to_vec();
        match canary {
            Some(Self::FactWithheld) => facts
                .retain(|fact| !matches!(fact, Fact::Node { what: NodeFact::ContactRestored { .. }, .. })),
            Some(Self::FactInvented) => {
                for fact in &mut facts {
                    if let Fact::Node { what: what @ NodeFact::Draining { .. }, .. } = fact {
                        *what = NodeFact::Installing;
                    }
                }
            }
            Some(_) | None => {}
        }
        facts
    }

    /// Whether it alters a node's persistent state.
    pub(crate) fn alters_persistent_state(self) -> bool {
        matches!(self, Self::MemoryLost | Self::OperatorForgotten)
    }

    /// A node's persistent state at a restart.
    pub(crate) fn alter_persistent_state(canary: Option<Self>, state: &mut PersistentState) {
        match canary {
            Some(Self::MemoryLost) => *state = PersistentState::default(),
            Some(Self::OperatorForgotten) => state.accepted.intent.owners.operator = None,
            Some(_) | None => {}
        }
    }

    /// The desired state that the manager sends.
    pub(crate) fn alter_sent(world: &World, to: NodeId, mut desired: Desired) -> Desired {
        let known = world.truth.nodes.get(&to);
        match (world.canary, known) {
            (Some(Self::ReleaseNeverSent), Some(known))
                if known.accepted.intent.owners.run.is_some() && desired.intent.owners.run.is_none() =>
            {
                desired = known.accepted.clone();
            }
            (Some(Self::GenerationKept), Some(known)) if known.accepted.generation.n % 4 == 3 => {
                desired.generation = known.accepted.generation;
            }
            (Some(_) | None, _) => {}
        }
        desired
    }

    /// A report that arrives.
    pub(crate) fn alter_report(world: &World, from: NodeId, mut observed: Observed) -> Observed {
        if world.canary == Some(Self::LateReportCounts)
            && let Some(last) = world.fleet().nodes().get(from).and_then(|node| node.observed.as_ref())
        {
            observed.at = observed.at.max(Time(last.at.0.saturating_add(1)));
        }
        observed
    }

    /// The platform's state after an event.
    pub(crate) fn alter_platform(world: &mut World) {
        match world.canary {
            Some(Self::PlaceFreedTooEarly) => forge_returns(world),
            Some(Self::TriedTwiceAtOnce) => rewrite(world, |node| {
                if let Progress::Pending { tried, rests_until } = &mut node.progress
                    && *tried > 0
                {
                    (*tried, *rests_until) = (0, None);
                }
            }),
            Some(Self::SilenceShownEarly) => rewrite(world, |node| {
                if let Contact::Silent { since, lost_at } = &mut node.contact {
                    *lost_at = *since + Span::seconds(1);
                }
            }),
            Some(Self::SilenceShownLate) => rewrite(world, |node| {
                if let Contact::Silent { since, lost_at } = &mut node.contact {
                    *lost_at = *since + Span::hours(12);
                }
            }),
            Some(Self::NodesBeforeManager) => {
                let at = world.manager_now();
                if let Some(run) = &mut world.manager.store.fleet.platform.run {
                    run.manager = ManagerStep::Confirmed { at };
                }
            }
            Some(Self::LimitIgnored) => {
                let limit = world.truth.limit;
                if let Some(run) = &mut world.manager.store.fleet.platform.run {
                    run.policy.nodes_at_once = limit + 2;
                }
            }
            Some(Self::FailuresIgnored) => {
                if let Some(run) = &mut world.manager.store.fleet.platform.run {
                    run.policy.stop_at_failures = 0;
                }
            }
            Some(Self::CopyCounted) => rewrite(world, |node| {
                if node.duplicate().is_some() {
                    node.starts = Starts::default();
                }
            }),
            Some(_) | None => return,
        }
        world.read_anew();
    }
}

/// The release that a held node would restart into without its guard.
fn eager(machine: &Machine) -> Option<Assignment> {
    let agent = machine.process.as_ref()?.node.agent();
    let Owners { run, .. } = agent.owners();
    let (software, _) = agent.persistent_state().accepted.intent.software?;
    let staged = machine.disk.other.is_some_and(|(_, manifest)| manifest == software.manifest);
    (run.is_some() && staged && machine.disk.confirmed.0 != software.release).then_some(software)
}

fn rewrite(world: &mut World, change: impl Fn(&mut Node)) {
    let fleet = &world.manager.store.fleet;
    let records = fleet.nodes().iter().map(|(id, node)| {
        let mut node = node.clone();
        change(&mut node);
        (id, node)
    });
    world.manager.store.fleet = Fleet::restore(fleet.platform.clone(), records.collect()).into();
}

/// Reports a node that restarts as back.
fn forge_returns(world: &mut World) {
    let now = world.manager_now();
    for id in world.fleet().nodes().ids() {
        for _ in 0..2 {
            let Some(node) = world.fleet().nodes().get(id) else { continue };
            let away = match node.progress.phase() {
                Some(Phase::Rebooting { .. } | Phase::Releasing { .. }) => node.assigned,
                Some(
                    Phase::Starting { .. }
                    | Phase::Preparing { .. }
                    | Phase::Draining { .. }
                    | Phase::Installing { .. },
                )
                | None => None,
            };
            let (Some(assigned), Some(last)) = (away, node.observed.clone()) else { continue };
            let observed = Observed {
                generation: node.generation,
                release: assigned.release,
                release_state: ReleaseState::Confirmed,
                admission: Admission::Admitting,
                ..last
            };
            world.note_report(id, &observed);
            world.manager.store.fleet.apply(now, Event::Report { id, observed });
        }
    }
}
