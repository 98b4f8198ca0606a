//! The contents of a disk in memory: files, directories and links, and the changes that can be made to them.
//!
//! Every power-cut test works on these values, whether its record came from a mounted disk or from a disk in
//! memory. Nothing here knows what is durable.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A file or a directory for as long as the disk is mounted, whatever its name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

impl FileId {
    /// The root directory of the disk.
    pub const ROOT: Self = Self(1);
}

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
        /// Its entries.
        names: Arc<BTreeMap<OsString, FileId>>,
    },
    /// A symbolic link.
    Link {
        /// Its target.
        target: PathBuf,
    },
}

/// All files, directories and links of a disk.
pub type Nodes = BTreeMap<FileId, Node>;

impl Node {
    /// An empty file.
    pub fn file(mode: u32) -> Self {
        Self::File { mode, contents: Arc::default() }
    }

    /// An empty directory.
    pub fn directory(mode: u32) -> Self {
        Self::Directory { mode, names: Arc::default() }
    }
}

/// The file at a path below the root directory; links are not followed.
pub fn find(nodes: &Nodes, path: &Path) -> Option<FileId> {
    path.components().try_fold(FileId::ROOT, |id, part| match part {
        Component::Normal(name) => named(nodes, id, name),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    })
}

/// The file of a name in a directory.
pub(crate) fn named(nodes: &Nodes, dir: FileId, name: &OsStr) -> Option<FileId> {
    match nodes.get(&dir) {
        Some(Node::Directory { names, .. }) => names.get(name).copied(),
        Some(Node::File { .. } | Node::Link { .. }) | None => None,
    }
}

/// Makes a name in a directory refer to `file`, or removes it.
pub(crate) fn set_name(nodes: &mut Nodes, dir: FileId, name: &OsStr, file: Option<FileId>) {
    if let Some(Node::Directory { names, .. }) = nodes.get_mut(&dir) {
        let names = Arc::make_mut(names);
        match file {
            Some(file) => names.insert(name.to_owned(), file),
            None => names.remove(name),
        };
    }
}

pub(crate) fn write(nodes: &mut Nodes, file: FileId, at: u64, data: &[u8]) {
    if let Some(Node::File { contents, .. }) = nodes.get_mut(&file) {
        let (contents, at) = (Arc::make_mut(contents), at as usize);
        contents.resize(contents.len().max(at + data.len()), 0);
        contents[at..at + data.len()].copy_from_slice(data);
    }
}

pub(crate) fn truncate(nodes: &mut Nodes, file: FileId, length: u64) {
    if let Some(Node::File { contents, .. }) = nodes.get_mut(&file) {
        Arc::make_mut(contents).resize(length as usize, 0);
    }
}

pub(crate) fn chmod(nodes: &mut Nodes, file: FileId, to: u32) {
    match nodes.get_mut(&file) {
        Some(Node::File { mode, .. } | Node::Directory { mode, .. }) => *mode = to,
        Some(Node::Link { .. }) | None => {}
    }
}
