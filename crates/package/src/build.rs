//! Builds and signs a package. The same recipe and files give the same bytes, except for the signature. The new
//! package is verified in full before it gets its name. What belongs into it is the caller's decision.

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use fleet::path;
use fleet::version::{Build, Sha256, Version};
use jiff::civil::Date;
use sha2::Digest as _;

use crate::container::{END, entry_size, header, padding};
use crate::entries::{MANIFEST_FILE, Role, SIGNATURE_FILE};
use crate::files::{beside, sync_dir};
use crate::hash;
use crate::keys::{KeyError, Signed, SigningKey};
use crate::limits::{FORMAT, MAX_MANIFEST, MAX_UNPACKED, PIECE_SIZE, WINDOW_LOG};
use crate::manifest::{File, Manifest, Mode, PRODUCT, Payload, Payloads, Protocols};
use crate::refusal::{Refusal, at_most};
use crate::rules::Rule;
use crate::slot_path::SlotPath;
use crate::verified::{Verified, verify_file};

/// The compression level of the payloads, as zstd counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub i32);

impl Level {
    /// For a release: a tenth larger than the best level and ten times as fast to build.
    pub const RELEASE: Self = Self(12);
    /// For tests and demonstrations.
    pub const QUICK: Self = Self(1);
}

/// The contents of a package.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The version that the package installs.
    pub version: Version,
    /// The build of that version.
    pub build: Build,
    /// The day of the release.
    pub released: Date,
    /// The last day on which it is accepted for an upgrade; see [`Manifest::valid_until`].
    pub valid_until: Option<Date>,
    /// The versions that it may be installed on; it must lead to `version`.
    pub path: path::Path,
    /// What else must hold before an upgrade; see [`Manifest::rules`].
    pub rules: Option<Vec<Rule>>,
    /// The versions of the protocols that the release speaks.
    pub protocols: Protocols,
    /// What is new, for the operator.
    pub notes: String,
    /// The files of the Management Node.
    pub manager: PayloadSource,
    /// The files of every Conferencing Node.
    pub node: PayloadSource,
    /// The compression level of the payloads.
    pub level: Level,
}

/// The files of one payload, in any order.
#[derive(Clone, Debug)]
pub struct PayloadSource {
    /// The files.
    pub files: Vec<SourceFile>,
    /// The file that is started; one of `files`.
    pub program: SlotPath,
}

/// A file to put into a payload.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its present path.
    pub source: PathBuf,
    /// Its path in the slot.
    pub path: SlotPath,
    /// Whether it is a program.
    pub mode: Mode,
}

/// Why a package cannot be built. No file remains.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Every receiver would refuse the package.
    #[error("the package would be refused by its receivers")]
    Refused(#[from] Refusal),
    /// The manifest could not be signed.
    #[error("the manifest could not be signed")]
    Key(#[from] KeyError),
    /// Two files have the same path.
    #[error("two files go to {path}; leave one of them out")]
    Twice {
        /// The path.
        path: SlotPath,
    },
    /// A file to put into the package cannot be read.
    #[error("cannot read {}; check that it exists and is a file", file.display())]
    Source {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The package or one of its payloads cannot be written.
    #[error("cannot write {}; check the directory and the space on the disk", file.display())]
    Output {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Builds the package in the file `out`, signs it, and verifies it in full. Temporary files are beside `out` and
/// their names begin with its name; an existing package is replaced at the end.
///
/// # Errors
/// The recipe is invalid, or the disk fails. `out` is unchanged then.
pub fn build(recipe: &Recipe, key: &SigningKey, out: &Path) -> Result<Verified, BuildError> {
    let scratch = Scratch(Role::ALL.map(|role| beside(out, &format!(".{role}.partial"))));
    let [manager, node] = &scratch.0;
    let payloads = Payloads {
        manager: pack(Role::Manager, &recipe.manager, recipe.level, manager)?,
        node: pack(Role::Node, &recipe.node, recipe.level, node)?,
    };
    assemble(&manifest(recipe, payloads), [manager, node], key, out)
}

fn manifest(recipe: &Recipe, payloads: Payloads) -> Manifest {
    Manifest {
        format: FORMAT,
        product: PRODUCT.into(),
        version: recipe.version,
        build: recipe.build,
        released: recipe.released,
        valid_until: recipe.valid_until,
        path: recipe.path.clone(),
        rules: recipe.rules.clone(),
        protocols: recipe.protocols,
        notes: recipe.notes.clone(),
        payloads,
    }
}

/// Files that are removed when the build ends, also after an error.
struct Scratch<const N: usize>([PathBuf; N]);

impl<const N: usize> Drop for Scratch<N> {
    fn drop(&mut self) {
        for file in &self.0 {
            // It may not exist: never created, or renamed to its final name.
            let _ = fs::remove_file(file);
        }
    }
}

/// Signs the manifest and writes it and the payloads into one file.
pub(crate) fn assemble(
    manifest: &Manifest,
    payloads: [&PathBuf; 2],
    key: &SigningKey,
    out: &Path,
) -> Result<Verified, BuildError> {
    manifest.check()?;
    let bytes = manifest.to_bytes();
    at_most("the size of the manifest in bytes", bytes.len() as u64, MAX_MANIFEST)?;
    let comment = format!("pitlane {}, released {}", manifest.release(), manifest.released);
    let signature = key.sign_text(Signed::Package, &bytes, &comment)?;
    let scratch = Scratch([beside(out, ".partial")]);
    let [partial] = &scratch.0;
    let io = |source| BuildError::Output { file: out.into(), source };
    write_package(partial, &bytes, &signature, payloads).map_err(io)?;
    let own = key.as_trusted().ok_or(Refusal::SignatureUnreadable)?;
    let verified = verify_file(partial, &own)?;
    fs::rename(partial, out).map_err(io)?;
    sync_dir(out.parent().unwrap_or(Path::new(""))).map_err(io)?;
    Ok(verified)
}

pub(crate) fn write_package(
    to: &Path,
    manifest: &[u8],
    signature: &str,
    payloads: [&PathBuf; 2],
) -> io::Result<()> {
    let mut file = fs::File::create(to)?;
    write_entry(&mut file, MANIFEST_FILE, manifest.len() as u64, Mode::Plain, manifest)?;
    write_entry(&mut file, SIGNATURE_FILE, signature.len() as u64, Mode::Plain, signature.as_bytes())?;
    for (role, payload) in Role::ALL.into_iter().zip(payloads) {
        let source = fs::File::open(payload)?;
        let size = source.metadata()?.len();
        write_entry(&mut file, role.payload_file(), size, Mode::Plain, source)?;
    }
    file.write_all(&[0; END])?;
    file.sync_all()
}

/// Writes one entry of a tar.
pub(crate) fn write_entry(
    to: &mut impl Write,
    name: &str,
    size: u64,
    mode: Mode,
    content: impl Read,
) -> io::Result<()> {
    to.write_all(&header(name, size, mode.bits()))?;
    let copied = io::copy(&mut content.take(size), to)?;
    if copied != size {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} became shorter")));
    }
    to.write_all(&vec![0; padding(size)])
}

/// Packs the files of one payload into the file `to`.
fn pack(role: Role, source: &PayloadSource, level: Level, to: &Path) -> Result<Payload, BuildError> {
    let sizes = sorted(source)?;
    let unpacked_size = sizes.iter().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
    at_most("the unpacked size of a payload in bytes", unpacked_size, MAX_UNPACKED)?;
    let length = END as u64 + sizes.iter().map(|(_, size)| entry_size(*size)).sum::<u64>();
    let io = |source| BuildError::Output { file: to.into(), source };
    let output = PieceWriter::new(BufWriter::new(fs::File::create(to).map_err(io)?));
    let mut encoder = encoder(output, level, length).map_err(io)?;
    let mut files = Vec::new();
    for (file, size) in sizes {
        files.push(pack_file(file, size, &mut encoder)?);
    }
    encoder.write_all(&[0; END]).map_err(io)?;
    let (size, pieces) = encoder.finish().and_then(PieceWriter::finish).map_err(io)?;
    Ok(Payload { role, size, unpacked_size, program: source.program.clone(), files, pieces })
}

/// The files in the order of their paths, with their sizes.
fn sorted(source: &PayloadSource) -> Result<Vec<(&SourceFile, u64)>, BuildError> {
    let mut files: Vec<&SourceFile> = source.files.iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(BuildError::Twice { path: pair[0].path.clone() });
    }
    let size = |file: &SourceFile| {
        let failed = |source| BuildError::Source { file: file.source.clone(), source };
        let found = fs::metadata(&file.source).map_err(failed)?;
        if found.is_file() { Ok(found.len()) } else { Err(failed(io::ErrorKind::InvalidInput.into())) }
    };
    files.into_iter().map(|file| Ok((file, size(file)?))).collect()
}

fn encoder<W: Write>(output: W, level: Level, length: u64) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(output, level.0)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.set_pledged_src_size(Some(length))?;
    Ok(encoder)
}

fn pack_file(file: &SourceFile, size: u64, to: &mut impl Write) -> Result<File, BuildError> {
    let failed = |source| BuildError::Source { file: file.source.clone(), source };
    let source = fs::File::open(&file.source).map_err(failed)?;
    let mut hashed = HashedReader { reader: source, hasher: sha2::Sha256::new() };
    write_entry(to, file.path.as_str(), size, file.mode, &mut hashed).map_err(failed)?;
    let sha256 = hash::take(&mut hashed.hasher);
    Ok(File { path: file.path.clone(), size, sha256, mode: file.mode })
}

/// Hashes what is read through it.
struct HashedReader<R> {
    reader: R,
    hasher: sha2::Sha256,
}

impl<R: Read> Read for HashedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// Hashes what is written through it, piece by piece.
pub(crate) struct PieceWriter<W> {
    writer: W,
    hasher: sha2::Sha256,
    size: u64,
    pieces: Vec<Sha256>,
}

impl<W: Write> PieceWriter<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { writer, hasher: sha2::Sha256::new(), size: 0, pieces: Vec::new() }
    }

    /// Ends the last piece and returns the size and the pieces.
    pub(crate) fn finish(mut self) -> io::Result<(u64, Vec<Sha256>)> {
        self.writer.flush()?;
        if !self.size.is_multiple_of(PIECE_SIZE) {
            self.pieces.push(hash::take(&mut self.hasher));
        }
        Ok((self.size, self.pieces))
    }
}

impl<W: Write> Write for PieceWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let room = (PIECE_SIZE - self.size % PIECE_SIZE) as usize;
        let count = self.writer.write(&buffer[..buffer.len().min(room)])?;
        self.hasher.update(&buffer[..count]);
        self.size += count as u64;
        if count > 0 && self.size.is_multiple_of(PIECE_SIZE) {
            self.pieces.push(hash::take(&mut self.hasher));
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
