//! Reads a backup: its manifest first, without anything else of it; then all of it, to check it or to unpack it into an
//! empty directory. Whatever goes wrong, the directory is empty again.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fleet::version::Sha256;
use sha2::Digest as _;

use crate::age::Open;
use crate::archive::{BLOCK, END, header, padding, size};
use crate::limits::{MAX_MANIFEST, WINDOW_LOG};
use crate::manifest::{File, MANIFEST_FILE, Manifest};
use crate::passphrase::Passphrase;
use crate::refusal::{Refusal, at_most};

/// Bytes that are read, hashed and written at a time.
pub(crate) const CHUNK: usize = 128 << 10;

/// The mode of directories: backups hold keys.
const DIR_MODE: u32 = 0o700;

/// The mode of files.
const FILE_MODE: u32 = 0o600;

/// The progress of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of files that were read.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// A backup whose manifest was read.
pub struct Backup<R: Read> {
    reader: zstd::Decoder<'static, BufReader<Open<BufReader<R>>>>,
    manifest: Manifest,
}

impl<R: Read> std::fmt::Debug for Backup<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl<R: Read> Backup<R> {
    /// Opens a backup and reads its manifest.
    ///
    /// # Errors
    /// It is no backup, the passphrase is another one, or what is read is damaged.
    pub fn open(reader: R, passphrase: &Passphrase) -> Result<Self, Refusal> {
        let open = Open::new(BufReader::new(reader), passphrase)?;
        let mut reader = zstd::Decoder::new(open).map_err(Refusal::io("start the decompressor"))?;
        reader.window_log_max(WINDOW_LOG).map_err(Refusal::io("limit the decompressor"))?;
        let manifest = manifest(&mut reader)?;
        Ok(Self { reader, manifest })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads all of the backup and compares it with its manifest, which is returned.
    ///
    /// # Errors
    /// The first difference, or the backup is damaged.
    pub fn check(self, progress: &mut dyn FnMut(Progress)) -> Result<Manifest, Refusal> {
        self.read_all(&mut |_| Ok(Box::new(io::sink())), progress)
    }

    /// Unpacks the backup into `dir`, which must be empty or missing. On success everything in it is durable, and only
    /// its owner can read it.
    ///
    /// # Errors
    /// As [`Self::check`], and when the disk fails. The directory is empty then.
    pub fn unpack(self, dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Manifest, Refusal> {
        prepare(dir)?;
        let unpacked = self.unpack_all(dir, progress);
        if unpacked.is_err() {
            // The refusal is returned; files that cannot be removed make the next call refuse the directory.
            let _ = empty(dir);
        }
        unpacked
    }

    fn unpack_all(self, dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Manifest, Refusal> {
        let create: &mut Create<'_> = &mut |file| {
            let path = file.name.below(dir);
            let created = create(&path).map_err(Refusal::io(format!("write {}", path.display())))?;
            Ok(Box::new(created))
        };
        let manifest = self.read_all(create, progress)?;
        let below = manifest.files.iter().flat_map(|file| file.name.directories()).map(|name| dir.join(name));
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let dirs: BTreeSet<PathBuf> = below.chain([dir.into(), parent.into()]).collect();
        for dir in dirs {
            let synced = fs::File::open(&dir).and_then(|handle| handle.sync_all());
            synced.map_err(Refusal::io(format!("write {}", dir.display())))?;
        }
        Ok(manifest)
    }

    /// Reads every file into the sink that `create` makes for it, and the end.
    fn read_all(
        self,
        create: &mut Create<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Manifest, Refusal> {
        let Self { mut reader, manifest } = self;
        let total = manifest.total();
        let mut done = 0;
        for file in &manifest.files {
            let mut sink = create(file)?;
            let read = &mut |count| {
                done += count;
                progress(Progress { done, total });
            };
            read_file(&mut reader, file, &mut *sink, read)?;
        }
        let mut end = [0; END];
        need(&mut reader, &mut end)?;
        if end != [0; END] || fill_contents(&mut reader, &mut [0])? > 0 {
            return Err(Refusal::contents("something follows the last file of its manifest"));
        }
        Ok(manifest)
    }
}

/// Makes the sink of a file.
type Create<'c> = dyn FnMut(&File) -> Result<Box<dyn Sink>, Refusal> + 'c;

/// Where the content of a file goes.
trait Sink: Write {
    /// Makes what was written durable.
    fn finish(&mut self) -> io::Result<()>;
}

impl Sink for fs::File {
    fn finish(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Sink for io::Sink {
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the first entry.
fn manifest(reader: &mut impl Read) -> Result<Manifest, Refusal> {
    let mut block = [0; BLOCK];
    need(reader, &mut block)?;
    let size = size(&block).unwrap_or(0);
    if block != header(MANIFEST_FILE, size) {
        return Err(Refusal::contents("its first entry is not a manifest"));
    }
    at_most("the size of the manifest in bytes", size, MAX_MANIFEST)?;
    let mut bytes = vec![0; size as usize];
    need(reader, &mut bytes)?;
    zeros(reader, padding(size))?;
    Manifest::parse(&bytes)
}

fn read_file(
    reader: &mut impl Read,
    file: &File,
    sink: &mut dyn Sink,
    read: &mut dyn FnMut(u64),
) -> Result<(), Refusal> {
    let write = || Refusal::io(format!("write {}", file.name));
    let mut block = [0; BLOCK];
    need(reader, &mut block)?;
    if block != header(file.name.as_str(), file.size) {
        return Err(Refusal::FileDiffers { name: file.name.clone() });
    }
    let mut hasher = sha2::Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut left = file.size;
    while left > 0 {
        let part = &mut chunk[..left.min(CHUNK as u64) as usize];
        need(reader, part)?;
        hasher.update(&*part);
        sink.write_all(part).map_err(write())?;
        left -= part.len() as u64;
        read(part.len() as u64);
    }
    if Sha256(hasher.finalize().into()) != file.sha256 {
        return Err(Refusal::FileDiffers { name: file.name.clone() });
    }
    zeros(reader, padding(file.size))?;
    sink.finish().map_err(write())
}

/// Checks that the next bytes are zeros.
fn zeros(reader: &mut impl Read, count: usize) -> Result<(), Refusal> {
    let mut bytes = vec![0; count];
    need(reader, &mut bytes)?;
    if bytes.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(Refusal::contents("something stands between its files"))
    }
}

/// Fills the buffer, or refuses contents that end before.
fn need(reader: &mut impl Read, buffer: &mut [u8]) -> Result<(), Refusal> {
    if fill_contents(reader, buffer)? == buffer.len() {
        return Ok(());
    }
    Err(Refusal::contents("its contents end before their end"))
}

/// Reads decompressed contents. What is authentic and cannot be decompressed was never a backup.
fn fill_contents(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Refusal> {
    fill(reader, buffer).map_err(|error| {
        Refusal::unwrapped(error, |error| match error.raw_os_error() {
            Some(_) => Refusal::Io { doing: "read the backup".into(), source: error },
            None => Refusal::contents("its contents cannot be decompressed"),
        })
    })
}

/// Reads until `buffer` is full or the reader ends; returns the number of bytes read.
pub(crate) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < buffer.len() {
        match reader.read(&mut buffer[at..]) {
            Ok(0) => break,
            Ok(count) => at += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

/// Creates the directory, or checks that it is empty.
fn prepare(dir: &Path) -> Result<(), Refusal> {
    let io = || Refusal::io(format!("make the directory {}", dir.display()));
    fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir).map_err(io())?;
    match fs::read_dir(dir).map_err(io())?.next() {
        None => Ok(()),
        Some(_) => Err(Refusal::NotEmpty { dir: dir.into() }),
    }
}

/// Creates a file and the directories that it lies in.
fn create(path: &Path) -> io::Result<fs::File> {
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)?;
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
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
