//! The event loop: waits for a commit, a deadline, a link that goes down or an effect that has finished, and
//! acts on the difference between what the core wants of the Management Node and what is in flight.
//!
//! It relies on `Committer` to apply what has happened, and keeps no list of work: a start after a crash is
//! the same code as any other iteration.

use std::future::pending;
use std::time::Duration;

use edge::error_chain::chain;
use fleet::desired::Assignment;
use fleet::node::NodeId;
use fleet::platform::{Event, ManagerWants};
use slots::Held;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info};

use super::Committer;
use super::own_upgrade::{OwnMachine, UpgradeError};
use crate::gate::{Gate, GateState};
use crate::link::{Presence, SENTENCE_CHARACTERS};
use crate::preflight;
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
    /// Closed before the new release is selected.
    pub gate: Gate,
    /// Ends the loop.
    pub stop: CancellationToken,
}

/// The staging in progress.
struct Staging {
    of: Assignment,
    work: JoinHandle<Result<(), UpgradeError>>,
}

/// The Management Node's checks of itself: when the next one begins, or the one in progress.
enum OwnCheck {
    At(Instant),
    UnderWay(JoinHandle<Option<String>>),
}

/// What is in flight.
struct InFlight {
    staging: Option<Staging>,
    own_check: OwnCheck,
    /// The release in the other slot whose check by this process has succeeded.
    checked_release: Option<Assignment>,
}

/// What the loop waited for.
enum Woken {
    ByCommit,
    ByDeadline,
    ByLinkDown(NodeId),
    ByStaged(Result<(), UpgradeError>),
    ToCheck,
    ByChecked(Option<String>),
    ToStop,
    ByBrokenStore,
}

impl Driver {
    /// Runs until the process is to end.
    pub async fn run(mut self) -> Ended {
        let (mut commits, mut health) = (self.committer.commits(), self.committer.store().health());
        let own_check = OwnCheck::At(Instant::now() + FIRST_CHECK);
        let mut in_flight = InFlight { staging: None, own_check, checked_release: None };
        let _watching = AbortOnDropHandle::new(tokio::spawn(super::wall::watch(self.committer.clone())));
        loop {
            commits.mark_unchanged();
            match self.act(&mut in_flight).await {
                Ok(None) => {}
                Ok(Some(selected)) => return Ended::Selected(selected),
                Err(_) => return Ended::StoreBroken,
            }
            let handled = match self.wait(&mut commits, &mut health, &mut in_flight).await {
                Woken::ByCommit => Ok(()),
                Woken::ByDeadline => self.committer.apply(Event::DeadlinePassed).await,
                Woken::ByLinkDown(id) => self.link_down(id).await,
                Woken::ByStaged(outcome) => self.staged(&mut in_flight, outcome).await,
                Woken::ToCheck => {
                    let (own, held) = (self.own.clone(), self.held.clone());
                    in_flight.own_check = OwnCheck::UnderWay(tokio::spawn(preflight::own(own, held)));
                    Ok(())
                }
                Woken::ByChecked(fault) => {
                    in_flight.own_check = OwnCheck::At(Instant::now() + CHECK_EVERY);
                    self.checked(fault).await
                }
                Woken::ToStop => return Ended::Asked,
                Woken::ByBrokenStore => return Ended::StoreBroken,
            };
            if let Err(cause) = handled {
                error!(error = %chain(&cause), "the driver cannot go on");
                return Ended::StoreBroken;
            }
        }
    }

    /// Begins what the core wants and what is not in flight.
    async fn act(&self, in_flight: &mut InFlight) -> Result<Option<Assignment>, StoreError> {
        match self.committer.read(|fleet, _| fleet.manager_wants()) {
            ManagerWants::Nothing => Ok(None),
            ManagerWants::Stage(of) => {
                // A staging for another run ends first: both write the same slot.
                if in_flight.staging.is_none() {
                    let (own, held) = (self.own.clone(), self.held.clone());
                    info!(release = %of.release, "staging the release on the Management Node");
                    let work = spawn_blocking(move || own.stage(of).and_then(|()| own.check_staged(&held)));
                    in_flight.staging = Some(Staging { of, work });
                }
                Ok(None)
            }
            ManagerWants::Install(of) => self.select(of, in_flight.checked_release).await,
        }
    }

    /// Selects the new release, after which no request is served here. A release that was checked by an
    /// earlier process is checked once more: the machine may have changed since.
    async fn select(
        &self,
        of: Assignment,
        checked_release: Option<Assignment>,
    ) -> Result<Option<Assignment>, StoreError> {
        let (own, held, gate) = (self.own.clone(), self.held.clone(), self.gate.clone());
        let select = move || {
            if checked_release != Some(of) {
                own.check_staged(&held)?;
            }
            gate.set(GateState::Closed);
            own.select(of)
        };
        let selected = spawn_blocking(select).await;
        match selected.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            Ok(()) => Ok(Some(of)),
            Err(cause) => {
                self.gate.set(GateState::Open);
                let why = chain(&cause);
                error!(error = why, "the new release could not be selected");
                self.committer
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
        let InFlight { staging, own_check, checked_release: _ } = in_flight;
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
        let staged = async {
            match staging {
                Some(staging) => (&mut staging.work).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => Woken::ToStop,
            _ = health.wait_for(|health| *health == Health::Broken) => Woken::ByBrokenStore,
            staged = staged => {
                Woken::ByStaged(staged.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
            }
            Some(id) = self.downs.recv() => Woken::ByLinkDown(id),
            _ = commits.changed() => Woken::ByCommit,
            () = deadline => Woken::ByDeadline,
            woken = check => woken,
        }
    }

    /// The node may be back in the meantime.
    async fn link_down(&self, id: NodeId) -> Result<(), StoreError> {
        let presence = self.presence.clone();
        self.committer.apply_if(Event::LinkDown { id }, move |_| presence.is_absent(id)).await
    }

    /// The Management Node has checked itself. An unchanged result is no event.
    async fn checked(&self, fault: Option<String>) -> Result<(), StoreError> {
        let fault: Option<String> = fault.map(|fault| fault.chars().take(SENTENCE_CHARACTERS).collect());
        let known = fault.clone();
        let news = move |fleet: &fleet::platform::Fleet| fleet.platform.start_fault != known;
        self.committer.apply_if(Event::ManagerChecked { fault }, news).await
    }

    /// The run may have ended in the meantime.
    async fn staged(
        &self,
        in_flight: &mut InFlight,
        outcome: Result<(), UpgradeError>,
    ) -> Result<(), StoreError> {
        let Some(Staging { of, work: _ }) = in_flight.staging.take() else { return Ok(()) };
        let event = match outcome {
            Ok(()) => {
                in_flight.checked_release = Some(of);
                Event::ManagerStaged
            }
            Err(cause) => {
                let why = chain(&cause);
                error!(error = why, "the release could not be staged on the Management Node");
                Event::ManagerRejected { why }
            }
        };
        self.committer.apply_if(event, move |fleet| fleet.manager_wants() == ManagerWants::Stage(of)).await
    }
}
