//! The loop around the platform's state machine, in the order of the shipped program: commit an event, apply it, send
//! what follows to nodes, take the Management Node's own next step. Nothing leaves before it is stored.

use fleet::desired::Assignment;
use fleet::node::{Duty, NodeId, Power};
use fleet::platform::{Applied, Event, Fleet, ManagerEffect, ManagerOutcome, ManagerReconciler};
use fleet::time::{Span, Time};

use super::World;
use super::clock::Downtime;
use super::event_queue::WorldEvent;
use super::machine::{TRIES, Written};
use super::manager::CommitResult;
use crate::seeded::canary::Canary;
use crate::seeded::plan::kinds::Kind;

/// How long boot waits for a release of the manager to confirm itself.
const TRY: Span = Span::minutes(5);

/// How soon boot restarts a release that ends at once.
const BOOT_AGAIN: Span = Span::seconds(30);

impl World {
    pub(crate) fn fleet(&self) -> &Fleet {
        &self.manager.store.fleet
    }

    /// The manager's time.
    pub(crate) fn manager_now(&self) -> Time {
        self.manager.clock.shows(self.now)
    }

    /// Commits an event and applies it to the platform, if the manager's process runs.
    pub(crate) fn apply_to_platform(&mut self, event: Event) -> CommitResult {
        self.apply_to_platform_noting(event, |_| {})
    }

    /// The same; `note` records the truth about the event once it is committed.
    pub(crate) fn apply_to_platform_noting(
        &mut self,
        event: Event,
        note: impl FnOnce(&mut Self),
    ) -> CommitResult {
        if !self.manager.up {
            self.counts.unheard += 1;
            return CommitResult::NotCommitted;
        }
        self.journal.line(self.now, || format!("manager applies {event:?}"));
        let now = self.manager_now();
        let commit = self.commit();
        if commit == Written::NotDurable {
            Canary::act_without_commit(self, event);
            self.manager_crashes();
            return CommitResult::NotCommitted;
        }
        self.time_goes_on(now);
        note(self);
        self.note_silence(&event);
        self.note_hold_up(now);
        let epoch = self.fleet().platform.epoch;
        let applied = self.manager.store.fleet.apply(now, event.clone());
        Canary::alter_epoch(self, &event);
        self.check_epoch(&event, epoch);
        if commit == Written::Uncertain {
            // The next start finds it in the store; nothing was sent because of it.
            applied.facts.iter().for_each(|fact| self.note_fact(fact));
            self.read(&applied);
            self.manager_crashes();
        } else {
            self.manager_acts(applied);
        }
        CommitResult::Committed
    }

    /// Commits. The program ends if a commit fails.
    fn commit(&mut self) -> Written {
        let manager = &mut self.manager;
        let (fails, at_last) = (manager.draw.chance(600), manager.draw.chance(200));
        let written = match (manager.disk_fails, fails, at_last) {
            (false, _, _) | (true, false, _) => Written::Durable,
            (true, true, false) => Written::NotDurable,
            (true, true, true) => Written::Uncertain,
        };
        match written {
            Written::Durable => {}
            Written::NotDurable => self.counts.done.note(Kind::FailedCommit),
            Written::Uncertain => self.counts.done.note(Kind::UncertainCommit),
        }
        if written != Written::NotDurable {
            self.manager.store.stamp = self.manager.clock.stamp(self.now);
        }
        written
    }

    /// The program ends because its store has failed; boot restarts it after a pause.
    fn manager_crashes(&mut self) {
        self.journal.line(self.now, || "manager: the store could not commit".into());
        self.manager_ends(Span::seconds(2), Span::seconds(60));
    }

    /// Acts on the result of an event: facts, messages to nodes, the manager's own next step.
    pub(crate) fn manager_acts(&mut self, applied: Applied) {
        self.counts.events += 1;
        for fact in &applied.facts {
            self.journal.line(self.now, || format!("  {fact}"));
            self.note_fact(fact);
        }
        self.read(&applied);
        Canary::alter_platform(self);
        self.check_platform();
        for id in applied.changed {
            self.check_wanted(id);
            self.power(id);
            let newer = self.fleet().nodes().get(id).is_some_and(|node| {
                node.observed.as_ref().is_none_or(|observed| observed.generation != node.generation)
            });
            if newer {
                self.send_desired_to_all(id);
            }
        }
        self.manager_steps();
        self.set_manager_timer();
    }

    /// Performs what follows for the Management Node's own upgrade, as long as its process runs.
    fn manager_steps(&mut self) {
        while self.manager.up
            && let Some(effect) = self.manager.upgrade.next(&self.manager.store.fleet)
        {
            match effect {
                ManagerEffect::BeginStaging(_) => {
                    let took = self.manager.draw.around(self.rates.machines.staging, 32);
                    let start = self.manager.start;
                    self.queue.push(self.now + took, WorldEvent::ManagerStaged { start });
                }
                ManagerEffect::BeginCheck(_) => self.manager.upgrade.complete(ManagerOutcome::Done),
                ManagerEffect::SelectSlot(of) => self.manager_selects(of),
                ManagerEffect::CloseApi | ManagerEffect::OpenApi => {}
                ManagerEffect::Commit(event) => {
                    if let Some(event) = event.if_wanted(self.fleet()) {
                        self.apply_to_platform(event);
                    }
                }
            }
        }
    }

    fn manager_selects(&mut self, of: Assignment) {
        self.manager.upgrade.complete(ManagerOutcome::Done);
        self.manager.store.trying = Some((of, 0));
        let chance = self.rates.machines.manager_falls_back;
        self.manager.release_fails = self.manager.draw.chance(chance);
        if self.manager.release_fails {
            self.counts.done.note(Kind::BadManagerRelease);
        }
        self.manager_ends(Span::seconds(2), Span::seconds(60));
    }

    pub(crate) fn manager_staged(&mut self, start: u64) {
        if start != self.manager.start || !self.manager.up {
            return;
        }
        let fails = if self.healed { 0 } else { self.rates.machines.rejected / 4 };
        let outcome = if !self.manager.upgrade.is_wanted(self.fleet()) {
            // Whatever it is, it is dropped.
            ManagerOutcome::Done
        } else if self.manager.start_fault {
            ManagerOutcome::Failed(crate::seeded::faults::start_fault::WHY.into())
        } else if self.manager.draw.chance(fails) {
            ManagerOutcome::Failed("the disk is full".into())
        } else {
            ManagerOutcome::Done
        };
        self.manager.upgrade.complete(outcome);
        self.manager_steps();
    }

    /// The manager's process ends, and boot restarts it after a pause.
    pub(crate) fn manager_ends(&mut self, least: Span, most: Span) {
        self.manager.up = false;
        self.manager.hung = false;
        self.manager.upgrade = ManagerReconciler::default();
        self.manager.timer = None;
        self.manager.start += 1;
        let away = self.manager.draw.span(least, most);
        let start = self.manager.start;
        self.queue.push(self.now + away, WorldEvent::ManagerBoot { start });
        let everybody: Vec<NodeId> = self.nodes.keys().copied().collect();
        self.link_breaks(&everybody);
    }

    /// boot starts a release. A release that is tried works on a copy of the store, which becomes the store with its
    /// confirmation.
    pub(crate) fn manager_boots(&mut self, start: u64) {
        if start != self.manager.start {
            return;
        }
        let (store, ends_at_once) = (&mut self.manager.store, self.manager.start_fault);
        if ends_at_once && store.trying.is_none() {
            return self.manager_ends(BOOT_AGAIN, BOOT_AGAIN);
        }
        let Some((assignment, tries)) = store.trying else { return self.manager_starts() };
        if tries == TRIES {
            store.trying = None;
            store.fell_back = Some((assignment.manifest, "it did not confirm itself, three times".into()));
            return self.manager_boots(start);
        }
        store.trying = Some((assignment, tries + 1));
        let interrupted = self.rates.machines.interrupted;
        if ends_at_once {
            self.manager_ends(BOOT_AGAIN, BOOT_AGAIN);
        } else if self.manager.release_fails && !self.healed {
            self.manager_ends(TRY, TRY);
        } else if !self.healed && self.manager.draw.chance(interrupted) {
            self.counts.done.note(Kind::Interrupted);
            self.manager_ends(Span::seconds(5), TRY);
        } else {
            self.manager.store.trying = None;
            self.manager.store.release = (assignment.release, assignment.manifest);
            self.manager_starts();
        }
    }

    fn manager_starts(&mut self) {
        let stored = &self.manager.store.fleet;
        let nodes = stored.nodes().iter().map(|(id, node)| (id, node.clone())).collect();
        let restored = Fleet::restore(stored.platform.clone(), nodes);
        if restored != **stored {
            self.violation("a platform reads back as it was stored", "the platform".into());
        }
        self.manager.store.fleet = restored.into();
        self.manager.up = true;
        let (now, stamp) = (self.now, self.manager.store.stamp);
        let downtime = std::mem::replace(&mut self.manager.downtime, Downtime::Program);
        self.manager.clock.resume(now, stamp, downtime);
        Canary::resume_clock(self, stamp);
        let fell_back = self.manager.store.fell_back.clone();
        let (release, _) = self.manager.store.release;
        let wall = Some(self.wall_at_start(downtime));
        if self.apply_to_platform(Event::ManagerStarted { release, fell_back, wall })
            == CommitResult::Committed
        {
            self.manager.store.fell_back = None;
            self.check_wall();
        }
        if !self.manager.up {
            return;
        }
        let everybody: Vec<NodeId> = self.fleet().nodes().ids();
        everybody.into_iter().for_each(|id| self.power(id));
    }

    /// Starts and stops the machine of a bursting node (R7), and starts a node that is always on according to the
    /// manager.
    fn power(&mut self, id: NodeId) {
        let Some(node) = self.fleet().nodes().get(id) else { return };
        let (duty, power) = (node.duty, node.power());
        if (duty, power) == (Duty::AlwaysOn, Some(Power::Rest)) {
            self.violation("no node that is always on is sent to rest (R7)", format!("node{id}"));
        }
        let always = (duty == Duty::AlwaysOn).then_some(Power::On);
        let wanted = power.or(always);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        match wanted {
            Some(Power::On) if !machine.powered => {
                machine.powered = true;
                let took = machine.draw.span(Span::seconds(40), Span::minutes(4));
                self.boot_after(id, took);
            }
            Some(Power::Rest) if machine.powered && machine.process.is_some() && machine.calls.is_empty() => {
                self.switch_off(id);
            }
            Some(Power::On | Power::Rest) | None => {}
        }
    }

    pub(crate) fn set_manager_timer(&mut self) {
        let due = self.fleet().next_deadline().filter(|_| self.manager.up);
        if due != self.manager.timer {
            self.manager.timer = due;
            if let Some(due) = due {
                let at = self.manager.clock.world(due).max(self.now);
                self.queue.push(at, WorldEvent::ManagerDue);
            }
        }
    }

    pub(crate) fn manager_due(&mut self) {
        let now = self.manager_now();
        if self.manager.up && self.fleet().next_deadline().is_some_and(|deadline| deadline <= now) {
            self.manager.timer = None;
            self.apply_to_platform(Event::DeadlinePassed);
        }
    }
}
