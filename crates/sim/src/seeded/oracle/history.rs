//! Facts and state agree: the facts that an operator reads are folded into a view of the platform, which after every
//! event must equal what the state shows. No fact may contradict the state, and nothing that is shown may change
//! without a fact.
//!
//! Three things do not follow from facts alone: which nodes a start takes in (those that are not known to run its
//! release), that a node is on its way back (the fact comes when it is back), and that a bursting node has gone to rest
//! (it falls silent).

use std::collections::BTreeMap;

use fleet::desired::RunId;
use fleet::fact::{Fact, NodeFact};
use fleet::node::{Duty, Node, NodeId, Power};
use fleet::platform::{Applied, Fleet};
use fleet::progress::{Ending, Failure, Phase, Progress};
use fleet::run::{EndedRun, Lock, ManagerStep, Order, Outcome, Run};
use fleet::starts::Duplicate;
use fleet::time::{Offset, Time};
use fleet::version::Release;

/// The platform as its facts show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// The release of the Management Node; no fact names it before its first upgrade.
    release: Option<Release>,
    run: Option<RunView>,
    start_fault: Option<String>,
    /// Whether the Management Node's wall clock has stepped recently.
    stepped: bool,
    last: Option<(RunId, Outcome)>,
    nodes: BTreeMap<NodeId, NodeView>,
}

/// The run in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RunView {
    run: RunId,
    source: Release,
    target: Release,
    limit: Time,
    lock: Lock,
    paused: Option<Order>,
    manager: Step,
}

/// The step of the Management Node's own upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Staging,
    Installing,
    Confirmed,
}

/// One node, as the facts or the state show it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NodeView {
    name: String,
    /// Known from its first change on.
    duty: Option<Duty>,
    operator: Option<String>,
    unfit: Option<String>,
    start_fault: Option<String>,
    clock_off: Option<Offset>,
    out_of_date: Option<String>,
    duplicate: Option<Duplicate>,
    in_touch: bool,
    power: Option<Power>,
    place: Place,
    /// Its machine was started for a run that has ended since: it is idle, or on its way back.
    woken: bool,
}

/// Where a node is in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Idle,
    Queued,
    Starting,
    Preparing,
    Draining,
    Installing,
    Rebooting,
    /// Its attempt has failed; it goes back to service, or is lost.
    Abandoned,
    /// The attempt is over, and it is to go back to service.
    Returning,
    Upgraded,
    Failed(Failure),
}

impl History {
    /// The view that the state shows.
    pub(crate) fn of(fleet: &Fleet) -> Self {
        Self {
            release: Some(fleet.platform.release),
            run: fleet.platform.run.as_ref().map(RunView::of),
            start_fault: fleet.platform.start_fault.clone(),
            stepped: fleet.platform.wall.stepped_at().is_some(),
            last: fleet.platform.last_run.as_ref().map(ended),
            nodes: fleet.nodes().iter().map(|(id, node)| (id, NodeView::of(node))).collect(),
        }
    }

    /// Adds a fact. Returns what it contradicts or repeats.
    pub(crate) fn note(&mut self, fact: &Fact, runs: impl Fn(&NodeId, Release) -> bool) -> Option<String> {
        match fact {
            Fact::RunStarted { run, source, target, limit } => {
                let (run, source, target, limit) = (*run, *source, *target, *limit);
                let under_way = RunView {
                    run,
                    source,
                    target,
                    limit,
                    lock: Lock::Held,
                    paused: None,
                    manager: Step::Staging,
                };
                let before = self.run.replace(under_way);
                for (id, view) in self.nodes.iter_mut().filter(|(_, view)| !view.place.is_attempt()) {
                    let upgraded = view.duplicate.is_none() && runs(id, target);
                    view.place = if upgraded { Place::Idle } else { Place::Queued };
                }
                before.map(|before| format!("run {run} began while run {} was under way", before.run))
            }
            Fact::ManagerInstalling { .. } => self.manager_steps(Step::Staging, Step::Installing, fact),
            Fact::ManagerUpgraded { release } => {
                self.release = Some(*release);
                let from = self.run.as_ref().map_or(Step::Staging, |run| run.manager);
                self.manager_steps(from, Step::Confirmed, fact)
            }
            Fact::LockLifted { run } => {
                let under_way = self.run.as_mut().filter(|under_way| under_way.run == *run)?;
                let before = std::mem::replace(&mut under_way.lock, Lock::Lifted);
                (before == Lock::Lifted).then(|| format!("repeated: {fact}"))
            }
            Fact::RunPaused { run, order } => self.paused(*run, Some(order), fact),
            Fact::RunResumed { run, order: _ } => self.paused(*run, None, fact),
            Fact::RunEnded { run, outcome } => {
                self.last = Some((*run, outcome.clone()));
                self.nodes.values_mut().for_each(NodeView::stop);
                let ended = self.run.take().map(|ended| ended.run);
                (ended != Some(*run)).then(|| format!("run {run} has ended while {ended:?} was under way"))
            }
            Fact::FailureStopOver { .. } | Fact::EpochRaised { .. } => None,
            Fact::ManagerStartFault { why } => self.manager_checked(Some(why), fact),
            Fact::ManagerStartFaultOver => self.manager_checked(None, fact),
            Fact::ClockStepped { .. } => {
                self.stepped = true;
                None
            }
            Fact::ClockSteady => {
                let before = std::mem::replace(&mut self.stepped, false);
                (!before).then(|| format!("repeated: {fact}"))
            }
            Fact::Node { node, name, what } => self.note_of(*node, name, what),
        }
    }

    /// A pause begins or ends.
    fn paused(&mut self, of: RunId, order: Option<&Order>, fact: &Fact) -> Option<String> {
        match self.run.as_mut().filter(|run| run.run == of && run.paused.is_some() != order.is_some()) {
            Some(run) => {
                run.paused = order.cloned();
                None
            }
            None => Some(format!("{fact}: {:?}", self.run)),
        }
    }

    fn manager_steps(&mut self, from: Step, to: Step, fact: &Fact) -> Option<String> {
        match &mut self.run {
            Some(run) if run.manager == from && from != to => {
                run.manager = to;
                None
            }
            Some(_) | None => Some(format!("{fact}: {:?}", self.run)),
        }
    }

    fn manager_checked(&mut self, fault: Option<&String>, fact: &Fact) -> Option<String> {
        let before = std::mem::replace(&mut self.start_fault, fault.cloned());
        (before == self.start_fault).then(|| format!("repeated: {fact}"))
    }

    fn note_of(&mut self, id: NodeId, name: &str, what: &NodeFact) -> Option<String> {
        if *what == NodeFact::Added {
            let before = self.nodes.insert(id, NodeView::new(name));
            return before.map(|_| format!("node{id} is added twice"));
        }
        if *what == NodeFact::Removed {
            let before = self.nodes.remove(&id);
            return before.is_none().then(|| format!("node{id} is removed and was not there"));
        }
        let target = self.run.as_ref().map(|run| run.target);
        let Some(view) = self.nodes.get_mut(&id) else { return Some(format!("no node{id}: {what}")) };
        let before = view.clone();
        view.note(what, target);
        // A staged release is a fact each time, although nothing that is shown follows from it alone.
        let is_new = *view != before || matches!(what, NodeFact::Staged { .. });
        (!is_new || before.name != name).then(|| format!("node{id}, {name}: {what}, after {before:?}"))
    }

    /// The differences between history and state after an event; only what it touched can differ.
    pub(crate) fn differs(&mut self, fleet: &Fleet, applied: &Applied, facts: &[Fact]) -> Vec<String> {
        let shown = fleet.platform.run.as_ref().map(RunView::of);
        let last = fleet.platform.last_run.as_ref().map(ended);
        let release = *self.release.get_or_insert(fleet.platform.release);
        let mut found = Vec::new();
        if (&self.run, &self.last, release) != (&shown, &last, fleet.platform.release) {
            let view = (&self.run, &self.last, release);
            found.push(format!("by facts {view:?}, shown {shown:?}, {last:?}, {}", fleet.platform.release));
        }
        let stepped = fleet.platform.wall.stepped_at().is_some();
        if self.stepped != stepped {
            found.push(format!("the clock stepped, by facts: {}, shown: {stepped}", self.stepped));
        }
        if self.start_fault != fleet.platform.start_fault {
            found.push(format!(
                "start fault by facts {:?}, shown {:?}",
                self.start_fault, fleet.platform.start_fault
            ));
        }
        let all = facts.iter().any(|fact| matches!(fact, Fact::RunStarted { .. } | Fact::RunEnded { .. }));
        let mut ids = applied.changed.clone();
        ids.extend(facts.iter().filter_map(Fact::of_node).map(|(node, _)| node));
        ids.extend(self.nodes.keys().filter(|_| all));
        for id in ids {
            let (view, shown) = (self.nodes.get(&id), fleet.nodes().get(id).map(NodeView::of));
            let agree = match (view, &shown) {
                (Some(view), Some(shown)) => view.agrees(shown),
                (view, shown) => view.is_none() && shown.is_none(),
            };
            if !agree {
                found.push(format!("node{id}: by facts {view:?}, shown {shown:?}"));
            }
        }
        found
    }
}

fn ended(run: &EndedRun) -> (RunId, Outcome) {
    (run.id, run.outcome.clone())
}

impl RunView {
    fn of(run: &Run) -> Self {
        let manager = match run.manager {
            ManagerStep::Staging { .. } => Step::Staging,
            ManagerStep::Installing { .. } => Step::Installing,
            ManagerStep::Confirmed { .. } => Step::Confirmed,
        };
        let (target, limit) = (run.package.release, run.limit());
        let paused = run.paused.as_ref().map(|pause| pause.order.clone());
        Self { run: run.id, source: run.source, target, limit, lock: run.lock, paused, manager }
    }
}

impl NodeView {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            duty: None,
            operator: None,
            unfit: None,
            start_fault: None,
            clock_off: None,
            out_of_date: None,
            duplicate: None,
            in_touch: false,
            power: None,
            place: Place::Idle,
            woken: false,
        }
    }

    fn of(node: &Node) -> Self {
        Self {
            name: node.name.clone(),
            duty: Some(node.duty),
            operator: node.operator_maintenance.clone(),
            unfit: node.observed.as_ref().and_then(|observed| observed.unfit.clone()),
            start_fault: node.start_fault().map(String::from),
            clock_off: node.clock_off,
            out_of_date: node.out_of_date.clone(),
            duplicate: node.duplicate().copied(),
            in_touch: !node.contact.is_lost(),
            power: node.power(),
            place: Place::of(&node.progress),
            woken: false,
        }
    }

    /// Applies the end of the run.
    fn stop(&mut self) {
        self.woken |= self.place == Place::Starting;
        self.place.stop();
    }

    fn note(&mut self, what: &NodeFact, target: Option<Release>) {
        let out_of_it = if target.is_some() { Place::Queued } else { Place::Idle };
        match what {
            NodeFact::Added | NodeFact::Removed | NodeFact::Staged { .. } => {}
            NodeFact::Renamed { to } => self.name.clone_from(to),
            NodeFact::DutyChanged(duty) => (self.duty, self.power) = (Some(*duty), None),
            NodeFact::OperatorMaintenanceOn { reason } => self.operator = Some(reason.clone()),
            NodeFact::OperatorMaintenanceOff => self.operator = None,
            NodeFact::Unfit { why } => self.unfit = Some(why.clone()),
            NodeFact::Fit => self.unfit = None,
            NodeFact::StartFault { why } => self.start_fault = Some(why.clone()),
            NodeFact::StartFaultOver => self.start_fault = None,
            NodeFact::ClockOff { ahead } => self.clock_off = Some(*ahead),
            NodeFact::ClockRight => self.clock_off = None,
            NodeFact::OutOfDate { why } => self.out_of_date = Some(why.clone()),
            NodeFact::OutOfDateOver => self.out_of_date = None,
            NodeFact::Duplicated(two) => self.duplicate = Some(*two),
            NodeFact::DuplicateOver => self.duplicate = None,
            NodeFact::ContactMade { .. } | NodeFact::ContactRestored { .. } => self.in_touch = true,
            NodeFact::ContactLost => self.in_touch = false,
            NodeFact::Power(power) => {
                self.power = Some(*power);
                if *power == Power::On && self.place == Place::Queued {
                    self.place = Place::Starting;
                }
            }
            NodeFact::Queued => self.place = Place::Queued,
            NodeFact::Preparing => self.place = Place::Preparing,
            NodeFact::Draining { .. } => self.place = Place::Draining,
            NodeFact::Installing => self.place = Place::Installing,
            NodeFact::Rebooting => self.place = Place::Rebooting,
            NodeFact::DrainTimedOut { .. } | NodeFact::GivenUp { .. } => self.place = Place::Abandoned,
            // A node that was upgraded by a replaced run is queued for the next one.
            NodeFact::Upgraded { release, .. } if target.is_some_and(|target| target != *release) => {
                (self.place, self.woken) = (Place::Queued, false);
            }
            NodeFact::Upgraded { .. } => (self.place, self.woken) = (Place::Upgraded, false),
            NodeFact::Returned => (self.place, self.woken) = (out_of_it, false),
            NodeFact::Failed { why } => (self.place, self.woken) = (Place::Failed(why.clone()), false),
        }
    }

    fn agrees(&self, shown: &Self) -> bool {
        let Self {
            name,
            duty,
            operator,
            unfit,
            start_fault,
            clock_off,
            out_of_date,
            duplicate,
            in_touch,
            power,
            place,
            woken,
        } = self;
        let rests = *power == Some(Power::Rest) && shown.power.is_none();
        let may_return = place.is_attempt() || (*woken && matches!(place, Place::Idle | Place::Queued));
        let returns = shown.place == Place::Returning && may_return;
        *name == shown.name
            && (duty.is_none() || *duty == shown.duty)
            && *operator == shown.operator
            && *unfit == shown.unfit
            && *start_fault == shown.start_fault
            && *clock_off == shown.clock_off
            && *out_of_date == shown.out_of_date
            && *duplicate == shown.duplicate
            && *in_touch == shown.in_touch
            && (*power == shown.power || rests)
            && (*place == shown.place || returns)
    }
}

impl Place {
    fn of(progress: &Progress) -> Self {
        match progress {
            Progress::Idle => Self::Idle,
            Progress::Pending { .. } => Self::Queued,
            Progress::Attempt(attempt) => Self::in_phase(&attempt.phase),
            Progress::Upgraded { .. } => Self::Upgraded,
            Progress::Failed { why, .. } => Self::Failed(why.clone()),
        }
    }

    fn in_phase(phase: &Phase) -> Self {
        match phase {
            Phase::Starting { .. } => Self::Starting,
            Phase::Preparing { .. } => Self::Preparing,
            Phase::Draining { .. } => Self::Draining,
            Phase::Installing { .. } => Self::Installing,
            Phase::Rebooting { .. } => Self::Rebooting,
            Phase::Releasing { ending: Ending::TimedOut | Ending::Failed(Failure::Lost) } => Self::Abandoned,
            Phase::Releasing { ending: Ending::Upgraded | Ending::Failed(_) | Ending::Stopped } => {
                Self::Returning
            }
        }
    }

    /// Whether an attempt at the node is under way.
    fn is_attempt(&self) -> bool {
        match self {
            Self::Starting
            | Self::Preparing
            | Self::Draining
            | Self::Installing
            | Self::Rebooting
            | Self::Abandoned
            | Self::Returning => true,
            Self::Idle | Self::Queued | Self::Upgraded | Self::Failed(_) => false,
        }
    }

    /// Applies the end of the run.
    fn stop(&mut self) {
        *self = match std::mem::replace(self, Self::Idle) {
            Self::Queued | Self::Starting => Self::Idle,
            Self::Preparing | Self::Draining | Self::Installing => Self::Returning,
            place @ (Self::Idle
            | Self::Rebooting
            | Self::Abandoned
            | Self::Returning
            | Self::Upgraded
            | Self::Failed(_)) => place,
        };
    }
}
