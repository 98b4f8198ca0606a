//! The changes in the backing folder that the requests make, each admitted by the injected fault first.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileHandle, FileType, OpenAccMode, RenameFlags, Request, TimeOrNow};
use rustix::fs::{
    AtFlags, CWD, FileType as Kind, Mode, OFlags, RenameFlags as Renaming, Timespec, Timestamps, UTIME_NOW,
    UTIME_OMIT, mkdirat, openat, readlinkat, renameat_with, symlinkat, unlinkat, utimensat,
};

use super::{Listing, Shared};
use crate::change::Change;
use crate::fault::Needs;
use crate::inodes::{Inodes, kind};
use crate::node::{FileId, Node, Nodes};

/// The attributes that `setattr` changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) mode: Option<u32>,
    pub(super) owner: (Option<u32>, Option<u32>),
    pub(super) size: Option<u64>,
    pub(super) times: (Option<TimeOrNow>, Option<TimeOrNow>),
}

/// A name in a directory.
pub(super) type Place<'a> = (FileId, &'a OsStr);

impl Shared {
    pub(super) fn create(
        &self,
        request: &Request,
        (dir, name): Place<'_>,
        (mode, flags): (u32, i32),
    ) -> Result<(FileId, FileHandle), Errno> {
        self.fault.admit(Needs::Entry)?;
        self.change(|| {
            let parent = self.inodes.handle(dir)?;
            let exclusive = OFlags::from_bits_retain(flags as u32) & OFlags::EXCL;
            let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | exclusive;
            let file = File::from(openat(parent.fd(), name, flags, Mode::RUSR | Mode::WUSR)?);
            let id = self.inodes.look_up(dir, name, 1)?;
            self.set_owner_and_mode(request, id, mode)?;
            let created =
                Change::Create { dir, name: name.into(), file: id, node: Node::file(mode & 0o7777) };
            Ok(((id, self.keep_open(file)), vec![created]))
        })
    }

    pub(super) fn make_dir(
        &self,
        request: &Request,
        (dir, name): Place<'_>,
        mode: u32,
    ) -> Result<FileId, Errno> {
        self.fault.admit(Needs::Entry)?;
        self.change(|| {
            mkdirat(self.inodes.handle(dir)?.fd(), name, Mode::RWXU)?;
            let id = self.inodes.look_up(dir, name, 1)?;
            self.set_owner_and_mode(request, id, mode)?;
            let node = Node::directory(mode & 0o7777);
            Ok((id, vec![Change::Create { dir, name: name.into(), file: id, node }]))
        })
    }

    pub(super) fn make_link(&self, (dir, name): Place<'_>, target: &Path) -> Result<FileId, Errno> {
        self.fault.admit(Needs::Entry)?;
        self.change(|| {
            symlinkat(target, self.inodes.handle(dir)?.fd(), name)?;
            let id = self.inodes.look_up(dir, name, 1)?;
            let node = Node::Link { target: target.into() };
            Ok((id, vec![Change::Create { dir, name: name.into(), file: id, node }]))
        })
    }

    pub(super) fn link(&self, file: FileId, (dir, name): Place<'_>) -> Result<FileId, Errno> {
        self.fault.admit(Needs::Entry)?;
        self.change(|| {
            let (from, parent) = (self.inodes.handle(file)?.path(), self.inodes.handle(dir)?);
            rustix::fs::linkat(CWD, from, parent.fd(), name, AtFlags::SYMLINK_FOLLOW)?;
            let id = self.inodes.look_up(dir, name, 1)?;
            Ok((id, vec![Change::Link { dir, name: name.into(), file: id }]))
        })
    }

    pub(super) fn remove(&self, (dir, name): Place<'_>, flags: AtFlags) -> Result<(), Errno> {
        self.fault.admit(Needs::Nothing)?;
        self.change(|| {
            unlinkat(self.inodes.handle(dir)?.fd(), name, flags)?;
            Ok(((), vec![Change::Remove { dir, name: name.into() }]))
        })
    }

    pub(super) fn rename(
        &self,
        (dir, name): Place<'_>,
        (to_dir, to_name): Place<'_>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        self.fault.admit(Needs::Nothing)?;
        if !(flags - RenameFlags::RENAME_NOREPLACE).is_empty() {
            return Err(Errno::EINVAL);
        }
        self.change(|| {
            let (from, to) = (self.inodes.handle(dir)?, self.inodes.handle(to_dir)?);
            renameat_with(from.fd(), name, to.fd(), to_name, Renaming::from_bits_retain(flags.bits()))?;
            let renamed = Change::Rename { dir, name: name.into(), to_dir, to_name: to_name.into() };
            Ok(((), vec![renamed]))
        })
    }

    pub(super) fn open(&self, id: FileId, access: OpenAccMode) -> io::Result<FileHandle> {
        let (read, write) = match access {
            OpenAccMode::O_RDONLY => (true, false),
            // The kernel reads the bytes around a small write.
            OpenAccMode::O_WRONLY | OpenAccMode::O_RDWR => (true, true),
        };
        let file = OpenOptions::new().read(read).write(write).open(self.inodes.handle(id)?.path())?;
        Ok(self.keep_open(file))
    }

    pub(super) fn write(&self, id: FileId, handle: FileHandle, at: u64, data: &[u8]) -> Result<(), Errno> {
        self.fault.admit(Needs::Bytes(data.len() as u64))?;
        self.change(|| {
            self.open_file(handle)?.write_all_at(data, at)?;
            Ok(((), vec![Change::Write { file: id, at, data: data.into() }]))
        })
    }

    pub(super) fn sync(&self, change: Change) -> Result<(), Errno> {
        self.fault.admit(Needs::Nothing)?;
        self.change(|| Ok(((), vec![change])))
    }

    pub(super) fn set(&self, id: FileId, wanted: Attributes) -> Result<(), Errno> {
        self.fault.admit(Needs::Nothing)?;
        self.change(|| {
            let path = self.inodes.handle(id)?.path();
            let mut changes = Vec::new();
            if let Some(mode) = wanted.mode {
                fs::set_permissions(&path, Permissions::from_mode(mode & 0o7777))?;
                changes.push(Change::Chmod { file: id, mode: mode & 0o7777 });
            }
            if let (user, group) = wanted.owner
                && (user.is_some() || group.is_some())
            {
                chown(&path, user, group)?;
            }
            if let Some(length) = wanted.size {
                OpenOptions::new().write(true).open(&path)?.set_len(length)?;
                changes.push(Change::Truncate { file: id, length });
            }
            if let (accessed, modified) = wanted.times
                && (accessed.is_some() || modified.is_some())
            {
                let times =
                    Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) };
                utimensat(CWD, &path, &times, AtFlags::empty())?;
            }
            Ok(((), changes))
        })
    }

    /// Gives a new file the requested permissions and the owner of the request.
    fn set_owner_and_mode(&self, request: &Request, id: FileId, mode: u32) -> io::Result<()> {
        let path = self.inodes.handle(id)?.path();
        if (request.uid(), request.gid()) != (0, 0) {
            chown(&path, Some(request.uid()), Some(request.gid()))?;
        }
        fs::set_permissions(&path, Permissions::from_mode(mode & 0o7777))
    }

    pub(super) fn list(&self, id: FileId) -> io::Result<Listing> {
        let entries = fs::read_dir(self.inodes.handle(id)?.path())?;
        let listed = entries.map(|entry| {
            use std::os::unix::fs::DirEntryExt;
            let entry = entry?;
            let kind = FileType::from_std(entry.file_type()?).unwrap_or(FileType::RegularFile);
            Ok((kind, entry.file_name(), entry.ino()))
        });
        Ok(Arc::new(listed.collect::<io::Result<Vec<_>>>()?))
    }

    pub(super) fn target(&self, id: FileId) -> io::Result<OsString> {
        let target = readlinkat(self.inodes.handle(id)?.fd(), "", Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }
}

fn timespec(time: Option<TimeOrNow>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(TimeOrNow::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(TimeOrNow::SpecificTime(time)) => since_1970(time),
    }
}

fn since_1970(time: SystemTime) -> Timespec {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timespec { tv_sec: i64::try_from(since.as_secs()).unwrap_or(0), tv_nsec: i64::from(since.subsec_nanos()) }
}

/// Reads everything below a directory into `nodes`, except what is neither file, directory nor link.
pub(super) fn read_tree(inodes: &Inodes, id: FileId, nodes: &mut Nodes) -> io::Result<()> {
    let handle = inodes.handle(id)?;
    let mode = handle.stat()?.st_mode & 0o7777;
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(handle.path())? {
        let name = entry?.file_name();
        let child = inodes.look_up(id, &name, 0)?;
        let handle = inodes.handle(child)?;
        let stat = handle.stat()?;
        match kind(Kind::from_raw_mode(stat.st_mode)) {
            FileType::Directory => read_tree(inodes, child, nodes)?,
            FileType::RegularFile => {
                let contents = Arc::new(fs::read(handle.path())?);
                nodes.insert(child, Node::File { mode: stat.st_mode & 0o7777, contents });
            }
            FileType::Symlink => {
                let target = readlinkat(handle.fd(), "", Vec::new())?;
                let target = OsString::from_vec(target.into_bytes()).into();
                nodes.insert(child, Node::Link { target });
            }
            FileType::NamedPipe | FileType::CharDevice | FileType::BlockDevice | FileType::Socket => continue,
        }
        names.insert(name, child);
    }
    nodes.insert(id, Node::Directory { mode, names: Arc::new(names) });
    Ok(())
}
