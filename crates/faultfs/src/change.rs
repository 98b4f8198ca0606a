//! The record of a disk: every change with its bytes, in the order in which they were made.
//!
//! [`Change::apply`] is what a change does as programs see it; what a power cut leaves of it is [`crate::cut`]'s.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crate::node::{FileId, Node, Nodes, chmod, find, named, set_name, truncate, write};

/// One change of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file, a directory or a link was created.
    Create {
        /// Where.
        dir: FileId,
        /// Under which name.
        name: OsString,
        /// Its id.
        file: FileId,
        /// The new node, empty.
        node: Node,
    },
    /// A file got another name.
    Link {
        /// Where.
        dir: FileId,
        /// Under which name.
        name: OsString,
        /// The file.
        file: FileId,
    },
    /// Bytes were written.
    Write {
        /// The file.
        file: FileId,
        /// Where in it.
        at: u64,
        /// What.
        data: Arc<[u8]>,
    },
    /// A file was made longer or shorter.
    Truncate {
        /// The file.
        file: FileId,
        /// Its length now.
        length: u64,
    },
    /// The permissions of a file or directory were changed.
    Chmod {
        /// The file.
        file: FileId,
        /// The permissions now.
        mode: u32,
    },
    /// A name was moved; a name that was there is replaced.
    Rename {
        /// From where.
        dir: FileId,
        /// The name there.
        name: OsString,
        /// To where.
        to_dir: FileId,
        /// The name there.
        to_name: OsString,
    },
    /// A name of a file, or an empty directory, was removed.
    Remove {
        /// Where.
        dir: FileId,
        /// The name.
        name: OsString,
    },
    /// The contents of a file are durable.
    Sync {
        /// The file.
        file: FileId,
    },
    /// The names in a directory are durable.
    SyncDir {
        /// The directory.
        dir: FileId,
    },
    /// A note of the test: what has been acknowledged by now.
    Mark {
        /// What.
        what: String,
    },
}

/// The contents of a disk at one moment, and every change since.
#[derive(Clone, Debug)]
pub struct Record {
    /// The disk when the record began; all of it counts as durable.
    pub before: Nodes,
    /// Every change since, in order.
    pub changes: Vec<Change>,
}

impl Change {
    /// Makes the change in the contents of a disk, as programs see it.
    pub fn apply(&self, nodes: &mut Nodes) {
        match self {
            Self::Create { dir, name, file, node } => {
                nodes.insert(*file, node.clone());
                set_name(nodes, *dir, name, Some(*file));
            }
            Self::Link { dir, name, file } => set_name(nodes, *dir, name, Some(*file)),
            Self::Write { file, at, data } => write(nodes, *file, *at, data),
            Self::Truncate { file, length } => truncate(nodes, *file, *length),
            Self::Chmod { file, mode } => chmod(nodes, *file, *mode),
            Self::Rename { dir, name, to_dir, to_name } => {
                let file = named(nodes, *dir, name);
                set_name(nodes, *dir, name, None);
                set_name(nodes, *to_dir, to_name, file);
            }
            Self::Remove { dir, name } => set_name(nodes, *dir, name, None),
            Self::Sync { .. } | Self::SyncDir { .. } | Self::Mark { .. } => {}
        }
    }
}

impl Record {
    /// The directory at a path below the mount, as the record began.
    pub fn directory(&self, path: &Path) -> Option<FileId> {
        let found = find(&self.before, path)?;
        matches!(self.before.get(&found), Some(Node::Directory { .. })).then_some(found)
    }
}
