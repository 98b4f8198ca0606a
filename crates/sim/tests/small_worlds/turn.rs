//! One step of a small world under way: the moment that it makes, what the brains said, and the messages
//! that newer ones have overtaken.

use fleet::agent::{AgentFact, Refusal};
use fleet::fact::Fact;
use fleet::node::NodeId;

use super::moment::{Message, Moment};
use super::worlds::SmallWorld;

/// What the brains said in a step.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// The platform's.
    Platform(Fact),
    /// A node's.
    Node(NodeId, AgentFact),
    /// A node refused what is wanted.
    Refused(NodeId, Refusal),
}

/// A step under way.
pub(crate) struct Turn<'a> {
    pub(crate) world: &'a SmallWorld,
    pub(crate) moment: Moment,
    pub(crate) told: Vec<Told>,
    pub(crate) superseded: Vec<Message>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(world: &'a SmallWorld, moment: &Moment) -> Self {
        Self { world, moment: moment.clone(), told: Vec::new(), superseded: Vec::new() }
    }
}
