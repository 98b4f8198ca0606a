//! Computes how long a run may take when nothing goes wrong any more. Safety alone would let a platform stand still,
//! and a run that wastes a drain limit for each node is too slow.

use fleet::node::Duty;
use fleet::policy::Policy;
use fleet::time::Span;

use super::healing::{CALLS_END_WITHIN, EVERYBODY_HEARD_WITHIN};
use crate::seeded::plan::fault_rates::{LinkRates, MachineRates};
use crate::seeded::world::World;

/// From the start of a bursting node's machine until its first report.
const STARTS_UP_WITHIN: Span = Span::minutes(5);

/// From a free place until its node is back in service, if its release is staged and no call lives.
const RESTARTS_WITHIN: Span = Span::minutes(1);

/// From the restart of a node into a release that starts on none until it is back in service: three tries of
/// five minutes, with the starts between them and the fall-back.
const FALLS_BACK_WITHIN: Span = Span::minutes(17);

/// How many times the median the Management Node's staging takes: it has half the spread of the nodes'.
const MANAGER_STAGING: u64 = 3;

/// How many times the median the longest staging of a wave takes.
const STAGING: u64 = 6;

/// The numbers of nodes to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    always_on: u64,
    bursting: u64,
}

impl World {
    /// How long a run may take from now on, when every node has reported.
    pub(crate) fn bound(&self) -> Span {
        let nodes = self.fleet().nodes().iter();
        let (always_on, bursting) = nodes.fold((0, 0), |(always_on, bursting), (_, node)| match node.duty {
            Duty::AlwaysOn => (always_on + 1, bursting),
            Duty::Bursting => (always_on, bursting + 1),
        });
        // The compromised node may keep the place that it was given.
        let taken = u32::from(self.compromised_node().is_some());
        let policy = &self.rates.policy;
        let policy = Policy { nodes_at_once: policy.nodes_at_once - taken, ..policy.clone() };
        // It may hold up the others once for each of the two kinds of nodes, for a drain limit.
        let held_up = Span(policy.drain_limit.0 * 2 * u64::from(taken));
        bound(&policy, Size { always_on, bursting }, &self.rates.machines, &self.rates.links) + held_up
    }
}

/// The sum of every wait, each once for each time that it can come:
///
/// - the Management Node's staging and restart, and the staging of all nodes beside one another;
/// - until the last call has ended, but for no longer than the drain limit; and the rest of those whose drain
///   timed out just before. Their next attempt is their last, as no call lives in it;
/// - a restart, as often as the always-on nodes fill the places, and once more for those that are tried again;
/// - a start of the machine, a staging and a restart, as often as the bursting nodes fill the places;
/// - the nodes that go first, one after the other: those that are not bursting nodes in a minute each;
/// - with a release that starts on no node, its tries as often as nodes fill the places;
/// - the grace for nodes that are absent, or the start limit for bursting nodes that do not start;
/// - the longest pause between two reports of a node, for one that was answered just before it was missed.
fn bound(policy: &Policy, size: Size, machines: &MachineRates, links: &LinkRates) -> Span {
    let times = |span: Span, times: u64| Span(span.0 * times);
    let waves = |nodes: u64| nodes.div_ceil(u64::from(policy.nodes_at_once));
    let last_call = CALLS_END_WITHIN - EVERYBODY_HEARD_WITHIN;
    let staging = times(machines.staging, STAGING);
    let start_limit = if size.bursting > 0 { policy.start_limit } else { Span::ZERO };
    let first = u64::from(policy.first_nodes);
    let starts_up = if size.bursting > 0 { STARTS_UP_WITHIN + staging } else { Span::ZERO };
    // None of the nodes that go first are ever upgraded then, so all go in their number.
    let bad_waves = |nodes: u64| match first {
        0 => waves(nodes),
        first => nodes.div_ceil(first.min(u64::from(policy.nodes_at_once))),
    };
    let (tries, starts) = match machines.bad_on_nodes {
        Some(_) => {
            (bad_waves(size.always_on) + bad_waves(size.bursting) + first + 1, bad_waves(size.bursting))
        }
        None => (0, waves(size.bursting)),
    };
    let waits = [
        times(machines.staging, MANAGER_STAGING) + RESTARTS_WITHIN + staging,
        policy.drain_limit.min(last_call) + policy.rest,
        times(RESTARTS_WITHIN, waves(size.always_on) + 1),
        times(STARTS_UP_WITHIN + staging + RESTARTS_WITHIN, starts),
        times(RESTARTS_WITHIN + starts_up, first),
        times(FALLS_BACK_WITHIN, tries),
        policy.absent_grace.max(start_limit),
        Span(links.heartbeat.0 * 3 / 2),
    ];
    waits.into_iter().fold(Span::ZERO, |sum, wait| sum + wait)
}
