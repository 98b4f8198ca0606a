//! The requests of the kernel, translated one by one. What they change is in [`super::changes`].

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{AtFlags, fstatvfs};

use super::changes::Attributes;
use super::{CACHE_TIME, FaultFileSystem};
use crate::change::Change;
use crate::node::FileId;

/// Inode numbers are never reused, so there is one generation.
const GENERATION: Generation = Generation(0);

fn id(number: INodeNo) -> FileId {
    FileId(number.0)
}

impl FaultFileSystem {
    fn entry(&self, made: Result<FileId, Errno>, reply: ReplyEntry) {
        match made.and_then(|file| Ok(self.0.inodes.attributes(file)?)) {
            Ok(attributes) => reply.entry(&CACHE_TIME, &attributes, GENERATION),
            Err(error) => reply.error(error),
        }
    }
}

fn done(outcome: Result<(), Errno>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for FaultFileSystem {
    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.0.inodes.look_up(id(parent), name, 1);
        self.entry(found.map_err(Errno::from), reply);
    }

    fn forget(&self, _request: &Request, file: INodeNo, lookups: u64) {
        self.0.inodes.forget(id(file), lookups);
    }

    fn getattr(&self, _request: &Request, file: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.inodes.attributes(id(file)) {
            Ok(attributes) => reply.attr(&CACHE_TIME, &attributes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn setattr(
        &self,
        _request: &Request,
        file: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _changed: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _created: Option<SystemTime>,
        _checked: Option<SystemTime>,
        _backed_up: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let wanted = Attributes { mode, owner: (uid, gid), size, times: (accessed, modified) };
        let set = self.0.set(id(file), wanted);
        match set.and_then(|()| Ok(self.0.inodes.attributes(id(file))?)) {
            Ok(attributes) => reply.attr(&CACHE_TIME, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _request: &Request, file: INodeNo, reply: ReplyData) {
        match self.0.target(id(file)) {
            Ok(target) => reply.data(target.as_bytes()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        self.entry(self.0.make_dir(request, (id(parent), name), mode), reply);
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.0.remove((id(parent), name), AtFlags::empty()), reply);
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.0.remove((id(parent), name), AtFlags::REMOVEDIR), reply);
    }

    fn symlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        self.entry(self.0.make_link((id(parent), name), target), reply);
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        done(self.0.rename((id(parent), name), (id(new_parent), new_name), flags), reply);
    }

    fn link(&self, _request: &Request, file: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.entry(self.0.link(id(file), (id(parent), name)), reply);
    }

    fn open(&self, _request: &Request, file: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match self.0.open(id(file), flags.acc_mode()) {
            // The kernel keeps its cache of the file, on which a mapping by another process relies.
            Ok(handle) => reply.opened(handle, FopenFlags::FOPEN_KEEP_CACHE),
            Err(error) => reply.error(error.into()),
        }
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let created = self.0.create(request, (id(parent), name), (mode, flags));
        let created = created.and_then(|(file, handle)| Ok((self.0.inodes.attributes(file)?, handle)));
        match created {
            Ok((attributes, handle)) => {
                reply.created(&CACHE_TIME, &attributes, GENERATION, handle, FopenFlags::FOPEN_KEEP_CACHE);
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _request: &Request,
        _file: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = || -> io::Result<Vec<u8>> {
            let file = self.0.open_file(handle)?;
            let mut data = vec![0; size as usize];
            let mut filled = 0;
            while filled < data.len() {
                match file.read_at(&mut data[filled..], offset + filled as u64)? {
                    0 => break,
                    got => filled += got,
                }
            }
            data.truncate(filled);
            Ok(data)
        };
        match read() {
            Ok(data) => reply.data(&data),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        _request: &Request,
        file: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.0.write(id(file), handle, offset, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }

    fn flush(
        &self,
        _request: &Request,
        _file: INodeNo,
        _handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn release(
        &self,
        _request: &Request,
        _file: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.0.files.lock().expect("nobody panics with it").remove(&handle.0);
        reply.ok();
    }

    fn fsync(
        &self,
        _request: &Request,
        file: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        done(self.0.sync(Change::Sync { file: id(file) }), reply);
    }

    fn opendir(&self, _request: &Request, dir: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.0.list(id(dir)) {
            Ok(listing) => reply.opened(self.0.keep_listing(listing), FopenFlags::empty()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn readdir(
        &self,
        _request: &Request,
        _dir: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listing = self.0.listing(handle);
        for (next, (kind, name, number)) in (1..).zip(listing.iter()).skip(offset as usize) {
            if reply.add(INodeNo(*number), next, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _request: &Request,
        _dir: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.0.listings.lock().expect("nobody panics with it").remove(&handle.0);
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        dir: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        done(self.0.sync(Change::SyncDir { dir: id(dir) }), reply);
    }

    fn statfs(&self, _request: &Request, _file: INodeNo, reply: ReplyStatfs) {
        let stat = || -> io::Result<_> { Ok(fstatvfs(self.0.inodes.handle(FileId::ROOT)?.fd())?) };
        match stat() {
            Ok(stat) => reply.statfs(
                stat.f_blocks,
                stat.f_bfree,
                stat.f_bavail,
                stat.f_files,
                stat.f_ffree,
                u32::try_from(stat.f_bsize).unwrap_or(4096),
                u32::try_from(stat.f_namemax).unwrap_or(255),
                u32::try_from(stat.f_frsize).unwrap_or(4096),
            ),
            Err(error) => reply.error(error.into()),
        }
    }
}
