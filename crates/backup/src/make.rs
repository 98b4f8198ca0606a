//! Makes a backup. Every file is read twice: once for the manifest, which stands in front of them, and once to be
//! written; one that changes between the two is an error.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use fleet::version::Sha256;
use sha2::Digest as _;

use crate::age::{Seal, WorkFactor};
use crate::archive::{END, header, padding};
use crate::contents::{CHUNK, fill};
use crate::limits::{MAX_MANIFEST, WINDOW_LOG};
use crate::manifest::{File, MANIFEST_FILE, Manifest, Origin};
use crate::name::Name;
use crate::passphrase::Passphrase;
use crate::refusal::{Refusal, at_most};

/// The level of the compression: that of the stock tool. A store shrinks to a quarter, at the speed of a disk.
const LEVEL: i32 = 3;

/// A file to put into a backup.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name in the backup.
    pub name: Name,
    /// What it holds.
    pub content: Content,
}

/// What a file of a backup holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this file holds, which must not change meanwhile.
    File(PathBuf),
}

/// Why a backup cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The backup would be refused when it is restored.
    #[error("the backup could not be restored")]
    Refused(#[from] Refusal),
    /// A file to put into the backup cannot be read.
    #[error("cannot read {name} for the backup; check the disk")]
    Source {
        /// Its name in the backup.
        name: Name,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file has changed while the backup was made.
    #[error("{name} has changed while the backup was made; make it again")]
    Changed {
        /// Its name in the backup.
        name: Name,
    },
    /// The backup cannot be written.
    #[error("cannot write the backup; check the disk and the space on it")]
    Output(#[source] io::Error),
}

/// Makes a backup of `sources` and writes it to `out`, which is returned with the manifest. Until this returns, what was
/// written is no backup; the caller makes it durable and gives it its name.
///
/// # Errors
/// A file cannot be read, changes or is too large, two have the same name, or the output cannot be written.
pub fn make<W: Write>(
    out: W,
    passphrase: &Passphrase,
    work: WorkFactor,
    origin: Origin,
    sources: &[Source],
) -> Result<(W, Manifest), MakeError> {
    let mut sources: Vec<&Source> = sources.iter().collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let files = sources.iter().map(|source| described(source)).collect::<Result<Vec<_>, _>>()?;
    let manifest = Manifest::new(origin, files);
    manifest.check()?;
    let bytes = manifest.to_bytes();
    at_most("the size of the manifest in bytes", bytes.len() as u64, MAX_MANIFEST)?;
    let sealed = Seal::new(out, passphrase, work).map_err(MakeError::Output)?;
    let mut to = encoder(sealed).map_err(MakeError::Output)?;
    write_entry(&mut to, MANIFEST_FILE, &bytes).map_err(MakeError::Output)?;
    for (source, file) in sources.iter().zip(&manifest.files) {
        write_file(&mut to, source, file)?;
    }
    to.write_all(&[0; END]).map_err(MakeError::Output)?;
    let out = to.finish().and_then(Seal::finish).map_err(MakeError::Output)?;
    Ok((out, manifest))
}

fn encoder<W: Write>(to: W) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(to, LEVEL)?;
    encoder.window_log(WINDOW_LOG)?;
    Ok(encoder)
}

/// Opens the content of a file.
fn opened(source: &Source) -> Result<Box<dyn Read + '_>, MakeError> {
    Ok(match &source.content {
        Content::Bytes(bytes) => Box::new(bytes.as_slice()),
        Content::File(path) => Box::new(fs::File::open(path).map_err(unreadable(&source.name))?),
    })
}

fn unreadable(name: &Name) -> impl FnOnce(io::Error) -> MakeError {
    let name = name.clone();
    move |source| MakeError::Source { name, source }
}

/// The size and the hash of a file.
fn described(source: &Source) -> Result<File, MakeError> {
    let mut hashed = Hashed { to: io::sink(), hasher: sha2::Sha256::new() };
    let size = io::copy(&mut opened(source)?, &mut hashed).map_err(unreadable(&source.name))?;
    Ok(File { name: source.name.clone(), size, sha256: hashed.hash() })
}

fn write_entry(to: &mut impl Write, name: &str, content: &[u8]) -> io::Result<()> {
    to.write_all(&header(name, content.len() as u64))?;
    to.write_all(content)?;
    to.write_all(&vec![0; padding(content.len() as u64)])
}

/// Writes a file and checks that it is what the manifest says.
fn write_file(to: &mut impl Write, source: &Source, file: &File) -> Result<(), MakeError> {
    let changed = || MakeError::Changed { name: file.name.clone() };
    to.write_all(&header(file.name.as_str(), file.size)).map_err(MakeError::Output)?;
    let mut content = opened(source)?;
    let mut hashed = Hashed { to: &mut *to, hasher: sha2::Sha256::new() };
    let mut chunk = vec![0; CHUNK];
    let mut left = file.size;
    while left > 0 {
        let part = &mut chunk[..left.min(CHUNK as u64) as usize];
        let got = fill(&mut content, part).map_err(unreadable(&source.name))?;
        if got < part.len() {
            return Err(changed());
        }
        hashed.write_all(part).map_err(MakeError::Output)?;
        left -= part.len() as u64;
    }
    let is_longer = fill(&mut content, &mut [0]).map_err(unreadable(&source.name))? > 0;
    if is_longer || hashed.hash() != file.sha256 {
        return Err(changed());
    }
    to.write_all(&vec![0; padding(file.size)]).map_err(MakeError::Output)
}

/// Hashes what is written through it.
struct Hashed<W> {
    to: W,
    hasher: sha2::Sha256,
}

impl<W> Hashed<W> {
    fn hash(self) -> Sha256 {
        Sha256(self.hasher.finalize().into())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.to.write(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
