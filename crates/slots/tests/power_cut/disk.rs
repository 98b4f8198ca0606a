//! A disk in memory that keeps apart what was done and what is durable, and can lose its power.
//!
//! The model is the weakest that POSIX allows: until the file is synced its contents may be whole, half or
//! empty; until the directory is synced each change of its names may have happened or not, whatever the order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use slots::{Disk, Entry, Kind};

type Inode = usize;

const ROOT: Inode = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File(Vec<u8>),
    Directory(BTreeMap<OsString, Inode>),
}

/// A change that is done but not durable.
#[derive(Clone, Debug)]
enum Pending {
    Contents { file: Inode, contents: Vec<u8> },
    Names { dir: Inode, changes: Vec<(OsString, Option<Inode>)> },
}

/// What becomes of one pending change when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Survives,
    Lost,
    /// Half of a file's contents survive; for names, which change atomically, as if lost.
    Torn,
}

/// A deliberate fault, to show that the proof notices one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Honesty {
    Honest,
    ForgetsFiles,
    ForgetsDirectories,
}

#[derive(Clone, Debug)]
struct State {
    seen: Vec<Node>,
    durable: Vec<Node>,
    pending: Vec<Pending>,
    /// Changes until the power goes; `None` for never.
    fuse: Option<usize>,
    /// Directories that are still refused to be made durable, one after another.
    refused_dir_syncs: usize,
    changes: usize,
}

#[derive(Debug)]
pub(crate) struct FakeDisk {
    honesty: Honesty,
    state: Mutex<State>,
}

impl FakeDisk {
    pub(crate) fn new(honesty: Honesty) -> Self {
        let root = vec![Node::Directory(BTreeMap::new())];
        Self::from(honesty, root)
    }

    fn from(honesty: Honesty, nodes: Vec<Node>) -> Self {
        let state = State {
            seen: nodes.clone(),
            durable: nodes,
            pending: Vec::new(),
            fuse: None,
            refused_dir_syncs: 0,
            changes: 0,
        };
        Self { honesty, state: Mutex::new(state) }
    }

    /// From now on, refuses so many times to make a directory durable.
    pub(crate) fn refuse_dir_syncs(&self, times: usize) {
        self.state.lock().unwrap().refused_dir_syncs = times;
    }

    /// The same durable disk, with its power going after `changes` more changes.
    pub(crate) fn with_fuse(&self, changes: usize) -> Self {
        let mut state = self.state.lock().unwrap().clone();
        assert!(state.pending.is_empty() || self.honesty != Honesty::Honest, "something was left unsynced");
        state.fuse = Some(changes);
        Self { honesty: self.honesty, state: Mutex::new(state) }
    }

    pub(crate) fn pending(&self) -> usize {
        self.state.lock().unwrap().pending.len()
    }

    /// What is found after the power came back, when the pending changes had these fates.
    pub(crate) fn after_the_cut(&self, fates: &[Fate]) -> Self {
        let state = self.state.lock().unwrap();
        assert_eq!(fates.len(), state.pending.len());
        let mut nodes = state.durable.clone();
        for (pending, fate) in state.pending.iter().zip(fates) {
            match fate {
                Fate::Survives => apply(&mut nodes, pending),
                Fate::Lost => {}
                Fate::Torn => tear(&mut nodes, pending),
            }
        }
        Self::from(self.honesty, nodes)
    }
}

fn apply(nodes: &mut [Node], pending: &Pending) {
    match pending {
        Pending::Contents { file, contents } => nodes[*file] = Node::File(contents.clone()),
        Pending::Names { dir, changes } => {
            let Node::Directory(names) = &mut nodes[*dir] else { panic!("not a directory") };
            for (name, inode) in changes {
                match inode {
                    Some(inode) => names.insert(name.clone(), *inode),
                    None => names.remove(name),
                };
            }
        }
    }
}

fn tear(nodes: &mut [Node], pending: &Pending) {
    match pending {
        Pending::Contents { file, contents } => {
            nodes[*file] = Node::File(contents[..contents.len() / 2].to_vec());
        }
        Pending::Names { .. } => {}
    }
}

impl State {
    fn burn(&mut self) -> io::Result<()> {
        self.changes += 1;
        match &mut self.fuse {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<Inode> {
        path.components().try_fold(ROOT, |inode, part| match part {
            Component::RootDir => Ok(ROOT),
            Component::Normal(name) => {
                self.names(inode)?.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
            }
            Component::Prefix(_) | Component::CurDir | Component::ParentDir => {
                panic!("the slots use plain paths, not {}", path.display())
            }
        })
    }

    fn names(&self, dir: Inode) -> io::Result<&BTreeMap<OsString, Inode>> {
        match &self.seen[dir] {
            Node::Directory(names) => Ok(names),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn place(&self, path: &Path) -> io::Result<(Inode, OsString)> {
        let dir = self.find(path.parent().expect("not the root"))?;
        Ok((dir, path.file_name().expect("a name").to_owned()))
    }

    fn change(&mut self, pending: Pending) {
        apply(&mut self.seen, &pending);
        self.pending.push(pending);
    }

    fn create(&mut self, node: Node) -> Inode {
        self.seen.push(node.clone());
        self.durable.push(node);
        self.seen.len() - 1
    }

    fn settle(&mut self, settles: impl Fn(&Pending) -> bool) {
        for pending in std::mem::take(&mut self.pending) {
            if settles(&pending) {
                apply(&mut self.durable, &pending);
            } else {
                self.pending.push(pending);
            }
        }
    }
}

fn kind_of(path: &Path, node: &Node) -> Kind {
    match node {
        Node::Directory(_) => Kind::Directory,
        Node::File(_) if path.parent().is_some_and(|dir| dir.ends_with("bin")) => Kind::Program,
        Node::File(_) => Kind::Data,
    }
}

impl Disk for FakeDisk {
    fn read(&self, path: &Path, _limit: u64) -> io::Result<Vec<u8>> {
        let state = self.state.lock().unwrap();
        match &state.seen[state.find(path)?] {
            Node::File(contents) => Ok(contents.clone()),
            Node::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let state = self.state.lock().unwrap();
        match state.find(path) {
            Ok(inode) => Ok(Some(kind_of(path, &state.seen[inode]))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let state = self.state.lock().unwrap();
        let names = state.names(state.find(dir)?)?;
        let entry = |(name, inode): (&OsString, &Inode)| Entry {
            name: name.clone(),
            kind: kind_of(&dir.join(name), &state.seen[*inode]),
        };
        Ok(names.iter().map(entry).collect())
    }

    fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.burn()?;
        let file = match state.find(path) {
            Ok(file) => file,
            Err(_) => {
                let (dir, name) = state.place(path)?;
                let file = state.create(Node::File(Vec::new()));
                state.change(Pending::Names { dir, changes: vec![(name, Some(file))] });
                file
            }
        };
        state.change(Pending::Contents { file, contents: contents.to_vec() });
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.burn()?;
        if state.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (dir, name) = state.place(path)?;
        let new = state.create(Node::Directory(BTreeMap::new()));
        state.change(Pending::Names { dir, changes: vec![(name, Some(new))] });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.burn()?;
        let inode = state.find(from)?;
        if let Ok(there) = state.find(to)
            && matches!(&state.seen[there], Node::Directory(names) if !names.is_empty())
        {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let ((dir, old), (to_dir, new)) = (state.place(from)?, state.place(to)?);
        assert_eq!(dir, to_dir, "the slots rename inside one directory only");
        state.change(Pending::Names { dir, changes: vec![(old, None), (new, Some(inode))] });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.burn()?;
        state.find(path)?;
        let (dir, name) = state.place(path)?;
        state.change(Pending::Names { dir, changes: vec![(name, None)] });
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.burn()?;
        let inode = state.find(path)?;
        if !state.names(inode)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (dir, name) = state.place(path)?;
        state.change(Pending::Names { dir, changes: vec![(name, None)] });
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.burn()?;
        let inode = state.find(path)?;
        if self.honesty != Honesty::ForgetsFiles {
            state.settle(|pending| matches!(pending, Pending::Contents { file, .. } if *file == inode));
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.burn()?;
        if state.refused_dir_syncs > 0 {
            state.refused_dir_syncs -= 1;
            return Err(io::Error::other("the directory cannot be made durable"));
        }
        let inode = state.find(path)?;
        if self.honesty != Honesty::ForgetsDirectories {
            state.settle(|pending| matches!(pending, Pending::Names { dir, .. } if *dir == inode));
        }
        Ok(())
    }
}

/// The root directory of the machine on every fake disk.
pub(crate) fn root() -> PathBuf {
    PathBuf::from("/")
}
