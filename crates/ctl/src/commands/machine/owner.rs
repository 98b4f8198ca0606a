//! The owners of a machine's files: the user that the release runs as owns what the release writes, and root owns the
//! trusted keys and the settings. Relies on the lock of boot, so that no process of the machine runs meanwhile.
//!
//! The root directory is owned by root and writable by the group, with the sticky bit: the release creates and
//! replaces its own files there, and can neither rename nor remove those of root.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, chownat, fstat, open, openat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use slots::MACHINE_FILE;

use crate::failure::Failure;

/// The root directory of a machine: owned by root, with the sticky bit.
const ROOT_MODE: u32 = 0o1770;
/// Its settings: readable by the release.
const SETTINGS_MODE: u32 = 0o640;
/// Keys are public, and so is their directory.
const KEY_MODE: u32 = 0o644;
const TRUST_MODE: u32 = 0o755;

/// The names in the root directory that are owned by root.
const OF_ROOT: [&str; 2] = [package::TRUST_DIR, MACHINE_FILE];

/// A user that a release runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Looks a user up by name with `id`, which knows all user databases of this machine.
    ///
    /// # Errors
    /// There is none, or it is root.
    pub(super) fn named(name: &str) -> Result<Self, Failure> {
        let (uid, gid) = (number(name, "-u")?, number(name, "-g")?);
        if uid == 0 {
            return Err(Failure::Declined {
                what: "a release does not run as root".into(),
                hint: "make a user for it, as with `useradd --system pitlane`, and name that one".into(),
            });
        }
        Ok(Self { uid, gid })
    }
}

fn number(name: &str, which: &str) -> Result<u32, Failure> {
    let asked = Command::new("id").args([which, "--", name]).output();
    let answer = asked.map_err(Failure::io(format!("run `id` to look up the user {name}")))?;
    let number = String::from_utf8_lossy(&answer.stdout).trim().parse().ok();
    number.filter(|_| answer.status.success()).ok_or_else(|| Failure::NotFound {
        what: format!("there is no user {name:?} on this machine"),
        hint: format!("make it first, as with `useradd --system {name}`"),
    })
}

/// Sets owners and modes of all files of the machine in `root`.
///
/// # Errors
/// This is not run by root, the machine runs, or the disk fails. What was done until then is correct, and a repeat
/// does the rest.
pub(super) fn set_owners(root: &Path, user: User) -> Result<(), Failure> {
    let _lock = lock_stopped_machine(root)?;
    let root = Entry::open(root)?;
    // The directory first: from here on nobody else can exchange the files of root in it.
    root.set_owner(0, user.gid)?;
    root.set_mode(ROOT_MODE)?;
    for name in root.names()? {
        let entry = root.entry(&name)?;
        match OF_ROOT.iter().any(|own| name.as_bytes() == own.as_bytes()) {
            true => give_to_root(&entry, user)?,
            false => give_to_user(&entry, user)?,
        }
    }
    Ok(())
}

/// Takes the lock of boot, so that no process of the machine changes files meanwhile.
fn lock_stopped_machine(root: &Path) -> Result<Option<File>, Failure> {
    let path = root.join("boot.lock");
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(format!("open {}", path.display()))(error)),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(Failure::Declined {
            what: format!("the machine in {} runs; nothing was changed", root.display()),
            hint: "stop its unit first, as with `systemctl stop pitlane-node`".into(),
        }),
        Err(TryLockError::Error(error)) => Err(Failure::io(format!("lock {}", path.display()))(error)),
    }
}

/// Gives the keys and their directory, or the settings, to root.
fn give_to_root(entry: &Entry, user: User) -> Result<(), Failure> {
    if entry.is(FileType::Directory) {
        return give_keys_to_root(entry);
    }
    entry.plain()?;
    entry.set_owner(0, user.gid)?;
    entry.set_mode(SETTINGS_MODE)
}

/// Gives a directory of keys to root, with those for licences in a directory of their own below it.
fn give_keys_to_root(dir: &Entry) -> Result<(), Failure> {
    dir.set_owner(0, 0)?;
    dir.set_mode(TRUST_MODE)?;
    for name in dir.names()? {
        let key = dir.entry(&name)?;
        if key.is(FileType::Directory) {
            give_keys_to_root(&key)?;
            continue;
        }
        key.plain()?;
        key.set_owner(0, 0)?;
        key.set_mode(KEY_MODE)?;
    }
    Ok(())
}

/// Gives a file or a directory with its contents to the user. Links are not followed.
fn give_to_user(entry: &Entry, user: User) -> Result<(), Failure> {
    if entry.is(FileType::Directory) {
        for name in entry.names()? {
            give_to_user(&entry.entry(&name)?, user)?;
        }
    } else if entry.found.st_nlink > 1 {
        return Err(entry.refused("has another hard link"));
    }
    match (entry.found.st_uid, entry.found.st_gid) == (user.uid, user.gid) {
        true => Ok(()),
        false => entry.set_owner(user.uid, user.gid),
    }
}

/// A directory, file or link that is examined and changed by its handle: one that a process of the release's user puts
/// in its place meanwhile is not changed.
struct Entry {
    handle: OwnedFd,
    found: Stat,
    /// For messages.
    path: PathBuf,
}

impl Entry {
    fn open(root: &Path) -> Result<Self, Failure> {
        Self::of(open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()), root.into())
    }

    /// The entry of this directory with that name.
    fn entry(&self, name: &CStr) -> Result<Self, Failure> {
        let path = self.path.join(OsStr::from_bytes(name.to_bytes()));
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self::of(openat(&self.handle, name, flags, Mode::empty()), path)
    }

    fn of(opened: Result<OwnedFd, Errno>, path: PathBuf) -> Result<Self, Failure> {
        let looked = opened.and_then(|handle| fstat(&handle).map(|found| (handle, found)));
        let (handle, found) =
            looked.map_err(io::Error::from).map_err(Failure::io(format!("look at {}", path.display())))?;
        Ok(Self { handle, found, path })
    }

    fn is(&self, kind: FileType) -> bool {
        FileType::from_raw_mode(self.found.st_mode) == kind
    }

    fn plain(&self) -> Result<(), Failure> {
        match self.is(FileType::RegularFile) && self.found.st_nlink == 1 {
            true => Ok(()),
            false => Err(self.refused("is not a regular file with one hard link")),
        }
    }

    fn names(&self) -> Result<Vec<CString>, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = openat(&self.handle, c".", flags, Mode::empty())
            .and_then(|directory| Dir::new(directory)?.collect::<Result<Vec<_>, _>>());
        let listed =
            listed.map_err(io::Error::from).map_err(Failure::io(format!("list {}", self.path.display())))?;
        let names = listed.iter().map(|entry| entry.file_name().to_owned());
        Ok(names.filter(|name| ![c".", c".."].contains(&name.as_c_str())).collect())
    }

    fn set_owner(&self, uid: u32, gid: u32) -> Result<(), Failure> {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        chownat(&self.handle, c"", uid, gid, AtFlags::EMPTY_PATH)
            .map_err(io::Error::from)
            .map_err(self.changing())
    }

    fn set_mode(&self, mode: u32) -> Result<(), Failure> {
        // The mode of an O_PATH handle can only be changed through this path.
        let name = format!("/proc/self/fd/{}", self.handle.as_raw_fd());
        fs::set_permissions(name, Permissions::from_mode(mode)).map_err(self.changing())
    }

    fn refused(&self, what: &str) -> Failure {
        Failure::Declined {
            what: format!("{} {what}, so its owner is not changed", self.path.display()),
            hint: "find out where it comes from, and remove it".into(),
        }
    }

    fn changing(&self) -> impl FnOnce(io::Error) -> Failure + use<> {
        let path = self.path.display();
        Failure::io(format!("change the owner and mode of {path} (this needs the rights of root)"))
    }
}
