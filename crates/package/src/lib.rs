//! The upgrade package: build, sign, verify, extract, download, unpack.
//!
//! One file, an uncompressed tar of exactly four entries in this order: `manifest.json`,
//! `manifest.json.minisig`, `payload-manager.tar.zst`, `payload-node.tar.zst`. The two small entries
//! are read and verified before anything else is touched; everything after them is a function of
//! the signed manifest, down to the last byte of every tar header.
//!
//! A package is named by the SHA-256 of the bytes of its `manifest.json`. A payload is named by the
//! SHA-256 of its list of piece hashes ([`Payload::name`]), so that verifying hashes every byte once.
//!
//! This crate must not decide when to install, must not know slots or the network, and must not
//! trust a key that a package brought along.

pub mod limits;

mod refusal;
mod slot_path;

mod manifest;

mod keys;

mod container;
mod verified;

mod build;
mod download;
mod extract;
mod in_slot;
mod kept;
mod pieces;
mod unpack;

#[cfg(test)]
mod tests;

pub use build::{BuildError, Level, PayloadSource, Recipe, SourceFile, build};
pub use download::Download;
pub use extract::extract_payload;
pub use in_slot::{check_all_but_program, check_slot, copy_program, payload_of};
pub use kept::{keep_manifest, kept_manifest, unpack_release, verify_slot, verify_slot_but_program};
pub use keys::{
    KeyError, KeyId, KeyPair, NoTrust, Passphrase, Protection, SigningKey, TRUST_DIR, TrustedKeys,
    generate_kept_key, generate_key,
};
pub use manifest::{
    File, MANIFEST_FILE, Manifest, Mode, Payload, Payloads, ProtocolRange, Protocols, Role, SIGNATURE_FILE,
};
pub use pieces::{PIECE_SIZE, check_piece};
pub use refusal::{NotAdmitted, Refusal};
pub use slot_path::{NotASlotPath, SlotPath};
pub use unpack::{Progress, unpack};
pub use verified::{Installed, Verified, check_undamaged, read_head, verify, verify_file, verify_manifest};
