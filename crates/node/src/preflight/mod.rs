//! The check before a start: whether this program would start on this machine, without starting it. It relies on the
//! functions that a start uses, and changes nothing. A serving node checks itself, and the program of a staged release
//! checks itself in its slot before the node refuses its first call for it.

mod asker;
mod schedule;

use std::path::Path;
use std::time::SystemTime;

use call::Trial;
use fleet::version::Release;
use package::{Installed, TrustedKeys, verify_slot};
use slots::{Fault, Held, Machine, Slot, SlotIdentity};

use crate::files::{self, chain};
use crate::identity::Identity;
use crate::persistent_state::{ConfigurationFile, PersistentStateFile};
use crate::settings::Settings;
use crate::web;

pub use asker::Asker;
pub use schedule::{OwnChecks, ReleaseChecks, Verdict};

/// All faults so far.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    /// Records the error, if there is one.
    fn of<T, E: std::error::Error + 'static>(&mut self, outcome: Result<T, E>) -> Option<T> {
        outcome.map_err(|error| self.0.push(Fault::new(&chain(&error)))).ok()
    }
}

/// Everything that would keep this program, compiled as `release`, from starting on the machine with this root
/// directory, from `slot` when it lies in one. What the asking process itself has open is `held`. Call it within a tokio runtime, where
/// blocking is allowed.
pub async fn check(root: &Path, slot: Option<Slot>, held: &Held, release: Release) -> Vec<Fault> {
    let mut faults = Faults::default();
    let Some(root) = faults.of(files::root(root)) else { return faults.0 };
    let settings = faults.of(Settings::read(&root));
    faults.of(Settings::check_boot_table(&root));
    check_slot(&root, slot, release, &mut faults);
    check_state(&root, &mut faults);
    if let Some(Settings {
        calls,
        web,
        bootstrap: _,
        confirm_within: _,
        accounts: _,
        account_rooms: _,
        logins: _,
    }) = settings
    {
        let listener = web::listen(held.try_at(web)).await;
        faults.of(listener.map_err(|error| web::CannotListen { address: web, ..error }));
        let tls = calls.tls.as_ref().map(|tls| held.try_at(tls.address));
        let trial = Trial { sip: held.try_at(calls.sip), tls, held_ports: held.calls };
        for error in call::preflight(&calls, trial).await {
            faults.of(Err::<(), _>(error));
        }
    }
    faults.0
}

/// The slot record, that the slot holds the release that this program is, and that it is what was signed with a
/// key of this machine: boot starts no other. A program in no slot is not started by boot.
fn check_slot(root: &Path, slot: Option<Slot>, release: Release, faults: &mut Faults) {
    let machine = Machine::open(root);
    faults.of(machine.record());
    let Some(slot) = slot else { return };
    let Release { version, build } = release;
    let compiled = faults.of(machine.check_compiled(slot, &version.to_string(), build.0));
    // A slot whose identity is unreadable or of another release is replaced as a whole: no further fault is reported.
    if let (Some(keys), Some(_)) = (faults.of(TrustedKeys::of_machine(root)), compiled) {
        faults.of(machine.inspect(slot, &mut |slot, identity| {
            let SlotIdentity { format: _, manifest, version, build, program } = identity.clone();
            let says = Installed { manifest, version, build, program };
            verify_slot(&machine.slot_dir(slot), &says, &keys).map_err(|refusal| chain(&refusal))
        }));
    }
}

/// The persistent state and the identity of the node, and that state can be written.
fn check_state(root: &Path, faults: &mut Faults) {
    let state = root.join("state");
    for dir in [root, state.as_path()].into_iter().filter(|dir| dir.exists()) {
        faults.of(files::try_writing(dir));
    }
    faults.of(PersistentStateFile::new(&state).load());
    // A damaged configuration is no fault: a start goes on without it, too.
    let _ = ConfigurationFile::new(&state).load();
    let Some(identity) = faults.of(Identity::load(root)) else { return };
    if faults.of(identity.client()).is_some() {
        faults.of(identity.check_validity(SystemTime::now()));
    }
}
