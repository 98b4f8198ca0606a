//! Writes the contents of a disk in memory into a real folder, so that real programs can run on it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::node::{FileId, Node, Nodes};

/// Writes a disk into a new folder. A file with two names becomes two files.
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
