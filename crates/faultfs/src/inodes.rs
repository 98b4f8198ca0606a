//! The inode table: an id for each file that the kernel has looked up, and a handle on the backing file.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};
use rustix::fs::{CWD, FileType as Kind, Mode, OFlags, Stat, fstat, openat};

use crate::node::FileId;

/// A handle that refers to a file without opening it for reading (`O_PATH`).
#[derive(Debug)]
pub(crate) struct Handle(OwnedFd);

impl Handle {
    /// The descriptor, for calls relative to a directory.
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// A path to this file, whatever its present name is.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }

    pub(crate) fn stat(&self) -> std::io::Result<Stat> {
        Ok(fstat(&self.0)?)
    }
}

#[derive(Debug)]
struct Entry {
    handle: Arc<Handle>,
    backing: BackingId,
    lookups: u64,
}

/// Device and inode number of the backing file.
type BackingId = (u64, u64);

/// Every file that was looked up and still has a name or a user. Ids are never reused.
#[derive(Debug)]
pub(crate) struct Inodes {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: HashMap<FileId, Entry>,
    ids: HashMap<BackingId, FileId>,
    next: u64,
}

impl Inodes {
    /// A table with the root directory alone.
    pub(crate) fn new(backing: &std::path::Path) -> std::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = Handle(openat(CWD, backing, flags, Mode::empty())?);
        let inner = Inner { entries: HashMap::new(), ids: HashMap::new(), next: FileId::ROOT.0 };
        let inodes = Self { inner: Mutex::new(inner) };
        inodes.insert(handle, 1)?;
        Ok(inodes)
    }

    /// The handle of a file in the table.
    pub(crate) fn handle(&self, id: FileId) -> std::io::Result<Arc<Handle>> {
        let inner = self.inner.lock().expect("nobody panics with it");
        let entry = inner.entries.get(&id).ok_or(rustix::io::Errno::STALE)?;
        Ok(entry.handle.clone())
    }

    /// The file of a name; `lookups` is added to the count that the kernel will forget.
    pub(crate) fn look_up(&self, dir: FileId, name: &OsStr, lookups: u64) -> std::io::Result<FileId> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = openat(self.handle(dir)?.fd(), name, flags, Mode::empty())?;
        self.insert(Handle(found), lookups)
    }

    fn insert(&self, handle: Handle, lookups: u64) -> std::io::Result<FileId> {
        let stat = handle.stat()?;
        let backing = (stat.st_dev, stat.st_ino);
        let mut inner = self.inner.lock().expect("nobody panics with it");
        if let Some(id) = inner.ids.get(&backing).copied()
            && let Some(entry) = inner.entries.get_mut(&id)
        {
            entry.lookups += lookups;
            return Ok(id);
        }
        let id = FileId(inner.next);
        inner.next += 1;
        inner.ids.insert(backing, id);
        inner.entries.insert(id, Entry { handle: Arc::new(handle), backing, lookups });
        Ok(id)
    }

    /// The kernel has forgotten a file. One that still has a name keeps its id.
    pub(crate) fn forget(&self, id: FileId, lookups: u64) {
        let mut inner = self.inner.lock().expect("nobody panics with it");
        let Some(entry) = inner.entries.get_mut(&id) else { return };
        entry.lookups = entry.lookups.saturating_sub(lookups);
        let gone = entry.handle.stat().is_ok_and(|stat| stat.st_nlink == 0);
        if entry.lookups == 0 && gone {
            let backing = entry.backing;
            inner.entries.remove(&id);
            inner.ids.remove(&backing);
        }
    }

    /// The attributes of a file in the kernel's form.
    pub(crate) fn attributes(&self, id: FileId) -> std::io::Result<FileAttr> {
        Ok(attributes(id, &self.handle(id)?.stat()?))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the kernel's own fields have these widths")]
fn attributes(id: FileId, stat: &Stat) -> FileAttr {
    FileAttr {
        ino: INodeNo(id.0),
        size: stat.st_size as u64,
        blocks: stat.st_blocks as u64,
        atime: time(stat.st_atime, stat.st_atime_nsec),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        crtime: UNIX_EPOCH,
        kind: kind(Kind::from_raw_mode(stat.st_mode)),
        perm: (stat.st_mode & 0o7777) as u16,
        nlink: stat.st_nlink as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: stat.st_rdev as u32,
        blksize: stat.st_blksize as u32,
        flags: 0,
    }
}

fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let nanoseconds = u32::try_from(nanoseconds).unwrap_or(0);
    UNIX_EPOCH + Duration::new(u64::try_from(seconds).unwrap_or(0), nanoseconds)
}

/// The type of a file in the kernel's terms.
pub(crate) fn kind(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::CharacterDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        Kind::RegularFile | Kind::Unknown => FileType::RegularFile,
    }
}
