//! What is durable and what is not, by the weakest promise that journaling file systems make.
//!
//! What is written to a file may be lost, half there or there, each write for itself, until the file is
//! synced. What happens to the names of a directory may be lost or there, in any order, until the directory
//! is synced. A name that moves between two directories leaves the old one no earlier than it is in the new.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::change::{Change, FileId};
use crate::node::{Node, Nodes};

/// What becomes of one change that is not durable when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    Survives,
    /// It is not.
    Lost,
    /// Half of the bytes are there; what has no bytes is lost.
    Torn,
}

impl Fate {
    pub(super) const ALL: [Self; 3] = [Self::Survives, Self::Lost, Self::Torn];
}

/// A change that is done but not durable, and which of all it is.
#[derive(Clone, Debug)]
struct Undecided {
    number: u64,
    what: Pending,
}

/// What such a change does.
#[derive(Clone, Debug)]
enum Pending {
    Write {
        file: FileId,
        at: u64,
        data: Arc<[u8]>,
    },
    Truncate {
        file: FileId,
        length: u64,
    },
    Chmod {
        file: FileId,
        mode: u32,
    },
    Names {
        dir: FileId,
        names: Vec<Named>,
    },
    /// The end of a name that moved to another directory.
    Left {
        dir: FileId,
        name: OsString,
        moved: Moved,
    },
}

/// A number for each file that stands for everything that was done to its contents, in order.
type Written = BTreeMap<FileId, u64>;

/// A name, and what it names from now on.
type Named = (OsString, Option<FileId>);

/// Where the name is that moved.
#[derive(Clone, Debug)]
struct Moved {
    to_dir: FileId,
    to_name: OsString,
    file: FileId,
}

pub(super) struct Model {
    /// The disk as its programs see it.
    seen: Nodes,
    durable: Nodes,
    /// What was durably done to each file, so that its contents need not be looked at to tell two apart.
    written: Written,
    pending: Vec<Undecided>,
    changes: u64,
    passing: fn(&OsStr) -> bool,
    passed: BTreeSet<FileId>,
}

impl Model {
    pub(super) fn new(before: &Nodes, passing: fn(&OsStr) -> bool) -> Self {
        let mut model = Self {
            seen: before.clone(),
            durable: before.clone(),
            written: Written::new(),
            pending: Vec::new(),
            changes: 0,
            passing,
            passed: BTreeSet::new(),
        };
        for node in model.durable.values_mut() {
            if let Node::Directory { names, .. } = node {
                Arc::make_mut(names).retain(|name, _| !passing(name));
            }
        }
        model
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn describe(&self, fates: &[Fate]) -> String {
        let lines = self.pending.iter().zip(fates).map(|(Undecided { what, .. }, fate)| match what {
            Pending::Write { file, at, data } => {
                format!("\n  {fate:?}: {} bytes at {at} of {file:?}", data.len())
            }
            other @ (Pending::Truncate { .. }
            | Pending::Chmod { .. }
            | Pending::Names { .. }
            | Pending::Left { .. }) => format!("\n  {fate:?}: {other:?}"),
        });
        lines.collect()
    }

    /// One more change is done.
    pub(super) fn change(&mut self, change: &Change) {
        self.changes += 1;
        match change.clone() {
            Change::Create { dir, name, file, node } => {
                self.seen.insert(file, node.clone());
                self.durable.insert(file, node);
                self.names(dir, vec![(name, Some(file))]);
            }
            Change::Link { dir, name, file } => self.names(dir, vec![(name, Some(file))]),
            Change::Remove { dir, name } => self.names(dir, vec![(name, None)]),
            Change::Rename { dir, name, to_dir, to_name } => self.rename((dir, name), (to_dir, to_name)),
            Change::Write { file, at, data } => self.contents(file, Pending::Write { file, at, data }),
            Change::Truncate { file, length } => self.contents(file, Pending::Truncate { file, length }),
            Change::Chmod { file, mode } => self.contents(file, Pending::Chmod { file, mode }),
            Change::Sync { file } | Change::SyncDir { dir: file } => self.sync(file),
            Change::Mark { .. } => {}
        }
    }

    fn names(&mut self, dir: FileId, names: Vec<Named>) {
        for (name, file) in &names {
            rename(&mut self.seen, dir, name, *file);
            self.passed.extend(file.filter(|_| (self.passing)(name)));
        }
        if names.iter().all(|(name, _)| !(self.passing)(name)) {
            self.wait(Pending::Names { dir, names });
        }
    }

    fn rename(&mut self, (dir, name): (FileId, OsString), (to_dir, to_name): (FileId, OsString)) {
        let Some(Node::Directory { names, .. }) = self.seen.get(&dir) else { return };
        let Some(file) = names.get(&name).copied() else { return };
        if dir == to_dir {
            self.names(dir, vec![(name, None), (to_name, Some(file))]);
            return;
        }
        self.names(to_dir, vec![(to_name.clone(), Some(file))]);
        rename(&mut self.seen, dir, &name, None);
        self.wait(Pending::Left { dir, name, moved: Moved { to_dir, to_name, file } });
    }

    fn contents(&mut self, file: FileId, pending: Pending) {
        if !self.passed.contains(&file) {
            self.wait(pending);
        }
    }

    fn wait(&mut self, what: Pending) {
        self.pending.push(Undecided { number: self.changes, what });
    }

    fn sync(&mut self, synced: FileId) {
        let moved = |pending: &Pending| match pending {
            Pending::Left { dir, moved, .. } if *dir == synced => Some((moved.to_dir, moved.to_name.clone())),
            Pending::Left { .. }
            | Pending::Names { .. }
            | Pending::Write { .. }
            | Pending::Truncate { .. }
            | Pending::Chmod { .. } => None,
        };
        // Where a name has durably left its directory it is durably in the other one.
        let arrived: BTreeMap<FileId, OsString> =
            self.pending.iter().filter_map(|undecided| moved(&undecided.what)).collect();
        let settles = |pending: &Pending| match pending {
            Pending::Write { file, .. } | Pending::Truncate { file, .. } | Pending::Chmod { file, .. } => {
                *file == synced
            }
            Pending::Names { dir, names } => {
                *dir == synced || arrived.get(dir).is_some_and(|to| names.iter().any(|(name, _)| name == to))
            }
            Pending::Left { dir, .. } => *dir == synced,
        };
        for pending in std::mem::take(&mut self.pending) {
            if settles(&pending.what) {
                apply(&mut self.durable, &pending.what, Fate::Survives);
                count(&mut self.written, &pending, Fate::Survives);
            } else {
                self.pending.push(pending);
            }
        }
    }

    /// Equal for disks with the same names to which the same was done, without making them.
    pub(super) fn fingerprint(&self, fates: &[Fate]) -> u64 {
        let (mut nodes, mut written) = (self.durable.clone(), self.written.clone());
        for (pending, fate) in self.pending.iter().zip(fates) {
            if matches!(pending.what, Pending::Names { .. } | Pending::Left { .. }) {
                apply(&mut nodes, &pending.what, *fate);
            }
            count(&mut written, pending, *fate);
        }
        let mut hasher = DefaultHasher::new();
        mix(&nodes, &written, FileId::ROOT, &mut hasher);
        hasher.finish()
    }

    /// What is found when the pending changes had these fates.
    pub(super) fn after_the_cut(&self, fates: &[Fate]) -> Nodes {
        let mut nodes = self.durable.clone();
        for (pending, fate) in self.pending.iter().zip(fates) {
            apply(&mut nodes, &pending.what, *fate);
        }
        nodes
    }
}

/// Counts a change of a file's contents that is there.
fn count(written: &mut Written, pending: &Undecided, fate: Fate) {
    let (file, torn) = match (&pending.what, fate) {
        (_, Fate::Lost) | (Pending::Names { .. } | Pending::Left { .. }, _) => return,
        (Pending::Write { file, .. }, Fate::Torn) => (*file, true),
        (Pending::Truncate { .. } | Pending::Chmod { .. }, Fate::Torn) => return,
        (
            Pending::Write { file, .. } | Pending::Truncate { file, .. } | Pending::Chmod { file, .. },
            Fate::Survives,
        ) => (*file, false),
    };
    let before = written.entry(file).or_default();
    let mut hasher = DefaultHasher::new();
    (*before, pending.number, torn).hash(&mut hasher);
    *before = hasher.finish();
}

fn mix(nodes: &Nodes, written: &Written, id: FileId, hasher: &mut DefaultHasher) {
    (id, written.get(&id)).hash(hasher);
    if let Some(Node::Directory { names, .. }) = nodes.get(&id) {
        names.len().hash(hasher);
        for (name, id) in names.iter() {
            name.hash(hasher);
            mix(nodes, written, *id, hasher);
        }
    }
}

fn apply(nodes: &mut Nodes, pending: &Pending, fate: Fate) {
    match (pending, fate) {
        (_, Fate::Lost) => {}
        (Pending::Write { file, at, data }, Fate::Survives) => write(nodes, *file, *at, data),
        (Pending::Write { file, at, data }, Fate::Torn) => write(nodes, *file, *at, &data[..data.len() / 2]),
        (_, Fate::Torn) => {}
        (Pending::Truncate { file, length }, Fate::Survives) => {
            if let Some(Node::File { contents, .. }) = nodes.get_mut(file) {
                Arc::make_mut(contents).resize(*length as usize, 0);
            }
        }
        (Pending::Chmod { file, mode: to }, Fate::Survives) => match nodes.get_mut(file) {
            Some(Node::File { mode, .. } | Node::Directory { mode, .. }) => *mode = *to,
            Some(Node::Link { .. }) | None => {}
        },
        (Pending::Names { dir, names }, Fate::Survives) => {
            for (name, file) in names {
                rename(nodes, *dir, name, *file);
            }
        }
        (Pending::Left { dir, name, moved }, Fate::Survives) => {
            let Moved { to_dir, to_name, file } = moved;
            if named(nodes, *to_dir, to_name) == Some(*file) {
                rename(nodes, *dir, name, None);
            }
        }
    }
}

fn named(nodes: &Nodes, dir: FileId, name: &OsStr) -> Option<FileId> {
    match nodes.get(&dir) {
        Some(Node::Directory { names, .. }) => names.get(name).copied(),
        Some(Node::File { .. } | Node::Link { .. }) | None => None,
    }
}

fn rename(nodes: &mut Nodes, dir: FileId, name: &OsStr, file: Option<FileId>) {
    if let Some(Node::Directory { names, .. }) = nodes.get_mut(&dir) {
        let names = Arc::make_mut(names);
        match file {
            Some(file) => names.insert(name.to_owned(), file),
            None => names.remove(name),
        };
    }
}

fn write(nodes: &mut Nodes, file: FileId, at: u64, data: &[u8]) {
    if let Some(Node::File { contents, .. }) = nodes.get_mut(&file) {
        let (contents, at) = (Arc::make_mut(contents), at as usize);
        contents.resize(contents.len().max(at + data.len()), 0);
        contents[at..at + data.len()].copy_from_slice(data);
    }
}
