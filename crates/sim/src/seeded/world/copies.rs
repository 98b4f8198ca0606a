//! Copied machines: from some moment on, a second machine reports under the identity of a node, with calls of its own.
//!
//! A copy has the number of its node plus a multiple of [`COPIES`]. What concerns machines uses that number; what the
//! Management Node receives or sends uses the node's. In worlds with copies every process has a random number; in the
//! others none has, as in release 34.

use std::collections::{BTreeMap, BTreeSet};

use fleet::node::NodeId;
use fleet::starts::{Process, StartId};
use fleet::time::Time;

use super::machine::Machine;

/// The difference between the number of a node and that of its first copy.
pub(crate) const COPIES: u32 = 1_000_000;

/// What is true of the copies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copies {
    /// Every process has a number.
    pub(crate) numbered: bool,
    pub(crate) made: u32,
    /// The nodes that were copied since the platform last knew them as one machine.
    pub(crate) copied: BTreeSet<NodeId>,
    /// When the last copy of a node was switched off.
    pub(crate) gone: BTreeMap<NodeId, Time>,
    /// The nodes that were ever copied.
    pub(crate) ever: BTreeSet<NodeId>,
    /// The process and its peer in the last committed report of each machine, and when that was.
    pub(crate) named: BTreeMap<NodeId, (Process, Time)>,
}

/// The node as which a machine reports.
pub(crate) fn identity(machine: NodeId) -> NodeId {
    NodeId(machine.0 % COPIES)
}

pub(crate) fn is_copy(machine: NodeId) -> bool {
    machine.0 >= COPIES
}

/// The machine on which the process with this number runs.
pub(crate) fn machine_of(process: Process) -> NodeId {
    NodeId(u32::try_from(process.start.0 >> 32).unwrap_or_default())
}

impl Machine {
    fn start_id(&self, id: NodeId) -> StartId {
        StartId((u64::from(id.0) << 32) | self.start)
    }

    /// An answer names another process of its node.
    pub(crate) fn note_beside(&mut self, beside: Option<StartId>) {
        let linked = self.is_linked();
        if let Some(process) = self.process.as_mut().filter(|_| linked) {
            process.beside = beside;
        }
    }

    /// The process number that a report carries, in worlds where reports carry it.
    pub(crate) fn process_of(&self, id: NodeId, numbered: bool) -> Option<Process> {
        let process = self.process.as_ref().filter(|_| numbered)?;
        Some(Process { start: self.start_id(id), beside: process.beside, address: None })
    }
}
