//! A disk that fails when it is told to, and writes down what is done to it. For tests only.
//!
//! [`FaultFs`] is a file system over a folder: programs work on it as on any other, while writes are refused,
//! run out of space or take long, and while every change is written down.
//!
//! [`cut_everywhere`] goes through what a power cut leaves of such a record.
//!
//! It knows files and nothing of slots, releases or stores. It needs root and `/dev/fuse`, and says so.
//!
//! The process that mounts it serves it, and must not itself map files of it: the kernel lets such a process
//! wait for its own answer for ever. SQLite maps the log that it shares, so stores are opened on the disk by
//! other processes only.

mod change;
mod cut;
mod fault;
mod known;
mod mount;
mod node;
mod serve;

pub use change::{Change, FileId, Record};
pub use cut::{Fate, Survivor, Tally, cut_everywhere, lay_out};
pub use fault::Fault;

pub use mount::{FaultFs, NotMounted};
pub use node::{Node, Nodes};
