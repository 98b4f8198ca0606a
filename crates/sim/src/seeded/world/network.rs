//! The messages between the Management Node and the nodes: they are lost, delayed, duplicated and reordered. A message
//! reaches whichever process runs when it arrives, which is harsher than a connection that breaks with its process.

use fleet::desired::Desired;
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::platform::Event;
use fleet::starts::StartId;
use fleet::time::{Span, Time};

use super::World;
use super::copies::identity;
use super::event_queue::WorldEvent;
use super::manager::CommitResult;
use crate::seeded::canary::Canary;
use crate::seeded::draw::Draw;
use crate::seeded::plan::fault_rates::LinkRates;
use crate::seeded::plan::kinds::{Kind, KindCounts};

/// How long the Management Node takes at most to notice that a link is down.
pub(crate) const GAP: Span = Span::seconds(10);

/// How long a node waits for an answer before it repeats its report; doubled each time.
const RETRY: Span = Span::seconds(5);

/// The longest pause between two reports that are not answered.
pub(crate) const RETRY_MOST: Span = Span::seconds(80);

/// The delays of the deliveries of one message; none if it is lost.
fn deliveries(draw: &mut Draw, rates: &LinkRates, healed: bool, done: &mut KindCounts) -> Vec<Span> {
    let delay = draw.around(rates.delay, 64);
    let (lost, doubled, late) =
        (draw.chance(rates.lost), draw.chance(rates.doubled), draw.chance(rates.late));
    let held_up = draw.span(Span::ZERO, rates.late_most);
    let again = draw.around(rates.delay, 192);
    match (healed, lost) {
        (true, _) => vec![rates.delay],
        (false, true) => {
            done.note(Kind::Lost);
            Vec::new()
        }
        (false, false) => {
            late.then(|| done.note(Kind::Late));
            doubled.then(|| done.note(Kind::Doubled));
            let first = if late { held_up } else { delay };
            let second = doubled.then_some(if late { delay } else { again });
            std::iter::once(first).chain(second).collect()
        }
    }
}

impl World {
    fn is_linked(&self, id: NodeId) -> bool {
        self.manager.up && self.nodes.get(&id).is_some_and(super::machine::Machine::is_linked)
    }

    /// A node sends a report, and repeats it until it is answered.
    pub(crate) fn send_report(&mut self, id: NodeId) {
        let (linked, canary) = (self.is_linked(id), self.canary);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let Some(process) = &machine.process else { return };
        let local = machine.clock.shows(self.now);
        let mut observed = Canary::alter_observed(canary, process.node.agent().observed(local));
        observed.at = machine.stamp(local);
        observed.process = machine.process_of(id, self.copies.numbered);
        let observed = self.maybe_falsify(id, observed);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.unanswered = (machine.unanswered + 1).min(5);
        machine.request += 1;
        let pause = Span((RETRY.0 << (machine.unanswered - 1)).min(RETRY_MOST.0));
        self.queue.push(self.now + pause, WorldEvent::SendReport { node: id, request: machine.request });
        if !linked || (canary == Some(Canary::NewsKeptBack) && self.healed) {
            return;
        }
        for delay in deliveries(&mut machine.link_draw, &self.rates.links, self.healed, &mut self.counts.done)
        {
            let event = WorldEvent::Report { from: id, observed: observed.clone(), request: machine.request };
            self.queue.push(self.now + delay, event);
        }
    }

    pub(crate) fn send_report_if_due(&mut self, id: NodeId, request: u64) {
        if self.nodes.get(&id).is_some_and(|machine| machine.request == request) {
            self.send_report(id);
        }
    }

    /// A report arrives. It is answered at once.
    pub(crate) fn report_arrives(&mut self, from: NodeId, observed: Observed, request: u64) {
        let there = self.nodes.get(&from).is_some_and(|machine| machine.cuts == 0);
        if !self.manager.up || !there {
            self.counts.done.note(Kind::ReachedNobody);
            return;
        }
        self.note_order_of_arrival(from, observed.at);
        self.queue.push(self.now + GAP, WorldEvent::LinkCheck { node: from });
        let falsely = self.rates.links.false_down;
        if let Some(machine) = self.nodes.get_mut(&from)
            && !self.healed
            && machine.link_draw.chance(falsely)
        {
            let later = machine.link_draw.span(Span(1), Span::minutes(2));
            self.queue.push(self.now + later, WorldEvent::FalseDown { node: from });
        }
        self.compare_clock(from, &observed);
        self.apply_report(from, observed);
        self.send_desired(from, Some(request));
    }

    /// Applies a report, unless it says what is known already.
    fn apply_report(&mut self, from: NodeId, sent: Observed) {
        let id = identity(from);
        let observed = Canary::alter_report(self, id, sent.clone());
        if !self.fleet().is_news(id, self.manager_now(), &observed) {
            return self.note_process(from, &sent);
        }
        let event = Event::Report { id, observed };
        let note = |world: &mut Self| {
            world.note_process(from, &sent);
            world.note_report(id, &sent);
        };
        if self.apply_to_platform_noting(event, note) == CommitResult::Committed {
            self.check_report(id);
        }
    }

    fn note_order_of_arrival(&mut self, from: NodeId, at: Time) {
        let Some(machine) = self.nodes.get_mut(&from) else { return };
        if at < machine.arrived {
            self.counts.done.note(Kind::Overtaken);
        }
        machine.arrived = machine.arrived.max(at);
    }

    /// Sends a node its desired state: as the answer to a request, or because it has changed.
    pub(crate) fn send_desired(&mut self, to: NodeId, answers: Option<u64>) {
        let Some(desired) = self.wanted_of(to) else { return };
        if !self.is_linked(to) {
            return;
        }
        let (id, beside) = (identity(to), self.beside(to));
        let heard = self.fleet().nodes().get(id).and_then(|node| node.observed.as_ref()).map(|last| last.at);
        self.check_sent(id, &desired);
        let desired = Canary::alter_sent(self, id, desired);
        let late = Canary::alter_delay_of(self, &desired);
        let Some(machine) = self.nodes.get_mut(&to) else { return };
        for delay in deliveries(&mut machine.link_draw, &self.rates.links, self.healed, &mut self.counts.done)
        {
            let order = WorldEvent::Desired { to, desired: desired.clone(), heard, beside, answers };
            self.queue.push(self.now + delay + late, order);
        }
    }

    /// The Management Node checks a node that has no open request.
    pub(crate) fn link_check(&mut self, id: NodeId) {
        let id = identity(id);
        let linked = self.machines_of(id).any(|machine| self.is_linked(machine));
        if self.manager.up && !linked && self.fleet().nodes().get(id).is_some() {
            self.apply_to_platform(Event::LinkDown { id });
        }
    }

    pub(crate) fn false_down(&mut self, id: NodeId) {
        if self.manager.up && !self.healed {
            self.counts.done.note(Kind::FalseDown);
            self.apply_to_platform(Event::LinkDown { id: identity(id) });
        }
    }

    /// Connections break: running nodes report again soon, and the manager notices.
    pub(crate) fn link_breaks(&mut self, ids: &[NodeId]) {
        for id in ids {
            let Some(machine) = self.nodes.get_mut(id) else { continue };
            machine.request += 1;
            machine.unanswered = 0;
            let request = machine.request;
            let (again, notice) =
                (machine.link_draw.span(Span(100), RETRY), machine.link_draw.span(Span(1), GAP));
            self.queue.push(self.now + again, WorldEvent::SendReport { node: *id, request });
            self.queue.push(self.now + notice, WorldEvent::LinkCheck { node: *id });
        }
    }

    /// The desired state of the node as which a machine reports.
    pub(crate) fn wanted_of(&self, machine: NodeId) -> Option<Desired> {
        self.fleet().wanted(identity(machine))
    }

    /// The other process of the node, as the answer to this machine names it.
    pub(crate) fn beside(&self, machine: NodeId) -> Option<StartId> {
        let start = self.nodes.get(&machine)?.process_of(machine, self.copies.numbered)?.start;
        self.fleet().nodes().get(identity(machine))?.starts.beside(start)
    }

    /// Sends every machine of a node its desired state.
    pub(crate) fn send_desired_to_all(&mut self, id: NodeId) {
        let machines: Vec<NodeId> = self.machines_of(id).collect();
        machines.into_iter().for_each(|machine| self.send_desired(machine, None));
    }
}
