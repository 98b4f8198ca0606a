//! The event loop: waits for a commit, a deadline, a link that goes down or an effect that has finished, and
//! performs the effects that `ManagerReconciler` in the core decides.
//!
//! It relies on `Committer` to apply what has happened, and keeps no list of work: a start after a crash is
//! the same code as any other iteration. It decides nothing about the upgrade.

use std::future::pending;
use std::time::Duration;

use edge::error_chain::chain;
use fleet::desired::Assignment;
use fleet::node::NodeId;
use fleet::platform::{Event, Fleet, ManagerEffect, ManagerOutcome, ManagerReconciler};
use slots::Held;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info};
use wire::report::{SENTENCE_CHARACTERS, cut};

use super::Committer;
use crate::gate::{Gate, GateState};
use crate::licences;
use crate::own_machine::{OwnMachine, UpgradeError};
use crate::preflight;
use crate::presence::Presence;
use crate::store::{Health, StoreError};

/// The shortest wait for a deadline, so that one that stays in the past cannot keep a processor busy.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// How often the Management Node checks whether its own machine would start again: often enough that an
/// operator who has edited a file learns within a minute whether a restart would succeed. Most of a check is
/// the hash of the program in its slot: 34 ms of one processor for 32 MiB (SHA instructions; three times that
/// without), less than 0.2 % of a minute, so every check includes it.
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// When it checks for the first time after a start, which has just succeeded.
const FIRST_CHECK: Duration = Duration::from_secs(5);

/// Why the loop has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The new release is selected: end the process, and it starts.
    Selected(Assignment),
    /// A backup was accepted: end the process, and its next start puts the backup in place.
    Restored,
    /// The process was asked to end.
    Asked,
    /// A commit failed: end the process, and start again from what is stored.
    StoreBroken,
}

/// The driver of a Management Node.
#[derive(Debug)]
pub struct Driver {
    /// Applies events to the core.
    pub committer: Committer,
    /// The machine.
    pub own: OwnMachine,
    /// The addresses of this process, which are free before the next start.
    pub held: Held,
    /// Which links are up.
    pub presence: Presence,
    /// Links that went down.
    pub downs: mpsc::UnboundedReceiver<NodeId>,
    /// Cancelled when a backup was accepted that the next start puts in place.
    pub restored: CancellationToken,
    /// Closed before the new release is selected.
    pub gate: Gate,
    /// Ends the loop.
    pub stop: CancellationToken,
}

/// The Management Node's checks of itself: when the next one begins, or the one in progress.
enum OwnCheck {
    At(Instant),
    UnderWay(JoinHandle<Option<String>>),
}

/// What is in flight.
struct InFlight {
    upgrade: ManagerReconciler,
    /// The staging or the check of a release in progress.
    work: Option<JoinHandle<Result<(), UpgradeError>>>,
    own_check: OwnCheck,
}

/// What the loop waited for.
enum Woken {
    ByCommit,
    ByDeadline,
    ByLinkDown(NodeId),
    ByWork(ManagerOutcome),
    ToCheck,
    ByChecked(Option<String>),
    ToRestore,
    ToStop,
    ByBrokenStore,
}

impl Driver {
    /// Runs until the process is to end.
    pub async fn run(mut self) -> Ended {
        let (mut commits, mut health) = (self.committer.commits(), self.committer.store().health());
        let own_check = OwnCheck::At(Instant::now() + FIRST_CHECK);
        let mut in_flight = InFlight { upgrade: ManagerReconciler::default(), work: None, own_check };
        let _watching = [
            AbortOnDropHandle::new(tokio::spawn(super::wall::watch(self.committer.clone()))),
            AbortOnDropHandle::new(tokio::spawn(super::certificates::watch(self.committer.clone()))),
            AbortOnDropHandle::new(tokio::spawn(licences::watch(self.committer.clone()))),
            AbortOnDropHandle::new(tokio::spawn(super::past_calls::watch(self.committer.clone()))),
        ];
        loop {
            commits.mark_unchanged();
            if self.act(&mut in_flight).await.is_err() {
                return Ended::StoreBroken;
            }
            if let Some(selected) = in_flight.upgrade.selected() {
                return Ended::Selected(selected);
            }
            let handled = match self.wait(&mut commits, &mut health, &mut in_flight).await {
                Woken::ByCommit => Ok(()),
                Woken::ByDeadline => self.committer.apply(Event::DeadlinePassed).await,
                Woken::ByLinkDown(id) => self.link_down(id).await,
                Woken::ByWork(outcome) => {
                    in_flight.work = None;
                    in_flight.upgrade.complete(outcome);
                    Ok(())
                }
                Woken::ToCheck => {
                    let (own, held) = (self.own.clone(), self.held.clone());
                    in_flight.own_check = OwnCheck::UnderWay(tokio::spawn(preflight::own(own, held)));
                    Ok(())
                }
                Woken::ByChecked(fault) => {
                    in_flight.own_check = OwnCheck::At(Instant::now() + CHECK_EVERY);
                    self.checked(fault).await
                }
                Woken::ToRestore => return Ended::Restored,
                Woken::ToStop => return Ended::Asked,
                Woken::ByBrokenStore => return Ended::StoreBroken,
            };
            if let Err(cause) = handled {
                error!(error = %chain(&cause), "the driver cannot go on");
                return Ended::StoreBroken;
            }
        }
    }

    /// Performs what the core decides about the Management Node's own upgrade, until that waits for something.
    async fn act(&self, in_flight: &mut InFlight) -> Result<(), StoreError> {
        while let Some(effect) = self.committer.read(|fleet, _| in_flight.upgrade.next(fleet)) {
            let (own, held) = (self.own.clone(), self.held.clone());
            match effect {
                ManagerEffect::BeginStaging(of) => {
                    info!(release = %of.release, "staging the release on the Management Node");
                    in_flight.work = Some(spawn_blocking(move || own.stage(of)));
                }
                ManagerEffect::BeginCheck(_) => {
                    in_flight.work = Some(spawn_blocking(move || own.check_staged(&held)));
                }
                ManagerEffect::CloseApi => self.gate.set(GateState::Closed),
                ManagerEffect::SelectSlot(of) => {
                    in_flight.upgrade.complete(outcome(spawn_blocking(move || own.select(of)).await));
                }
                ManagerEffect::OpenApi => self.gate.set(GateState::Open),
                ManagerEffect::Commit(event) => {
                    self.committer.apply_if(move |fleet| event.if_wanted(fleet)).await?;
                }
            }
        }
        Ok(())
    }

    async fn wait(
        &mut self,
        commits: &mut watch::Receiver<u64>,
        health: &mut watch::Receiver<Health>,
        in_flight: &mut InFlight,
    ) -> Woken {
        let left =
            self.committer.read(|fleet, now| fleet.next_deadline().map(|deadline| now.until(deadline)));
        let deadline = async {
            match left {
                Some(left) => tokio::time::sleep(Duration::from_millis(left.0).max(SHORTEST_WAIT)).await,
                None => pending().await,
            }
        };
        let InFlight { upgrade: _, work, own_check } = in_flight;
        let check = async {
            match own_check {
                OwnCheck::At(at) => {
                    tokio::time::sleep_until(*at).await;
                    Woken::ToCheck
                }
                OwnCheck::UnderWay(check) => {
                    let broken = |broken| Some(format!("the check was aborted: {broken}"));
                    Woken::ByChecked(check.await.unwrap_or_else(broken))
                }
            }
        };
        let work = async {
            match work {
                Some(work) => work.await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.restored.cancelled() => Woken::ToRestore,
            () = self.stop.cancelled() => Woken::ToStop,
            _ = health.wait_for(|health| *health == Health::Broken) => Woken::ByBrokenStore,
            done = work => Woken::ByWork(outcome(done)),
            Some(id) = self.downs.recv() => Woken::ByLinkDown(id),
            _ = commits.changed() => Woken::ByCommit,
            () = deadline => Woken::ByDeadline,
            woken = check => woken,
        }
    }

    /// The node may be back in the meantime.
    async fn link_down(&self, id: NodeId) -> Result<(), StoreError> {
        let presence = self.presence.clone();
        self.committer.apply_if(move |_| presence.is_absent(id).then_some(Event::LinkDown { id })).await
    }

    /// The Management Node has checked itself. An unchanged result is no event.
    async fn checked(&self, mut fault: Option<String>) -> Result<(), StoreError> {
        fault.iter_mut().for_each(|fault| cut(fault, SENTENCE_CHARACTERS));
        let news =
            |fleet: &Fleet| (fleet.platform.start_fault != fault).then_some(Event::ManagerChecked { fault });
        self.committer.apply_if(news).await
    }
}

/// The outcome of a step of the Management Node's own upgrade.
fn outcome(step: Result<Result<(), UpgradeError>, JoinError>) -> ManagerOutcome {
    match step.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
        Ok(()) => ManagerOutcome::Done,
        Err(cause) => {
            let why = chain(&cause);
            error!(error = why, "the Management Node cannot be upgraded");
            ManagerOutcome::Failed(why)
        }
    }
}
