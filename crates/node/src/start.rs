//! Starts the node: reads settings, slot and state, builds the parts and runs the event loop over them. The persistent
//! state is valid before the SIP socket opens, and the call engine admits no call until the loop lets it.

use std::path::Path;
use std::sync::Arc;

use call::CallEngine;
use fleet::agent::{FallBack, Reconciler, Start};
use fleet::observed::Admission;
use fleet::version::{Release, Sha256};
use slots::{Machine, Slot, SlotIdentity, Supervised, UnixMillis};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tracing::{info, warn};
use wire::{CertificateToShow, Configuration, NodeCertificate, Tally};

use crate::bootstrap::{self, CannotWait};
use crate::calls;
use crate::clock::Clock;
use crate::confirmation::Confirmation;
use crate::driver::{Driver, Ending, Parts};
use crate::files::{self, FileError, chain};
use crate::identity::{Identity, IdentityError};
use crate::link::{self, Report, Session};
use crate::live::{self, Live};
use crate::machine_facts;
use crate::operator_certificate::{self, CertificateFile};
use crate::persistent_state::{ConfigurationFile, PersistentStateFile};
use crate::preflight::Asker;
use crate::settings::{Settings, SettingsError};
use crate::staging::Stager;
use crate::unconfirmed::UnconfirmedFile;
use crate::watchdog::{AdmissionSwitch, LoopDeadline, Watchdog};
use crate::web::{self, CannotListen, Service};

/// How many answers of the link may wait for the loop: one of each of its two requests, with room.
const LINK_ANSWERS: usize = 4;

/// How many events of a staging may wait for the loop.
const STAGING_EVENTS: usize = 16;

/// The node cannot start. No call was admitted.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Its slot is not what it should be.
    #[error(transparent)]
    Slots(#[from] slots::Error),
    /// Its persistent state cannot be read.
    #[error(transparent)]
    State(#[from] FileError),
    /// It has no identity that can be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It cannot wait for its enrolment file.
    #[error(transparent)]
    Bootstrap(#[from] CannotWait),
    /// The web address cannot be had.
    #[error(transparent)]
    Web(#[from] CannotListen),
    /// The call engine does not start.
    #[error(transparent)]
    Calls(#[from] call::StartError),
    /// The machine's root directory cannot be used.
    #[error(transparent)]
    Root(#[from] files::UnusableRoot),
    /// The system refuses a thread.
    #[error(
        "could not start the thread that watches the node's loop; raise the limit of tasks and start again"
    )]
    Watchdog(#[source] std::io::Error),
    /// The system refuses a signal handler.
    #[error("could not prepare to be stopped by a signal; raise the limit of open files and start again")]
    Signal(#[source] std::io::Error),
}

/// Runs the node, as the release that its program is compiled as, on the machine with this root directory until it restarts or is asked to end.
///
/// # Errors
/// The node cannot start; see [`StartError`].
pub async fn run(root: &Path, boot: Supervised, release: Release) -> Result<Ending, StartError> {
    let root = files::root(root)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signal)?;
    let enrolled = enrolment(&root, release);
    tokio::select! {
        enrolled = enrolled => enrolled?,
        _ = terminate.recv() => return Ok(Ending::Terminated),
    }
    let found = Found::look(&root, boot.slot(), release)?;
    let web = web::listen(found.settings.web).await?;
    let rooms = calls::rooms(&found.rooms, &found.settings.account_rooms);
    let closed = calls::admission(Admission::Refusing);
    let engine = CallEngine::start(found.settings.calls.clone(), rooms, closed).await?;
    engine.set_accounts(found.settings.accounts.clone());
    engine.set_logins(found.settings.logins.clone());
    if let Some(certificate) = found.shown.clone() {
        operator_certificate::show(&engine, &CertificateToShow::Operators(certificate));
    }
    info!("{} in slot {}, SIP on {}", release, boot.slot(), engine.sip_address());
    let mut addresses = vec![engine.sip_address()];
    addresses.extend(engine.tls_address());
    addresses.extend(web.local_addr());
    let (machine, slot) = (found.machine.clone(), found.slot);
    let asker = Asker { machine, slot, release, addresses, calls: engine.calls(), turn: Arc::default() };
    let service = serve_web(web);
    let parts = found.into_parts(&root, boot, Arc::new(engine), (service, asker), terminate)?;
    let driver = Driver::new(parts);
    Ok(driver.run().await)
}

/// Waits until the machine is enrolled, if it is not and the settings have it wait.
async fn enrolment(root: &Path, release: Release) -> Result<(), StartError> {
    match Settings::read(root)?.bootstrap.filter(|_| bootstrap::is_needed(root)) {
        Some(address) => Ok(bootstrap::wait(root, address, release).await?),
        None => Ok(()),
    }
}

/// Begins to answer clients of callers; so far, that the node takes no calls.
fn serve_web(listener: TcpListener) -> watch::Sender<Service> {
    let (service, shown) = watch::channel(Service::Maintenance);
    tokio::spawn(web::serve(listener, shown));
    service
}

/// What the node found when it started.
struct Found {
    release: Release,
    settings: Settings,
    machine: Machine,
    own: SlotIdentity,
    slot: Slot,
    state_file: PersistentStateFile,
    configuration: ConfigurationFile,
    rooms: Configuration,
    certificate: CertificateFile,
    shown: Option<NodeCertificate>,
    node: Reconciler,
    clock: Clock,
    identity: Identity,
    confirmation: Option<Confirmation>,
    unconfirmed: UnconfirmedFile,
}

impl Found {
    fn look(root: &Path, slot: Slot, release: Release) -> Result<Self, StartError> {
        let settings = Settings::read(root)?;
        let machine = Machine::open(root);
        let Release { version, build } = release;
        let own = machine.check_compiled(slot, &version.to_string(), build.0)?;
        let state = files::state_dir(root)?;
        let state_file = PersistentStateFile::new(&state);
        let (durable, clock) = state_file.load()?;
        let unconfirmed = UnconfirmedFile::new(&state);
        let start = find_start(&machine, slot, release, &unconfirmed)?;
        let confirmation =
            (!start.confirmed).then(|| Confirmation::begin(settings.confirm_within, clock.now()));
        let identity = Identity::load(root)?;
        let configuration = ConfigurationFile::new(&state);
        let rooms = configuration.load();
        let certificate = CertificateFile::new(&state);
        let shown = certificate.load();
        let node = Reconciler::new(durable, start);
        Ok(Self {
            release,
            settings,
            machine,
            own,
            slot,
            state_file,
            configuration,
            rooms,
            certificate,
            shown,
            node,
            clock,
            identity,
            confirmation,
            unconfirmed,
        })
    }

    /// Builds the parts and begins to sync with the Management Node.
    fn into_parts(
        self,
        root: &Path,
        boot: Supervised,
        engine: Arc<CallEngine>,
        (service, asker): (watch::Sender<Service>, Asker),
        terminate: tokio::signal::unix::Signal,
    ) -> Result<Parts, StartError> {
        let observed = self.node.agent().observed(self.clock.now());
        let shown = operator_certificate::reported(self.shown.as_ref());
        let first = Report::new(observed, Tally::default(), self.rooms.revision).showing(shown);
        let (report, reported) = watch::channel(first);
        let (news, (answers, link)) = (Arc::new(Notify::new()), mpsc::channel(LINK_ANSWERS));
        let live = Arc::new(Live::new(Arc::downgrade(&engine), Arc::clone(&news)));
        let (clock, of_session) = (self.clock.clone(), Arc::clone(&live));
        let machine = machine_facts::read(self.settings.calls.call_limit);
        let session = Arc::new(Session::new(root, self.identity, clock, reported, of_session, machine)?);
        tokio::spawn(live::follow(Arc::clone(&live)));
        tokio::spawn(live::follow_refusals(Arc::clone(&live)));
        tokio::spawn(live::sample(Arc::clone(&live)));
        tokio::spawn(link::poll(Arc::clone(&session), answers.clone()));
        tokio::spawn(link::report(Arc::clone(&session), Arc::clone(&news), answers));
        let loop_deadline = LoopDeadline::begin();
        let switch = AdmissionSwitch { engine: Arc::downgrade(&engine), service: service.clone() };
        let watchdog = Watchdog::start(loop_deadline.clone(), switch).map_err(StartError::Watchdog)?;
        let (rate, rates) = watch::channel(None);
        let (staged, staging) = mpsc::channel(STAGING_EVENTS);
        let stager = Stager {
            machine: self.machine.clone(),
            slot: self.slot,
            running: self.release,
            running_package: self.own.manifest.parse().ok(),
            session: Arc::clone(&session),
            asker: asker.clone(),
            rate: rates,
            events: staged,
        };
        Ok(Parts {
            node: self.node,
            clock: self.clock,
            state_file: self.state_file,
            configuration: self.configuration,
            rooms: self.rooms,
            certificate: self.certificate,
            shown,
            account_rooms: self.settings.account_rooms,
            engine,
            service,
            machine: self.machine,
            boot,
            confirmation: self.confirmation,
            manifest: self.own.manifest,
            unconfirmed: self.unconfirmed,
            watchdog,
            loop_deadline,
            session,
            live,
            report,
            news,
            link,
            asker,
            stager,
            staging,
            rate,
            terminate,
        })
    }
}

/// The conditions of this start, from the slots.
fn find_start(
    machine: &Machine,
    slot: Slot,
    release: Release,
    unconfirmed: &UnconfirmedFile,
) -> Result<Start, StartError> {
    let record = machine.record()?;
    let confirmed = record.confirmed == slot;
    let staged = machine.release(slot.other()).unwrap_or_else(|error| {
        warn!("{}", chain(&error));
        None
    });
    let fell_back = record.fell_back.and_then(|fell_back| {
        let manifest: Sha256 = fell_back.manifest.parse().ok()?;
        let because = unconfirmed.why(&fell_back.manifest).map(|why| format!(": {why}")).unwrap_or_default();
        let why = format!("{}{because}", fell_back.sentence(UnixMillis::now()));
        Some(FallBack { manifest, at: fell_back.at.0, why })
    });
    let staged = staged.and_then(|staged| staged.manifest.parse().ok());
    Ok(Start { release, confirmed, staged, fell_back })
}
