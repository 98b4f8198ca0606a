//! The fault matrix: fault injection into real processes in every phase of a run, with calls on every node.
//!
//! Each case runs on a platform of its own: the manager and three nodes as they ship, each in a network namespace
//! with a small disk. The first node is upgraded, the fault is injected while the second is in the phase, and the
//! third is in the queue. The fault lasts until the run has ended or has reported why it waits. Then it is undone,
//! and the run or a repeat must upgrade every node.
//!
//! Relies on root privileges in namespaces of its own. Reads status, history and logs only, never internal state.

mod case;
mod fault;
mod inject;
mod log_tail;
mod oracle;
mod phase;
mod reach;
mod testbed;

pub use case::{Case, CaseReport, Verdict, run};
pub use fault::Fault;
pub use phase::Phase;
