//! What lies on a disk, in memory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::change::FileId;

/// A file, a directory or a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A regular file.
    File {
        /// Its permissions.
        mode: u32,
        /// Its bytes.
        contents: Arc<Vec<u8>>,
    },
    /// A directory.
    Directory {
        /// Its permissions.
        mode: u32,
        /// What is in it.
        names: Arc<BTreeMap<OsString, FileId>>,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: PathBuf,
    },
}

/// All that lies on a disk.
pub type Nodes = BTreeMap<FileId, Node>;

impl Node {
    pub(crate) fn file(mode: u32) -> Self {
        Self::File { mode, contents: Arc::default() }
    }

    pub(crate) fn directory(mode: u32) -> Self {
        Self::Directory { mode, names: Arc::default() }
    }
}

/// What is at a path below `root`, links not followed.
pub(crate) fn find(nodes: &Nodes, root: FileId, path: &Path) -> Option<FileId> {
    path.components().try_fold(root, |id, part| match (nodes.get(&id)?, part) {
        (Node::Directory { names, .. }, Component::Normal(name)) => names.get(name).copied(),
        (
            Node::Directory { .. } | Node::File { .. } | Node::Link { .. },
            Component::Normal(_)
            | Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir,
        ) => None,
    })
}
