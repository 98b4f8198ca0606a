//! The limits of a licence, which comes from outside.

/// The number of the format that this program reads and writes.
pub const FORMAT: u32 = 1;

/// Largest licence with its signature, in bytes (8 KiB). One with every field at its longest has 4 KB.
pub const MAX_LICENCE: usize = 8 << 10;

/// Longest id, in bytes: what fits into a column of a table.
pub const MAX_ID: usize = 64;

/// Longest name of a customer, in bytes.
pub const MAX_CUSTOMER: usize = 250;

/// Most named features of one licence.
pub const MAX_FEATURES: usize = 32;

/// Longest name of a feature, in bytes.
pub const MAX_FEATURE: usize = 64;
