//! The event loop of the node: waits for an input, applies it to [`fleet::agent::Reconciler`], and performs the effects
//! that follow. It runs on the program's main thread, so its durable writes hold up no task of the call engine. It
//! never decides what follows from an input.

mod checks;
mod confirm;
mod effects;
mod faults;
mod persist;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use call::CallEngine;
use fleet::agent::{AgentEvent, Durability, Reconciler, StagingOutcome};
use fleet::desired::Assignment;
use fleet::time::Time;
use slots::{Machine, Supervised};
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};
use wire::{Configuration, ShownCertificate};

use crate::calls;
use crate::clock::Clock;
use crate::confirmation::Confirmation;
use crate::engine_probe::EngineProbe;
use crate::files::chain;
use crate::http::RequestError;
use crate::link::{Answer, Handled, LinkEvent, Report, Session};
use crate::live::Live;
use crate::operator_certificate::CertificateFile;
use crate::persistent_state::{ConfigurationFile, PersistentStateFile};
use crate::preflight::{Asker, OwnChecks, ReleaseChecks};
use crate::reason::{Reason, Reasons};
use crate::staging::{Job, Stager, StagingEvent};
use crate::unconfirmed::UnconfirmedFile;
use crate::watchdog::{LoopDeadline, Watchdog};
use crate::web::Service;

/// The longest wait of the loop.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Everything that the loop waits for.
#[derive(Debug)]
pub enum Input {
    /// The link to the Management Node.
    Link(LinkEvent),
    /// The call engine has counted its calls.
    CallsChanged,
    /// The staging under way.
    Staging(StagingEvent),
    /// The call engine has called itself: whether it carried that call, or why not.
    Probed(Result<(), String>),
    /// The node has checked whether its machine would start again.
    CheckedItself(Option<String>),
    /// A release was checked in its slot.
    ReleaseChecked(Assignment, Result<(), String>),
    /// A deadline has come.
    Due,
    /// The program is asked to end.
    Terminate,
}

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The slot of another release is selected; boot starts it.
    Restart,
    /// It was asked to.
    Terminated,
}

/// The parts that the driver ties together.
pub struct Parts {
    /// The agent with what is in flight for it.
    pub node: Reconciler,
    /// The clock.
    pub clock: Clock,
    /// The file of its persistent state.
    pub state_file: PersistentStateFile,
    /// The file of the configuration.
    pub configuration: ConfigurationFile,
    /// The valid configuration.
    pub rooms: Configuration,
    /// The file of the operator's certificate.
    pub certificate: CertificateFile,
    /// Which certificate is shown to callers.
    pub shown: ShownCertificate,
    /// The rooms that take calls of accounts alone, by name.
    pub account_rooms: BTreeSet<String>,
    /// The call engine, started with `admission`.
    pub engine: Arc<CallEngine>,
    /// What clients of callers are answered about new calls.
    pub service: watch::Sender<Service>,
    /// The machine's slots.
    pub machine: Machine,
    /// The connection to boot.
    pub boot: Supervised,
    /// The confirmation, when this release has not confirmed itself.
    pub confirmation: Option<Confirmation>,
    /// The manifest of the release that runs.
    pub manifest: String,
    /// The file in which a release writes why it could not confirm itself.
    pub unconfirmed: UnconfirmedFile,
    /// The session with the Management Node.
    pub session: Arc<Session>,
    /// What is between the engine and the session.
    pub live: Arc<Live>,
    /// What the link reports.
    pub report: watch::Sender<Report>,
    /// Wakes the link when the report has changed.
    pub news: Arc<Notify>,
    /// Answers and failures of the link.
    pub link: mpsc::Receiver<LinkEvent>,
    /// Runs the checks before a start.
    pub asker: Asker,
    /// Begins stagings.
    pub stager: Stager,
    /// Progress and outcome of the staging.
    pub staging: mpsc::Receiver<StagingEvent>,
    /// How fast a package may be fetched.
    pub rate: watch::Sender<Option<u64>>,
    /// SIGTERM.
    pub terminate: Signal,
    /// By when the next turn of the loop begins.
    pub loop_deadline: LoopDeadline,
    /// Notices when it does not.
    pub watchdog: Watchdog,
}

/// A running node.
pub struct Driver {
    parts: Parts,
    /// When the persistent state is written again, with the time.
    rewrite_at: Time,
    /// Which files of the state cannot be written.
    faults: faults::Faults,
    /// Whether the call engine of a confirmed release carries calls.
    engine_probe: EngineProbe,
    /// The staging in flight.
    job: Option<Job>,
    /// The call engine's call to itself.
    probe: Option<JoinHandle<Result<(), String>>>,
    /// Why the last one failed.
    no_call: Option<String>,
    /// How many callers had been refused for want of resources when it was last looked.
    refused: u64,
    /// When the node checks itself, and the check under way.
    own_checks: OwnChecks,
    own_check: Option<JoinHandle<Option<String>>>,
    /// What is known of the release in the other slot, and the check under way.
    release_checks: ReleaseChecks,
    release_check: Option<checks::CheckInFlight>,
    /// The desired states that wait for that check.
    waiting: Vec<checks::Waiting>,
    /// The answers that are handled and still to be acknowledged.
    handled: Vec<(oneshot::Sender<Handled>, Handled)>,
    /// Why no sync succeeds, as far as it was logged.
    reasons: Reasons,
    refusal: Option<String>,
}

impl Driver {
    /// A driver of these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            rewrite_at: persist::first_due(parts.confirmation.as_ref(), parts.clock.now()),
            engine_probe: EngineProbe::begin(parts.clock.now()),
            own_checks: OwnChecks::begin(parts.clock.now()),
            parts,
            faults: faults::Faults::default(),
            job: None,
            probe: None,
            own_check: None,
            release_checks: ReleaseChecks::default(),
            release_check: None,
            waiting: Vec::new(),
            no_call: None,
            refused: 0,
            handled: Vec::new(),
            reasons: Reasons::default(),
            refusal: None,
        }
    }

    /// Runs until the node restarts into another release or is asked to end.
    pub async fn run(mut self) -> Ending {
        let mut counted = self.parts.engine.calls();
        let mut shown = self.parts.service.subscribe();
        if self.parts.confirmation.is_none() {
            self.report_ready();
        }
        self.confirm_or_probe();
        loop {
            self.settle();
            if self.parts.node.is_restarting() {
                return self.end(Ending::Restart).await;
            }
            let input = self.next(&mut counted, &mut shown).await;
            self.parts.loop_deadline.renew(Duration::ZERO);
            if matches!(input, Input::Terminate) {
                return self.end(Ending::Terminated).await;
            }
            self.handle(input);
            self.confirm_or_probe();
            self.check_when_due();
        }
    }

    /// Waits for the next thing to happen.
    async fn next(
        &mut self,
        counted: &mut watch::Receiver<call::Calls>,
        shown: &mut watch::Receiver<Service>,
    ) -> Input {
        let wait = self.until_due();
        self.parts.loop_deadline.renew(wait);
        let parts = &mut self.parts;
        tokio::select! {
            _ = parts.terminate.recv() => Input::Terminate,
            Some(event) = parts.link.recv() => Input::Link(event),
            Some(event) = parts.staging.recv() => Input::Staging(event),
            probed = result_of(&mut self.probe) => Input::Probed(probed),
            fault = checks::checked_itself(&mut self.own_check) => Input::CheckedItself(fault),
            (software, outcome) = checks::checked(&mut self.release_check) => {
                Input::ReleaseChecked(software, outcome)
            }
            Ok(()) = counted.changed() => Input::CallsChanged,
            // The watchdog has closed the node, and the loop moves after all.
            Ok(()) = shown.changed() => Input::Due,
            () = sleep(wait) => Input::Due,
        }
    }

    /// Handles an input.
    fn handle(&mut self, input: Input) {
        match input {
            Input::Link(LinkEvent::Answered { answer, handled }) => self.answered(*answer, handled),
            Input::Link(LinkEvent::Failed(error)) => self.failed(&error),
            Input::Staging(event) => self.staging(event),
            Input::Probed(probed) => {
                self.probe = None;
                self.probed(probed);
            }
            Input::CheckedItself(fault) => self.own_check_ended(fault),
            Input::ReleaseChecked(software, outcome) => self.release_check_ended(software, outcome),
            // Every turn counts the calls and applies deadlines.
            Input::CallsChanged | Input::Due | Input::Terminate => {}
        }
    }

    fn answered(&mut self, answer: Answer, handled: oneshot::Sender<Handled>) {
        let Answer { desired, rooms, certificate, fetch_rate } = answer;
        if self.reasons.end() {
            info!("the Management Node answers again");
        }
        let now = self.parts.clock.now();
        if let Some(confirmation) = &mut self.parts.confirmation {
            confirmation.synced(now);
        }
        self.parts.rate.send_if_modified(|rate| std::mem::replace(rate, fetch_rate) != fetch_rate);
        let configured = rooms.map_or(Durability::Durable, |new| self.configure(new));
        let certified = self.certify(certificate.as_ref());
        if [configured, certified].contains(&Durability::NotDurable) {
            // What was not stored comes again, so it is not asked for again at once.
            self.accept(desired);
            self.handled.push((handled, Handled::Refused));
            return;
        }
        self.accept_checked(desired, handled);
    }

    /// One line for each new reason, not one for each attempt.
    fn failed(&mut self, error: &RequestError) {
        let failing = error.failing();
        let reason = Reason::of(error, self.parts.session.own_certificate());
        if self.reasons.is_new(reason) {
            warn!("no conversation with the Management Node: {reason} ({})", chain(error));
        }
        let now = self.parts.clock.now();
        if let Some(confirmation) = &mut self.parts.confirmation {
            confirmation.failed(now, failing);
        }
    }

    fn staging(&mut self, event: StagingEvent) {
        match event {
            StagingEvent::Fetching { manifest, percent } => {
                self.apply(AgentEvent::Fetching { manifest, percent });
            }
            StagingEvent::Ended { software, outcome } => {
                self.job = None;
                let now = self.parts.clock.now();
                if outcome == StagingOutcome::Staged {
                    // Its check was the last step.
                    self.release_checks.passed(software, now);
                }
                effects::log(&self.parts.node.staging_ended(now, software, outcome));
                self.persist_change();
            }
        }
    }

    /// How long until something is to be done although nothing happens.
    fn until_due(&self) -> Duration {
        let probes = match &self.parts.confirmation {
            Some(confirmation) => confirmation.next_deadline(),
            None => self.engine_probe.next_deadline(),
        };
        // What cannot be made durable is tried again when the disk is.
        let agent = self.parts.node.agent();
        let deadline = agent.next_deadline().filter(|_| self.faults.spare_persistent_state());
        let waits = agent.staged_to_take().filter(|_| self.release_check.is_none());
        let release = waits.and_then(|software| self.release_checks.due_at(software));
        let deadlines = [Some(self.rewrite_at), deadline, probes, self.own_checks.next_deadline(), release];
        let now = self.parts.clock.now();
        let until = deadlines.into_iter().flatten().min().map(|at| Duration::from_millis(now.until(at).0));
        until.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
    }

    /// Ends in an orderly way: the calls that are left are hung up, and the time is kept.
    async fn end(mut self, ending: Ending) -> Ending {
        if let Some(job) = self.job.take() {
            job.cancel();
        }
        if let Some(probe) = self.probe.take() {
            probe.abort();
            // However it ended, it does not hold the engine any more.
            let _ = probe.await;
        }
        let Parts { engine, session, live, node, state_file, clock, watchdog, .. } = self.parts;
        drop(watchdog);
        live.close();
        match ending {
            Ending::Restart => {
                // The state was stored, with the time, when the node decided to leave.
                tokio::join!(session.report_restart(), shut_down(engine));
            }
            Ending::Terminated => {
                let left = calls::counted(*engine.calls().borrow(), Instant::now());
                info!("asked to end, hanging up {left}");
                shut_down(engine).await;
                if let Err(error) = state_file.store(node.agent().persistent_state(), &clock) {
                    warn!("{}", chain(&error));
                }
            }
        }
        ending
    }
}

/// Nothing else holds the engine when the node ends.
async fn shut_down(engine: Arc<CallEngine>) {
    if let Some(engine) = Arc::into_inner(engine) {
        engine.shut_down().await;
    }
}

/// Waits for the end of the probe, for ever if there is none. One that broke off has failed.
async fn result_of(probe: &mut Option<JoinHandle<Result<(), String>>>) -> Result<(), String> {
    match probe {
        Some(probe) => probe.await.unwrap_or_else(|_| Err("the node's call to itself broke off".into())),
        None => std::future::pending().await,
    }
}
