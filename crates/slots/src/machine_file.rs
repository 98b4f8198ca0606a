//! `machine.toml`: its name, its limit and what holds where it says nothing, for all who read or write
//! it. What its tables mean is for their readers to know.

/// Its name in the root directory.
pub const MACHINE_FILE: &str = "machine.toml";

/// Largest accepted `machine.toml`, in bytes: far above any real one, far below what would hurt.
pub const MACHINE_FILE_MAX: u64 = 1024 * 1024;

/// `[boot] confirm_within_seconds` where it is not set. Five minutes cover the migration of a large
/// store on a slow disk.
pub const CONFIRM_WITHIN_SECONDS: u64 = 300;

/// `[boot] tries` where it is not set. Three cover two power cuts.
pub const TRIES: u64 = 3;

/// `[boot] stop_grace_seconds` where it is not set. Ten seconds cover hanging up every call of a node.
pub const STOP_GRACE_SECONDS: u64 = 10;
