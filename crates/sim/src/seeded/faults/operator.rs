//! What the simulated operator does: maintenance mode, nodes, Start, restarts of the Management Node. An action that is
//! not possible at its time is counted and has no effect.

use fleet::desired::RunId;
use fleet::node::{Duty, NodeId};
use fleet::platform::Event;
use fleet::policy::Policy;
use fleet::run::Order;
use fleet::time::Span;
use fleet::version::Version;

use crate::seeded::plan::kinds::Kind;
use crate::seeded::plan::releases::installed;
use crate::seeded::plan::step::Action;
use crate::seeded::world::World;
use crate::seeded::world::manager::CommitResult;
use crate::world::package;

/// The largest number of nodes that the operator installs.
const NODES_AT_MOST: usize = 45;

impl World {
    /// Does an operator action, if the Management Node is up.
    pub(crate) fn operate(&mut self, action: Action) {
        if !self.manager.up || self.manager.hung {
            self.counts.impossible.note(action.kind());
            return;
        }
        match action {
            Action::Hold { node, .. }
            | Action::LetGo { node }
            | Action::RemoveNode { node }
            | Action::Rename { node, .. }
            | Action::MakeDuty { node, .. }
                if self.fleet().nodes().get(node).is_none() =>
            {
                self.counts.impossible.note(action.kind());
            }
            Action::Hold { node, reason } => self.operator_holds(node, Some(format!("reason {reason}"))),
            Action::LetGo { node } => self.operator_holds(node, None),
            Action::AddNode { node, version, duty } => self.add_another(node, version, duty),
            Action::RemoveNode { node } => self.remove_node(node),
            Action::Rename { node, change } => self.rename_node(node, change),
            Action::MakeDuty { node, duty } => self.change_duty(node, duty),
            Action::Start { version } => self.start(version),
            Action::Restart { away } => self.manager_ends(away, away),
            Action::Pause | Action::Resume | Action::Stop if self.fleet().platform.run.is_none() => {
                self.counts.impossible.note(action.kind());
            }
            Action::Pause => self.pause_run(),
            Action::Resume => self.resume_run(),
            Action::Stop => self.stop_run(),
            Action::RestorePoint => self.manager.restore_points.push(self.manager.store.clone()),
            Action::NodeCrash { .. }
            | Action::NodeOff { .. }
            | Action::ManagerCrash { .. }
            | Action::MemoryBack { .. }
            | Action::Cut { .. }
            | Action::Split { .. }
            | Action::Blind { .. }
            | Action::Unfit { .. }
            | Action::NodeHang { .. }
            | Action::ManagerHang { .. }
            | Action::DiskFull { .. }
            | Action::DiskFails { .. }
            | Action::ManagerDisk { .. }
            | Action::NodeClock { .. }
            | Action::ManagerClock { .. }
            | Action::StartFault { .. }
            | Action::ManagerStartFault { .. }
            | Action::Clone { .. } => {}
        }
    }

    pub(crate) fn operator_holds(&mut self, id: NodeId, operator: Option<String>) {
        if self.apply_to_platform(Event::Maintenance { id, operator }) == CommitResult::Committed {
            self.note_operator(id);
        }
    }

    pub(crate) fn remove_node(&mut self, id: NodeId) {
        if self.apply_to_platform(Event::NodeRemoved { id }) == CommitResult::Committed {
            self.nodes.remove(&id);
            self.copies_off(Some(id));
            self.forget_node(id);
        }
    }

    fn pause_run(&mut self) {
        let (run, order) = self.order();
        if self.apply_to_platform(Event::RunPaused { run, order }) == CommitResult::Committed {
            self.truth.paused = true;
        }
    }

    /// A commit that fails at its last step is found at the next start, so the run may go on in any case.
    pub(crate) fn resume_run(&mut self) {
        let (run, order) = self.order();
        self.truth.paused = false;
        self.apply_to_platform(Event::RunResumed { run, order });
    }

    fn stop_run(&mut self) {
        let (run, order) = self.order();
        self.apply_to_platform(Event::RunStopped { run, order });
    }

    /// An order for the run under way.
    fn order(&self) -> (RunId, Order) {
        let run = self.fleet().platform.run.as_ref().map_or(RunId(0), |run| run.id);
        (run, Order { by: "ann".into(), why: String::new() })
    }

    fn rename_node(&mut self, id: NodeId, change: u64) {
        let Some(duty) = self.fleet().nodes().get(id).map(|node| node.duty) else { return };
        self.apply_to_platform(Event::NodeChanged { id, name: format!("node{id} of change {change}"), duty });
    }

    /// Changes the duty of a node. A node that becomes always-on is switched on.
    fn change_duty(&mut self, id: NodeId, duty: Duty) {
        let Some(node) = self.fleet().nodes().get(id).filter(|node| node.duty != duty) else { return };
        let name = node.name.clone();
        if self.apply_to_platform(Event::NodeChanged { id, name, duty }) == CommitResult::NotCommitted {
            return;
        }
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if duty == Duty::AlwaysOn && !machine.powered {
            machine.powered = true;
            self.boot_after(id, Span::minutes(2));
        }
    }

    /// Installs a node, unless the platform is full or has this node.
    fn add_another(&mut self, id: NodeId, version: Version, duty: Duty) {
        if self.nodes.len() >= NODES_AT_MOST || self.nodes.contains_key(&id) {
            self.counts.impossible.note(Kind::Nodes);
            return;
        }
        self.add_node(id, duty, installed(version));
    }

    fn start(&mut self, version: Version) {
        if self.press_start(version, self.rates.policy.clone()).is_err() {
            self.counts.refused_starts += 1;
        }
    }

    /// Starts a run, unless it is refused.
    pub(crate) fn press_start(
        &mut self,
        version: Version,
        policy: Policy,
    ) -> Result<(), Vec<fleet::platform::Blocker>> {
        let now = self.manager_now();
        if !self.manager.up || self.manager.disk_fails {
            // The commit of a start fails like any other; this start is not repeated.
            self.counts.impossible.note(Kind::Start);
            return Err(Vec::new());
        }
        let before = self.fleet().platform.run.as_ref().map(|run| run.lock);
        let started = self.manager.store.fleet.start(package(version), policy.clone(), now);
        self.journal.line(self.now, || format!("start of {version}: {:?}", started.as_ref().err()));
        let applied = started?;
        self.time_goes_on(now);
        if before == Some(fleet::run::Lock::Held) {
            self.violation("no run is started while another is under way (R10)", format!("{version}"));
        }
        self.manager.store.stamp = self.manager.clock.stamp(self.now);
        self.counts.runs += 1;
        self.note_start(&policy);
        self.manager_acts(applied);
        Ok(())
    }
}
