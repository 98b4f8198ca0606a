//! A disk in memory that records every change, for the model of power cuts in `faultfs`. It can also refuse
//! changes. What a power cut leaves of it is decided by that model alone.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use faultfs::{Change, FileId, Node, Nodes, Outcome, Record, cut_at_end, find};
use slots::{Disk, Entry, Kind};

const DIRECTORY: u32 = 0o755;
const PROGRAM: u32 = 0o755;
const DATA: u32 = 0o644;

#[derive(Debug)]
struct State {
    /// The disk as programs see it.
    nodes: Nodes,
    record: Record,
    next: u64,
    /// Operations until the disk refuses all further ones; `None` for never.
    refuse_after: Option<usize>,
    /// How many more syncs of directories are refused.
    refused_dir_syncs: usize,
}

#[derive(Debug)]
pub(crate) struct MemoryDisk {
    state: Mutex<State>,
}

impl MemoryDisk {
    /// An empty disk.
    pub(crate) fn empty() -> Self {
        Self::of([(FileId::ROOT, Node::directory(DIRECTORY))].into())
    }

    /// A disk with these contents, all of them durable.
    pub(crate) fn of(nodes: Nodes) -> Self {
        let next = nodes.keys().next_back().map_or(FileId::ROOT.0, |last| last.0) + 1;
        let record = Record { before: nodes.clone(), changes: Vec::new() };
        let state = State { nodes, record, next, refuse_after: None, refused_dir_syncs: 0 };
        Self { state: Mutex::new(state) }
    }

    /// The contents, as programs see them.
    pub(crate) fn nodes(&self) -> Nodes {
        self.state.lock().unwrap().nodes.clone()
    }

    pub(crate) fn record(&self) -> Record {
        self.state.lock().unwrap().record.clone()
    }

    /// Adds a mark to the record.
    pub(crate) fn mark(&self) {
        self.state.lock().unwrap().record.changes.push(Change::Mark { what: String::new() });
    }

    /// Refuses the next `times` syncs of directories.
    pub(crate) fn refuse_dir_syncs(&self, times: usize) {
        self.state.lock().unwrap().refused_dir_syncs = times;
    }

    /// Refuses all operations after the next `changes` ones.
    pub(crate) fn refuse_after(&self, changes: usize) {
        self.state.lock().unwrap().refuse_after = Some(changes);
    }

    /// The disk after a power cut now that loses whatever is not durable.
    pub(crate) fn after_the_worst_cut(&self) -> Self {
        Self::of(cut_at_end(&self.record(), Outcome::Lost))
    }
}

impl State {
    fn admit(&mut self) -> io::Result<()> {
        match &mut self.refuse_after {
            Some(0) => Err(io::Error::other("the disk refuses")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<FileId> {
        let below_root = path.strip_prefix("/").expect("the slots use absolute paths");
        find(&self.nodes, below_root).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn node(&self, path: &Path) -> io::Result<&Node> {
        Ok(&self.nodes[&self.find(path)?])
    }

    /// The directory and the name of a path.
    fn parent(&self, path: &Path) -> io::Result<(FileId, OsString)> {
        let dir = self.find(path.parent().expect("not the root"))?;
        Ok((dir, path.file_name().expect("a name").to_owned()))
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.nodes);
        self.record.changes.push(change);
    }

    fn create(&mut self, path: &Path, node: Node) -> io::Result<FileId> {
        let (dir, name) = self.parent(path)?;
        let file = FileId(self.next);
        self.next += 1;
        self.change(Change::Create { dir, name, file, node });
        Ok(file)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        self.change(Change::Remove { dir, name });
        Ok(())
    }
}

fn is_filled(node: &Node) -> bool {
    matches!(node, Node::Directory { names, .. } if !names.is_empty())
}

fn kind_of(node: &Node) -> Kind {
    match node {
        Node::Directory { .. } => Kind::Directory,
        Node::File { mode: PROGRAM, .. } => Kind::Program,
        Node::File { .. } => Kind::Data,
        Node::Link { .. } => Kind::Other,
    }
}

impl Disk for MemoryDisk {
    fn read(&self, path: &Path, _limit: u64) -> io::Result<Vec<u8>> {
        match self.state.lock().unwrap().node(path)? {
            Node::File { contents, .. } => Ok(contents.to_vec()),
            Node::Directory { .. } | Node::Link { .. } => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        Ok(self.state.lock().unwrap().node(path).ok().map(kind_of))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let state = self.state.lock().unwrap();
        let Node::Directory { names, .. } = state.node(dir)? else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        let entry = |(name, file): (&OsString, &FileId)| Entry {
            name: name.clone(),
            kind: kind_of(&state.nodes[file]),
        };
        Ok(names.iter().map(entry).collect())
    }

    fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.admit()?;
        let file = match state.find(path) {
            Ok(file) => {
                state.change(Change::Truncate { file, length: 0 });
                file
            }
            Err(_) => {
                let is_program = path.parent().is_some_and(|dir| dir.ends_with("bin"));
                state.create(path, Node::file(if is_program { PROGRAM } else { DATA }))?
            }
        };
        state.change(Change::Write { file, at: 0, data: contents.into() });
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.admit()?;
        if state.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.create(path, Node::directory(DIRECTORY)).map(drop)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.admit()?;
        state.find(from)?;
        if state.node(to).is_ok_and(is_filled) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let ((dir, name), (to_dir, to_name)) = (state.parent(from)?, state.parent(to)?);
        state.change(Change::Rename { dir, name, to_dir, to_name });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.admit()?;
        state.find(path)?;
        state.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.admit()?;
        if is_filled(state.node(path)?) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.remove(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.admit()?;
        let file = state.find(path)?;
        state.change(Change::Sync { file });
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.admit()?;
        if state.refused_dir_syncs > 0 {
            state.refused_dir_syncs -= 1;
            return Err(io::Error::other("the directory cannot be made durable"));
        }
        let dir = state.find(path)?;
        state.change(Change::SyncDir { dir });
        Ok(())
    }
}

/// The root directory of the machine on every disk in memory.
pub(crate) fn root() -> PathBuf {
    PathBuf::from("/")
}
