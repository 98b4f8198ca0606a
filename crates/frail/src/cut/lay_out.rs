//! A disk in memory becomes a real folder, or a number that tells it from others.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::change::FileId;
use crate::node::{Node, Nodes};

/// Makes a real folder of a disk. A file with two names becomes two files.
///
/// # Errors
/// The folder is there already, or cannot be written.
pub fn lay_out(nodes: &Nodes, at: &Path) -> io::Result<()> {
    put(nodes, FileId::ROOT, at)
}

fn put(nodes: &Nodes, id: FileId, at: &Path) -> io::Result<()> {
    match nodes.get(&id) {
        Some(Node::File { mode, contents }) => {
            fs::write(at, contents.as_slice())?;
            fs::set_permissions(at, Permissions::from_mode(*mode))
        }
        Some(Node::Directory { mode, names }) => {
            fs::create_dir(at)?;
            for (name, id) in names.iter() {
                put(nodes, *id, &at.join(name))?;
            }
            fs::set_permissions(at, Permissions::from_mode(*mode))
        }
        Some(Node::Link { target }) => symlink(target, at),
        None => Ok(()),
    }
}

/// Equal for disks with the same files under the same names, and different for all others in practice.
pub(super) fn fingerprint(nodes: &Nodes) -> u64 {
    let mut hasher = DefaultHasher::new();
    mix(nodes, FileId::ROOT, OsStr::new(""), &mut hasher);
    hasher.finish()
}

fn mix(nodes: &Nodes, id: FileId, name: &OsStr, hasher: &mut DefaultHasher) {
    name.hash(hasher);
    match nodes.get(&id) {
        Some(Node::Directory { mode, names }) => {
            (mode, names.len()).hash(hasher);
            for (name, id) in names.iter() {
                mix(nodes, *id, name, hasher);
            }
        }
        Some(Node::File { mode, contents }) => {
            mode.hash(hasher);
            hasher.write(contents);
        }
        Some(Node::Link { target }) => target.hash(hasher),
        None => {}
    }
}
