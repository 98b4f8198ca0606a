//! The file system: makes each change that the kernel requests in the backing folder, and records it.

mod changes;
mod requests;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuser::{Errno, FileHandle, FileType};

use crate::change::{Change, Record};
use crate::fault::FaultSwitch;
use crate::inodes::Inodes;
use crate::node::{FileId, Nodes};

/// How long the kernel may cache attributes. Every change goes through the kernel, so any time would be correct.
const CACHE_TIME: Duration = Duration::from_secs(60);

/// The implementation of fuser's trait.
#[derive(Debug)]
pub(crate) struct FaultFileSystem(pub(crate) Arc<Shared>);

/// A directory as it was when it was opened.
type Listing = Arc<Vec<(FileType, std::ffi::OsString, u64)>>;

/// The state that the requests and the controls share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fault: FaultSwitch,
    inodes: Inodes,
    /// Held during each change, so that the record has them in the order in which they were done.
    record: Mutex<Option<Record>>,
    files: Mutex<HashMap<u64, Arc<File>>>,
    listings: Mutex<HashMap<u64, Listing>>,
    next_handle: AtomicU64,
}

impl Shared {
    pub(crate) fn new(inodes: Inodes, fault: FaultSwitch) -> Self {
        Self {
            fault,
            inodes,
            record: Mutex::default(),
            files: Mutex::default(),
            listings: Mutex::default(),
            next_handle: AtomicU64::new(1),
        }
    }

    pub(crate) fn begin_record(&self) -> io::Result<()> {
        let mut record = self.record.lock().expect("nobody panics with it");
        let mut before = Nodes::new();
        changes::read_tree(&self.inodes, FileId::ROOT, &mut before)?;
        *record = Some(Record { before, changes: Vec::new() });
        Ok(())
    }

    pub(crate) fn record(&self) -> Record {
        let record = self.record.lock().expect("nobody panics with it");
        record.clone().unwrap_or(Record { before: Nodes::new(), changes: Vec::new() })
    }

    pub(crate) fn record_change(&self, change: Change) {
        if let Some(record) = &mut *self.record.lock().expect("nobody panics with it") {
            record.changes.push(change);
        }
    }

    /// Makes a change and records it, in one step.
    fn change<T>(&self, act: impl FnOnce() -> io::Result<(T, Vec<Change>)>) -> Result<T, Errno> {
        let mut record = self.record.lock().expect("nobody panics with it");
        let (value, changes) = act()?;
        if let Some(record) = &mut *record {
            record.changes.extend(changes);
        }
        Ok(value)
    }

    fn keep_open(&self, file: File) -> FileHandle {
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        self.files.lock().expect("nobody panics with it").insert(handle, Arc::new(file));
        FileHandle(handle)
    }

    fn open_file(&self, handle: FileHandle) -> io::Result<Arc<File>> {
        let files = self.files.lock().expect("nobody panics with it");
        files.get(&handle.0).cloned().ok_or(rustix::io::Errno::BADF.into())
    }

    fn keep_listing(&self, listing: Listing) -> FileHandle {
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        self.listings.lock().expect("nobody panics with it").insert(handle, listing);
        FileHandle(handle)
    }

    fn listing(&self, handle: FileHandle) -> Listing {
        let listings = self.listings.lock().expect("nobody panics with it");
        listings.get(&handle.0).cloned().unwrap_or_default()
    }
}
