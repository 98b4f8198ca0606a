//! Fuzz targets: input from outside the process, as bytes, against the code that handles it. Each target is a plain
//! function that panics where the product does, or where it breaks a promise.
//!
//! `cargo xtask fuzz` runs them under libFuzzer; the tests replay all regressions and seeds. Nothing that ships uses
//! this crate.
//!
//! In reading order: `target` is the table, `input` turns bytes into what a target needs, the rest is one target each.

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

mod backup;
mod certificates;
mod licence;
mod tokens;
