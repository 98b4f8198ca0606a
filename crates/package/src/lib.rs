//! The upgrade package: build, sign, verify, extract a payload, resume a download, unpack, verify a slot.
//!
//! A package is one file, an uncompressed tar of exactly four entries in this order: `manifest.json`,
//! `manifest.json.minisig`, `payload-manager.tar.zst`, `payload-node.tar.zst`. The two small entries are read and
//! verified before anything else; everything after them is a function of the signed manifest, down to the last
//! byte of every tar header.
//!
//! A package is named by the SHA-256 of the bytes of its `manifest.json`. A payload is named by the SHA-256 of its
//! list of piece hashes ([`Payload::name`]), so that verification hashes every byte once.
//!
//! This crate must not decide when to install, know slot records or the network, or trust a key from a package.

pub mod limits;

mod entries;
mod slot_path;

mod keys;
mod refusal;

mod files;
mod hash;

mod manifest;

mod container;
mod pieces;
pub mod rules;
mod verified;

mod build;
mod download;
mod extract;
mod slot_check;
mod slot_manifest;
mod unpack;

#[cfg(test)]
mod tests;

pub use build::{BuildError, Level, PayloadSource, Recipe, SourceFile, build};
pub use download::Download;
pub use entries::{MANIFEST_FILE, Role, SIGNATURE_FILE};
pub use extract::extract_payload;
pub use keys::{
    KeyError, KeyId, KeyPair, NoTrust, NotSigned, Passphrase, Protection, Signed, SigningKey, TRUST_DIR,
    TrustedKeys, generate_kept_key, generate_key,
};
pub use limits::PIECE_SIZE;
pub use manifest::{File, Manifest, Mode, Payload, Payloads, ProtocolRange, Protocols};
pub use pieces::check_piece;
pub use refusal::{NotAdmitted, Refusal};
pub use slot_check::{check_all_but_program, check_slot, copy_program, payload_of};
pub use slot_manifest::{keep_manifest, kept_manifest, unpack_release, verify_slot, verify_slot_but_program};
pub use slot_path::{NotASlotPath, SlotPath};
pub use unpack::{Progress, unpack};
pub use verified::{Installed, Verified, check_undamaged, read_head, verify, verify_file, verify_manifest};
