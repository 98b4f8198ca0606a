//! A compromised node: it reports anything, in every field that a node fills in, at any time. It may harm itself. The
//! promises about the other nodes are judged as in any world, and three more: no claim raises the platform's epoch
//! above what a clock could have given; the others finish within the bound although the node may keep the one place
//! that it was given; and the run ends, at its limit at the latest, or when the operator removes the node.

use fleet::desired::{Assignment, Generation, RunId};
use fleet::node::NodeId;
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::platform::Event;
use fleet::run::Run;
use fleet::starts::{Process, StartId};
use fleet::time::{Span, Time};
use fleet::version::{Build, Release, Sha256, Version};
use fleet::wall::STEP;

use crate::seeded::draw::Draw;
use crate::seeded::plan::compromised::Compromised;
use crate::seeded::plan::fault_rates::FaultRates;
use crate::seeded::plan::kinds::Kind;
use crate::seeded::plan::releases::{VERSIONS, installed};
use crate::seeded::world::World;
use crate::seeded::world::copies::identity;
use crate::seeded::world::event_queue::WorldEvent;

/// In how many of a thousand seeds.
const SEEDS: u64 = 120;

/// How many of a thousand reports of its machine are falsified.
const FALSE_REPORTS: u64 = 700;

/// How far ahead of the clock a claim may take the epoch, in seconds: a clock that was ten years ahead.
const EPOCHS_AHEAD: u64 = 10 * 366 * 24 * 3_600;

/// By how much the wall clock may have been set back before the platform notices, in seconds.
const CLOCK_SET: u64 = 24 * 3_600;

/// The highest epoch that release 34 let a node raise the platform's to.
pub(crate) const EPOCHS: u32 = u32::MAX - (1 << 20);

/// How late a deadline may be handled.
const SLACK: Span = Span::minutes(2);

const EPOCH: &str = "no claim of a node raises the platform's epoch above what a clock could have given";

impl FaultRates {
    /// Compromises one of the nodes in some of the seeds.
    pub(crate) fn compromise(&mut self, mut draw: Draw) {
        let node = NodeId(u32::try_from(draw.between(1, 2)).unwrap_or(1));
        let every = draw.span(Span::seconds(20), Span::minutes(20));
        if draw.chance(SEEDS) && self.nodes > 1 {
            self.compromised = Some(Compromised { node, every });
        }
    }

    /// Leaves another place beside the one that the node may keep, and sends no first nodes: the run would wait for
    /// them.
    pub(crate) fn leave_another_place(&mut self) {
        if self.compromised.is_some() {
            self.policy.nodes_at_once = self.policy.nodes_at_once.max(2);
            self.policy.first_nodes = 0;
        }
    }
}

impl World {
    /// Whether a node is the compromised one, of which nothing is promised.
    pub(crate) fn is_compromised(&self, id: NodeId) -> bool {
        self.rates.compromised.is_some_and(|compromised| compromised.node == identity(id))
    }

    /// The compromised node, if it is registered.
    pub(crate) fn compromised_node(&self) -> Option<NodeId> {
        let node = self.rates.compromised?.node;
        self.fleet().nodes().get(node).map(|_| node)
    }

    pub(crate) fn schedule_false_report(&mut self) {
        if let Some(compromised) = self.rates.compromised {
            let at = self.now + self.false_report_draw.wait(compromised.every);
            self.queue.push(at, WorldEvent::FalseReport);
        }
    }

    /// Sends a report of the compromised node, even if its machine has nothing to report, is off, or restarts.
    pub(crate) fn send_false_report(&mut self) {
        self.schedule_false_report();
        let Some(id) = self.compromised_node() else { return };
        let machine = self.nodes.get(&id);
        let process = machine.and_then(|machine| machine.process.as_ref());
        let local = machine.map_or(self.now, |machine| machine.clock.shows(self.now));
        let numbered = self.copies.numbered;
        let base = match process {
            Some(process) => {
                let number = machine.and_then(|machine| machine.process_of(id, numbered));
                Observed { process: number, ..process.node.agent().observed(local) }
            }
            None => match self.fleet().nodes().get(id).and_then(|node| node.observed.clone()) {
                Some(observed) => observed,
                None => return,
            },
        };
        let observed = self.falsify(base);
        // The answer is none to a request of its machine.
        self.queue.push(self.now, WorldEvent::Report { from: id, observed, request: u64::MAX });
    }

    /// The report that the node sends instead of a true one.
    pub(crate) fn maybe_falsify(&mut self, id: NodeId, observed: Observed) -> Observed {
        if self.is_compromised(id) && self.false_report_draw.chance(FALSE_REPORTS) {
            self.falsify(observed)
        } else {
            observed
        }
    }

    /// Falsifies any field. Most claims are possible ones, so that they are not rejected at once.
    fn falsify(&mut self, mut report: Observed) -> Observed {
        self.counts.done.note(Kind::FalseReport);
        let (now, epoch) = (self.manager_now(), self.fleet().platform.epoch);
        let wanted = self.compromised_node().and_then(|id| self.fleet().wanted(id));
        let assigned =
            wanted.as_ref().and_then(|wanted| wanted.intent.software).map(|(software, _)| software);
        let current = wanted.map_or(report.generation, |wanted| wanted.generation);
        let draw = &mut self.false_report_draw;
        if draw.chance(700) {
            report.generation = generation(draw, now, epoch, current);
        }
        if draw.chance(60) {
            report.at = draw.pick(&[Time(0), Time(u64::MAX - 1), Time(u64::MAX)]).unwrap_or_default();
        }
        if draw.chance(500) {
            report.release = release(draw, assigned);
        }
        if draw.chance(300) {
            report.release_state = draw
                .pick(&[ReleaseState::Confirmed, ReleaseState::Trying, ReleaseState::Leaving])
                .unwrap_or(report.release_state);
        }
        if draw.chance(400) {
            report.admission =
                draw.pick(&[Admission::Admitting, Admission::Refusing]).unwrap_or(report.admission);
        }
        if draw.chance(400) {
            report.calls = calls(draw);
        }
        if draw.chance(500) {
            report.staging = staging(draw, assigned);
        }
        if draw.chance(50) {
            report.process = process(draw);
        }
        if draw.chance(100) {
            report.unfit = draw.chance(500).then(|| "a\nb\u{1b}[31m".into());
        }
        if draw.chance(100) {
            report.start_fault = draw.chance(500).then(|| "x".repeat(2_000));
        }
        report
    }

    pub(crate) fn is_name_of_compromised(&self, name: &str) -> bool {
        let compromised_node = self.compromised_node().and_then(|id| self.fleet().nodes().get(id));
        compromised_node.is_some_and(|node| node.name == name)
    }

    /// Whether the run is done with every other node.
    pub(crate) fn others_are_done(&self) -> bool {
        let Some(compromised_node) = self.compromised_node() else { return self.is_done() };
        let run = self.fleet().platform.run.as_ref();
        let absent = self.fleet().nodes().absent();
        let mut others =
            self.fleet().nodes().iter().filter(|(id, _)| *id != compromised_node && !absent.contains(id));
        self.manager.up
            && run.is_none_or(Run::manager_is_done)
            && others.all(|(_, node)| node.progress.tried().is_none())
    }

    /// The run ends when the operator removes the compromised node, and at its limit at the latest.
    pub(crate) fn wait_for_the_compromised_node(&mut self, promise: &'static str) {
        let Some(compromised_node) = self.compromised_node() else { return };
        let limit = self.fleet().platform.run.as_ref().map(Run::limit);
        let mut until = limit.map_or(self.now, |limit| self.manager.clock.world(limit)).max(self.now) + SLACK;
        if limit.is_some() && self.false_report_draw.chance(500) {
            self.remove_node(compromised_node);
            until = self.now + self.bound();
        }
        while !self.is_done() && self.violations.is_empty() {
            self.start_what_is_missed();
            if !self.step() || self.now > until {
                let run = self.fleet().platform.run.as_ref().map(Run::limit);
                self.violation(
                    promise,
                    format!("the run waits for node{compromised_node} until {run:?} and longer"),
                );
            }
        }
    }

    /// A start of the manager takes its epoch from the wall clock; no other event raises it further than a clock could
    /// have.
    pub(crate) fn check_epoch(&mut self, event: &Event, before: u32) {
        let (epoch, before) = (u64::from(self.fleet().platform.epoch), u64::from(before));
        let clock = self.managers_wall().0.max(self.manager_now().0) / 1_000;
        let most = if matches!(event, Event::ManagerStarted { .. }) {
            clock.max(before) + STEP.0 / 1_000
        } else {
            clock + EPOCHS_AHEAD + CLOCK_SET
        };
        if epoch > before && epoch > most {
            self.violation(EPOCH, format!("from {before} to {epoch}, {most} at most"));
        }
    }
}

/// A claimed accepted generation: the real one, a possible one, or one that no clock gives.
fn generation(draw: &mut Draw, now: Time, epoch: u32, current: Generation) -> Generation {
    let clock = u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX);
    let ahead = u32::try_from(draw.below(2 * EPOCHS_AHEAD)).unwrap_or(u32::MAX);
    let epochs = [
        0,
        epoch,
        epoch.saturating_add(1),
        clock.saturating_add(ahead),
        EPOCHS - 1,
        EPOCHS,
        EPOCHS + 1,
        u32::MAX - 1,
        u32::MAX,
    ];
    let n = draw.pick(&[0, 1, current.n, current.n + 1, u64::MAX - 1, u64::MAX]).unwrap_or_default();
    if draw.chance(600) {
        return current;
    }
    Generation { epoch: draw.pick(&epochs).unwrap_or_default(), n }
}

/// The process that it claims to be, if any.
fn process(draw: &mut Draw) -> Option<Process> {
    let start = StartId(draw.below(3));
    let beside = draw.pick(&[None, Some(StartId(0)), Some(StartId(u64::MAX))]).flatten();
    draw.chance(700).then_some(Process { start, beside, address: None })
}

fn release(draw: &mut Draw, assigned: Option<Assignment>) -> Release {
    let any = VERSIONS.map(|version| installed(version).0);
    match draw.below(4) {
        0 | 1 => assigned.map_or(any[0], |assigned| assigned.release),
        2 => draw.pick(&any).unwrap_or(any[0]),
        _ => Release { version: Version::new(u16::MAX, u16::MAX), build: Build(u32::MAX) },
    }
}

fn calls(draw: &mut Draw) -> Calls {
    match draw.below(4) {
        0 => Calls::Unknown,
        1 => Calls::Known { count: u32::MAX, oldest: Some(Span(u64::MAX)) },
        2 => Calls::Known { count: 1, oldest: None },
        _ => Calls::NONE,
    }
}

fn staging(draw: &mut Draw, assigned: Option<Assignment>) -> Staging {
    let manifest = assigned.map_or(Sha256([7; 32]), |assigned| assigned.manifest);
    let run = assigned.map_or(RunId(0), |assigned| assigned.run);
    match draw.below(6) {
        0 => Staging::Nothing,
        1 => Staging::Fetching { manifest, percent: u8::MAX },
        2 => Staging::Rejected { run, manifest, why: "it says so\n".repeat(100) },
        3 => Staging::Rejected { run: RunId(u32::MAX), manifest, why: String::new() },
        _ => Staging::Staged { manifest },
    }
}
