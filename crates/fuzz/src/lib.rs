//! Fuzz targets: whatever comes from outside, as bytes, against the code that takes it in. Each target is
//! a plain function that panics where the product does, or where it breaks a promise.
//!
//! `cargo xtask fuzz` runs them under libFuzzer; the tests replay what was found and every seed. Test
//! machinery only: nothing that ships uses this crate.
//!
//! In reading order: `target` is the table, `input` how bytes become what a target needs, the rest one
//! target each.
//!
//! What is not here: a target for backups, because there are no backups yet.

mod input;
mod scratch;
pub mod target;

mod package;

mod enrolment;
mod messages;

mod sip;
mod sip_pure;

mod rest;
mod store;

mod machine;
