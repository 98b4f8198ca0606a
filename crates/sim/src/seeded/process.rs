//! A node's process begins and ends: boot, tries, losses of power, restarts into a new release.

use fleet::agent::{Agent, AgentEvent};
use fleet::desired::Assignment;
use fleet::node::NodeId;
use fleet::observed::Admission;
use fleet::time::Span;

use super::agenda::Happening;
use super::canary::Canary;
use super::machine::Process;
use super::world::World;

/// How long boot waits for a release that does not come up.
const TRY: Span = Span::minutes(5);

impl World {
    /// boot starts the machine's release after a while.
    pub(super) fn boot_after(&mut self, id: NodeId, away: Span) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.start += 1;
        self.agenda.enter(self.now + away, Happening::Boot { node: id, start: machine.start });
    }

    /// The process ends, and its calls with it.
    fn ends(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if machine.process.as_ref().is_some_and(|process| process.job.is_some()) {
            machine.disk.other = None;
        }
        machine.process = None;
        machine.engine = Admission::Refusing;
        machine.alarm = None;
        machine.calls.clear();
        self.link_breaks(&[id]);
    }

    /// The machine loses power, and starts again after a while.
    pub(super) fn crash(&mut self, id: NodeId, least: Span, most: Span) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if !machine.powered {
            self.counts.impossible += 1;
            return;
        }
        self.counts.cut_off_by_power += machine.calls.len();
        let away = machine.draw.span(least, most);
        self.journal.line(self.now, || format!("node{id} loses power"));
        self.ends(id);
        self.boot_after(id, away);
    }

    /// A bursting node goes back to rest.
    pub(super) fn switch_off(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.powered = false;
        machine.start += 1;
        self.journal.line(self.now, || format!("node{id} goes to rest"));
        self.ends(id);
    }

    /// The slot is selected and the machine restarts: what must never happen while a call lives (R4).
    pub(super) fn select(&mut self, id: NodeId, into: Assignment) {
        let falls_back = self.odds.machines.falls_back;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if machine.disk.other.is_none_or(|(_, manifest)| manifest != into.manifest) {
            let why = "its slot could not be selected".to_string();
            self.apply_to_node(id, AgentEvent::Rejected { software: into, why });
            return self.settle_node(id);
        }
        let living = machine.calls.len();
        machine.disk.trying = Some(0);
        machine.disk.fell_back = None;
        machine.doomed = machine.draw.chance(falls_back);
        let away = machine.draw.span(Span::seconds(2), Span::seconds(40));
        if living > 0 {
            self.violation(
                "no machine restarts while a call lives (R4)",
                format!("node{id}, {living} calls"),
            );
        }
        self.counts.restarts += 1;
        self.journal.line(self.now, || format!("node{id} restarts into {}", into.release));
        self.speak(id);
        self.ends(id);
        self.boot_after(id, away);
    }

    pub(super) fn boots(&mut self, id: NodeId, start: u64) {
        let (odds, healed, canary) = (self.odds.machines.clone(), self.healed, self.canary);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if machine.start != start || !machine.powered {
            return;
        }
        machine.count_try();
        Canary::alter_memory(canary, &mut machine.disk.memory);
        let agent = Agent::new(machine.disk.memory.clone(), machine.found());
        machine.disk.memory = agent.memory().clone();
        machine.process = Some(Process { agent, job: None, reported: None });
        machine.unanswered = 0;
        let trying = machine.is_between_releases();
        let interrupted = machine.draw.chance(odds.interrupted);
        let after = machine.draw.span(Span::seconds(1), Span::seconds(30));
        if trying && !healed && (machine.doomed || interrupted) {
            let after = if machine.doomed { TRY } else { after };
            self.agenda.enter(self.now + after, Happening::TryEnds { node: id, start });
        }
        self.journal.line(self.now, || format!("node{id} starts{}", if trying { " for a try" } else { "" }));
        self.settle_node(id);
    }

    /// The try is over without a confirmation.
    pub(super) fn try_ends(&mut self, id: NodeId, start: u64) {
        let still = self
            .nodes
            .get(&id)
            .is_some_and(|machine| machine.start == start && machine.is_between_releases());
        if still {
            self.crash(id, Span::seconds(2), Span::seconds(20));
        }
    }

    /// The record first, then what the node remembers: a loss of power may come in between.
    pub(super) fn confirms(&mut self, id: NodeId, start: u64) {
        let (interrupted, healed) = (self.odds.machines.interrupted, self.healed);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let bad = machine.doomed && !healed;
        if machine.start != start || !machine.is_between_releases() || bad || machine.process.is_none() {
            return;
        }
        machine.confirm();
        if !healed && machine.draw.chance(interrupted / 2) {
            return self.crash(id, Span::seconds(2), Span::minutes(1));
        }
        self.apply_to_node(id, AgentEvent::Confirmed);
        self.settle_node(id);
    }
}
