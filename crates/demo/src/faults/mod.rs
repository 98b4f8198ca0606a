//! Faults on real processes: every phase of a run with every fault, people talking all the while.
//!
//! A case is a platform of its own: the manager and three nodes as they ship, each in its own network
//! namespace with its own small disk. The first node goes through its upgrade; the second is struck when
//! its phase has come; the third waits for its turn. The fault lasts until the run has said why it does not
//! go on, or has ended; then it is mended, and the run or a repeat must bring every node to the release.

mod case;
mod fault;
mod judge;
mod phase;
mod reach;
mod scene;
mod strike;
mod trail;

pub use case::{Case, Told, Verdict, run};
pub use fault::Fault;
pub use phase::Phase;
