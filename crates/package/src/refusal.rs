//! The errors of verification: why a package, a payload or an unpacked slot is refused. Each message is a sentence
//! for the operator: what happened, to what, and what to do next.

use std::io;
use std::path::PathBuf;

use fleet::path::OffPath;
use fleet::version::{Release, Sha256, Version};
use jiff::civil::Date;

use crate::entries::Role;
use crate::keys::NotSigned;
use crate::keys::id::KeyId;
use crate::slot_path::SlotPath;

/// Why a package is refused. Nothing of a refused package is used.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file does not begin as a package does.
    #[error("this file is not an upgrade package; choose the package file as it was released")]
    NotAPackage,
    /// The manifest is not followed by a signature.
    #[error("the package is not signed; only signed packages are installed, so fetch the released one")]
    Unsigned,
    /// There is a signature entry, but it is not a minisign signature in our form.
    #[error("the signature of the package cannot be read; it is damaged, so fetch the package again")]
    SignatureUnreadable,
    /// The signature is by a key that this machine does not trust.
    #[error(
        "the package is signed with key {key}, which this machine does not trust (it trusts {}); \
         fetch the package from its publisher, or put the .pub file of that key into trust/ on the machine",
        list(.trusted)
    )]
    UntrustedKey {
        /// The key that the signature names.
        key: KeyId,
        /// The keys that are trusted here.
        trusted: Vec<KeyId>,
    },
    /// The key is trusted but the signature is not its signature of this manifest.
    #[error(
        "the manifest of the package was changed after it was signed with key {key}; \
         do not install it, fetch the package again from its publisher"
    )]
    SignatureWrong {
        /// The key that the signature names.
        key: KeyId,
    },
    /// The file ends within the manifest or its signature.
    #[error("the package ends after {has} bytes, within its manifest or signature; copy or upload it again")]
    HeadTruncated {
        /// How many bytes there are.
        has: u64,
    },
    /// The package or payload is shorter than the manifest says.
    #[error("{what} ends after {has} of {needs} bytes; copy or upload it again")]
    Truncated {
        /// What is too short.
        what: String,
        /// How many bytes there are.
        has: u64,
        /// How many there must be.
        needs: u64,
    },
    /// Bytes of the package differ from what was signed.
    #[error("{entry} was changed or damaged on the way; copy or upload the package again")]
    Changed {
        /// The part of the package.
        entry: String,
    },
    /// One piece of a payload differs from what was signed.
    #[error("piece {piece} of {payload} was changed or damaged on the way; fetch that piece again")]
    PieceChanged {
        /// The payload's file name.
        payload: &'static str,
        /// The position of the piece, from 0.
        piece: usize,
    },
    /// Another entry stands where the manifest demands one: swapped, doubled or unknown.
    #[error(
        "the package has {found} where {expected} belongs; it was not built by this product's tools, \
         so fetch the released one"
    )]
    UnexpectedEntry {
        /// What was found there: its kind, name and size.
        found: String,
        /// The name of the entry that belongs there.
        expected: String,
    },
    /// Something follows the end.
    #[error("{what} is followed by {found}, which is not part of it; fetch the released package")]
    Trailing {
        /// What has ended.
        what: String,
        /// What follows.
        found: String,
    },
    /// A limit of [`crate::limits`] is passed.
    #[error("{what} is {is}, and at most {limit} is accepted; fetch the released package")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// How large it is.
        is: u64,
        /// The limit.
        limit: u64,
    },
    /// The manifest's format is not the one that this program reads.
    #[error(
        "the package has format {format}, and this software reads format {known}; \
         upgrade to a release between the two first"
    )]
    OtherFormat {
        /// The format of the package.
        format: u32,
        /// The format that is read here.
        known: u32,
    },
    /// The package is for another product.
    #[error("the package is for {product:?}, not for pitlane; choose a Pitlane package")]
    OtherProduct {
        /// The product that the manifest names, cut to a printable length.
        product: String,
    },
    /// A field of the manifest is missing or breaks a rule.
    #[error("the manifest of the package is wrong: {why}; ask the publisher for a corrected package")]
    BadManifest {
        /// The field and the rule.
        why: String,
    },
    /// The program to start is not among the files of the payload, or is not executable.
    #[error(
        "the {role} payload names {program} as its program, but contains no executable file of that name; \
         ask the publisher for a corrected package"
    )]
    ProgramMissing {
        /// The payload.
        role: Role,
        /// The program.
        program: SlotPath,
    },
    /// The upgrade path does not lead to the version of the package.
    #[error(
        "the upgrade path in the package does not lead to its own version {version}; \
         ask the publisher for a corrected package"
    )]
    PathLeadsElsewhere {
        /// The version of the package.
        version: Version,
    },
    /// The directory to unpack into holds something.
    #[error("{} is not an empty directory; remove its contents and try again", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// The compressed data of a payload cannot be read within the limits.
    #[error("{payload} cannot be decompressed; ask the publisher for a corrected package")]
    CannotDecompress {
        /// The payload's file name.
        payload: &'static str,
        /// What the decompressor said.
        source: io::Error,
    },
    /// The archive inside the payload is not the one that the manifest lists.
    #[error(
        "{payload} holds {found} where the manifest lists {expected}; ask the publisher for a corrected package"
    )]
    NotAsListed {
        /// The payload's file name.
        payload: &'static str,
        /// What was found.
        found: String,
        /// What the manifest lists there.
        expected: String,
    },
    /// A file differs from the manifest.
    #[error("{path} is not the file that the manifest lists: {why}; stage the release again")]
    FileDiffers {
        /// The file.
        path: SlotPath,
        /// What differs.
        why: &'static str,
    },
    /// The slot has no signed manifest, or no signature of it.
    #[error("the slot holds no {name}, so it cannot be verified; stage the release again")]
    NotKept {
        /// The file that is missing.
        name: &'static str,
    },
    /// The signed manifest in a slot is that of another package, or of another program.
    #[error(
        "slot.json says {says}, but the signed manifest beside it is of {signed}; stage the release again"
    )]
    OtherIdentity {
        /// The release by the identity of the slot.
        says: String,
        /// The release by the manifest, in either role.
        signed: String,
    },
    /// A slot contains something that the manifest does not list.
    #[error(
        "the slot holds {path}, which the manifest of its release does not list; remove it, or stage the \
         release again"
    )]
    NotListed {
        /// What was found, relative to the slot.
        path: String,
    },
    /// The file system or the reader failed; the package itself may be good.
    #[error("cannot {doing}; check the disk and try again")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why a good package may not be installed on what runs (R15, R9, R20), or on this day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The version path does not start at the version that runs.
    #[error("{0}")]
    OffPath(OffPath),
    /// The release is the one that runs, but the package is another one.
    #[error(
        "this platform runs {release} from package {}, and this package of the same release is {package}; repeat an \
         upgrade with the same package, or build a release with a higher version or build",
        running.map_or("unknown".to_string(), |hash| hash.to_string())
    )]
    SameReleaseOtherPackage {
        /// The release of both.
        release: Release,
        /// The package that runs, where it is known.
        running: Option<Sha256>,
        /// The package that was offered.
        package: Sha256,
    },
    /// It has expired.
    #[error(
        "the package expired: its publisher lets it be used until {last}, and this machine's clock says {today} \
         (UTC); get a newer package of the release, or set the clock if it is wrong. What is installed keeps \
         running"
    )]
    Expired {
        /// The last day on which it may be used.
        last: Date,
        /// The day by the clock of the machine.
        today: Date,
    },
}

impl From<NotSigned> for Refusal {
    fn from(refusal: NotSigned) -> Self {
        match refusal {
            NotSigned::Unreadable => Self::SignatureUnreadable,
            NotSigned::UntrustedKey { key, trusted } => Self::UntrustedKey { key, trusted },
            NotSigned::Wrong { key } => Self::SignatureWrong { key },
        }
    }
}

impl Refusal {
    /// Turns an error of the file system into a refusal that says what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// Extracts a refusal that passed through a reader as an `io::Error`.
    pub(crate) fn unwrapped(error: io::Error, otherwise: impl FnOnce(io::Error) -> Self) -> Self {
        error.downcast::<Self>().unwrap_or_else(otherwise)
    }
}

/// Refuses a number above its limit.
pub(crate) fn at_most(what: &'static str, is: u64, limit: u64) -> Result<(), Refusal> {
    if is > limit { Err(Refusal::TooLarge { what, is, limit }) } else { Ok(()) }
}

/// The most characters of foreign text in a message.
const SENTENCE: usize = 300;

/// Foreign text, which may quote a refused package: on one line, printable, and of limited length.
pub(crate) fn quoted(sentence: &str) -> String {
    let mut text = String::new();
    for c in sentence.chars().take(SENTENCE) {
        match c {
            ' '..='~' => text.push(c),
            _ => text.extend(c.escape_debug()),
        }
    }
    if sentence.chars().nth(SENTENCE).is_some() {
        text.push_str(" ...");
    }
    text
}

/// The keys in one line.
fn list(keys: &[KeyId]) -> String {
    keys.iter().map(KeyId::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_itself_is_accepted() {
        at_most("a number", 5, 5).unwrap();
        assert!(matches!(at_most("a number", 6, 5), Err(Refusal::TooLarge { is: 6, limit: 5, .. })));
    }

    #[test]
    fn printable_text_is_quoted_as_it_is_up_to_its_limit() {
        assert_eq!(quoted("\"bin\\sh\" ~\t"), "\"bin\\sh\" ~\\t");
        assert_eq!(quoted(&"x".repeat(SENTENCE)), "x".repeat(SENTENCE));
        assert_eq!(quoted(&"x".repeat(SENTENCE + 1)), "x".repeat(SENTENCE) + " ...");
    }
}
