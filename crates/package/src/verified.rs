//! Verification of packages and manifests against trusted keys, and the rules by which a verified package may be
//! installed. A [`Verified`] can only be created by verifying a signature, so its holder need not verify again.

use std::fmt;
use std::io::Read;
use std::path::Path;

use fleet::version::{Release, Sha256};
use jiff::civil::Date;
use sha2::Digest as _;

use crate::container::{self, BLOCK, END, describe, entry_size, header};
use crate::entries::{MANIFEST_FILE, Role, SIGNATURE_FILE};
use crate::files::{CHUNK, fill, open};
use crate::hash;
use crate::keys::{KeyId, Signed, TrustedKeys};
use crate::limits::{MAX_MANIFEST, MAX_SIGNATURE};
use crate::manifest::{Manifest, Mode, Payload};
use crate::refusal::{NotAdmitted, Refusal, at_most};

/// How many hexadecimal digits of a hash distinguish two packages in a message for the operator: 48 bits.
const SHOWN_OF_HASH: usize = 12;

/// A manifest whose signature was verified with a trusted key, with its bytes and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    manifest: Manifest,
    hash: Sha256,
    key: KeyId,
    manifest_bytes: Vec<u8>,
    signature_text: String,
}

/// The identity of the release in a slot, as the slot states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// SHA-256 of the signed manifest, 64 lower-case hexadecimal digits.
    pub manifest: String,
    /// The version in the operator's form: `34.1`.
    pub version: String,
    /// The build of that version.
    pub build: u32,
    /// The program that is started, relative to the slot: `bin/pitlane-node`.
    pub program: String,
}

/// For messages: `34.1 (34100), manifest 0123456789ab, bin/pitlane-node`.
impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { manifest, version, build, program } = self;
        let manifest = manifest.get(..SHOWN_OF_HASH).unwrap_or(manifest);
        write!(f, "{version} ({build}), manifest {manifest}, {program}")
    }
}

impl Verified {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The name of the package: the SHA-256 of the bytes of its manifest.
    pub fn hash(&self) -> Sha256 {
        self.hash
    }

    /// The trusted key that signed it.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The signed bytes of the manifest, to write into the slot or to send to a node.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// The signature, to write into the slot or to send to a node, which verifies it again by itself.
    pub fn signature_text(&self) -> &str {
        &self.signature_text
    }

    /// The payload of `role`.
    pub fn payload(&self, role: Role) -> &Payload {
        self.manifest.payloads.get(role)
    }

    /// The identity of a slot with the payload of `role`.
    pub fn installed(&self, role: Role) -> Installed {
        Installed {
            manifest: self.hash.to_string(),
            version: self.manifest.version.to_string(),
            build: self.manifest.build.0,
            program: self.payload(role).program.as_str().into(),
        }
    }

    /// Bytes of the whole package.
    pub fn package_size(&self) -> u64 {
        package_size(&self.manifest, self.head_size())
    }

    /// Where the bytes of a payload begin in the package.
    pub(crate) fn payload_at(&self, role: Role) -> u64 {
        let before = Role::ALL.into_iter().take_while(|other| *other != role);
        let before: u64 = before.map(|other| entry_size(self.payload(other).size)).sum();
        self.head_size() + before + BLOCK as u64
    }

    /// Bytes of the first two entries.
    fn head_size(&self) -> u64 {
        entry_size(self.manifest_bytes.len() as u64) + entry_size(self.signature_text.len() as u64)
    }

    /// Checks that the package may be installed on the running release (R15). The same release is a repeat (R9)
    /// and accepted only from the same package, which `running_package` names; a later build of the same version
    /// is another release.
    ///
    /// # Errors
    /// Why it may not, with the steps of the version path that are missing.
    pub fn admits(&self, running: Release, running_package: Option<Sha256>) -> Result<(), NotAdmitted> {
        let brings = self.manifest.release();
        self.manifest.path.admits_release(running, brings).map_err(NotAdmitted::OffPath)?;
        if running == brings && running_package != Some(self.hash) {
            return Err(NotAdmitted::SameReleaseOtherPackage {
                release: running,
                running: running_package,
                package: self.hash,
            });
        }
        Ok(())
    }

    /// Checks that the package is still accepted for an upgrade on that day, in UTC. For uploads and new runs
    /// only: a node in a run, and a machine that starts its installed release, do not check this.
    ///
    /// # Errors
    /// [`NotAdmitted::Expired`] after its last day.
    pub fn taken_on(&self, today: Date) -> Result<(), NotAdmitted> {
        match self.manifest.valid_until {
            Some(last) if last < today => Err(NotAdmitted::Expired { last, today }),
            Some(_) | None => Ok(()),
        }
    }
}

/// Bytes of a package with this manifest, whose first two entries have `head` bytes.
fn package_size(manifest: &Manifest, head: u64) -> u64 {
    let payloads = Role::ALL.into_iter().map(|role| entry_size(manifest.payloads.get(role).size));
    head + payloads.sum::<u64>() + END as u64
}

/// Verifies a manifest without its package, as a node receives it.
///
/// # Errors
/// Every refusal that concerns the manifest or its signature.
pub fn verify_manifest(manifest: &[u8], signature: &[u8], keys: &TrustedKeys) -> Result<Verified, Refusal> {
    at_most("the size of the manifest in bytes", manifest.len() as u64, MAX_MANIFEST)?;
    at_most("the size of the signature in bytes", signature.len() as u64, MAX_SIGNATURE)?;
    let signature_text = std::str::from_utf8(signature).map_err(|_| Refusal::SignatureUnreadable)?;
    let key = keys.verify(Signed::Package, manifest, signature_text)?;
    Ok(Verified {
        manifest: Manifest::parse(manifest)?,
        hash: hash::sha256(manifest),
        key,
        manifest_bytes: manifest.into(),
        signature_text: signature_text.into(),
    })
}

/// Reads and verifies the manifest and its signature at the beginning of a package, and nothing else.
///
/// # Errors
/// Every refusal that concerns the first two entries.
pub fn read_head(reader: impl Read, keys: &TrustedKeys) -> Result<Verified, Refusal> {
    head(&mut Source { reader, at: 0 }, keys)
}

/// Verifies a whole package in one pass: its entries, their order, and every byte of the payloads against the
/// signed hashes of their pieces. Nothing is decompressed: the files in a payload are compared with the manifest
/// when it is unpacked.
///
/// # Errors
/// The first fault of the package.
pub fn verify(reader: impl Read, keys: &TrustedKeys) -> Result<Verified, Refusal> {
    let mut source = Source { reader, at: 0 };
    let verified = head(&mut source, keys)?;
    source.payloads(verified.manifest(), verified.package_size())?;
    Ok(verified)
}

/// Checks every byte of the payloads against the manifest in the same file, and returns the name of the package.
/// It finds what was damaged on the way. It needs no key and says nothing about who made the package: nothing may
/// be used because of it.
///
/// # Errors
/// The first thing that is wrong with the package, its signature apart.
pub fn check_undamaged(reader: impl Read) -> Result<Sha256, Refusal> {
    let mut source = Source { reader, at: 0 };
    let (bytes, signature) = source.head()?;
    let manifest = Manifest::parse(&bytes)?;
    let head = entry_size(bytes.len() as u64) + entry_size(signature.len() as u64);
    source.payloads(&manifest, package_size(&manifest, head))?;
    Ok(hash::sha256(&bytes))
}

/// [`verify`] for a file.
///
/// # Errors
/// As [`verify`], and when the file cannot be opened.
pub fn verify_file(package: &Path, keys: &TrustedKeys) -> Result<Verified, Refusal> {
    verify(open(package)?, keys)
}

fn head<R: Read>(source: &mut Source<R>, keys: &TrustedKeys) -> Result<Verified, Refusal> {
    let (manifest, signature) = source.head()?;
    verify_manifest(&manifest, &signature, keys)
}

/// A package that is read from its beginning to its end.
struct Source<R> {
    reader: R,
    at: u64,
}

impl<R: Read> Source<R> {
    /// Fills the buffer, or as much of it as the package has bytes for.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Refusal> {
        let got = fill(&mut self.reader, buffer).map_err(Refusal::io("read the package"))?;
        self.at += got as u64;
        Ok(got)
    }

    /// Fills the buffer, or refuses a package that is too short.
    fn need(&mut self, buffer: &mut [u8], needs: u64) -> Result<(), Refusal> {
        if self.fill(buffer)? == buffer.len() {
            return Ok(());
        }
        Err(Refusal::Truncated { what: "the package".into(), has: self.at, needs })
    }

    /// Fills the buffer within the first two entries.
    fn need_head(&mut self, buffer: &mut [u8]) -> Result<(), Refusal> {
        if self.fill(buffer)? == buffer.len() { Ok(()) } else { Err(Refusal::HeadTruncated { has: self.at }) }
    }

    /// Reads the manifest and its signature.
    fn head(&mut self) -> Result<(Vec<u8>, Vec<u8>), Refusal> {
        let limit = ("the size of the manifest in bytes", MAX_MANIFEST);
        let manifest = self.small_entry(MANIFEST_FILE, limit, Refusal::NotAPackage)?;
        let limit = ("the size of the signature in bytes", MAX_SIGNATURE);
        let signature = self.small_entry(SIGNATURE_FILE, limit, Refusal::Unsigned)?;
        Ok((manifest, signature))
    }

    /// Checks everything behind the first two entries.
    fn payloads(&mut self, manifest: &Manifest, needs: u64) -> Result<(), Refusal> {
        Role::ALL.into_iter().try_for_each(|role| self.payload(manifest.payloads.get(role), needs))?;
        self.end(needs)
    }

    /// Reads one of the first two entries. `other` is the refusal when another entry is found.
    fn small_entry(
        &mut self,
        name: &str,
        limit: (&'static str, u64),
        other: Refusal,
    ) -> Result<Vec<u8>, Refusal> {
        let mut block = [0; BLOCK];
        let got = self.fill(&mut block)?;
        let named = got.min(name.len());
        if block[..named] != name.as_bytes()[..named] {
            return Err(other);
        }
        if got < BLOCK {
            return Err(Refusal::HeadTruncated { has: self.at });
        }
        if container::name(&block) != name {
            return Err(other);
        }
        let changed = || Refusal::Changed { entry: format!("the header of {name}") };
        let size = container::size(&block).ok_or_else(changed)?;
        at_most(limit.0, size, limit.1)?;
        if block != header(name, size, Mode::Plain.bits()) {
            return Err(changed());
        }
        let mut content = vec![0; size as usize];
        self.need_head(&mut content)?;
        let mut padding = vec![0; container::padding(size)];
        self.need_head(&mut padding)?;
        all_zero(&padding, || format!("the padding of {name}"))?;
        Ok(content)
    }

    /// Checks the entry of a payload.
    fn payload(&mut self, payload: &Payload, needs: u64) -> Result<(), Refusal> {
        let name = payload.file();
        let mut block = [0; BLOCK];
        self.need(&mut block, needs)?;
        if block != header(name, payload.size, Mode::Plain.bits()) {
            return Err(misplaced(&block, name));
        }
        let mut chunk = vec![0; CHUNK];
        let mut hasher = sha2::Sha256::new();
        for (index, expected) in payload.pieces.iter().enumerate() {
            let mut left = payload.piece_size(index) as usize;
            while left > 0 {
                let part = left.min(CHUNK);
                self.need(&mut chunk[..part], needs)?;
                hasher.update(&chunk[..part]);
                left -= part;
            }
            if hash::take(&mut hasher) != *expected {
                return Err(Refusal::PieceChanged { payload: name, piece: index });
            }
        }
        let padding = &mut chunk[..container::padding(payload.size)];
        self.need(padding, needs)?;
        all_zero(padding, || format!("the padding of {name}"))
    }

    /// Checks that the package ends here.
    fn end(&mut self, needs: u64) -> Result<(), Refusal> {
        let mut block = [0; BLOCK];
        self.need(&mut block, needs)?;
        if container::is_header(&block) {
            return Err(Refusal::Trailing { what: "the package".into(), found: describe(&block) });
        }
        let mut last = [0; END - BLOCK];
        self.need(&mut last, needs)?;
        all_zero(&block, || "the end of the package".into())?;
        all_zero(&last, || "the end of the package".into())?;
        if self.fill(&mut [0])? > 0 {
            return Err(Refusal::Trailing { what: "the package".into(), found: "more bytes".into() });
        }
        Ok(())
    }
}

/// The refusal of an unexpected header in place of a payload's.
fn misplaced(block: &[u8; BLOCK], expected: &str) -> Refusal {
    if block.iter().all(|byte| *byte == 0) || container::is_header(block) {
        Refusal::UnexpectedEntry { found: describe(block), expected: expected.into() }
    } else {
        Refusal::Changed { entry: format!("the header of {expected}") }
    }
}

fn all_zero(bytes: &[u8], entry: impl FnOnce() -> String) -> Result<(), Refusal> {
    if bytes.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Refusal::Changed { entry: entry() }) }
}
