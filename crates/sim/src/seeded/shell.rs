//! The loop around the brain of one node, as the node's program has it: apply what has happened, make it
//! durable, act on the difference between what is wanted and what is in flight, and report.

use fleet::agent::{AgentEvent, AgentFact};
use fleet::desired::{Assignment, Desired};
use fleet::node::NodeId;
use fleet::observed::Admission;
use fleet::time::Span;

use super::agenda::Happening;
use super::canary::Canary;
use super::world::World;

/// How often one thing may follow from another on a node at one moment.
const TURNS: u32 = 50;

/// How long a broken staging waits before it goes on.
const STAGING_PAUSE: Span = Span::seconds(30);

/// How soon a release that is tried confirms itself once it has been answered.
const CONFIRMS_AFTER: Span = Span::seconds(2);

/// Whether something was done that changes what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acted {
    Yes,
    No,
}

impl World {
    /// Lets a node's brain take in what has happened, and makes durable what it remembers.
    pub(super) fn apply_to_node(&mut self, id: NodeId, event: AgentEvent) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let local = machine.clock.shows(self.now);
        let Some(process) = &mut machine.process else { return };
        let facts = process.agent.apply(local, event);
        machine.disk.memory = process.agent.memory().clone();
        self.counts.events += 1;
        for fact in facts {
            self.counts.reached.let_go += u64::from(fact == AgentFact::LetGo);
            self.journal.line(self.now, || format!("  node{id}: {fact}"));
        }
    }

    /// What is wanted arrives.
    pub(super) fn order_arrives(&mut self, to: NodeId, desired: Desired) {
        let there = self.nodes.get(&to).is_some_and(super::machine::Machine::is_linked);
        if !there {
            self.counts.lost += 1;
            return;
        }
        let heartbeat = self.odds.links.heartbeat;
        let Some(machine) = self.nodes.get_mut(&to) else { return };
        let Some(process) = &mut machine.process else { return };
        let came = desired.clone();
        let desired = Canary::alter_arrival(self.canary, &process.agent, desired);
        let (local, before) = (machine.clock.shows(self.now), process.agent.clone());
        let outcome = process.agent.accept(local, desired.clone());
        machine.disk.memory = process.agent.memory().clone();
        // What was under way when the manager went down is no answer: that connection has broken.
        if self.manager.up {
            machine.unanswered = 0;
            machine.turn += 1;
            let pause = Span(heartbeat.0 / 2 + machine.link_draw.below(heartbeat.0));
            self.agenda.enter(self.now + pause, Happening::Speak { node: to, turn: machine.turn });
        }
        let trying = machine.is_between_releases();
        let start = machine.start;
        if trying {
            self.agenda.enter(self.now + CONFIRMS_AFTER, Happening::Confirm { node: to, start });
        }
        self.counts.events += 1;
        self.journal.line(self.now, || format!("node{to} is told {desired:?}: {outcome:?}"));
        self.counts.reached.commands_refused += u64::from(outcome.is_err());
        self.check_acceptance(to, &came, outcome.is_ok(), &before);
        self.settle_node(to);
    }

    /// Acts until nothing more is wanted, then reports what is new.
    pub(super) fn settle_node(&mut self, id: NodeId) {
        for _ in 0..TURNS {
            if self.act(id) == Acted::No {
                self.publish(id);
                self.set_node_alarm(id);
                return;
            }
        }
        self.violation("a node comes to rest", format!("node{id}"));
    }

    fn act(&mut self, id: NodeId) -> Acted {
        self.pass_deadline(id);
        self.count(id);
        let Some(machine) = self.nodes.get_mut(&id) else { return Acted::No };
        let Some(process) = &machine.process else { return Acted::No };
        let wants = Canary::alter_wants(self.canary, machine, process.agent.wanted());
        machine.engine =
            if wants.refuse_calls.is_some() { Admission::Refusing } else { Admission::Admitting };
        // The calls are counted after the door is closed.
        self.count(id);
        let Some(machine) = self.nodes.get_mut(&id) else { return Acted::No };
        let Some(process) = &machine.process else { return Acted::No };
        let wants = Canary::alter_wants(self.canary, machine, process.agent.wanted());
        self.stage(id, wants.stage);
        if let Some(software) = wants.leave {
            self.apply_to_node(id, AgentEvent::Leaving { software });
            if self.canary == Some(Canary::GuardSkipped) {
                self.select(id, software);
                return Acted::No;
            }
            return self.maybe_interrupted(id);
        }
        match wants.restart {
            Some(software) => {
                self.select(id, software);
                Acted::No
            }
            None => Acted::No,
        }
    }

    fn pass_deadline(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let Some(process) = &machine.process else { return };
        let local = machine.clock.shows(self.now);
        let due = process.agent.next_deadline().is_some_and(|deadline| deadline <= local);
        if due && self.canary != Some(Canary::HoldNeverLapses) {
            self.apply_to_node(id, AgentEvent::DeadlinePassed);
        }
    }

    /// Lets the brain know what the call engine does and holds, and whether the node is fit.
    fn count(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let Some(process) = &machine.process else { return };
        let local = machine.clock.shows(self.now);
        let known = process.agent.observed(local);
        let counted = Canary::alter_calls(self.canary, machine.counted(local));
        let (admission, unfit) =
            (machine.engine, machine.unfit.then(|| "a part of the call engine has failed".to_string()));
        if known.unfit != unfit {
            self.apply_to_node(id, AgentEvent::Fitness { unfit });
        }
        if known.admission != admission {
            self.apply_to_node(id, AgentEvent::Admission(admission));
        }
        if known.calls != counted {
            self.apply_to_node(id, AgentEvent::Calls(counted));
        }
    }

    /// One staging at a time; one that is not wanted any more is given up.
    fn stage(&mut self, id: NodeId, wanted: Option<Assignment>) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let median = self.odds.machines.staging;
        let Some(process) = &mut machine.process else { return };
        if process.job.is_some_and(|(software, _)| Some(software) != wanted) {
            process.job = None;
        }
        let (None, Some(software)) = (process.job, wanted) else { return };
        machine.jobs += 1;
        let job = machine.jobs;
        process.job = Some((software, job));
        machine.disk.other = None;
        let took = machine.draw.around(median, 12);
        self.agenda.enter(self.now + Span(took.0 / 2), Happening::HalfFetched { node: id, job });
        self.agenda.enter(self.now + took, Happening::StagingEnds { node: id, job });
        self.apply_to_node(id, AgentEvent::Fetching { manifest: software.manifest, percent: 0 });
    }

    fn job(&self, id: NodeId, number: u64) -> Option<Assignment> {
        let (software, job) = self.nodes.get(&id)?.process.as_ref()?.job?;
        (job == number).then_some(software)
    }

    pub(super) fn half_fetched(&mut self, id: NodeId, number: u64) {
        let Some(software) = self.job(id, number) else { return };
        self.apply_to_node(id, AgentEvent::Fetching { manifest: software.manifest, percent: 50 });
        self.settle_node(id);
    }

    /// A staging ends, breaks off and goes on later, or cannot be done.
    pub(super) fn staging_ends(&mut self, id: NodeId, number: u64) {
        let Some(software) = self.job(id, number) else { return };
        let (breaks, rejected) = (self.odds.machines.staging_breaks, self.odds.machines.rejected);
        let (manager_up, healed) = (self.manager.up, self.healed);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let (breaks, rejected) = (machine.draw.chance(breaks), machine.draw.chance(rejected));
        if !manager_up || machine.cuts > 0 || (breaks && !healed) {
            self.agenda.enter(self.now + STAGING_PAUSE, Happening::StagingEnds { node: id, job: number });
            return;
        }
        if let Some(process) = &mut machine.process {
            process.job = None;
        }
        let event = if rejected && !healed {
            AgentEvent::Rejected { software, why: "the disk is full".into() }
        } else {
            machine.disk.other = Some((software.release, software.manifest));
            AgentEvent::Staged { manifest: software.manifest }
        };
        self.apply_to_node(id, event);
        self.settle_node(id);
    }

    /// The node has remembered that it leaves, and loses power before it has selected its slot.
    fn maybe_interrupted(&mut self, id: NodeId) -> Acted {
        let chance = self.odds.machines.interrupted;
        let Some(machine) = self.nodes.get_mut(&id) else { return Acted::No };
        if !self.healed && machine.draw.chance(chance) {
            self.crash(id, Span::seconds(5), Span::minutes(2));
            return Acted::No;
        }
        Acted::Yes
    }

    /// Says what is new at once.
    fn publish(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let local = machine.clock.shows(self.now);
        let Some(process) = &mut machine.process else { return };
        let observed = process.agent.observed(local);
        if process.reported.as_ref().is_none_or(|before| !observed.says_the_same_as(before)) {
            process.reported = Some(observed);
            machine.unanswered = 0;
            self.speak(id);
        }
    }

    fn set_node_alarm(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let due = machine.process.as_ref().and_then(|process| process.agent.next_deadline());
        if due != machine.alarm {
            machine.alarm = due;
            if let Some(due) = due {
                let at = machine.clock.world(due).max(self.now);
                self.agenda.enter(at, Happening::NodeDue { node: id });
            }
        }
    }
}
