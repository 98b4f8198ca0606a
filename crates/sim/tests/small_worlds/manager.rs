//! The loop around the platform's state machine, in the order of the manager's program: apply, store, send. It sends
//! nothing that is not stored, and starts from what is stored.

use std::sync::Arc;

use fleet::desired::RunId;
use fleet::fact::{Fact, NodeFact};
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::platform::{Applied, Event, Fleet, ManagerEffect, ManagerOutcome, ManagerReconciler};
use fleet::run::{Order, Outcome};

use super::canary::{self, Canary};
use super::promises::Promise;
use super::state::{Manager, Message};
use super::transition::{Output, Transition};

impl Transition<'_> {
    pub(crate) fn manager_mut(&mut self) -> &mut Manager {
        Arc::make_mut(&mut self.state.manager)
    }

    pub(crate) fn fleet(&self) -> &Fleet {
        &self.state.manager.fleet
    }

    /// Applies an event to the platform.
    pub(crate) fn apply_to_platform(&mut self, event: Event) {
        let now = self.state.now;
        self.note_stored();
        let applied = self.manager_mut().fleet.apply(now, event);
        self.follow(applied);
    }

    /// A report arrives. It has no effect if it is older than the last accepted one.
    pub(crate) fn report_arrives(&mut self, id: NodeId, observed: Observed) {
        let held =
            |transition: &Self| transition.fleet().nodes().get(id).and_then(|node| node.observed.clone());
        let before = held(self);
        let late = before.as_ref().is_some_and(|before| observed.at < before.at);
        let observed = canary::alter_report(self.world.canary, before.as_ref(), observed);
        self.apply_to_platform(Event::Report { id, observed });
        if late && held(self) != before {
            self.state.broken.insert(Promise::LateReports);
        }
    }

    /// The operator starts the package again, if nothing blocks it.
    pub(crate) fn press_start(&mut self) {
        let (now, package) = (self.state.now, self.world.package());
        self.note_stored();
        let policy = self.world.policy();
        if let Ok(applied) = self.manager_mut().fleet.start(package, policy, now) {
            self.state.ids().for_each(|id| self.state.machine_mut(id).timeouts = 0);
            self.follow(applied);
        }
    }

    /// The operator orders the run under way to do something.
    pub(crate) fn order(&mut self, order: fn(RunId, Order) -> Event) {
        let run = self.fleet().platform.run.as_ref().map_or(RunId(0), |run| run.id);
        self.apply_to_platform(order(run, Order { by: "ann".into(), why: String::new() }));
    }

    fn note_stored(&mut self) {
        if self.world.canary == Some(Canary::SentBeforeStored) && self.state.manager.stored.is_none() {
            let stored = Some(self.fleet().clone());
            self.manager_mut().stored = stored;
        }
    }

    fn follow(&mut self, applied: Applied) {
        applied.facts.iter().for_each(|fact| self.note(fact));
        self.outputs.extend(applied.facts.into_iter().map(Output::Platform));
        canary::alter_platform(self);
        self.judge_platform();
        for id in self.state.ids() {
            self.send(id);
        }
        self.manager_settles();
    }

    /// Sends a node its desired state, if that has changed.
    fn send(&mut self, id: NodeId) {
        let Some(desired) = self.fleet().wanted(id) else { return };
        let machine = self.state.machine(id);
        let same = machine.desired.as_ref() == Some(&desired);
        if same || canary::is_never_sent(self.world.canary, &machine.persistent_state.accepted, &desired) {
            return;
        }
        let before = self.state.machine_mut(id).desired.replace(desired);
        self.superseded.extend(before.map(|desired| Message::Desired { to: id, desired }));
    }

    fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::Node { node, what: NodeFact::Preparing, .. } => self.judge_turn(*node),
            Fact::Node { node, what: NodeFact::DrainTimedOut { .. }, .. } => {
                self.state.machine_mut(*node).timeouts += 1;
            }
            Fact::RunEnded { outcome: Outcome::Complete, .. } => self.judge_completion(),
            Fact::RunEnded { outcome: Outcome::Halted { .. }, .. } => {
                self.state.broken.insert(Promise::PlatformState);
            }
            Fact::RunEnded { .. }
            | Fact::Node { .. }
            | Fact::RunStarted { .. }
            | Fact::ManagerInstalling { .. }
            | Fact::ManagerUpgraded { .. }
            | Fact::LockLifted { .. }
            | Fact::RunPaused { .. }
            | Fact::RunResumed { .. }
            | Fact::FailureStopOver { .. }
            | Fact::EpochRaised { .. }
            | Fact::ManagerStartFault { .. }
            | Fact::ManagerStartFaultOver
            | Fact::ClockStepped { .. }
            | Fact::ClockSteady => {}
        }
    }

    /// Performs what follows for the Management Node's own upgrade, but for a staging and the selection of the slot,
    /// which are steps of their own.
    fn manager_settles(&mut self) {
        while let Some(effect) = self.next_effect_of_manager() {
            match effect {
                ManagerEffect::BeginStaging(_) | ManagerEffect::SelectSlot(_) => return,
                ManagerEffect::BeginCheck(_) => self.manager_mut().upgrade.complete(ManagerOutcome::Done),
                ManagerEffect::CloseApi | ManagerEffect::OpenApi => {}
                ManagerEffect::Commit(event) => {
                    if let Some(event) = event.if_wanted(self.fleet()) {
                        self.apply_to_platform(event);
                    }
                }
            }
        }
    }

    fn next_effect_of_manager(&mut self) -> Option<ManagerEffect> {
        let manager = self.manager_mut();
        manager.upgrade.next(&manager.fleet)
    }

    /// The staging or the selection that is awaited ends.
    pub(crate) fn manager_completes(&mut self, outcome: ManagerOutcome) {
        let manager = self.manager_mut();
        manager.upgrade.complete(outcome);
        if let Some(software) = manager.upgrade.selected() {
            manager.trying = Some(software);
            manager.stop();
        } else {
            self.manager_settles();
        }
    }

    /// boot starts the selected release. A release that is tried works on a copy of the store, which becomes the store
    /// with its confirmation; until then it sends nothing.
    pub(crate) fn manager_boots(&mut self) {
        let tried = self.state.manager.trying.map(|software| self.world.slot_of(software));
        let manager = self.manager_mut();
        manager.slot = tried.unwrap_or(manager.slot);
        manager.trying = None;
        self.manager_starts();
    }

    pub(crate) fn manager_falls_back(&mut self) {
        let manager = self.manager_mut();
        let why = || "it did not confirm itself".to_string();
        manager.fell_back = manager.trying.take().map(|software| (software.manifest, why()));
        self.manager_starts();
    }

    fn manager_starts(&mut self) {
        let manager = self.manager_mut();
        let records = manager.fleet.nodes().iter().map(|(id, node)| (id, node.clone())).collect();
        let restored = Fleet::restore(manager.fleet.platform.clone(), records);
        let same = restored == manager.fleet;
        manager.fleet = restored;
        manager.up = true;
        let (release, fell_back) = (manager.slot.release, manager.fell_back.take());
        if !same {
            self.state.broken.insert(Promise::PlatformState);
        }
        self.apply_to_platform(Event::ManagerStarted { release, fell_back, wall: None });
    }
}

impl Manager {
    /// The process ends; what is stored remains.
    pub(crate) fn stop(&mut self) {
        self.up = false;
        self.upgrade = ManagerReconciler::default();
        if let Some(stored) = self.stored.take() {
            self.fleet = stored;
        }
    }
}
