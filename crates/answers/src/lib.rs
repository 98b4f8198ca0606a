//! What the management API shows of a platform and its upgrades, as one type for whoever writes it and whoever reads it:
//! the Management Node, its pages and the command line.
//!
//! A reader ignores fields that it does not know, and has a default for those that an earlier release does not send. The
//! texts are the Management Node's and are printed as they are. Pure: no I/O and no clock.

mod check;
mod history;
mod machines;
mod upgrade;
mod utc_time;

pub use check::{Check, Finding, Package, ReleaseRow};
pub use history::{FactRow, PastRun};
pub use machines::{ManagementVm, RefusedContact, WorkerVm};
pub use upgrade::{Manager, Node, Paused, Run, Tally, UpgradeStatus, Waits};
pub use utc_time::UtcTime;
