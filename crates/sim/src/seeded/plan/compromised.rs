//! Which node of a seeded world is compromised, and how often it reports beside its machine.

use fleet::node::NodeId;
use fleet::time::Span;

use super::step::seconds;

/// A node whose key somebody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compromised {
    /// Which.
    pub node: NodeId,
    /// How often it sends a report beside those of its machine.
    pub every: Span,
}

impl Compromised {
    /// Parses `node2 every 61.000s`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (name, every) = text.split_once(" every ")?;
        let node = name.strip_prefix("node")?.parse().ok().map(NodeId)?;
        let every = seconds(every).filter(|every| *every >= Span::seconds(1))?;
        Some(Self { node, every })
    }
}
