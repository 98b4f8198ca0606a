//! Stages a release: fetches it, verifies it, unpacks it into the inactive slot and lets it check itself there, while
//! calls live. It relies on the event loop to stage one release at a time, and never selects the slot.

mod disk_space;
mod fetch;
mod pace;
mod retry_policy;
mod unpack;

use std::path::PathBuf;
use std::sync::Arc;

use fleet::agent::StagingOutcome;
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

pub use disk_space::DISK_RESERVE;
pub use retry_policy::{FAILED_VERIFICATIONS, LOCAL_FAILURES, NOT_THERE};

use fetch::Fetch;
use retry_policy::{Failure, RetryPolicy, Verdict};

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
    /// What lets the staged release check whether it would start.
    pub asker: Asker,
    /// How fast the package may be fetched, in bytes per second.
    pub rate: watch::Receiver<Option<u64>>,
    /// Where progress and the outcome are reported.
    pub events: mpsc::Sender<StagingEvent>,
}

/// What a staging reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StagingEvent {
    /// The package is being fetched.
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
        outcome: StagingOutcome,
    },
}

/// A staging in flight. It ends with [`StagingEvent::Ended`], also when it is cancelled.
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
            let _ = stager.events.send(StagingEvent::Ended { software, outcome }).await;
        });
        Job { software, cancel }
    }

    async fn stage(&self, software: Assignment, cancel: &CancellationToken) -> StagingOutcome {
        let mut retry_policy = RetryPolicy::default();
        let mut backoff = Backoff::default();
        loop {
            let failure = match self.attempt(software, cancel).await {
                Ok(()) => return StagingOutcome::Staged,
                Err(failure) => failure,
            };
            match retry_policy.failed(failure) {
                Verdict::Cancelled => return StagingOutcome::Cancelled,
                Verdict::GiveUp(why) => {
                    self.remove_download(software.manifest);
                    return StagingOutcome::Rejected(why);
                }
                Verdict::Again { why } => warn!("staging {}: {why}; trying again", software.release),
            }
            let pause = sleep(backoff.failed(chance()));
            if cancel.run_until_cancelled(pause).await.is_none() {
                return StagingOutcome::Cancelled;
            }
        }
    }

    async fn attempt(&self, software: Assignment, cancel: &CancellationToken) -> Result<(), Failure> {
        let keys = self.keys().await?;
        if self.is_in_slot(software, keys.clone()).await? {
            info!("{} lies in the inactive slot already", software.release);
            return self.check().await;
        }
        let part = self.part(software.manifest)?;
        let fetch = Fetch { stager: self, software, keys };
        let fetched = cancel.run_until_cancelled(fetch.run(&part)).await;
        let verified = fetched.unwrap_or(Err(Failure::Cancelled))?;
        self.unpack(part, verified).await?;
        self.check().await
    }

    /// The release itself checks whether it would start: the last step, for only what would start is staged.
    async fn check(&self) -> Result<(), Failure> {
        self.asker.release().await.map_err(Failure::WouldNotStart)
    }

    /// The keys of the machine. They lie outside the slots and never come from the manager or a package.
    async fn keys(&self) -> Result<TrustedKeys, Failure> {
        let trust = self.machine.root().join(TRUST_DIR);
        let keys = tokio::task::spawn_blocking(move || TrustedKeys::load(&trust)).await;
        let keys = keys.map_err(|error| Failure::Local(error.to_string()))?;
        keys.map_err(|error| Failure::Local(chain(&error)))
    }

    /// Whether the inactive slot holds the release already, complete and as signed.
    async fn is_in_slot(&self, software: Assignment, keys: TrustedKeys) -> Result<bool, Failure> {
        let (machine, slot) = (self.machine.clone(), self.slot.other());
        let held = tokio::task::spawn_blocking(move || unpack::holds(&machine, slot, &software, &keys)).await;
        held.map_err(|error| Failure::Local(error.to_string()))
    }

    /// Unpacks in a thread of its own with a lower priority than every other, so that calls come first.
    async fn unpack(&self, part: PathBuf, verified: Verified) -> Result<(), Failure> {
        let (machine, slot) = (self.machine.clone(), self.slot);
        let (done, outcome) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("unpack".into()).spawn(move || {
            unpack::lower_priority();
            // The receiver is gone only when the whole node ends.
            let _ = done.send(unpack::unpack(&machine, slot, &part, &verified));
        });
        thread.map_err(|error| Failure::Local(error.to_string()))?;
        outcome.await.unwrap_or_else(|_| Err(Failure::Local("unpacking was cut off".into())))
    }

    /// Where the payload is collected. Payloads of other releases are not needed any more.
    fn part(&self, manifest: Sha256) -> Result<PathBuf, Failure> {
        let local = |error: &dyn std::error::Error| Failure::Local(chain(error));
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

    /// Removes what was fetched of a release that cannot be staged.
    fn remove_download(&self, manifest: Sha256) {
        let part = self.machine.root().join("downloads").join(format!("{manifest}.part"));
        // It may never have been there; the next staging clears what cannot be removed now.
        let _ = std::fs::remove_file(part);
    }

    async fn report_progress(&self, manifest: Sha256, percent: u8) {
        // Nobody listens when the node ends.
        let _ = self.events.send(StagingEvent::Fetching { manifest, percent }).await;
    }
}
