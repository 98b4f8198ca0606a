//! Backups: one file that holds named contents, compressed, and encrypted with a passphrase.
//!
//! A backup is a file of age (age-encryption.org/v1) for one passphrase, so that the stock tool opens it where there is
//! no Pitlane. Within it is a tar, compressed with zstd, whose first entry is `manifest.json`: what made the backup, and
//! the name, size and SHA-256 of every file. Everything behind the manifest is a function of it, down to the last byte
//! of every tar header, and no name from the tar is ever used.
//!
//! Both directions stream: memory is bounded by the compression's window and the work of the passphrase, whatever the
//! size of the files. Which files belong into a backup, where it lies, and what a restore does with it, is not decided
//! here.

pub mod limits;

mod name;
mod passphrase;
mod refusal;

mod manifest;

mod age;
mod archive;

mod contents;
mod make;

#[cfg(feature = "fuzz")]
pub mod fuzz;

#[cfg(test)]
mod tests;

pub use age::WorkFactor;
pub use contents::{Backup, Progress};
pub use make::{Content, MakeError, Source, make};
pub use manifest::{File, Manifest, Origin};
pub use name::{Name, NotAName};
pub use passphrase::{NotAPassphrase, Passphrase};
pub use refusal::Refusal;
