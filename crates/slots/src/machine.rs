//! A machine's root directory: reads its slot record and the releases in its slots, and changes the record by
//! selection, confirmation and fall-back. Each change replaces the record atomically and durably.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::slot::is_sha256;
use crate::{
    Disk, Error, FellBack, Kind, RealDisk, Record, Result, Slot, SlotIdentity, Stranded, Trying, UnixMillis,
    Why,
};

/// Largest accepted `boot.json` and `slot.json`, in bytes. Real ones have some three hundred; the limit leaves
/// space for fields of newer releases and keeps a damaged file from filling the memory.
const SMALL_FILE_MAX: u64 = 16 * 1024;

/// The slots of one machine. Cheap to clone; keeps nothing in memory but its paths.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) root: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
}

impl Machine {
    /// The machine with this root directory, such as `/var/lib/pitlane`. Nothing is read yet.
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Self::on(root, Arc::new(RealDisk))
    }

    /// The same on another file system; for tests of power cuts.
    pub fn on(root: impl Into<PathBuf>, disk: Arc<dyn Disk>) -> Self {
        Self { root: root.into(), disk }
    }

    /// The root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of a slot.
    pub fn slot_dir(&self, slot: Slot) -> PathBuf {
        self.slots_dir().join(slot.name())
    }

    pub(crate) fn slots_dir(&self) -> PathBuf {
        self.root.join("slots")
    }

    pub(crate) fn record_path(&self) -> PathBuf {
        self.root.join("boot.json")
    }

    /// The slot record as it stands.
    pub fn record(&self) -> Result<Record> {
        let path = self.record_path();
        let damaged = |reason| Error::RecordDamaged { path: path.clone(), reason };
        match self.read_small(&path)? {
            Small::Missing => Err(Error::NoRecord { path }),
            Small::Unreadable(reason) => Err(damaged(reason)),
            Small::Value(record) => match Record::fault(&record) {
                None => Ok(record),
                Some(reason) => Err(damaged(reason)),
            },
        }
    }

    /// The slot that the running program lies in, when it lies in one of this machine.
    pub fn slot_of_this_program(&self) -> Option<Slot> {
        let slot_of = |program: PathBuf| {
            let program = program.canonicalize().ok()?;
            let holds = |slot: &Slot| {
                self.slot_dir(*slot).canonicalize().is_ok_and(|directory| program.starts_with(directory))
            };
            [Slot::A, Slot::B].into_iter().find(holds)
        };
        // A program that boot started from memory has no path but its first argument.
        let named = || std::env::args_os().next().map(PathBuf::from);
        std::env::current_exe().ok().and_then(slot_of).or_else(|| named().and_then(slot_of))
    }

    /// The complete release in a slot; `None` when the slot holds none.
    ///
    /// # Errors
    /// [`Error::SlotDamaged`] when the slot has an identity that cannot be read or lacks its program.
    pub fn release(&self, slot: Slot) -> Result<Option<SlotIdentity>> {
        let path = self.slot_dir(slot).join("slot.json");
        let identity: SlotIdentity = match self.read_small(&path)? {
            Small::Missing => return Ok(None),
            Small::Unreadable(reason) => return Err(Error::SlotDamaged { slot, path, reason }),
            Small::Value(identity) => identity,
        };
        if let Some(reason) = identity.fault() {
            return Err(Error::SlotDamaged { slot, path, reason });
        }
        let program = self.slot_dir(slot).join(&identity.program);
        match self.kind(&program)? {
            Some(Kind::Program) => Ok(Some(identity)),
            Some(Kind::Data | Kind::Directory | Kind::Other) | None => Err(Error::SlotDamaged {
                slot,
                path: program,
                reason: "its program is missing or cannot be executed".into(),
            }),
        }
    }

    /// The complete release in the inactive slot: the one staged last, or the one that ran before the last
    /// upgrade, to which a machine can return until something else is staged.
    pub fn staged(&self) -> Result<Option<SlotIdentity>> {
        self.release(self.record()?.confirmed.other())
    }

    /// Marks the release in the inactive slot as to be tried from the next start on, and clears the last
    /// fall-back. Idempotent.
    ///
    /// # Errors
    /// Another release is being tried, or the inactive slot does not hold `manifest`.
    pub fn select(&self, manifest: &str) -> Result<()> {
        let record = self.record()?;
        if let Some(trying) = &record.trying {
            return match trying.manifest == manifest {
                // The first call may have ended before its change was durable.
                true => self.sync_dir(&self.root),
                false => Err(Error::BeingTried { slot: trying.slot }),
            };
        }
        let slot = record.confirmed.other();
        let staged = self.release(slot)?.map(|identity| identity.manifest);
        if staged.as_deref() != Some(manifest) || !is_sha256(manifest) {
            let found = staged.unwrap_or_else(|| "nothing".into());
            return Err(Error::NotStaged { slot, asked: manifest.chars().take(64).collect(), found });
        }
        let trying = Trying { slot, manifest: manifest.into(), tries: 0 };
        self.write_record(&Record { trying: Some(trying), fell_back: None, ..record })
    }

    /// Confirms the release that runs in `slot`: a fall-back goes to it from now on. Idempotent.
    ///
    /// # Errors
    /// Neither is `slot` being tried nor is it the confirmed one while nothing is tried.
    pub fn confirm(&self, slot: Slot) -> Result<()> {
        let record = self.record()?;
        match &record.trying {
            Some(trying) if trying.slot == slot => {
                self.write_record(&Record { confirmed: slot, trying: None, ..record })
            }
            None if record.confirmed == slot => self.sync_dir(&self.root),
            Some(_) | None => Err(Error::NotTried { slot, confirmed: record.confirmed }),
        }
    }

    /// Falls back from the release that is being tried to the confirmed one.
    ///
    /// # Errors
    /// Nothing is being tried.
    pub fn fall_back(&self, why: Why, at: UnixMillis) -> Result<FellBack> {
        let record = self.record()?;
        let Some(trying) = record.trying else {
            return Err(Error::NotTried { slot: record.confirmed.other(), confirmed: record.confirmed });
        };
        let fell_back = FellBack { manifest: trying.manifest, why, at, stranded: None };
        self.write_record(&Record { trying: None, fell_back: Some(fell_back.clone()), ..record })?;
        Ok(fell_back)
    }

    /// Records with the last fall-back that the confirmed release does not start either. Changes nothing when
    /// there was no fall-back, or when this is recorded already.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn note_stranded(&self, stranded: Stranded) -> Result<()> {
        let record = self.record()?;
        match record.fell_back {
            Some(FellBack { stranded: None, manifest, why, at }) if record.trying.is_none() => {
                let fell_back = FellBack { manifest, why, at, stranded: Some(stranded) };
                self.write_record(&Record { fell_back: Some(fell_back), ..record })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks at the start of a program that its slot holds the release that the program was compiled as.
    ///
    /// # Errors
    /// [`Error::Disagrees`] when it does not, [`Error::SlotDamaged`] when the slot has no usable identity.
    pub fn check_compiled(&self, slot: Slot, version: &str, build: u32) -> Result<SlotIdentity> {
        let identity = self.release_or_damaged(slot)?;
        if identity.version == version && identity.build == build {
            return Ok(identity);
        }
        let compiled = format!("{version} ({build})");
        Err(Error::Disagrees { slot, compiled, found: identity.to_string() })
    }

    pub(crate) fn release_or_damaged(&self, slot: Slot) -> Result<SlotIdentity> {
        self.release(slot)?.ok_or_else(|| Error::SlotDamaged {
            slot,
            path: self.slot_dir(slot).join("slot.json"),
            reason: "it has no slot.json".into(),
        })
    }

    /// Replaces the record in one durable step: until the rename the old one is valid, from then on the new one.
    ///
    /// # Errors
    /// The old record is still valid, except after [`Error::NotDurable`].
    pub(crate) fn write_record(&self, record: &Record) -> Result<()> {
        let Err(first) = self.replace_record(record) else { return Ok(()) };
        if self.record().ok().as_ref() != Some(record) {
            return Err(first);
        }
        // The record was renamed and is not durable. A disk that has refused a sync may report success for the
        // next one without having written the data, so the whole step is repeated and not the sync alone.
        let path = self.record_path();
        self.replace_record(record).map_err(|last| Error::NotDurable { path, last: Box::new(last) })
    }

    fn replace_record(&self, record: &Record) -> Result<()> {
        let path = self.record_path();
        let new = self.root.join("boot.json.new");
        self.write_durably(&new, record)?;
        self.disk.rename(&new, &path).map_err(failed("replace", &path))?;
        self.sync_dir(&self.root)
    }

    /// Writes a small file and makes its contents durable; its name is not durable yet.
    pub(crate) fn write_durably(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(value).map_err(|error| failed("write", path)(error.into()))?;
        text.push(b'\n');
        self.disk.write(path, &text).map_err(failed("write", path))?;
        self.disk.sync_file(path).map_err(failed("make durable", path))
    }

    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.disk.sync_dir(dir).map_err(failed("make durable", dir))
    }

    pub(crate) fn kind(&self, path: &Path) -> Result<Option<Kind>> {
        self.disk.kind(path).map_err(failed("look at", path))
    }

    fn read_small<T: DeserializeOwned>(&self, path: &Path) -> Result<Small<T>> {
        match self.disk.read(path, SMALL_FILE_MAX) {
            Ok(text) => Ok(serde_json::from_slice(&text)
                .map_or_else(|error| Small::Unreadable(error.to_string()), Small::Value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Small::Missing),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Ok(Small::Unreadable(error.to_string()))
            }
            Err(error) => Err(failed("read", path)(error)),
        }
    }
}

/// The contents of a small file.
enum Small<T> {
    Missing,
    Unreadable(String),
    Value(T),
}

/// Names the file and the operation in an error of the file system.
pub(crate) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Disk { doing, path, source }
}
