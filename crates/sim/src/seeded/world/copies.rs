//! Copied machines: a second machine under the identity of a node, with calls of its own, from some moment on.
//!
//! A copy has the number of its node and a multiple of [`COPIES`] above it. Everything that concerns machines
//! goes by that number, everything that the Management Node is told or tells goes by the node's. In a world
//! with copies every process has a random number; in the others none has, as in release 34.
//!
//! What is shown of a node is compared with the machine whose report the Management Node holds. The other machine's
//! state is not compared, for the Management Node does not hold it. What each machine promises by itself is judged
//! of both.

use std::collections::{BTreeMap, BTreeSet};

use fleet::node::NodeId;
use fleet::starts::{Process, StartId};
use fleet::time::Time;

use super::machine::Machine;

/// What lies between the number of a node and that of its first copy.
pub(crate) const COPIES: u32 = 1_000_000;

/// What the world knows of copies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copies {
    /// Every process has a number.
    pub(crate) numbered: bool,
    pub(crate) made: u32,
    /// The nodes of which a copy has lived since they were one machine for all that the platform knows.
    pub(crate) copied: BTreeSet<NodeId>,
    /// When the last copy of a node was switched off.
    pub(crate) gone: BTreeMap<NodeId, Time>,
    /// The nodes that were copied at any time.
    pub(crate) ever: BTreeSet<NodeId>,
    /// What each machine's process has named last, in a report that was committed, and when.
    pub(crate) named: BTreeMap<NodeId, (Process, Time)>,
}

/// The node as which a machine reports.
pub(crate) fn identity(machine: NodeId) -> NodeId {
    NodeId(machine.0 % COPIES)
}

pub(crate) fn is_copy(machine: NodeId) -> bool {
    machine.0 >= COPIES
}

/// The machine on which a process with this number was started.
pub(crate) fn machine_of(process: Process) -> NodeId {
    NodeId(u32::try_from(process.start.0 >> 32).unwrap_or_default())
}

impl Machine {
    fn start_id(&self, id: NodeId) -> StartId {
        StartId((u64::from(id.0) << 32) | self.start)
    }

    /// An answer has named another process of its node.
    pub(crate) fn note_beside(&mut self, beside: Option<StartId>) {
        let linked = self.is_linked();
        if let Some(process) = self.process.as_mut().filter(|_| linked) {
            process.beside = beside;
        }
    }

    /// Which process says something, in a world where that is said.
    pub(crate) fn process_of(&self, id: NodeId, numbered: bool) -> Option<Process> {
        let process = self.process.as_ref().filter(|_| numbered)?;
        Some(Process { start: self.start_id(id), beside: process.beside, address: None })
    }
}
