//! Broken rules, built into the test machinery only: what goes into the brains or comes out of them is
//! altered, and the oracle must notice. An oracle that lets one of them pass is worth nothing.

use fleet::agent::{Agent, AgentWants, Memory};
use fleet::desired::{Depth, Desired, Generation, Owners};
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Contact, Node, NodeId};
use fleet::observed::{Admission, Calls, Footing, Observed};
use fleet::platform::{Event, Fleet, Platform};
use fleet::progress::Progress;
use fleet::run::ManagerStep;
use fleet::starts::Starts;
use fleet::status::Status;
use fleet::time::{Span, Time};

use super::clock::{Clock, Downtime, Stamp};
use super::compromised::EPOCHS;
use super::machine::Machine;
use super::stops::DOUBT;
use super::world::World;

const PLACES: &str = "never more machines really out of service than allowed (R2, R6)";
const LIVING_CALLS: &str = "no machine restarts while a call lives (R4)";
const REFUSES: &str = "a node in maintenance mode takes no calls (R3)";
const HOLD: &str = "no node is kept in the run's maintenance mode for longer than the hold (R8)";
const MANAGER_FIRST: &str = "the nodes' turn begins when the Management Node runs the release (R1)";
const SAID: &str = "what a node has said is true of its machine";
const ENDS: &str = "a run ends when everything has healed";

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// A place is taken for free as soon as its node restarts, not when it has said that it is back.
    PlaceFreedTooEarly,
    /// A node leaves as soon as it is held and the release is staged, with calls or without.
    GuardSkipped,
    /// A node takes what is older than what it has accepted.
    StaleAccepted,
    /// A node forgets at a restart that the operator holds it.
    OperatorForgotten,
    /// A node forgets at a restart everything that it has accepted.
    MemoryLost,
    /// A node that is cut off never goes back to service by itself.
    HoldNeverLapses,
    /// A call engine goes on taking calls in maintenance mode.
    CallsTakenInMaintenance,
    /// A call engine that cannot say what calls it has is taken for idle.
    UnknownIsIdle,
    /// A node that was tried goes to the front of the queue.
    TriedTwiceAtOnce,
    /// The nodes' turn begins before the Management Node is upgraded.
    NodesBeforeManager,
    /// More nodes are taken out of service than the operator allowed.
    LimitIgnored,
    /// The generation stays when something else is wanted.
    GenerationKept,
    /// A report counts by when it arrives, not by when it was made.
    LateReportCounts,
    /// A node is never told that it may go back to service.
    ReleaseNeverSent,
    /// A node acts on what it could not write as if it had written it.
    FailedWriteCounts,
    /// The Management Node acts on a commit that has failed.
    FailedCommitCounts,
    /// The Management Node's time goes back with its wall clock.
    TimeGoesBack,
    /// A release that was not unpacked to its end is taken for complete.
    TornReleaseSelected,
    /// The run ends, but every node is kept waiting for one drain limit before it is installed.
    RunDawdles,
    /// That a node is in touch again is not told.
    FactWithheld,
    /// A node that waits for its calls is told to be installing.
    FactInvented,
    /// A node that waits for its calls is shown as installing.
    StatusAhead,
    /// A node says that it takes calls when it does not.
    AdmissionMisreported,
    /// A node keeps its news to itself once everything has healed.
    NewsKeptBack,
    /// A silent node counts as lost after a second.
    SilenceShownEarly,
    /// A silent node counts as lost only half a day later.
    SilenceShownLate,
    /// A node's clock is slow, and it keeps the run's maintenance mode by it.
    ClockSlow,
    /// A node that would not start again goes out of service all the same.
    StartFaultIgnored,
    /// A run goes on whatever fails.
    FailuresIgnored,
    /// Whatever epoch a node claims becomes the platform's, up to a bound above which reports are dropped.
    EpochAdopted,
    /// A node counts as upgraded as which two machines report.
    CopyCounted,
}

impl Canary {
    /// All of them, each with the promise that must notice it, and in how many seeds it must be noticed.
    pub const ALL: [(Self, &str, u64); 31] = [
        (Self::PlaceFreedTooEarly, PLACES, 60),
        (Self::GuardSkipped, LIVING_CALLS, 60),
        (Self::StaleAccepted, "a stale or contradictory command has no effect", 60),
        (
            Self::OperatorForgotten,
            "the operator's maintenance mode stays until the operator lets go (R12)",
            60,
        ),
        (Self::MemoryLost, REFUSES, 60),
        (Self::HoldNeverLapses, HOLD, 60),
        (Self::CallsTakenInMaintenance, REFUSES, 20),
        (Self::UnknownIsIdle, SAID, 60),
        (Self::TriedTwiceAtOnce, "every node is tried once before any is tried twice (R5)", 60),
        (Self::NodesBeforeManager, MANAGER_FIRST, 20),
        (Self::LimitIgnored, PLACES, 60),
        (Self::GenerationKept, ENDS, 60),
        (Self::LateReportCounts, "what is held of a node is the newest that it said", 60),
        (Self::ReleaseNeverSent, ENDS, 60),
        (Self::FailedWriteCounts, "a node acts on nothing that it would forget", 60),
        (Self::FailedCommitCounts, "a node is sent nothing that is not stored", 60),
        (Self::TimeGoesBack, "the time of the Management Node never goes back", 400),
        (Self::TornReleaseSelected, "every node can always start a complete release", 200),
        (Self::RunDawdles, ENDS, 60),
        (Self::FactWithheld, "facts and state agree", 20),
        (Self::FactInvented, "facts and state agree", 20),
        (Self::StatusAhead, "what the statuses say is true", 20),
        (Self::AdmissionMisreported, SAID, 20),
        (Self::NewsKeptBack, "news of a node is known as soon as no message is lost", 60),
        (
            Self::SilenceShownEarly,
            "no node is shown as lost before it was silent for as long as allowed (R11)",
            60,
        ),
        (Self::SilenceShownLate, "a node that is gone for longer than is allowed is shown as such (R11)", 60),
        (Self::ClockSlow, HOLD, 200),
        (
            Self::StartFaultIgnored,
            "a node that would not start again is not taken out of service by a run",
            400,
        ),
        (Self::FailuresIgnored, DOUBT, 400),
        (
            Self::EpochAdopted,
            "no claim of a node raises the platform's epoch above what a clock could have given",
            100,
        ),
        (Self::CopyCounted, "a run is not complete while one of two machines of a node is behind", 400),
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().map(|(canary, _, _)| canary).find(|canary| format!("{canary:?}") == name)
    }

    /// What comes in at a node.
    pub(super) fn alter_arrival(canary: Option<Self>, agent: &Agent, mut desired: Desired) -> Desired {
        let accepted = agent.memory().accepted.generation;
        if canary == Some(Self::StaleAccepted) && desired.generation < accepted {
            desired.generation = Generation { n: accepted.n + 1, ..accepted };
        }
        desired
    }

    /// What a node's brain wants of its shell.
    pub(super) fn alter_wants(canary: Option<Self>, machine: &Machine, mut wants: AgentWants) -> AgentWants {
        match canary {
            Some(Self::CallsTakenInMaintenance) if !machine.is_between_releases() => {
                wants.refuse_calls = None
            }
            Some(Self::GuardSkipped) => wants.leave = wants.leave.or(eager(machine)),
            Some(_) | None => {}
        }
        wants
    }

    /// What a call engine has counted.
    pub(super) fn alter_calls(canary: Option<Self>, counted: Calls) -> Calls {
        match counted {
            Calls::Unknown if canary == Some(Self::UnknownIsIdle) => Calls::NONE,
            Calls::Unknown | Calls::Known { .. } => counted,
        }
    }

    /// What follows from an event although its commit has failed.
    pub(super) fn act_without_commit(world: &mut World, event: Event) {
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
    pub(super) fn alter_epoch(world: &mut World, event: &Event) {
        let Event::Report { observed, .. } = event else { return };
        let (claimed, platform) = (observed.generation.epoch, &world.fleet().platform);
        if world.canary == Some(Self::EpochAdopted) && claimed > platform.epoch && claimed <= EPOCHS {
            let platform = Platform { epoch: claimed + 1, ..platform.clone() };
            let nodes = world.fleet().nodes().iter().map(|(id, node)| (id, node.clone())).collect();
            world.manager.store.fleet = Fleet::restore(platform, nodes).into();
        }
    }

    /// The manager's clock when it starts.
    pub(super) fn resume_clock(world: &mut World, stamp: Stamp) {
        let back = world.manager.clock.wall(world.now) < stamp.wall();
        if world.canary == Some(Self::TimeGoesBack) && back {
            world.manager.clock.resume(world.now, Stamp::default(), Downtime::Machine);
        }
    }

    /// What lies in a slot when staging was cut short.
    pub(super) fn alter_torn(canary: Option<Self>, machine: &mut Machine) {
        let job = machine.process.as_ref().and_then(|process| process.job);
        if let (Some(Self::TornReleaseSelected), Some((software, _))) = (canary, job) {
            machine.disk.other = Some((software.release, software.manifest));
            machine.disk.torn = true;
        }
    }

    /// How much longer an order takes.
    pub(super) fn alter_delay_of(world: &World, desired: &Desired) -> Span {
        let installs = matches!(desired.intent.software, Some((_, Depth::Install)));
        let dawdles = world.canary == Some(Self::RunDawdles) && world.healed && installs;
        if dawdles { world.rates.policy.drain_limit } else { Span::ZERO }
    }

    /// What a person is shown.
    pub(super) fn alter_status(canary: Option<Self>, status: Status) -> Status {
        let ahead = canary == Some(Self::StatusAhead) && status == Status::WaitingForCallsToClear;
        if ahead { Status::UpgradeInProgress } else { status }
    }

    /// What a node says.
    pub(super) fn alter_observed(canary: Option<Self>, observed: Observed) -> Observed {
        match canary {
            Some(Self::AdmissionMisreported) => Observed { admission: Admission::Admitting, ..observed },
            Some(_) | None => observed,
        }
    }

    /// The clock of a node that starts.
    pub(super) fn alter_clock(canary: Option<Self>, clock: &mut Clock) {
        if canary == Some(Self::ClockSlow) {
            clock.slow();
        }
    }

    /// What is told.
    pub(super) fn alter_facts(canary: Option<Self>, facts: &[Fact]) -> Vec<Fact> {
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

    /// Whether it spoils what a node remembers.
    pub(super) fn alters_memory(self) -> bool {
        matches!(self, Self::MemoryLost | Self::OperatorForgotten)
    }

    /// What a node remembers over a restart.
    pub(super) fn alter_memory(canary: Option<Self>, memory: &mut Memory) {
        match canary {
            Some(Self::MemoryLost) => *memory = Memory::default(),
            Some(Self::OperatorForgotten) => memory.accepted.intent.owners.operator = None,
            Some(_) | None => {}
        }
    }

    /// What the manager sends.
    pub(super) fn alter_sent(world: &World, to: NodeId, mut desired: Desired) -> Desired {
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
    pub(super) fn alter_report(world: &World, from: NodeId, mut observed: Observed) -> Observed {
        if world.canary == Some(Self::LateReportCounts)
            && let Some(last) = world.fleet().nodes().get(from).and_then(|node| node.observed.as_ref())
        {
            observed.at = observed.at.max(Time(last.at.0.saturating_add(1)));
        }
        observed
    }

    /// The platform's state, after an event.
    pub(super) fn alter_platform(world: &mut World) {
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

/// The release that a held node would leave for, were it not for its guard.
fn eager(machine: &Machine) -> Option<fleet::desired::Assignment> {
    let agent = &machine.process.as_ref()?.agent;
    let Owners { run, .. } = agent.owners();
    let (software, _) = agent.memory().accepted.intent.software?;
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

/// Says for a node that restarts that it is back.
fn forge_returns(world: &mut World) {
    let now = world.manager_now();
    for id in world.fleet().nodes().ids() {
        for _ in 0..2 {
            let Some(node) = world.fleet().nodes().get(id) else { continue };
            let away = match node.progress {
                Progress::Rebooting { .. } | Progress::Releasing { .. } => node.assigned,
                Progress::Idle
                | Progress::Pending { .. }
                | Progress::Starting { .. }
                | Progress::Preparing { .. }
                | Progress::Draining { .. }
                | Progress::Installing { .. }
                | Progress::Upgraded { .. }
                | Progress::Failed { .. } => None,
            };
            let (Some(assigned), Some(last)) = (away, node.observed.clone()) else { continue };
            let observed = Observed {
                generation: node.generation,
                release: assigned.release,
                footing: Footing::Confirmed,
                admission: Admission::Admitting,
                ..last
            };
            world.note_report(id, &observed);
            world.manager.store.fleet.apply(now, Event::Report { id, observed });
        }
    }
}
