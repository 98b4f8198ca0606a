//! Compares the files of a slot with a verified manifest: every listed file is there as signed, and nothing else.
//!
//! A file that others may write can change after its check. To start the program of a slot, copy it with
//! [`copy_program`] into memory that cannot change, and start the copy.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Mode as Permissions, OFlags};
use rustix::io::Errno;
use sha2::Digest as _;

use crate::entries::Role;
use crate::files::CHUNK;
use crate::hash;
use crate::manifest::{File, Payload};
use crate::refusal::{Refusal, quoted};
use crate::slot_path::{RESERVED, SlotPath};
use crate::verified::{Installed, Verified};

/// The payload of a slot with this identity: the one whose role matches. None when any field of the identity
/// differs from the signed manifest.
pub fn payload_of<'v>(verified: &'v Verified, installed: &Installed) -> Option<&'v Payload> {
    let role = Role::ALL.into_iter().find(|role| verified.installed(*role) == *installed)?;
    Some(verified.payload(role))
}

/// Checks that a slot contains every file of the payload as the manifest lists it, and nothing else but the
/// identity of the slot and the signed manifest.
///
/// # Errors
/// [`Refusal::FileDiffers`] for the first file that is missing or differs, [`Refusal::NotListed`] for the
/// first that does not belong there, [`Refusal::Io`] when the disk fails.
pub fn check_slot(slot: &Path, payload: &Payload) -> Result<(), Refusal> {
    check_all_but_program(slot, payload)?;
    copy_program(slot, payload, &mut io::sink())
}

/// [`check_slot`] without the content of the program, for a caller that has a verified copy already.
///
/// # Errors
/// As [`check_slot`].
pub fn check_all_but_program(slot: &Path, payload: &Payload) -> Result<(), Refusal> {
    check_names(slot, payload)?;
    let others = payload.files.iter().filter(|file| file.path != payload.program);
    others.clone().try_for_each(|file| copy_file(slot, file, &mut io::sink()))?;
    open_file(slot, program(payload)?).map(drop)
}

/// Copies the program of the payload to `to` and compares the copied bytes with the manifest. The file is read
/// once: the bytes that are hashed are the bytes that are written.
///
/// # Errors
/// [`Refusal::FileDiffers`] when it is missing or differs, [`Refusal::Io`] when the disk or `to` fails. The copy
/// must not be used then.
pub fn copy_program(slot: &Path, payload: &Payload, to: &mut dyn Write) -> Result<(), Refusal> {
    copy_file(slot, program(payload)?, to)
}

fn program(payload: &Payload) -> Result<&File, Refusal> {
    let found = payload.files.iter().find(|file| file.path == payload.program);
    found.ok_or_else(|| Refusal::ProgramMissing { role: payload.role, program: payload.program.clone() })
}

/// Opens a file that an attacker may have placed: a link is not followed, and a pipe does not block.
pub(crate) fn open_plain(file: &Path) -> Result<fs::File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(file, flags, Permissions::empty()).map(fs::File::from)
}

/// Opens a listed file if it is a regular one with the listed mode and size.
fn open_file(slot: &Path, file: &File) -> Result<fs::File, Refusal> {
    let differs = |why| Refusal::FileDiffers { path: file.path.clone(), why };
    let opened = match open_plain(&file.path.below(slot)) {
        Ok(opened) => opened,
        Err(Errno::NOENT | Errno::NOTDIR) => return Err(differs("it is missing")),
        Err(Errno::LOOP) => return Err(differs("it is not a regular file")),
        Err(error) => return Err(reading(slot, &file.path)(error.into())),
    };
    let found = opened.metadata().map_err(reading(slot, &file.path))?;
    if !found.is_file() {
        return Err(differs("it is not a regular file"));
    }
    if found.mode() & 0o7777 != file.mode.bits() {
        return Err(differs("its mode is another one"));
    }
    if found.len() != file.size {
        return Err(differs("its size is another one"));
    }
    Ok(opened)
}

fn copy_file(slot: &Path, file: &File, to: &mut dyn Write) -> Result<(), Refusal> {
    let mut from = open_file(slot, file)?.take(file.size.saturating_add(1));
    let mut hasher = sha2::Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let got = from.read(&mut chunk).map_err(reading(slot, &file.path))?;
        if got == 0 {
            break;
        }
        hasher.update(&chunk[..got]);
        to.write_all(&chunk[..got]).map_err(Refusal::io(format!("copy {}", file.path)))?;
    }
    if hash::take(&mut hasher) == file.sha256 {
        return Ok(());
    }
    Err(Refusal::FileDiffers { path: file.path.clone(), why: "its content has another hash" })
}

fn reading(slot: &Path, path: &SlotPath) -> impl FnOnce(io::Error) -> Refusal + use<> {
    Refusal::io(format!("read {}", path.below(slot).display()))
}

/// Checks that the slot contains nothing but the listed files, their directories, and the reserved files.
fn check_names(slot: &Path, payload: &Payload) -> Result<(), Refusal> {
    let files: BTreeSet<&str> = payload.files.iter().map(|file| file.path.as_str()).chain(RESERVED).collect();
    let directories: BTreeSet<&str> = payload.files.iter().flat_map(|file| file.path.directories()).collect();
    let mut unread = vec![String::new()];
    while let Some(directory) = unread.pop() {
        let at = slot.join(&directory);
        let listing = || Refusal::io(format!("list {}", at.display()));
        for entry in fs::read_dir(&at).map_err(listing())? {
            let entry = entry.map_err(listing())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            let is_directory = entry.file_type().map_err(listing())?.is_dir();
            match is_directory {
                true if directories.contains(path.as_str()) => unread.push(path),
                false if files.contains(path.as_str()) => {}
                true | false => return Err(Refusal::NotListed { path: quoted(&path) }),
            }
        }
    }
    RESERVED.into_iter().try_for_each(|name| check_reserved(slot, name))
}

/// A reserved file must be a plain file without execute permission: no program or link under a reserved name.
fn check_reserved(slot: &Path, name: &str) -> Result<(), Refusal> {
    const ANYBODY_MAY_EXECUTE: u32 = 0o111;
    match slot.join(name).symlink_metadata() {
        Ok(found) if found.is_file() && found.permissions().mode() & ANYBODY_MAY_EXECUTE == 0 => Ok(()),
        Ok(_) => Err(Refusal::NotListed { path: format!("{name} as something else than a plain file") }),
        // A reader that needs it reports its absence.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Refusal::io(format!("look at {name}"))(error)),
    }
}
