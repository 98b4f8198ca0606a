//! The start of a release, up to its confirmation.
//!
//! A release that is not confirmed yet works on a copy of the confirmed release's store and changes nothing
//! of that one: a fall-back discards the copy. The confirmation in the slot record is the one atomic write
//! that makes the release and its store the valid ones.

mod release;
mod self_check;
mod serve;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use crate::store::Connection;
use clock::{Clock, Source};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::version::{Release, Sha256};
use parking_lot::RwLock;
use slots::{FellBack, Record, Slot, UnixMillis};
use thiserror::Error;
use tracing::info;

use crate::authority::AuthorityError;
use crate::backups::SwapError;
use crate::driver::{Committer, restore_calls};
use crate::layout::Layout;
use crate::own_machine::OwnMachine;
use crate::settings::SettingsError;
use crate::store::{self, Store, StoreError, read_rooms};

pub use release::{Prepared, Supervision};
pub use self_check::{SelfCheckError, self_check, server_certificate_faults};
pub use serve::{Listeners, Serving};

/// The key under which the last fall-back that was reported to the core is stored.
const REPORTED_FALL_BACK: &str = "fell_back_told";

/// The release cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The slots report an error.
    #[error(transparent)]
    Slots(#[from] slots::Error),
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store reports an error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The authority cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A backup cannot be put in place.
    #[error(transparent)]
    Restore(#[from] SwapError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up; check [manager] names in the settings")]
    Tls(#[from] rustls::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; check that nothing else does, and the settings")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The release does not serve.
    #[error("the release started and does not serve")]
    SelfCheck(#[from] SelfCheckError),
    /// A directory of the machine cannot be written.
    #[error("files cannot be written in {}; check the disk, its free space and the owner of the directory", dir.display())]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The operating system provides no threads or signals.
    #[error("the program cannot be set up; check the limits of the machine")]
    Runtime(#[source] std::io::Error),
    /// The program was started by hand.
    #[error("pitlane-manager is started by pitlane-boot; run `pitlane-boot --root {}`", root.display())]
    ByHand {
        /// The root directory.
        root: PathBuf,
    },
}

/// Whether the release that starts is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseStatus {
    /// Its store is the valid one.
    Confirmed,
    /// Its store is a copy until it confirms itself.
    Unconfirmed,
}

/// Whether the release in the slot of this program is confirmed.
///
/// # Errors
/// The record names another slot, or the slot contains another release than this program.
pub fn release_status(own: &OwnMachine) -> Result<(ReleaseStatus, Record), slots::Error> {
    let OwnMachine { machine, slot, release: Release { version, build }, layout: _ } = own;
    let slot = *slot;
    machine.check_compiled(slot, &version.to_string(), build.0)?;
    let record = machine.record()?;
    match &record.trying {
        Some(trying) if trying.slot == slot => Ok((ReleaseStatus::Unconfirmed, record)),
        None if record.confirmed == slot => Ok((ReleaseStatus::Confirmed, record)),
        Some(_) | None => Err(slots::Error::NotConfirmed { running: slot, confirmed: record.selected() }),
    }
}

/// Opens the store of the release in `slot`; an unconfirmed release gets a fresh copy of the confirmed
/// release's store, which is only read. `progress` is called repeatedly.
///
/// # Errors
/// The store cannot be copied, opened or migrated.
pub fn open_store(
    layout: &Layout,
    release_status: ReleaseStatus,
    slot: Slot,
    progress: &mut dyn FnMut(),
) -> Result<Connection, StoreError> {
    let own = layout.store(slot);
    match release_status {
        ReleaseStatus::Confirmed => {}
        ReleaseStatus::Unconfirmed => {
            info!(from = %slot.other(), to = %slot, "copying the store");
            store::copy_store(&layout.store(slot.other()), &own, progress)?;
        }
    }
    store::open(&own, progress)
}

/// Takes over an open store and applies the start to the core: the release that starts, and the last fall-back of
/// the machine.
///
/// # Errors
/// The store cannot be read or written.
pub async fn take_over(
    connection: Connection,
    path: PathBuf,
    policy: Policy,
    release: Release,
    fell_back: Option<&FellBack>,
) -> Result<Committer, StoreError> {
    take_over_on(Arc::new(clock::Machine), connection, path, policy, release, fell_back).await
}

/// The same with other clocks than this machine's.
pub(crate) async fn take_over_on(
    clocks: Arc<dyn Source>,
    mut connection: Connection,
    path: PathBuf,
    policy: Policy,
    release: Release,
    fell_back: Option<&FellBack>,
) -> Result<Committer, StoreError> {
    let fleet = match store::load(&connection)? {
        Some(fleet) => fleet,
        None => {
            let fleet = Fleet::new(release, policy.clone());
            store::initialise(&mut connection, &fleet)?;
            fleet
        }
    };
    let clock = Clock::start_on(clocks, store::stored_time(&connection)?.as_ref());
    let gap = clock.gap();
    let rooms = read_rooms(&connection)?;
    let fall_back = unreported(fell_back, store::read_meta(&connection, REPORTED_FALL_BACK)?.as_deref());
    let fleet = Arc::new(RwLock::new(fleet));
    let store = Store::start(&path, connection, fleet.clone());
    let committer = Committer::new(store, fleet, clock, rooms);
    restore_calls(&committer).await?;
    if committer.read(|fleet, _| fleet.platform.policy != policy) {
        committer.set_policy(policy).await?;
    }
    let reported = fall_back.as_ref().map(|(mark, _)| mark.clone());
    let fell_back = fall_back.map(|(_, fell_back)| fell_back);
    let wall = Some((committer.wall(), gap));
    let event = Event::ManagerStarted { release, fell_back, wall };
    let mark = move |tx: &crate::store::Transaction<'_>, _| match &reported {
        Some(mark) => store::write_meta(tx, REPORTED_FALL_BACK, mark),
        None => Ok(()),
    };
    committer.apply_with(event, mark).await?;
    committer.licences().reload(committer.store()).await?;
    Ok(committer)
}

/// The fall-back that was not reported to the core yet, with a mark that identifies it. The slot record keeps
/// the last one until the next selection, so one that was reported must not count again for a later run with
/// the same package.
fn unreported(fell_back: Option<&FellBack>, reported: Option<&str>) -> Option<(String, (Sha256, String))> {
    let FellBack { manifest, why, at, stranded } = fell_back?;
    let mark = format!("{} {manifest}", at.0);
    let package = manifest.parse().ok()?;
    let why = match stranded {
        Some(_) => fell_back?.sentence(UnixMillis::now()),
        None => why.to_string(),
    };
    (reported != Some(mark.as_str())).then_some((mark, (package, why)))
}
