//! A whole platform on one machine: real processes on loopback addresses of their own, set up with the
//! command line as an operator would. The demo runs on it, and so do the tests with real processes.
//!
//! It knows the programs by their command lines and their REST answers only, and links none of them.

mod block;
mod cli;
mod disk;
mod error;
pub mod faults;
mod ground;
mod machine;
mod network;
mod package;
mod platform;
mod releases;

pub use block::Block;
pub use cli::Pitlane;
pub use disk::{Disk, Disks};
pub use error::Error;
pub use ground::Ground;
pub use machine::{Machine, Role};
pub use network::{Line, Network};
pub use package::{Contents, Program, Recipe};
pub use platform::{Plan, Platform, Wait};
pub use releases::{Built, Releases, Step};
