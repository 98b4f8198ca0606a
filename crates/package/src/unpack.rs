//! Unpacks a payload into an empty directory. The archive in the payload must be, byte for byte, the one that the
//! signed manifest determines: the manifest names each next entry, and anything else is refused. No name from the
//! archive is ever used.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use crate::container::{BLOCK, END, describe, header, padding};
use crate::files::{CHUNK, fill, open, sync_dir};
use crate::hash;
use crate::limits::WINDOW_LOG;
use crate::manifest::{File, Mode, Payload};
use crate::pieces::CheckedPieces;
use crate::refusal::Refusal;

/// The progress of unpacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of files that were written.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// Unpacks the payload in the file `from` into the directory `into`, which must be empty or missing.
/// Every piece is verified before it is decompressed, and every file is compared with the manifest. On success
/// files and directories are durable; after an error the directory is empty again.
///
/// # Errors
/// Why the payload is refused, or the disk fails.
pub fn unpack(
    from: &Path,
    payload: &Payload,
    into: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Refusal> {
    let source = open(from)?;
    prepare(into)?;
    let unpacked = unpack_all(source, payload, into, progress);
    if unpacked.is_err() {
        // The refusal is returned; files that cannot be removed make the next call refuse the directory.
        let _ = empty(into);
    }
    unpacked
}

/// Creates the directory, or checks that it is empty.
fn prepare(into: &Path) -> Result<(), Refusal> {
    let io = || Refusal::io(format!("make the directory {}", into.display()));
    fs::create_dir_all(into).map_err(io())?;
    match fs::read_dir(into).map_err(io())?.next() {
        None => Ok(()),
        Some(_) => Err(Refusal::NotEmpty { dir: into.into() }),
    }
}

fn empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn unpack_all(
    source: impl Read,
    payload: &Payload,
    into: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Refusal> {
    let mut decoder = zstd::Decoder::with_buffer(CheckedPieces::new(source, payload))
        .map_err(Refusal::io("start the decompressor"))?;
    decoder.window_log_max(WINDOW_LOG).map_err(Refusal::io("limit the decompressor"))?;
    let mut archive = Archive { reader: decoder, payload, done: 0, progress };
    for file in &payload.files {
        archive.unpack_file(file, into)?;
    }
    archive.end()?;
    for dir in directories(payload, into) {
        finish_dir(&dir).map_err(Refusal::io(format!("write the directory {}", dir.display())))?;
    }
    Ok(())
}

/// Sets the mode of a directory independently of the umask, and makes its names durable.
fn finish_dir(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(Mode::Executable.bits()))?;
    sync_dir(dir)
}

/// Every directory that was created, and the target directory.
fn directories(payload: &Payload, into: &Path) -> BTreeSet<PathBuf> {
    let below = payload.files.iter().flat_map(|file| file.path.directories()).map(|dir| into.join(dir));
    below.chain([into.to_path_buf()]).collect()
}

/// The archive inside a payload, read from its beginning to its end.
struct Archive<'a, R> {
    reader: R,
    payload: &'a Payload,
    done: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl<R: Read> Archive<'_, R> {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Refusal> {
        let payload = self.payload.file();
        let wrong = |source| Refusal::CannotDecompress { payload, source };
        fill(&mut self.reader, buffer).map_err(|error| Refusal::unwrapped(error, wrong))
    }

    fn not_as_listed(&self, found: impl Into<String>, expected: impl Into<String>) -> Refusal {
        let payload = self.payload.file();
        Refusal::NotAsListed { payload, found: found.into(), expected: expected.into() }
    }

    /// Fills the buffer, or refuses an archive that ends within `expected`.
    fn need(&mut self, buffer: &mut [u8], expected: &str) -> Result<(), Refusal> {
        if self.fill(buffer)? == buffer.len() {
            return Ok(());
        }
        Err(self.not_as_listed("nothing more", expected))
    }

    fn unpack_file(&mut self, file: &File, into: &Path) -> Result<(), Refusal> {
        let name = file.path.as_str();
        let expected = header(name, file.size, file.mode.bits());
        let mut block = [0; BLOCK];
        self.need(&mut block, name)?;
        if block != expected {
            return Err(self.not_as_listed(describe(&block), describe(&expected)));
        }
        let to = file.path.below(into);
        let io = || Refusal::io(format!("write {}", to.display()));
        let mut handle = create(&to, file.mode).map_err(io())?;
        let mut hasher = sha2::Sha256::new();
        let mut chunk = vec![0; CHUNK];
        let mut left = file.size;
        while left > 0 {
            let part = &mut chunk[..left.min(CHUNK as u64) as usize];
            self.need(part, name)?;
            hasher.update(&part);
            handle.write_all(part).map_err(io())?;
            left -= part.len() as u64;
            self.done += part.len() as u64;
            (self.progress)(Progress { done: self.done, total: self.payload.unpacked_size });
        }
        if hash::take(&mut hasher) != file.sha256 {
            return Err(Refusal::FileDiffers {
                path: file.path.clone(),
                why: "its content has another hash",
            });
        }
        self.zeros(padding(file.size))?;
        handle.sync_all().map_err(io())
    }

    /// Checks that the next bytes are zeros.
    fn zeros(&mut self, count: usize) -> Result<(), Refusal> {
        let mut bytes = vec![0; count];
        self.need(&mut bytes, "padding")?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let found = bytes.first_chunk::<BLOCK>().map_or("other bytes".into(), describe);
        Err(self.not_as_listed(found, "zeros"))
    }

    /// Checks that the archive ends here.
    fn end(&mut self) -> Result<(), Refusal> {
        self.zeros(END)?;
        if self.fill(&mut [0])? > 0 {
            return Err(self.not_as_listed("more bytes", "the end of the archive"));
        }
        Ok(())
    }
}

/// Creates the file and its parent directories. The file must not exist.
fn create(to: &Path, mode: Mode) -> io::Result<fs::File> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir)?;
    }
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode.bits()).open(to)?;
    // The mode given at creation is reduced by the umask; the files of a release must have the listed mode.
    file.set_permissions(fs::Permissions::from_mode(mode.bits()))?;
    Ok(file)
}
