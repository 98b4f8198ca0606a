//! The recovery phase of every seed: all faults end, calls end, and every run must end within a bound. A platform that
//! is merely safe would pass the phase with faults by standing still.

use fleet::node::{Contact, Duty, Node, NodeId};
use fleet::platform::{Blocker, Event};
use fleet::progress::Phase;
use fleet::run::Outcome;
use fleet::starts::DUPLICATE_OVER;
use fleet::time::{Span, Time};
use fleet::version::{Release, Version};

use crate::seeded::plan::releases::VERSIONS;
use crate::seeded::world::World;
use crate::seeded::world::event_queue::WorldEvent;
use crate::world::package;

/// When the last call has ended.
pub(crate) const CALLS_END_WITHIN: Span = Span::minutes(30);

/// When every machine that was off has started.
const STARTS_WITHIN: Span = Span::seconds(50);

/// When every node has reported: the manager may be down for twenty minutes.
pub(crate) const EVERYBODY_HEARD_WITHIN: Span = Span::minutes(22);

/// How often the operator waits until a node counts as one machine again: reports of both may be late.
const WAITS_FOR_COPIES: u32 = 2;

/// How often the operator starts a repeat for the nodes that are left (R24).
const REPEATS: u32 = 2;

impl World {
    /// Ends all faults.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        self.copies_off(None);
        self.journal.line(self.now, || "everything heals".into());
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        for id in &ids {
            let Some(machine) = self.nodes.get_mut(id) else { continue };
            machine.cuts = 0;
            machine.blind = false;
            machine.unfit = false;
            machine.disk_fault = None;
            machine.start_fault = None;
            machine.hung = false;
            machine.release_fails = machine.tries(self.rates.machines.bad_on_nodes);
            let calls: Vec<u64> = machine.calls.keys().copied().collect();
            for call in calls {
                let lasts = machine.call_draw.span(Span::ZERO, CALLS_END_WITHIN);
                self.queue.push(self.now + lasts, WorldEvent::HangUp { node: *id, call });
            }
            if machine.powered && machine.process.is_none() {
                let away = machine.draw.span(Span::seconds(1), STARTS_WITHIN);
                self.boot_after(*id, away);
            }
            self.node_due(*id);
        }
        self.manager.release_fails = false;
        self.manager.disk_fails = false;
        self.manager.hung = false;
        self.manager_starts_again();
        self.handle_missed_events();
        self.link_breaks(&ids);
    }

    /// Runs the world to its end: the phase with faults, then the recovery phase up to its bound.
    pub(crate) fn run_to_the_end(&mut self) {
        while !self.healed && self.violations.is_empty() && self.step() {}
        self.pass(EVERYBODY_HEARD_WITHIN);
        if self.copies.numbered {
            self.pass(DUPLICATE_OVER + Span(self.rates.links.heartbeat.0 * 4));
        }
        self.remove_what_is_gone();
        self.wait_for_the_run("a run ends when everything has healed");
        for _ in 0..REPEATS {
            if self.violations.is_empty() && !self.start_the_rest() {
                break;
            }
            self.wait_for_the_run("a repeat ends when nothing goes wrong (R24)");
        }
        self.settle_down();
        if self.violations.is_empty() {
            self.check_the_end();
        }
    }

    /// Whether the run has ended and every node has reported that it is back.
    pub(crate) fn is_done(&self) -> bool {
        let mut places = self.fleet().nodes().places().iter();
        self.manager.up && self.fleet().platform.run.is_none() && places.all(|id| self.is_compromised(*id))
    }

    fn wait_for_the_run(&mut self, promise: &'static str) {
        let until = self.now + self.bound();
        while !self.others_are_done() && self.violations.is_empty() {
            self.start_what_is_missed();
            self.resume_what_is_paused();
            if !self.step() || self.now > until {
                let who = self.who_waits();
                let too_late = self.too_late(until);
                self.violation(promise, format!("{too_late}; {who}"));
            }
        }
        self.wait_for_the_compromised_node(promise);
    }

    /// Because of a late report, a run may have taken a bursting node for running that was at rest. When the node is
    /// given up, the operator is asked to look at it (R27), and starts it.
    pub(crate) fn start_what_is_missed(&mut self) {
        let given_up = |(_, node): &(NodeId, &Node)| {
            matches!(node.progress.phase(), Some(Phase::Releasing { .. })) && node.contact.is_lost()
        };
        let missed: Vec<NodeId> = self.fleet().nodes().iter().filter(given_up).map(|(id, _)| id).collect();
        for id in missed {
            let Some(machine) = self.nodes.get_mut(&id).filter(|machine| !machine.powered) else { continue };
            machine.powered = true;
            self.boot_after(id, STARTS_WITHIN);
        }
    }

    /// The operator lets a paused run go on. A Management Node that is restored may have one again.
    fn resume_what_is_paused(&mut self) {
        let paused = self.fleet().platform.run.as_ref().is_some_and(|run| run.paused.is_some());
        if paused && self.manager.up {
            self.resume_run();
        }
    }

    /// Continues to find out whether a run that has missed its bound ends at all.
    fn too_late(&mut self, bound: Time) -> String {
        let limit = bound + Span(self.bound().0 * 4) + Span::hours(200);
        while !self.is_done() && self.now < limit && self.step() {}
        match self.is_done() {
            true => format!("ended after the bound, {} too late", self.now.since(bound)),
            false => format!("has not ended {} after the bound", self.now.since(bound)),
        }
    }

    /// Lets the last messages arrive, also those that were held up before everything healed.
    fn settle_down(&mut self) {
        let (links, hold) = (&self.rates.links, self.rates.policy.hold());
        let held_up =
            if links.late == 0 { Span::ZERO } else { self.now.until(self.heals_at + links.late_most) };
        self.pass(held_up + Span(links.heartbeat.0 * 2) + hold);
    }

    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while self.violations.is_empty() && self.now < until && self.step() {}
    }

    /// Which node waits for what, for a violation.
    fn who_waits(&self) -> String {
        let now = self.manager_now();
        let run = self.fleet().platform.run.as_ref().map(|run| run.manager);
        let mut text = format!("the run: {run:?}, up: {}", self.manager.up);
        for (id, node) in self.fleet().nodes().iter() {
            let waits = self.fleet().waits(id, now).map(|waits| waits.to_string()).unwrap_or_default();
            if node.progress.tried().is_some() {
                text += &format!("\n    node{id}: {:?}: {waits}", node.progress);
            }
        }
        text
    }

    /// Removes the nodes that a restored manager knows although they were removed since.
    fn remove_what_is_gone(&mut self) {
        while !self.manager.up && self.violations.is_empty() && self.step() {}
        for id in self.fleet().nodes().ids() {
            if !self.nodes.contains_key(&id) {
                self.apply_to_platform(Event::NodeRemoved { id });
            }
        }
    }

    /// Presses Start for the nodes that are left (R24). Returns false if none is. Waits for a node whose copy was
    /// switched off until it counts as one machine.
    fn start_the_rest(&mut self) -> bool {
        for _ in 0..WAITS_FOR_COPIES {
            let check = self.fleet().check_start(&package(self.version_for_all()), self.manager_now());
            let of_a_copy = |blocker: &Blocker| match blocker {
                Blocker::Duplicate { node, .. } => !self.is_name_of_compromised(node),
                Blocker::Unreachable { .. }
                | Blocker::StartFault { .. }
                | Blocker::NodeOffPath { .. }
                | Blocker::NothingToDo { .. }
                | Blocker::OffPath { .. }
                | Blocker::OtherPackage { .. }
                | Blocker::RunUnderWay { .. }
                | Blocker::ManagerStartFault { .. } => false,
            };
            if !check.blockers.iter().any(of_a_copy) {
                break;
            }
            self.pass(DUPLICATE_OVER + Span(self.rates.links.heartbeat.0 * 4));
        }
        self.press_start_for_the_rest()
    }

    fn press_start_for_the_rest(&mut self) -> bool {
        let last = self.fleet().platform.last_run.as_ref().map(|run| &run.outcome);
        if matches!(last, Some(Outcome::TooManyFailures { .. }))
            && let Some(compromised_node) = self.compromised_node()
        {
            self.remove_node(compromised_node);
        }
        let mut policy = self.rates.policy.clone();
        policy.run_limit =
            if self.compromised_node().is_some() { Span(self.bound().0 * 2) } else { Span::hours(100) };
        match self.press_start(self.version_for_all(), policy) {
            Ok(()) => true,
            Err(blockers) if self.removes_the_compromised_node(&blockers) => self.press_start_for_the_rest(),
            Err(blockers) => {
                self.judge_refusal(&blockers);
                false
            }
        }
    }

    /// The version that brings all nodes to one release: the one that was started last, or a later one that a node runs
    /// since before a restore of the Management Node. If no node takes that version, the next one.
    fn version_for_all(&self) -> Version {
        let last = self.fleet().platform.last_run.as_ref().map(|run| run.package.release.version);
        let honest = self.fleet().nodes().iter().filter(|(id, _)| !self.is_compromised(*id));
        let newest = honest
            .filter_map(|(_, node)| node.observed.as_ref())
            .map(|observed| observed.release.version)
            .max();
        let version = last.unwrap_or(VERSIONS[1]).max(newest.unwrap_or(VERSIONS[0]));
        if self.rates.machines.bad_on_nodes == Some(version) { VERSIONS[2] } else { version }
    }

    /// The operator removes the compromised node if it blocks a start.
    fn removes_the_compromised_node(&mut self, blockers: &[Blocker]) -> bool {
        let Some(compromised_node) = self.compromised_node() else { return false };
        let is_blocker = blockers.iter().any(|blocker| match blocker {
            Blocker::Unreachable { node }
            | Blocker::Duplicate { node, .. }
            | Blocker::StartFault { node, .. }
            | Blocker::NodeOffPath { node, .. } => self.is_name_of_compromised(node),
            Blocker::NothingToDo { .. }
            | Blocker::OffPath { .. }
            | Blocker::OtherPackage { .. }
            | Blocker::RunUnderWay { .. }
            | Blocker::ManagerStartFault { .. } => false,
        });
        if is_blocker {
            self.remove_node(compromised_node);
        }
        is_blocker
    }

    /// When everything has healed, nothing may block a start but that there is nothing to do, whatever mixed versions
    /// are left.
    fn judge_refusal(&mut self, blockers: &[Blocker]) {
        for blocker in blockers {
            let expected = match blocker {
                Blocker::NothingToDo { .. } => true,
                Blocker::NodeOffPath { .. }
                | Blocker::OffPath { .. }
                | Blocker::OtherPackage { .. }
                | Blocker::RunUnderWay { .. }
                | Blocker::Unreachable { .. }
                | Blocker::ManagerStartFault { .. }
                | Blocker::StartFault { .. }
                | Blocker::Duplicate { .. } => false,
            };
            if !expected {
                self.violation("a platform that is well can be upgraded (R17, R24)", blocker.to_string());
            }
        }
    }

    /// When everything has healed and the last run has ended, every node has reached its desired state.
    fn check_the_end(&mut self) {
        let running = self.fleet().platform.release;
        let mut found = Vec::new();
        for (id, node) in self.fleet().nodes().iter() {
            let Some(machine) = self.nodes.get(&id).filter(|_| !self.is_compromised(id)) else { continue };
            let accepted = &machine.disk.persistent_state.accepted;
            let rests = node.duty == Duty::Bursting && !machine.powered;
            // A restored manager may send a node to rest before it reports, and a node may rest because its copy has
            // reported that it is back: neither is kept from service.
            let forgotten = rests && (self.truth.amnesia || self.was_copied(id));
            if accepted.intent.owners.run.is_some() && !machine.disk.persistent_state.let_go && !forgotten {
                found.push(("an ended run leaves no node in its maintenance mode (R8)", id));
            }
            // The release of a node that rests since before a restore is unknown until it is powered on.
            let unheard = rests && self.is_unheard_since_a_restore(id);
            // The report that is held of a resting node may be of its copy, and while the node counts as two no run
            // starts it: only its own reports can show that it is one machine again.
            let of_a_copy = rests && (!self.is_held(id) || node.duplicate().is_some());
            if !unheard && !of_a_copy && machine.disk.confirmed.0 != running {
                found.push(("in the end every node runs what the Management Node runs (R24)", id));
            }
            if rests {
                continue;
            }
            if node.contact != Contact::Heard || *accepted != node.desired() {
                found.push(("in the end every node has heard what is wanted of it", id));
            }
            if !node.is_back() {
                found.push(("in the end every node is back in service, or held by its operator", id));
            }
        }
        for (promise, id) in found {
            self.violation(promise, self.at_the_end(id, running));
        }
    }

    fn at_the_end(&self, id: NodeId, running: Release) -> String {
        let node = self.fleet().nodes().get(id);
        let machine = self.nodes.get(&id).map(|machine| (&machine.disk, machine.process.is_some()));
        format!("node{id}, manager {running}: {node:?} {machine:?} at {:?}", Time(self.now.0))
    }
}
