//! The settings of dialogs: timers, and bounds for what a sender could make grow.

use crate::transaction::settings::Timers;

/// The settings of dialogs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The timers: those of the transaction layer.
    pub timers: Timers,
    /// The dialogs that there may be. The default is 8,192: four for each of the 2,000 calls of the largest node, for
    /// forks and for calls that are ending.
    pub dialogs: usize,
    /// The bytes of the addresses, the target and the route set of a new dialog. The default is 8 KiB: ten proxies
    /// with 100 bytes each take one, so that all dialogs together begin with 64 MiB at most. The
    /// 2xx and the ACKs that a dialog keeps for 64 × T1 are written by this side, and not counted.
    pub dialog_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timers: Timers::default(), dialogs: 8_192, dialog_bytes: 8 * 1024 }
    }
}
