//! Judges that the statuses are true of the machines themselves, not only of the reports.
//!
//! The Management Node may be behind in three ways, and in no other:
//! - A report is in transit, or was lost and is repeated. If the platform holds the last report of a node, that report
//!   is true of the machine; and while the two are linked and no message is lost, the platform holds it within the
//!   longest pause between two reports. A node whose disk fails is left out: it accepts nothing that it cannot make
//!   durable, and reports that it is unfit.
//! - The node has not accepted the newest desired state and acts on the one before. "Preparing to upgrade" is the
//!   status of exactly that time. It is not shown of a node that has accepted it, except of one that accepted it, was
//!   cut off, and is back in service when it reports, until its attempt times out.
//! - The node is silent. Its last report is shown until it counts as lost: no sooner than the policy allows, and no
//!   later once it is really unreachable.

use fleet::node::{Contact, Node, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::policy::Policy;
use fleet::progress::Phase;
use fleet::status::Status;
use fleet::time::{Span, Time};

use super::truth::Watch;
use crate::seeded::canary::Canary;
use crate::seeded::world::World;
use crate::seeded::world::clock::drift_of;
use crate::seeded::world::copies::{identity, is_copy};
use crate::seeded::world::event_queue::WorldEvent;
use crate::seeded::world::machine::Machine;
use crate::seeded::world::network::{GAP, RETRY_MOST};
use crate::seeded::world::tracked::Next;

/// How late a deadline may be handled: the event queue counts in milliseconds.
const SLACK: Span = Span::seconds(1);

const SAID: &str = "what a node has said is true of its machine";
const STATUSES: &str = "what the statuses say is true";
const NEWS: &str = "news of a node is known as soon as no message is lost";
const OVERLOOKED: &str = "a node that is gone for longer than is allowed is shown as such (R11)";

impl WorldEvent {
    /// The one node whose machine the event concerns, if it concerns no other.
    pub(crate) fn concerns_alone(&self) -> Option<NodeId> {
        match self {
            Self::Desired { to: node, .. }
            | Self::SendReport { node, .. }
            | Self::NodeDue { node }
            | Self::HalfFetched { node, .. }
            | Self::StagingEnds { node, .. }
            | Self::Boot { node, .. }
            | Self::Confirm { node, .. }
            | Self::TryEnds { node, .. }
            | Self::Dial { node }
            | Self::HangUp { node, .. } => Some(*node),
            Self::Report { .. }
            | Self::LinkCheck { .. }
            | Self::FalseDown { .. }
            | Self::ManagerDue
            | Self::ManagerStaged { .. }
            | Self::ManagerBoot { .. }
            | Self::CutEnds { .. }
            | Self::Recover { .. }
            | Self::Resume { .. }
            | Self::CopyOff { .. }
            | Self::ManagerDiskRecovers
            | Self::ManagerStartFaultEnds
            | Self::FalseReport
            | Self::RandomFault(_)
            | Self::Operator(_)
            | Self::Action(_)
            | Self::Heal => None,
        }
    }
}

impl World {
    /// Judges what is shown of the nodes. An event that concerns one machine alone and does not reach the Management
    /// Node cannot change the judgement of others; after any other event, all nodes are judged whose judgement may have
    /// changed.
    pub(crate) fn judge_shown(&mut self, alone: Option<NodeId>, found: &mut Vec<(&'static str, String)>) {
        let (now, there) = (self.now, self.manager.up && !self.manager.hung);
        self.truth.manager_since = there.then(|| self.truth.manager_since.unwrap_or(now));
        match alone {
            Some(id) => {
                let next = self.judge_one(id, found);
                self.unjudged_shown.note(id, next);
            }
            None => {
                let mut unjudged = std::mem::take(&mut self.unjudged_shown);
                unjudged.judge(|id| self.judge_one(id, found));
                self.unjudged_shown = unjudged;
            }
        }
    }

    fn judge_one(&mut self, id: NodeId, found: &mut Vec<(&'static str, String)>) -> Next {
        // Of two machines, the platform knows the one whose reports are believed, and either keeps the node in
        // touch.
        let (of, believed, copied) = (identity(id), self.is_believed(id), self.is_two(id));
        if self.is_compromised(id) {
            return Next::WhenTouched;
        }
        let in_touch =
            self.machines_of(of).any(|machine| self.nodes.get(&machine).is_some_and(Machine::is_linked));
        let (now, up, fleet) = (self.now, self.truth.manager_since, &self.manager.store.fleet);
        let Some(machine) = self.nodes.get(&id) else { return Next::WhenTouched };
        let Some(node) = fleet.nodes().get(of) else { return Next::Again };
        if !self.truth.nodes.contains_key(&id) {
            return Next::Again;
        }
        let watch = self.truth.watches.entry(id).or_default();
        let links = &self.rates.links;
        let allowed = RETRY_MOST.max(Span(links.heartbeat.0 * 3 / 2)) + Span(links.delay.0 * 2) + SLACK;
        let reported = last_report_held(node, machine);
        let is_unreported = machine.is_linked() && self.healed && up.is_some() && reported.is_none();
        watch.look(now, is_unreported && believed, in_touch);
        let status_is_false = |reported| {
            let shown = fleet.status(of).map(|status| Canary::alter_status(self.canary, status));
            shown.is_some_and(|status| !status_is_true(status, reported, node, machine))
        };
        let promises = [
            (reported.is_some_and(|reported| !is_true_of(reported, machine)), SAID),
            (reported.is_some_and(status_is_false), STATUSES),
            (watch.is_behind(now, allowed), NEWS),
            (!is_copy(id) && watch.is_overlooked(now, up, node, &self.rates.policy), OVERLOOKED),
        ];
        let before = found.len();
        for (_, promise) in promises.into_iter().filter(|(broken, _)| *broken) {
            found.push((promise, details(id, node, machine)));
        }
        // Only two judgements change with time alone: a linked node may be late with its report once everything has
        // healed, and a node whose link is down must be shown as lost.
        let is_waited_for =
            if machine.is_linked() { reported.is_none() && self.healed } else { !node.contact.is_lost() };
        if copied || is_waited_for || found.len() > before { Next::Again } else { Next::WhenTouched }
    }

    /// R11: no node counts as lost before it was silent for as long as the policy allows.
    pub(crate) fn check_lost(&mut self, id: NodeId) {
        let allowed = self.rates.policy.silent_after;
        let silent = self.now.since(self.watch(id).silent);
        if silent + drift_of(silent) < allowed {
            let subject = format!("node{id} after {silent}, {allowed} are allowed");
            self.violation(
                "no node is shown as lost before it was silent for as long as allowed (R11)",
                subject,
            );
        }
    }
}

impl Watch {
    /// An answer arrived: the node may wait until its next report.
    pub(crate) fn is_answered(&mut self) {
        self.behind = None;
    }

    fn look(&mut self, now: Time, is_unreported: bool, in_touch: bool) {
        self.gone = (!in_touch).then(|| self.gone.unwrap_or(now));
        self.behind = is_unreported.then(|| self.behind.unwrap_or(now));
    }

    fn is_behind(&self, now: Time, allowed: Span) -> bool {
        self.behind.is_some_and(|since| now > since + allowed)
    }

    /// Whether the node is out of reach for longer than is allowed, with the manager running, and does not count as
    /// lost. A message that it sent before may have arrived since.
    fn is_overlooked(&self, now: Time, up: Option<Time>, node: &Node, policy: &Policy) -> bool {
        let (Some(gone), Some(up)) = (self.gone, up) else { return false };
        if node.contact.is_lost() {
            return false;
        }
        let restarts =
            matches!(node.progress.phase(), Some(Phase::Installing { .. } | Phase::Rebooting { .. }));
        let longest = policy.silent_after.max(policy.reboot_silent_after);
        let allowed = GAP + if restarts { longest } else { policy.silent_after };
        now > gone.max(up).max(self.heard) + allowed + drift_of(allowed) + SLACK
    }
}

/// The details of a violation.
fn details(id: NodeId, node: &Node, machine: &Machine) -> String {
    let Node { contact, observed, progress, generation, .. } = node;
    let accepted =
        machine.process.as_ref().map(|process| process.node.agent().persistent_state().accepted.generation);
    let Machine { engine, blind, disk, calls, hung, cuts, .. } = machine;
    format!(
        "node{id}, {contact:?} {progress:?} at {generation}: {observed:?}; in truth at {accepted:?}, {engine:?}, \
         {} calls, blind: {blind}, hung: {hung}, {cuts} cuts, runs {}, beside it {:?}, trying: {:?}",
        calls.len(),
        disk.confirmed.0,
        disk.other.map(|(other, _)| other),
        disk.trying,
    )
}

/// The report that the platform holds of a node in touch, if it is the last one that the node made.
fn last_report_held<'a>(node: &'a Node, machine: &Machine) -> Option<&'a Observed> {
    let last = machine.process.as_ref()?.reported.as_ref()?;
    let held = node.observed.as_ref().filter(|held| held.says_the_same_as(last))?;
    (node.contact == Contact::Heard).then_some(held)
}

fn is_true_of(reported: &Observed, machine: &Machine) -> bool {
    if machine.process.as_ref().is_some_and(|process| process.write_failed) {
        return true;
    }
    let Observed {
        at: _,
        generation: _,
        release,
        release_state,
        admission,
        calls,
        staging,
        unfit: _,
        start_fault,
        process: _,
    } = reported;
    let trying = machine.is_between_releases();
    let (confirmed, other) = (Some(machine.disk.confirmed), machine.disk.other);
    let (runs, beside) = if trying { (other, confirmed) } else { (confirmed, other) };
    let counted = match calls {
        Calls::Known { count, oldest: _ } => *count as usize == machine.calls.len() && !machine.blind,
        Calls::Unknown => machine.blind,
    };
    let staged = match staging {
        Staging::Staged { manifest } => beside.is_some_and(|(_, beside)| beside == *manifest),
        Staging::Nothing | Staging::Fetching { .. } | Staging::Rejected { .. } => true,
    };
    runs.is_some_and(|(runs, _)| runs == *release)
        && (*release_state == ReleaseState::Trying) == trying
        && *admission == machine.engine
        && counted
        && staged
        && (start_fault.is_none() || machine.start_fault.is_some())
}

/// Whether the status of a node whose last report is held is true. Until the node has accepted its newest desired
/// state, it may still act on the one before.
fn status_is_true(status: Status, reported: &Observed, node: &Node, machine: &Machine) -> bool {
    let Some(process) = &machine.process else { return true };
    let state = process.node.agent().persistent_state();
    if state.accepted.generation != node.generation || process.write_failed {
        return true;
    }
    let refuses = machine.engine == Admission::Refusing;
    let held = node.operator_maintenance.is_some() || node.out_of_date.is_some() || machine.unfit;
    let leaves = reported.release_state != ReleaseState::Confirmed;
    match status {
        Status::NoUpgradeInProgress | Status::UpgradePending | Status::TimeoutWaitingForCallsToClear => {
            refuses == held && !leaves
        }
        Status::Preparing => state.let_go && !refuses,
        Status::CouldNotCommunicate => false,
        Status::WaitingForCallsToClear => refuses && (machine.blind || !machine.calls.is_empty()) && !leaves,
        Status::UpgradeInProgress => refuses && !machine.blind && machine.calls.is_empty() && !leaves,
        Status::Rebooting => refuses && machine.calls.is_empty() && leaves,
    }
}
