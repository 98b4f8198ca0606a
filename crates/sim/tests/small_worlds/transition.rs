//! A transition of a small world while it is computed: the new state, what the state machines returned, and the
//! messages that newer ones have overtaken.

use fleet::agent::{AgentFact, Refusal};
use fleet::fact::Fact;
use fleet::node::NodeId;

use super::state::{Message, State};
use super::worlds::SmallWorld;

/// What the state machines returned in a step.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// A fact of the platform.
    Platform(Fact),
    /// A fact of a node.
    Node(NodeId, AgentFact),
    /// A node refused a desired state.
    Refused(NodeId, Refusal),
}

/// A transition from one state to the next.
pub(crate) struct Transition<'a> {
    pub(crate) world: &'a SmallWorld,
    pub(crate) state: State,
    pub(crate) outputs: Vec<Output>,
    pub(crate) superseded: Vec<Message>,
}

impl<'a> Transition<'a> {
    pub(crate) fn new(world: &'a SmallWorld, state: &State) -> Self {
        Self { world, state: state.clone(), outputs: Vec::new(), superseded: Vec::new() }
    }
}
