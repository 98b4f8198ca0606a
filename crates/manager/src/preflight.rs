//! The check before a start: whether this program would start on this machine, found out without starting.
//!
//! It uses the functions that a start uses and leaves everything as it is. The Management Node runs it about
//! itself once a minute, and the program of a new release runs it in its slot before that is selected.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use edge::error_chain::chain;
use fleet::version::Release;
use package::{Installed, TrustedKeys, verify_slot};
use slots::{Fault, Held, Machine, Slot, SlotIdentity, faults_in_one};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::layout::Layout;
use crate::own_machine::OwnMachine;
use crate::settings::Settings;
use crate::start::{Listeners, StartError, server_certificate_faults};
use crate::store::{self, StoreError};

/// How long the Management Node's check of itself may take, which leaves out the store.
const OWN_WITHIN: Duration = Duration::from_secs(20);

/// Whether the store is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreTrial {
    /// A copy is made, migrated and read, as a start does.
    OnACopy,
    /// It is not checked: the calling process has it open and writes it.
    LeftOut,
}

/// All faults so far.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    /// Notes an error, if there is one.
    fn of<T, E: std::error::Error + 'static>(&mut self, outcome: Result<T, E>) -> Option<T> {
        outcome.map_err(|error| self.0.push(Fault::new(&chain(&error)))).ok()
    }
}

/// Everything that would prevent this program, compiled as `release`, from starting on the machine with this
/// root directory, from `slot` when it lies in one. `held` is what the calling process itself has open. Call it within a tokio
/// runtime, where blocking is allowed.
pub async fn check(
    root: &Path,
    slot: Option<Slot>,
    release: Release,
    held: &Held,
    trial: StoreTrial,
) -> Vec<Fault> {
    let (mut faults, layout, machine) = (Faults::default(), Layout::new(root), Machine::open(root));
    let settings = faults.of(Settings::read(&layout.settings()));
    faults.of(Settings::check_boot_table(&layout.settings()));
    let record = faults.of(machine.record());
    if let Some(slot) = slot {
        check_slot(&machine, slot, release, &mut faults);
    }
    for dir in [layout.root().to_path_buf(), layout.state()].iter().filter(|dir| dir.exists()) {
        faults.of(try_writing(dir));
    }
    // A machine that was never started creates its authority at its first start.
    let authority = faults.of(Authority::load(&layout.state())).flatten().map(Arc::new);
    if let Some(settings) = settings {
        for (address, tried) in [settings.people, settings.nodes].map(|it| (it, held.try_at(it))) {
            faults.of(Listeners::try_at(address, tried).await);
        }
        if let Some(authority) = authority {
            let now = SystemTime::now();
            faults.0.extend(
                server_certificate_faults(&settings, &authority, now).iter().map(|it| Fault::new(it)),
            );
        }
    }
    if let (Some(record), StoreTrial::OnACopy) = (record, trial) {
        faults.of(try_store(&layout, record.confirmed));
    }
    faults.0
}

/// Checks that the slot contains the release of this program, signed with a trusted key: boot starts no
/// other.
fn check_slot(machine: &Machine, slot: Slot, release: Release, faults: &mut Faults) {
    let Release { version, build } = release;
    let compiled = faults.of(machine.check_compiled(slot, &version.to_string(), build.0));
    // A slot that cannot be identified, or that contains another release, has to be restored as a whole, so
    // it is checked no further.
    if let (Some(keys), Some(_)) = (faults.of(TrustedKeys::of_machine(machine.root())), compiled) {
        faults.of(machine.inspect(slot, &mut |slot, identity| {
            let SlotIdentity { format: _, manifest, version, build, program } = identity.clone();
            let says = Installed { manifest, version, build, program };
            verify_slot(&machine.slot_dir(slot), &says, &keys).map_err(|refusal| chain(&refusal))
        }));
    }
}

/// Checks that files can be written and made durable in a directory.
fn try_writing(dir: &Path) -> Result<(), StartError> {
    let path = dir.join(format!(".check-{}", std::process::id()));
    slots::try_writing(&path).map_err(|source| StartError::NotWritable { dir: dir.into(), source })
}

/// Checks that a temporary copy of the confirmed release's store can be migrated to the version of this one
/// and read.
fn try_store(layout: &Layout, confirmed: Slot) -> Result<(), StoreError> {
    let from = layout.store(confirmed);
    if !from.exists() {
        return Ok(());
    }
    let copy = Copy::of(&from, layout.root())?;
    let connection = store::open(&copy.path, &mut || {})?;
    store::load(&connection)?;
    store::stored_time(&connection)?;
    store::read_rooms(&connection)?;
    Ok(())
}

/// A temporary copy, removed when it is dropped.
struct Copy {
    path: PathBuf,
}

impl Copy {
    fn of(store: &Path, root: &Path) -> Result<Self, StoreError> {
        let copy = Self { path: root.join(".check-store.db") };
        // One may be left of an interrupted check.
        copy.remove();
        store::snapshot(store, &copy.path)?;
        Ok(copy)
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm", "-journal"] {
            let mut name = self.path.as_os_str().to_os_string();
            name.push(ending);
            // A missing file is no error; one that cannot be removed makes the copy fail, which reports it.
            let _ = std::fs::remove_file(PathBuf::from(name));
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Why a restart of this Management Node would fail, if it would. `held` are the addresses of this process.
pub async fn own(own: OwnMachine, held: Held) -> Option<String> {
    let runtime = Handle::current();
    let work = spawn_blocking(move || {
        runtime.block_on(check(own.layout.root(), Some(own.slot), own.release, &held, StoreTrial::LeftOut))
    });
    match timeout(OWN_WITHIN, work).await {
        Ok(Ok(faults)) => faults_in_one(&faults),
        Ok(Err(broken)) => Some(format!("the check was aborted: {broken}")),
        Err(_) => Some(format!(
            "the check did not end in {} s; look at the disk of the machine",
            OWN_WITHIN.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpListener;

    use super::*;
    use crate::testing::Bench;

    async fn faults(bench: &Bench, held: &Held) -> Vec<String> {
        let found = check(bench.root(), Some(Slot::A), Release::PRESENT, held, StoreTrial::OnACopy).await;
        found.iter().map(ToString::to_string).collect()
    }

    fn names(bench: &Bench) -> Vec<String> {
        let entries = fs::read_dir(bench.root()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn machine_that_would_start_has_no_faults_and_is_left_as_it_is() {
        let bench = Bench::new();
        let committer = bench.committer().await;
        Authority::load_or_make(&bench.layout().state()).unwrap();
        let before = names(&bench);
        assert_eq!(faults(&bench, &Held::default()).await, [] as [&str; 0]);
        assert_eq!(names(&bench), before);
        // The store can be written meanwhile.
        let (id, name, duty) = (fleet::node::NodeId(1), "node1".into(), fleet::node::Duty::AlwaysOn);
        committer.apply(fleet::platform::Event::NodeAdded { id, name, duty }).await.unwrap();
        assert_eq!(faults(&bench, &Held::default()).await, [] as [&str; 0]);
    }

    #[tokio::test]
    async fn all_that_would_keep_it_from_starting_is_named_at_once() {
        let bench = Bench::new();
        bench.committer().await.store().close().await;
        Authority::load_or_make(&bench.layout().state()).unwrap();
        fs::remove_file(bench.layout().state().join("authority.key")).unwrap();
        fs::write(bench.layout().store(Slot::A), "no database, whatever it says").unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let taken_again = TcpListener::bind(taken).unwrap();
        let settings = format!(
            "[boot]\ntries = 0\n[manager]\npeople = \"{taken}\"\nnodes = \"192.0.2.1:0\"\nnames = [\"127.0.0.1\"]\n"
        );
        fs::write(bench.layout().settings(), settings).unwrap();
        let found = faults(&bench, &Held::default()).await;
        let people = taken.to_string();
        for named in ["tries is 0", "authority.key is missing", people.as_str(), "192.0.2.1:0", "store-a.db"]
        {
            assert_eq!(found.iter().filter(|fault| fault.contains(named)).count(), 1, "{named}: {found:?}");
        }
        let held = Held { addresses: vec![taken], calls: 0 };
        assert!(!faults(&bench, &held).await.iter().any(|fault| fault.contains(&people)));
        drop(taken_again);
    }

    #[tokio::test]
    async fn whatever_keeps_boot_from_starting_the_slot_is_named() {
        let check = async |spoil: fn(&Path), named: &str| {
            let bench = Bench::new();
            Authority::load_or_make(&bench.layout().state()).unwrap();
            spoil(bench.root());
            let found = faults(&bench, &Held::default()).await;
            assert!(found.len() == 1 && found[0].contains(named), "{named}: {found:?}");
        };
        check(|root| fs::remove_file(root.join("slots/a/manifest.json")).unwrap(), "holds no manifest.json,")
            .await;
        check(|root| fs::remove_file(root.join("trust/test.pub")).unwrap(), "trust holds no public key")
            .await;
        check(
            |root| fs::write(root.join("trust/test.pub"), "").unwrap(),
            "test.pub is not a minisign public key",
        )
        .await;
        check(forget_key, "which this machine does not trust").await;
        check(replace_program, "bin/pitlane-manager is not the file").await;
        check(|root| fs::write(root.join("slots/a/more"), "").unwrap(), "the slot holds more").await;
    }

    /// Replaces the trusted key by another than the one that signed the release.
    fn forget_key(root: &Path) {
        let trust = root.join("trust");
        fs::remove_file(trust.join("test.pub")).unwrap();
        package::generate_key("another").unwrap().write(&trust, "another").unwrap();
    }

    /// Replaces the program by another of the same length.
    fn replace_program(root: &Path) {
        let program = root.join("slots/a/bin/pitlane-manager");
        let text = fs::read_to_string(&program).unwrap();
        fs::write(program, text.replace("exit 0", "exit 7")).unwrap();
    }

    #[tokio::test]
    async fn settings_that_cannot_be_read_and_names_that_are_none_are_faults() {
        let bench = Bench::new();
        Authority::load_or_make(&bench.layout().state()).unwrap();
        let text = fs::read_to_string(bench.layout().settings()).unwrap();
        let check = async |text: &str, named: &str| {
            fs::write(bench.layout().settings(), text).unwrap();
            let found = faults(&bench, &Held::default()).await;
            assert!(found.len() == 1 && found[0].contains(named) && !found[0].contains('\n'), "{found:?}");
        };
        check(&text.replace("people", "peeple"), "peeple").await;
        check(&text.replace("127.0.0.1:0", "127.0.0.1:8443"), "cannot both be listened on").await;
        check(&text.replace("[\"127.0.0.1\"]", "[\"no name\"]"), "no name").await;
    }
}
