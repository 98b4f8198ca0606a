//! A release from its start to its end: settings, authority, listeners, store, self check, confirmation,
//! event loop.
//!
//! What can fail because of the machine comes first, so that a start that fails applies no event to the core.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use backup::WorkFactor;
use edge::error_chain::chain;
use slots::Held;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{Listeners, ReleaseStatus, StartError, open_store, release_status, self_check, take_over};
use crate::auth::first_password;
use crate::auth::oauth::Audiences;
use crate::authority::{Authority, write_private};
use crate::backups::{Backups, run_schedule, swap_in};
use crate::context::Context;
use crate::driver::{Committer, Driver, Ended, store_past_calls};
use crate::enrolment::NodeAccess;
use crate::gate::{Gate, GateState};
use crate::link::{self, Link, Slowdown, Timing};
use crate::own_machine::OwnMachine;
use crate::presence::Presence;
use crate::settings::Settings;

/// The time that a release requests whenever it has made progress with copying and migrating its store: far
/// more than any one step takes.
const STEP_WITHIN: Duration = Duration::from_secs(120);

/// The supervisor that has started this release and waits for its confirmation.
pub trait Supervision {
    /// Reports progress: the time to confirm ends no earlier than `from_now`.
    fn extend(&self, from_now: Duration) -> io::Result<()>;
    /// Reports that the confirmation is in the record.
    fn ready(&self) -> io::Result<()>;
}

impl Supervision for slots::Supervised {
    fn extend(&self, from_now: Duration) -> io::Result<()> {
        Self::extend(self, from_now)
    }

    fn ready(&self) -> io::Result<()> {
        Self::ready(self)
    }
}

/// A release that has its store and its listeners, and does not serve yet.
#[derive(Debug)]
pub struct Prepared {
    own: OwnMachine,
    settings: Settings,
    authority: Arc<Authority>,
    listeners: Listeners,
    committer: Committer,
    backups: Backups,
}

impl Prepared {
    /// Takes the steps of a start that change nothing of another release.
    ///
    /// # Errors
    /// Why this release cannot start.
    pub async fn new(own: OwnMachine, supervision: &impl Supervision) -> Result<Self, StartError> {
        let settings = Settings::read(&own.layout.settings())?;
        let (release_status, record) = release_status(&own)?;
        match release_status {
            ReleaseStatus::Confirmed => {
                info!(release = %own.release, slot = %own.slot, "starting");
                swap_in(&own.layout, own.slot)?;
            }
            ReleaseStatus::Unconfirmed => {
                info!(release = %own.release, slot = %own.slot, "starting for a try")
            }
        }
        let authority = Arc::new(Authority::load_or_make(&own.layout.state())?);
        let certificate = own.layout.state().join("authority.pem");
        info!(
            fingerprint = %authority.fingerprint(), certificate = %certificate.display(),
            "the authority of this platform (SHA-256)"
        );
        // First what can fail because of the machine: a start that fails must not be applied to the core.
        let listeners = Listeners::bind(&settings, &authority).await?;
        let mut extend = || warn_of_failure(supervision.extend(STEP_WITHIN));
        let connection = open_store(&own.layout, release_status, own.slot, &mut extend)?;
        let (path, policy) = (own.layout.store(own.slot), settings.policy.clone());
        let committer = take_over(connection, path, policy, own.release, record.fell_back.as_ref()).await?;
        let name = settings.names.first().map_or("", String::as_str);
        listeners.certificate().reload(committer.store(), name).await?;
        committer.reload_certificates().await?;
        let backups = Backups::new(committer.clone(), own.layout.clone(), own.release, WorkFactor::STRONG);
        Ok(Self { own, settings, authority, listeners, committer, backups })
    }

    /// Applies events to the core.
    pub fn committer(&self) -> &Committer {
        &self.committer
    }

    /// The two listeners.
    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// What the management API is constructed from.
    pub fn context(&self) -> Context {
        let port = self.listeners.nodes().port();
        let address = |name: &String| match name.contains(':') {
            true => format!("[{name}]:{port}"),
            false => format!("{name}:{port}"),
        };
        Context {
            release: self.own.release,
            committer: self.committer.clone(),
            layout: self.own.layout.clone(),
            nodes: NodeAccess {
                addresses: self.settings.names.iter().map(address).collect(),
                authority: self.authority.pem().into(),
            },
            name: self.settings.names.first().cloned().unwrap_or_default(),
            requests_per_minute: self.settings.requests_per_minute,
            token_urls: Audiences::of(
                self.settings.names.iter().map(String::as_str),
                self.listeners.people().port(),
            ),
            certificate: self.listeners.certificate().clone(),
            backups: self.backups.clone(),
            refusals: self.listeners.refusals().clone(),
        }
    }

    /// Hands the first password to the operator: in a file that only its owner can read, whose path is
    /// logged. The password itself is not logged: logs are collected, kept and read by others.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn hand_over(&self, password: &str) -> Result<(), StartError> {
        let file = first_password::file(&self.own.layout.state());
        write_private(&file, format!("{password}\n").as_bytes())?;
        Ok(())
    }

    /// Checks that the release serves, confirms it, and runs it until `stop` or until another release is
    /// selected.
    ///
    /// # Errors
    /// The release does not serve, or cannot be confirmed.
    pub async fn run(
        self,
        people: Router,
        supervision: &impl Supervision,
        stop: CancellationToken,
    ) -> Result<Ended, StartError> {
        let gate = Gate::closed();
        let (presence, downs) = Presence::new(Timing::STANDARD.gap);
        let link = Link {
            committer: self.committer.clone(),
            authority: self.authority.clone(),
            layout: self.own.layout.clone(),
            presence: presence.clone(),
            gate: gate.clone(),
            fetch_rate: self.settings.fetch_rate,
            timing: Timing::STANDARD,
            refusals: self.listeners.refusals().clone(),
            slowdown: Arc::new(Slowdown::default()),
        };
        let addresses = [self.listeners.people(), self.listeners.nodes()];
        let name = self.settings.names.first().cloned().unwrap_or_default();
        let serving = self.listeners.serve(people, link::router(link), &gate);
        for address in addresses {
            self_check(&self.authority, address, &name).await?;
        }
        self.own.machine.confirm(self.own.slot)?;
        warn_of_failure(supervision.ready());
        gate.set(GateState::Open);
        let [people, nodes] = addresses;
        info!(release = %self.own.release, %people, %nodes, "the Management Node serves");
        if let Some(notice) = first_password::notice(&self.own.layout.state()) {
            warn!("{notice}");
        }
        let _schedule = AbortOnDropHandle::new(tokio::spawn(run_schedule(self.backups.clone())));
        let committer = self.committer.clone();
        let held = Held { addresses: addresses.into(), calls: 0 };
        let alarms = tokio::spawn(crate::driver::alarms::watch(committer.clone(), name));
        let _alarms = AbortOnDropHandle::new(alarms);
        let driver = Driver {
            committer: self.committer,
            own: self.own,
            held,
            presence,
            downs,
            restored: self.backups.accepted().clone(),
            gate: gate.clone(),
            stop,
        };
        let ended = driver.run().await;
        gate.set(GateState::Closed);
        serving.stop().await;
        if let Err(cause) = store_past_calls(&committer).await {
            warn!(error = %chain(&cause), "calls that have just ended are missing from the history");
        }
        committer.store().close().await;
        Ok(ended)
    }
}

/// Logs a message to the supervisor that could not be sent: it shortens the time to confirm, and breaks
/// nothing.
fn warn_of_failure(sent: io::Result<()>) {
    if let Err(error) = sent {
        warn!(%error, "a message to pitlane-boot could not be sent");
    }
}
