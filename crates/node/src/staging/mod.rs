//! Staging: a release is fetched, verified and unpacked into the inactive slot, while calls live. It
//! never selects the slot. One release is staged at a time.

mod fetch;
mod pace;
mod patience;
mod put;
mod room;

use std::path::PathBuf;
use std::sync::Arc;

use fleet::desired::Assignment;
use fleet::version::{Release, Sha256};
use package::{TRUST_DIR, TrustedKeys, Verified};
use slots::{Machine, Slot};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::{Backoff, chance};
use crate::files::{self, chain};
use crate::link::Session;
use crate::preflight::Asker;

pub use patience::{FAILED_VERIFICATIONS, LOCAL_FAILURES, NOT_THERE};
pub use room::DISK_RESERVE;

use fetch::Fetch;
use patience::{Patience, Trouble, Verdict};

/// What every staging needs.
#[derive(Clone, Debug)]
pub struct Stager {
    /// The machine's slots.
    pub machine: Machine,
    /// The slot that this program runs in.
    pub slot: Slot,
    /// The release that runs.
    pub running: Release,
    /// Its package.
    pub running_package: Option<Sha256>,
    /// The conversation with the Management Node.
    pub session: Arc<Session>,
    /// What asks the staged release whether it would start.
    pub asker: Asker,
    /// How fast the package may be fetched, in bytes per second.
    pub rate: watch::Receiver<Option<u64>>,
    /// Where to say how it goes.
    pub news: mpsc::Sender<StagingEvent>,
}

/// How a staging goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StagingEvent {
    /// The package is under way.
    Fetching {
        /// The package.
        manifest: Sha256,
        /// How much has arrived, in percent.
        percent: u8,
    },
    /// The staging has ended.
    Ended {
        /// The software.
        software: Assignment,
        /// How.
        outcome: Outcome,
    },
}

/// How a staging ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The release lies complete and verified in the inactive slot.
    Staged,
    /// It cannot be had, for good.
    Rejected(String),
    /// It is not wanted any more.
    Cancelled,
}

/// A staging under way. It ends with [`StagingEvent::Ended`], also when it is cancelled.
#[derive(Debug)]
pub struct Job {
    /// The software.
    pub software: Assignment,
    cancel: CancellationToken,
}

impl Job {
    /// Ends the staging at the next moment at which it can be ended.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Stager {
    /// Begins to stage.
    pub fn begin(&self, software: Assignment) -> Job {
        let cancel = CancellationToken::new();
        let (stager, token) = (self.clone(), cancel.clone());
        tokio::spawn(async move {
            let outcome = stager.stage(software, &token).await;
            // Nobody listens when the node ends, and then nobody needs to know.
            let _ = stager.news.send(StagingEvent::Ended { software, outcome }).await;
        });
        Job { software, cancel }
    }

    async fn stage(&self, software: Assignment, cancel: &CancellationToken) -> Outcome {
        let mut patience = Patience::default();
        let mut backoff = Backoff::default();
        loop {
            let trouble = match self.attempt(software, cancel).await {
                Ok(()) => return Outcome::Staged,
                Err(trouble) => trouble,
            };
            match patience.suffer(trouble) {
                Verdict::Cancelled => return Outcome::Cancelled,
                Verdict::GiveUp(why) => {
                    self.forget(software.manifest);
                    return Outcome::Rejected(why);
                }
                Verdict::Again { why } => warn!("staging {}: {why}; trying again", software.release),
            }
            let pause = sleep(backoff.failed(chance()));
            if cancel.run_until_cancelled(pause).await.is_none() {
                return Outcome::Cancelled;
            }
        }
    }

    async fn attempt(&self, software: Assignment, cancel: &CancellationToken) -> Result<(), Trouble> {
        let keys = self.keys().await?;
        if self.lies_there(software, keys.clone()).await? {
            info!("{} lies in the inactive slot already", software.release);
            return self.ask().await;
        }
        let part = self.part(software.manifest)?;
        let fetch = Fetch { stager: self, software, keys };
        let fetched = cancel.run_until_cancelled(fetch.run(&part)).await;
        let verified = fetched.unwrap_or(Err(Trouble::Cancelled))?;
        self.put(part, verified).await?;
        self.ask().await
    }

    /// The release itself says whether it would start: the last step, for only what would start is staged.
    async fn ask(&self) -> Result<(), Trouble> {
        self.asker.release().await.map_err(Trouble::WouldNotStart)
    }

    /// The keys of the machine. They lie outside the slots and never come from the manager or a package.
    async fn keys(&self) -> Result<TrustedKeys, Trouble> {
        let trust = self.machine.root().join(TRUST_DIR);
        let keys = tokio::task::spawn_blocking(move || TrustedKeys::load(&trust)).await;
        let keys = keys.map_err(|error| Trouble::Local(error.to_string()))?;
        keys.map_err(|error| Trouble::Local(chain(&error)))
    }

    /// Whether the inactive slot holds the release already, complete and as signed.
    async fn lies_there(&self, software: Assignment, keys: TrustedKeys) -> Result<bool, Trouble> {
        let (machine, slot) = (self.machine.clone(), self.slot.other());
        let looked = tokio::task::spawn_blocking(move || put::holds(&machine, slot, &software, &keys)).await;
        looked.map_err(|error| Trouble::Local(error.to_string()))
    }

    /// Unpacks beside the calls: in a thread of its own, which gives way to every other.
    async fn put(&self, part: PathBuf, verified: Verified) -> Result<(), Trouble> {
        let (machine, slot) = (self.machine.clone(), self.slot);
        let (done, outcome) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("unpack".into()).spawn(move || {
            put::give_way();
            // The receiver is gone only when the whole node ends.
            let _ = done.send(put::put(&machine, slot, &part, &verified));
        });
        thread.map_err(|error| Trouble::Local(error.to_string()))?;
        outcome.await.unwrap_or_else(|_| Err(Trouble::Local("unpacking was cut off".into())))
    }

    /// Where the payload is collected. Payloads of other releases are not needed any more.
    fn part(&self, manifest: Sha256) -> Result<PathBuf, Trouble> {
        let local = |error: &dyn std::error::Error| Trouble::Local(chain(error));
        let dir = files::make_dir(self.machine.root(), "downloads").map_err(|error| local(&error))?;
        let name = format!("{manifest}.part");
        for entry in std::fs::read_dir(&dir).map_err(|error| local(&error))? {
            let entry = entry.map_err(|error| local(&error))?;
            if entry.path().extension().is_some_and(|kind| kind == "part") && *entry.file_name() != *name {
                std::fs::remove_file(entry.path()).map_err(|error| local(&error))?;
            }
        }
        Ok(dir.join(name))
    }

    /// Leaves nothing of a release that cannot be had on the disk.
    fn forget(&self, manifest: Sha256) {
        let part = self.machine.root().join("downloads").join(format!("{manifest}.part"));
        // It may never have been there; the next staging clears what cannot be removed now.
        let _ = std::fs::remove_file(part);
    }

    async fn say_fetching(&self, manifest: Sha256, percent: u8) {
        // Nobody listens when the node ends.
        let _ = self.news.send(StagingEvent::Fetching { manifest, percent }).await;
    }
}
