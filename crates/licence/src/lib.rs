//! Licences: a signed text that says what a customer may use, for how long and in which versions.
//!
//! A licence is JSON followed by its signature in minisign's form, in one text that survives mail and forms. It is
//! signed with a key of its own, not with that of the packages. [`entitlements()`] adds up what several licences allow at
//! a time and for a version; [`not_valid_after_upgrade`] finds those that stand in the way of an upgrade (R18).
//!
//! This crate reads no clock, file or store, and limits nobody: what is counted against a licence, and what happens
//! beyond it, is decided by its users.

pub mod limits;

mod refusal;

mod day;
mod terms;

mod signed;

mod entitlements;

#[cfg(test)]
mod tests;

pub use day::Day;
pub use entitlements::{Entitlements, entitlements, not_valid_after_upgrade};
pub use refusal::Refusal;
pub use signed::{Licence, sign};
pub use terms::{Amount, Counts, Terms, Validity, Versions};

/// The directory with the public keys whose licences a Management Node accepts, below the root directory of its machine.
pub const TRUST_DIR: &str = "trust/licences";
