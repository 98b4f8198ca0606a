//! What is written down: every change of the disk, in order, with its bytes.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crate::node::{Node, Nodes, find};

/// A file or a directory for as long as the disk is mounted, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

impl FileId {
    /// The directory that is mounted.
    pub const ROOT: Self = Self(1);
}

/// One change of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file, a directory or a link came into being under a name.
    Create {
        /// Where.
        dir: FileId,
        /// Under which name.
        name: OsString,
        /// Its id.
        file: FileId,
        /// What it is, empty.
        node: Node,
    },
    /// A file has one name more.
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
    /// A file or directory has other permissions.
    Chmod {
        /// The file.
        file: FileId,
        /// The permissions now.
        mode: u32,
    },
    /// A name was moved, over another one perhaps.
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
    /// The test said something here: what it knows to be done by now.
    Mark {
        /// What.
        what: String,
    },
}

/// What the disk was, and what was done to it since.
#[derive(Clone, Debug)]
pub struct Record {
    /// The disk when the record began; all of it counts as durable.
    pub before: Nodes,
    /// Everything since, in order.
    pub changes: Vec<Change>,
}

impl Record {
    /// The directory at a path below the mount, as the record began.
    pub fn directory(&self, path: &Path) -> Option<FileId> {
        let found = find(&self.before, FileId::ROOT, path)?;
        matches!(self.before.get(&found), Some(Node::Directory { .. })).then_some(found)
    }
}
