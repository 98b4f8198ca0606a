//! How a node's process begins and ends: boot, tries, losses of power, restarts into a new release. It follows the
//! order of the shipped programs: slot record first, then the persistent state.

use fleet::agent::{AgentEvent, Durability, Outcome, Reconciler, Selection};
use fleet::desired::Assignment;
use fleet::node::NodeId;
use fleet::observed::Admission;
use fleet::time::Span;
use fleet::version::Release;

use super::World;
use super::clock::Downtime;
use super::event_queue::WorldEvent;
use super::machine::Process;
use crate::seeded::canary::Canary;
use crate::seeded::plan::kinds::Kind;

/// How long boot waits for a release to confirm itself.
const TRY: Span = Span::minutes(5);

/// How soon boot retries when the disk cannot be written.
const BOOT_AGAIN: Span = Span::seconds(20);

impl World {
    /// boot starts the machine's release after a while.
    pub(crate) fn boot_after(&mut self, id: NodeId, away: Span) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.start += 1;
        self.queue.push(self.now + away, WorldEvent::Boot { node: id, start: machine.start });
    }

    /// The process and its calls end.
    fn ends(&mut self, id: NodeId) {
        let (now, canary) = (self.now, self.canary);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if machine.process.as_ref().is_some_and(|process| process.job.is_some()) {
            machine.disk.other = None;
            Canary::alter_torn(canary, machine);
        }
        machine.process = None;
        machine.engine = Admission::Refusing;
        machine.timer = None;
        machine.hung = false;
        machine.calls.clear();
        // A working disk has stored the time once a minute.
        if machine.disk_fault.is_none() {
            machine.disk.stamp = machine.disk.stamp.renewed(machine.clock, now);
        }
        self.link_breaks(&[id]);
    }

    /// The machine loses power, and starts again after a while.
    pub(crate) fn crash(&mut self, id: NodeId, least: Span, most: Span) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if !machine.powered {
            self.counts.impossible.note(Kind::NodeCrash);
            return;
        }
        self.counts.cut_off_by_power += machine.calls.len();
        let away = machine.draw.span(least, most);
        self.journal.line(self.now, || format!("node{id} loses power"));
        self.ends(id);
        self.machine_was_off(id);
        self.boot_after(id, away);
    }

    fn machine_was_off(&mut self, id: NodeId) {
        if let Some(machine) = self.nodes.get_mut(&id) {
            machine.downtime = Downtime::Machine;
        }
    }

    /// A bursting node goes back to rest.
    pub(crate) fn switch_off(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.powered = false;
        machine.start += 1;
        self.journal.line(self.now, || format!("node{id} goes to rest"));
        self.ends(id);
        self.machine_was_off(id);
    }

    /// Selects the slot and restarts the machine, which must never happen while a call lives (R4).
    pub(crate) fn select(&mut self, id: NodeId, into: Assignment) {
        let (falls_back, bad) = (self.rates.machines.falls_back, self.is_bad_on_nodes(into.release));
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let unwritable = machine.disk_fault.is_some();
        if unwritable || machine.disk.other.is_none_or(|(_, manifest)| manifest != into.manifest) {
            self.known(id).rejected = true;
            let why = "its slot could not be selected".into();
            return self.complete(id, Outcome::Selected(Selection::Refused(why)));
        }
        let living = machine.calls.len();
        self.check_direction(id, into.release);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.disk.trying = Some(0);
        machine.disk.fell_back = None;
        machine.release_fails = machine.draw.chance(falls_back) || bad;
        if machine.release_fails {
            self.counts.done.note(Kind::BadRelease);
        }
        let away = machine.draw.span(Span::seconds(2), Span::seconds(40));
        if living > 0 {
            self.violation(
                "no machine restarts while a call lives (R4)",
                format!("node{id}, {living} calls"),
            );
        }
        self.counts.restarts += 1;
        self.journal.line(self.now, || format!("node{id} restarts into {}", into.release));
        self.send_report(id);
        self.ends(id);
        self.boot_after(id, away);
    }

    /// Whether a release starts on no node, even when all faults have ended.
    fn is_bad_on_nodes(&self, release: Release) -> bool {
        self.rates.machines.bad_on_nodes == Some(release.version)
    }

    /// boot counts a try, and falls back when none is left.
    fn counts_try(&mut self, id: NodeId) {
        let now = self.now;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let tried = machine.is_between_releases();
        machine.count_try(now);
        let fell_back = tried && !machine.is_between_releases();
        self.known(id).rejected |= fell_back;
    }

    pub(crate) fn boots(&mut self, id: NodeId, start: u64) {
        let (rates, healed, canary) = (self.rates.machines.clone(), self.healed, self.canary);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if machine.start != start || !machine.powered {
            return;
        }
        if machine.disk_fault.is_some() && machine.is_between_releases() {
            // boot cannot count the try, so it does not use it.
            return self.boot_after(id, BOOT_AGAIN);
        }
        if machine.start_fault.is_some() {
            // Every start ends at once, and uses up a try.
            self.counts_try(id);
            return self.boot_after(id, BOOT_AGAIN);
        }
        self.counts_try(id);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let unclocked = machine.unclocked(self.now);
        Canary::alter_clock(canary, &mut machine.clock);
        machine.clock.resume(self.now, machine.disk.stamp, machine.downtime);
        machine.downtime = Downtime::Program;
        machine.forget_reports();
        Canary::alter_persistent_state(canary, &mut machine.disk.persistent_state);
        let node = Reconciler::new(machine.disk.persistent_state.clone(), machine.start_conditions());
        machine.process =
            Some(Process { node, write_failed: false, job: None, reported: None, beside: None });
        machine.unanswered = 0;
        let trying = machine.is_between_releases();
        let interrupted = machine.draw.chance(rates.interrupted);
        let after = machine.draw.span(Span::seconds(1), Span::seconds(30));
        let release_fails = machine.release_fails && (!healed || machine.tries(rates.bad_on_nodes));
        if trying && (release_fails || (interrupted && !healed)) {
            let after = if release_fails { TRY } else { after };
            self.queue.push(self.now + after, WorldEvent::TryEnds { node: id, start });
        }
        self.note_boot(id, unclocked);
        self.journal.line(self.now, || format!("node{id} starts{}", if trying { " for a try" } else { "" }));
        self.settle_node(id);
    }

    /// The try is over without a confirmation.
    pub(crate) fn try_ends(&mut self, id: NodeId, start: u64) {
        let still = self
            .nodes
            .get(&id)
            .is_some_and(|machine| machine.start == start && machine.is_between_releases());
        if still {
            self.counts.done.note(Kind::Interrupted);
            self.crash(id, Span::seconds(2), Span::seconds(20));
        }
    }

    /// Confirms the slot record first, then the agent: power may be lost in between.
    pub(crate) fn confirms(&mut self, id: NodeId, start: u64) {
        let (interrupted, healed) = (self.rates.machines.interrupted, self.healed);
        let version = self.rates.machines.bad_on_nodes;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let bad = machine.release_fails && (!healed || machine.tries(version));
        if machine.start != start || !machine.is_between_releases() || bad || machine.process.is_none() {
            return;
        }
        if machine.disk_fault.is_some() {
            self.queue.push(self.now + BOOT_AGAIN, WorldEvent::Confirm { node: id, start });
            return;
        }
        machine.confirm();
        if !healed && machine.draw.chance(interrupted / 2) {
            return self.crash(id, Span::seconds(2), Span::minutes(1));
        }
        if self.apply_to_node(id, AgentEvent::Confirmed) == Durability::Durable {
            self.settle_node(id);
        }
    }
}
