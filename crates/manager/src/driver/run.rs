//! The loop: waits for a commit, a deadline, a link that goes down or an effect that is finished, and
//! acts on the difference between what is wanted of the Management Node and what is in flight.

use std::future::pending;
use std::time::Duration;

use fleet::desired::Assignment;
use fleet::node::NodeId;
use fleet::platform::{Event, ManagerWants};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info};

use super::Desk;
use super::own_upgrade::{Own, UpgradeError};
use crate::gate::{Gate, Passage};
use crate::link::Presence;
use crate::report::chain;
use crate::store::{Soundness, StoreError};

/// The shortest wait for a deadline, so that one that does not go away cannot keep a processor busy.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// Why the loop has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The new release is selected: end the process, and it starts.
    Selected(Assignment),
    /// Somebody asked.
    Asked,
    /// A commit failed: end the process, and start again from what is stored.
    StoreBroken,
}

/// The driver of a Management Node.
#[derive(Debug)]
pub struct Driver {
    /// The way to the core.
    pub desk: Desk,
    /// The machine.
    pub own: Own,
    /// Who is in touch.
    pub presence: Presence,
    /// Links that went down.
    pub downs: mpsc::UnboundedReceiver<NodeId>,
    /// Closed before the new release is selected.
    pub gate: Gate,
    /// Ends the loop.
    pub stop: CancellationToken,
}

/// The staging that is under way.
struct Staging {
    of: Assignment,
    work: JoinHandle<Result<(), UpgradeError>>,
}

/// What the loop waited for.
enum Woken {
    ByCommit,
    ByDeadline,
    ByLinkDown(NodeId),
    ByStaged(Result<(), UpgradeError>),
    ToStop,
    ByBrokenStore,
}

impl Driver {
    /// Runs until the process is to end.
    pub async fn run(mut self) -> Ended {
        let (mut commits, mut soundness) = (self.desk.commits(), self.desk.store().soundness());
        let mut staging = None;
        let _watching = AbortOnDropHandle::new(tokio::spawn(super::wall::watch(self.desk.clone())));
        loop {
            commits.mark_unchanged();
            match self.act(&mut staging).await {
                Ok(None) => {}
                Ok(Some(selected)) => return Ended::Selected(selected),
                Err(_) => return Ended::StoreBroken,
            }
            let handled = match self.wait(&mut commits, &mut soundness, &mut staging).await {
                Woken::ByCommit => Ok(()),
                Woken::ByDeadline => self.desk.apply(Event::DeadlinePassed).await,
                Woken::ByLinkDown(id) => self.link_down(id).await,
                Woken::ByStaged(outcome) => self.staged(staging.take(), outcome).await,
                Woken::ToStop => return Ended::Asked,
                Woken::ByBrokenStore => return Ended::StoreBroken,
            };
            if let Err(cause) = handled {
                error!(error = %chain(&cause), "the driver cannot go on");
                return Ended::StoreBroken;
            }
        }
    }

    /// Begins what is wanted and not in flight.
    async fn act(&self, staging: &mut Option<Staging>) -> Result<Option<Assignment>, StoreError> {
        match self.desk.read(|fleet, _| fleet.manager_wants()) {
            ManagerWants::Nothing => Ok(None),
            ManagerWants::Stage(of) => {
                // One that is under way for another run ends first: both write the same slot.
                if staging.is_none() {
                    let own = self.own.clone();
                    info!(release = %of.release, "staging the release on the Management Node");
                    *staging = Some(Staging { of, work: spawn_blocking(move || own.stage(of)) });
                }
                Ok(None)
            }
            ManagerWants::Install(of) => self.select(of).await,
        }
    }

    /// Selects the new release, after which nobody's request is taken here any more.
    async fn select(&self, of: Assignment) -> Result<Option<Assignment>, StoreError> {
        self.gate.set(Passage::Closed);
        let own = self.own.clone();
        let selected = spawn_blocking(move || own.select(of)).await;
        match selected.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            Ok(()) => Ok(Some(of)),
            Err(cause) => {
                self.gate.set(Passage::Open);
                let why = chain(&cause);
                error!(error = why, "the new release could not be selected");
                self.desk
                    .apply_if(Event::ManagerRejected { why }, move |fleet| {
                        fleet.manager_wants() == ManagerWants::Install(of)
                    })
                    .await?;
                Ok(None)
            }
        }
    }

    async fn wait(
        &mut self,
        commits: &mut watch::Receiver<u64>,
        soundness: &mut watch::Receiver<Soundness>,
        staging: &mut Option<Staging>,
    ) -> Woken {
        let left = self.desk.read(|fleet, now| fleet.next_deadline().map(|deadline| now.until(deadline)));
        let deadline = async {
            match left {
                Some(left) => tokio::time::sleep(Duration::from_millis(left.0).max(SHORTEST_WAIT)).await,
                None => pending().await,
            }
        };
        let staged = async {
            match staging {
                Some(staging) => (&mut staging.work).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => Woken::ToStop,
            _ = soundness.wait_for(|soundness| *soundness == Soundness::Broken) => Woken::ByBrokenStore,
            staged = staged => {
                Woken::ByStaged(staged.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
            }
            Some(id) = self.downs.recv() => Woken::ByLinkDown(id),
            _ = commits.changed() => Woken::ByCommit,
            () = deadline => Woken::ByDeadline,
        }
    }

    /// The node may have come back in the meantime.
    async fn link_down(&self, id: NodeId) -> Result<(), StoreError> {
        let presence = self.presence.clone();
        self.desk.apply_if(Event::LinkDown { id }, move |_| presence.is_absent(id)).await
    }

    /// The run may have ended in the meantime.
    async fn staged(
        &self,
        staging: Option<Staging>,
        outcome: Result<(), UpgradeError>,
    ) -> Result<(), StoreError> {
        let Some(Staging { of, work: _ }) = staging else { return Ok(()) };
        let event = match outcome {
            Ok(()) => Event::ManagerStaged,
            Err(cause) => {
                let why = chain(&cause);
                error!(error = why, "the release could not be staged on the Management Node");
                Event::ManagerRejected { why }
            }
        };
        self.desk.apply_if(event, move |fleet| fleet.manager_wants() == ManagerWants::Stage(of)).await
    }
}
