//! Which node of a seeded world is compromised.

use fleet::node::NodeId;
use fleet::time::Span;

use super::step::seconds;

/// A node whose key somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compromised {
    /// Which.
    pub node: NodeId,
    /// How often it speaks beside its machine.
    pub every: Span,
}

impl Compromised {
    /// Reads `node2 every 61.000s`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (name, every) = text.split_once(" every ")?;
        let node = name.strip_prefix("node")?.parse().ok().map(NodeId)?;
        let every = seconds(every).filter(|every| *every >= Span::seconds(1))?;
        Some(Self { node, every })
    }
}
