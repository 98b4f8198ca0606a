//! One step of a small world under way: the moment that it makes, what the brains said, and the messages
//! that newer ones have overtaken.

use fleet::agent::{AgentFact, Refusal};
use fleet::fact::Fact;
use fleet::node::NodeId;

use super::state::{Message, State};
use super::worlds::SmallWorld;

/// What the brains said in a step.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// The platform's.
    Platform(Fact),
    /// A node's.
    Node(NodeId, AgentFact),
    /// A node refused what is wanted.
    Refused(NodeId, Refusal),
}

/// A step under way.
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
