//! The model of durability: which changes are durable, by the weakest guarantee of journaling file systems.
//!
//! Until a file is synced, each write to it may persist, be lost or be torn, independently of the others. Until
//! a directory is synced, each change of its names may persist or be lost, in any order. A name that moves to
//! another directory does not disappear from the old one before it is in the new one. This is the one such
//! model of the project: records of mounted disks and of disks in memory both go through it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::change::Change;
use crate::node::{FileId, Node, Nodes, chmod, named, set_name, truncate, write};

/// What a power cut makes of one change that is not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on the disk.
    Persisted,
    /// It is not on the disk.
    Lost,
    /// Half of its bytes are on the disk; a change without bytes is lost.
    Torn,
}

impl Outcome {
    pub(super) const ALL: [Self; 3] = [Self::Persisted, Self::Lost, Self::Torn];
}

/// A change that was made and is not durable, with its position in the record.
#[derive(Clone, Debug)]
struct Volatile {
    number: u64,
    what: Pending,
}

/// The effect of such a change.
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

/// For each file a hash of all changes of its contents, in order.
type Written = BTreeMap<FileId, u64>;

/// A name, and the file that it refers to from now on.
type Named = (OsString, Option<FileId>);

/// The new place of a moved name.
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
    /// The durable changes of each file, so that two states are compared without their contents.
    written: Written,
    pending: Vec<Volatile>,
    changes: u64,
    volatile: fn(&OsStr) -> bool,
    volatile_files: BTreeSet<FileId>,
}

impl Model {
    pub(super) fn new(before: &Nodes, volatile: fn(&OsStr) -> bool) -> Self {
        let mut model = Self {
            seen: before.clone(),
            durable: before.clone(),
            written: Written::new(),
            pending: Vec::new(),
            changes: 0,
            volatile,
            volatile_files: BTreeSet::new(),
        };
        for node in model.durable.values_mut() {
            if let Node::Directory { names, .. } = node {
                Arc::make_mut(names).retain(|name, _| !volatile(name));
            }
        }
        model
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn describe(&self, outcomes: &[Outcome]) -> String {
        let lines = self.pending.iter().zip(outcomes).map(|(Volatile { what, .. }, outcome)| match what {
            Pending::Write { file, at, data } => {
                format!("\n  {outcome:?}: {} bytes at {at} of {file:?}", data.len())
            }
            other @ (Pending::Truncate { .. }
            | Pending::Chmod { .. }
            | Pending::Names { .. }
            | Pending::Left { .. }) => format!("\n  {outcome:?}: {other:?}"),
        });
        lines.collect()
    }

    /// Takes the next change of the record.
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
            set_name(&mut self.seen, dir, name, *file);
            self.volatile_files.extend(file.filter(|_| (self.volatile)(name)));
        }
        if names.iter().all(|(name, _)| !(self.volatile)(name)) {
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
        set_name(&mut self.seen, dir, &name, None);
        self.wait(Pending::Left { dir, name, moved: Moved { to_dir, to_name, file } });
    }

    fn contents(&mut self, file: FileId, pending: Pending) {
        if !self.volatile_files.contains(&file) {
            self.wait(pending);
        }
    }

    fn wait(&mut self, what: Pending) {
        self.pending.push(Volatile { number: self.changes, what });
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
        // A name that has durably left its directory is durable in the other one.
        let arrived: BTreeMap<FileId, OsString> =
            self.pending.iter().filter_map(|pending| moved(&pending.what)).collect();
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
                apply(&mut self.durable, &pending.what, Outcome::Persisted);
                count(&mut self.written, &pending, Outcome::Persisted);
            } else {
                self.pending.push(pending);
            }
        }
    }

    /// Equal for disks with the same names and the same changes of contents; computed without building them.
    pub(super) fn fingerprint(&self, outcomes: &[Outcome]) -> u64 {
        let (mut nodes, mut written) = (self.durable.clone(), self.written.clone());
        for (pending, outcome) in self.pending.iter().zip(outcomes) {
            if matches!(pending.what, Pending::Names { .. } | Pending::Left { .. }) {
                apply(&mut nodes, &pending.what, *outcome);
            }
            count(&mut written, pending, *outcome);
        }
        let mut hasher = DefaultHasher::new();
        mix(&nodes, &written, FileId::ROOT, &mut hasher);
        hasher.finish()
    }

    /// The disk after a power cut in which the pending changes had these outcomes.
    pub(super) fn after_the_cut(&self, outcomes: &[Outcome]) -> Nodes {
        let mut nodes = self.durable.clone();
        for (pending, outcome) in self.pending.iter().zip(outcomes) {
            apply(&mut nodes, &pending.what, *outcome);
        }
        nodes
    }
}

/// Adds a change that persisted to the hash of its file.
fn count(written: &mut Written, pending: &Volatile, outcome: Outcome) {
    let (file, torn) = match (&pending.what, outcome) {
        (_, Outcome::Lost) | (Pending::Names { .. } | Pending::Left { .. }, _) => return,
        (Pending::Write { file, .. }, Outcome::Torn) => (*file, true),
        (Pending::Truncate { .. } | Pending::Chmod { .. }, Outcome::Torn) => return,
        (
            Pending::Write { file, .. } | Pending::Truncate { file, .. } | Pending::Chmod { file, .. },
            Outcome::Persisted,
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

fn apply(nodes: &mut Nodes, pending: &Pending, outcome: Outcome) {
    match (pending, outcome) {
        (_, Outcome::Lost) => {}
        (Pending::Write { file, at, data }, Outcome::Persisted) => write(nodes, *file, *at, data),
        (Pending::Write { file, at, data }, Outcome::Torn) => {
            write(nodes, *file, *at, &data[..data.len() / 2])
        }
        (_, Outcome::Torn) => {}
        (Pending::Truncate { file, length }, Outcome::Persisted) => truncate(nodes, *file, *length),
        (Pending::Chmod { file, mode }, Outcome::Persisted) => chmod(nodes, *file, *mode),
        (Pending::Names { dir, names }, Outcome::Persisted) => {
            for (name, file) in names {
                set_name(nodes, *dir, name, *file);
            }
        }
        (Pending::Left { dir, name, moved }, Outcome::Persisted) => {
            let Moved { to_dir, to_name, file } = moved;
            if named(nodes, *to_dir, to_name) == Some(*file) {
                set_name(nodes, *dir, name, None);
            }
        }
    }
}
