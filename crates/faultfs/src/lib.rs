//! A file system for tests that injects faults and records every change.
//!
//! [`FaultFs`] is mounted over a folder (FUSE, so it needs root and `/dev/fuse`). Programs use it like any other
//! file system, while it refuses, limits or delays changes, and records each of them. [`cut_everywhere`]
//! enumerates the states that a power cut can leave of such a record, or of a record made in memory.
//!
//! It knows files, and nothing of slots, releases or stores.
//!
//! The process that mounts it also serves it, and must not map files of it into memory: the kernel would let
//! that process wait for its own answer for ever. SQLite maps its shared log, so only other processes may open
//! stores on the disk.

mod node;

mod change;

mod cut;

mod fault;
mod file_system;
mod inodes;
mod mount;

pub use change::{Change, Record};
pub use cut::{CrashState, Outcome, Tally, cut_at_end, cut_everywhere, lay_out};
pub use fault::Fault;

pub use mount::{FaultFs, NotMounted};
pub use node::{FileId, Node, Nodes, find};
