//! Runs a whole platform of real processes on one machine, set up with the command line as an operator would.
//! The demo, the fault matrix and the tests with real processes use it.
//!
//! Relies on the command lines and the REST answers of the shipped programs. Links none of them.
//!
//! Reading order: `releases`, `package`, `topology`, `machine`, `platform`, then `faults`.

mod address_block;
mod cli;
mod disk;
mod error;
pub mod faults;
mod machine;
mod network;
mod package;
mod platform;
mod releases;
mod role;
mod system;
mod topology;

pub use address_block::AddressBlock;
pub use cli::Pitlane;
pub use disk::{Disk, Disks};
pub use error::Error;
pub use machine::Machine;
pub use network::{Link, Network};
pub use package::{Contents, PackageBuilder, Program};
pub use platform::{Plan, Platform, Wait};
pub use releases::{Built, Releases, Step};
pub use role::Role;
pub use topology::Topology;
