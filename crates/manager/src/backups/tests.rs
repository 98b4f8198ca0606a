//! Backups of a machine in a temporary directory: made, restored, refused, and put in place by a start that is killed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use backup::{Content, Origin, Source};
use fleet::desired::Generation;
use fleet::node::{Duty, NodeId};
use fleet::path::Step;
use fleet::platform::Event;
use fleet::policy::Policy;
use fleet::run::Package;
use fleet::version::{Build, Version};
use slots::Slot;

use super::directory::{MOST_REQUESTED, MOST_SCHEDULED};
use super::swap::{perform, steps};
use super::*;
use crate::testing::{Bench, observed};

const NODE: NodeId = NodeId(1);

/// A machine with an authority, whose Management Node is up.
struct Site {
    bench: Bench,
    committer: Committer,
    backups: Backups,
}

fn passphrase() -> Passphrase {
    Passphrase::new("grandstand").unwrap()
}

impl Site {
    async fn new() -> Self {
        let bench = Bench::new();
        Authority::load_or_make(&bench.layout().state()).unwrap();
        let committer = bench.committer().await;
        let backups = Backups::new(committer.clone(), bench.layout(), Release::PRESENT, WorkFactor::QUICK);
        Self { bench, committer, backups }
    }

    fn layout(&self) -> Layout {
        self.bench.layout()
    }

    async fn add_node(&self) {
        let added = Event::NodeAdded { id: NODE, name: "node1".into(), duty: Duty::AlwaysOn };
        self.committer.apply(added).await.unwrap();
    }

    /// Makes a backup; returns its file.
    async fn back_up(&self, made_by: MadeBy) -> PathBuf {
        let kept = self.backups.make(self.backups.turn().unwrap(), made_by, passphrase()).await.unwrap();
        self.layout().backups().join(kept.name.to_string())
    }

    async fn unpack(&self, file: &Path) -> Result<Manifest, RestoreError> {
        self.backups.prepare_restore(0).await.unwrap();
        self.backups.unpack(&self.backups.turn().unwrap(), file.into(), passphrase()).await
    }

    async fn accept(&self, file: &Path) {
        self.unpack(file).await.unwrap();
        self.backups.accept(self.backups.turn().unwrap()).await.unwrap();
        self.committer.store().close().await;
    }

    fn authority(&self) -> String {
        platform(&self.layout().state()).unwrap().unwrap()
    }
}

#[tokio::test]
async fn backup_is_kept_with_its_hash_and_read_by_its_owner_alone() {
    let site = Site::new().await;
    let file = site.back_up(MadeBy::Request).await;
    let kept = site.backups.list().await.unwrap();
    let bytes = fs::read(&file).unwrap();
    let hash = fleet::version::Sha256(<sha2::Sha256 as sha2::Digest>::digest(&bytes).into());
    assert_eq!((kept.len(), kept[0].size, kept[0].sha256), (1, bytes.len() as u64, Some(hash)));
    for path in [file.clone(), hash_file_of(&file)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(names(&site.layout().backups()).len(), 2, "something else was left");
}

/// Restored, it would begin the upgrade again, whatever the operator has decided meanwhile.
#[tokio::test]
async fn backup_is_not_made_while_an_upgrade_is_under_way() {
    let site = Site::new().await;
    let present = Release::PRESENT;
    let version = Version::new(present.version.major, present.version.minor + 1);
    let step = Step { to: version, from: present.version, reason: "none".into() };
    let release = Release { version, build: Build(present.build.0 + 1) };
    let package =
        Package { release, manifest: fleet::version::Sha256([7; 32]), path: fleet::path::Path(vec![step]) };
    site.committer.start(package, Policy::standard()).await.unwrap().unwrap();
    let refused = site.backups.make(site.backups.turn().unwrap(), MadeBy::Request, passphrase()).await;
    assert!(matches!(refused, Err(BackupError::RunUnderWay)), "{refused:?}");
    assert!(names(&site.layout().backups()).is_empty(), "something is left");
    site.committer.apply(Event::ManagerRejected { why: "no".into() }).await.unwrap();
    site.back_up(MadeBy::Request).await;
}

fn hash_file_of(file: &Path) -> PathBuf {
    format!("{}.sha256", file.display()).into()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn backup_beyond_the_last_replaces_the_oldest_of_its_kind() {
    let site = Site::new().await;
    for (made_by, most) in [(MadeBy::Schedule, MOST_SCHEDULED), (MadeBy::Request, MOST_REQUESTED)] {
        let mut oldest = Vec::new();
        for _ in 0..=most {
            oldest.push(site.back_up(made_by).await);
        }
        assert!(!oldest[0].exists() && oldest[1].exists(), "{made_by:?}");
    }
    assert_eq!(site.backups.list().await.unwrap().len(), MOST_SCHEDULED + MOST_REQUESTED);
}

#[tokio::test]
async fn backup_that_fails_leaves_nothing() {
    let site = Site::new().await;
    fs::remove_file(site.layout().state().join("authority.pem")).unwrap();
    let failed = site.backups.make(site.backups.turn().unwrap(), MadeBy::Request, passphrase()).await;
    assert!(matches!(failed, Err(BackupError::NoAuthority { .. })), "{failed:?}");
    assert!(names(&site.layout().backups()).is_empty());
}

/// R20: a Management Node that was restored does not know which desired states it has issued since.
#[tokio::test]
async fn restored_manager_goes_on_above_what_its_nodes_report_r20() {
    let site = Site::new().await;
    site.add_node().await;
    let file = site.back_up(MadeBy::Request).await;
    let authority = site.authority();
    for reason in ["a fan", "a disk"] {
        site.committer.apply(Event::Maintenance { id: NODE, operator: Some(reason.into()) }).await.unwrap();
    }
    let issued = wanted(&site.committer);
    site.accept(&file).await;
    assert!(site.backups.accepted().is_cancelled(), "the process does not end");
    swap_in(&site.layout(), Slot::A).unwrap();
    assert_eq!(site.authority(), authority);
    let committer = site.bench.committer().await;
    committer.read(|fleet, _| assert_eq!(fleet.nodes().get(NODE).unwrap().operator_maintenance, None));
    let mut report = observed(committer.now().0);
    report.generation = issued;
    committer.apply(Event::Report { id: NODE, observed: report }).await.unwrap();
    assert!(wanted(&committer) > issued, "the node would take it for a command from before");
}

fn wanted(committer: &Committer) -> Generation {
    committer.read(|fleet, _| fleet.wanted(NODE).unwrap().generation)
}

#[tokio::test]
async fn fresh_machine_takes_the_platform_of_a_backup_and_forgets_its_first_password() {
    let (site, fresh) = (Site::new().await, Site::new().await);
    site.add_node().await;
    let file = site.back_up(MadeBy::Request).await;
    let password = fresh.layout().state().join("admin-password");
    fs::write(&password, "of the account that was made here\n").unwrap();
    fresh.accept(&file).await;
    swap_in(&fresh.layout(), Slot::A).unwrap();
    assert_eq!(fresh.authority(), site.authority());
    assert!(!password.exists());
    fresh.bench.committer().await.read(|fleet, _| assert!(fleet.nodes().get(NODE).is_some()));
}

/// What a platform is: its authority, its store, the first password.
fn contents(layout: &Layout) -> BTreeMap<&'static str, Vec<u8>> {
    let read = |path: PathBuf| fs::read(path).unwrap_or_default();
    BTreeMap::from([
        ("key", read(layout.state().join("authority.key"))),
        ("pem", read(layout.state().join("authority.pem"))),
        ("store", read(layout.store(Slot::A))),
        ("log", read(layout.root().join("store-a.db-wal"))),
        ("password", read(layout.state().join("admin-password"))),
    ])
}

/// Copies a machine without its slots.
fn copy(from: &Layout, to: &Path) -> Layout {
    let done = std::process::Command::new("cp").arg("-a").arg(from.root()).arg(to).status().unwrap();
    assert!(done.success());
    Layout::new(to)
}

#[tokio::test]
async fn restore_ends_the_same_wherever_its_start_is_killed() {
    let (site, fresh) = (Site::new().await, Site::new().await);
    let file = site.back_up(MadeBy::Request).await;
    fresh.accept(&file).await;
    fs::write(fresh.layout().state().join("admin-password"), "another\n").unwrap();
    fs::write(fresh.layout().root().join("store-a.db-wal"), "the log of the store before").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let whole = copy(&fresh.layout(), &dir.path().join("whole"));
    swap_in(&whole, Slot::A).unwrap();
    let expected = contents(&whole);
    assert_eq!(expected["pem"], fs::read(site.layout().state().join("authority.pem")).unwrap());
    assert_eq!((expected["log"].len(), expected["password"].len()), (0, 0));
    let count = steps(&fresh.layout(), Slot::A).len();
    for killed_after in 0..=count {
        let machine = copy(&fresh.layout(), &dir.path().join(killed_after.to_string()));
        steps(&machine, Slot::A).iter().take(killed_after).for_each(|step| perform(step).unwrap());
        swap_in(&machine, Slot::A).unwrap();
        assert_eq!(contents(&machine), expected, "killed after {killed_after} of {count} steps");
        assert!(!machine.restore().exists());
    }
}

#[tokio::test]
async fn backup_that_was_not_accepted_is_forgotten_by_the_next_start() {
    let site = Site::new().await;
    let file = site.back_up(MadeBy::Request).await;
    site.unpack(&file).await.unwrap();
    let before = contents(&site.layout());
    swap_in(&site.layout(), Slot::A).unwrap();
    assert_eq!(contents(&site.layout()), before);
    assert!(!site.layout().restore().exists());
}

#[tokio::test]
async fn file_of_a_backup_that_is_lost_on_the_way_stops_the_start() {
    let site = Site::new().await;
    let file = site.back_up(MadeBy::Request).await;
    site.accept(&file).await;
    let state = site.layout().state();
    fs::rename(&state, site.layout().root().join("elsewhere")).unwrap();
    assert!(swap_in(&site.layout(), Slot::A).is_err(), "the authority is lost");
    fs::rename(site.layout().root().join("elsewhere"), &state).unwrap();
    swap_in(&site.layout(), Slot::A).unwrap();
}

/// Makes a file with these contents as a backup of a release and platform.
fn forged(site: &Site, release: Release, platform: String, sources: &[Source]) -> PathBuf {
    let file = site.bench.root().join("forged");
    let origin = Origin { release, platform, made: Wall(0) };
    let made = backup::make(Vec::new(), &passphrase(), WorkFactor::QUICK, origin, sources).unwrap();
    fs::write(&file, made.0).unwrap();
    file
}

fn source(name: &str, content: &[u8]) -> Source {
    Source { name: name.parse().unwrap(), content: Content::Bytes(content.into()) }
}

#[tokio::test]
async fn what_cannot_be_restored_here_is_refused_and_nothing_of_it_is_left() {
    let (site, other) = (Site::new().await, Site::new().await);
    site.add_node().await;
    let platform = site.authority();
    let [key, pem] =
        ["authority.key", "authority.pem"].map(|name| fs::read(site.layout().state().join(name)).unwrap());
    let store =
        |content: &[u8]| [source(STORE, content), source(AUTHORITY_KEY, &key), source(AUTHORITY, &pem)];
    let check = async |file: &Path, expected: &str| {
        let refused = edge::error_chain::chain(&site.unpack(file).await.unwrap_err());
        assert!(refused.contains(expected), "{refused}");
        assert!(names(&site.layout().restore()).is_empty(), "{expected}");
    };
    let earlier = Release { build: Build(34_099), ..Release::PRESENT };
    check(
        &forged(&site, earlier, platform.clone(), &store(b"")),
        "made by 34.1 (34099), and this Management Node runs 34.1 (34100)",
    )
    .await;
    let foreign = other.back_up(MadeBy::Request).await;
    check(&foreign, "with 1 Conferencing Nodes, which would be lost").await;
    check(&forged(&site, Release::PRESENT, platform.clone(), &store(b"no store")), "the store in the backup")
        .await;
    let more = [&store(b"")[..], &[source("machine.toml", b"")]].concat();
    check(&forged(&site, Release::PRESENT, platform.clone(), &more), "machine.toml").await;
    let without_key = [source(STORE, b""), source(AUTHORITY_KEY, b""), source(AUTHORITY, &pem)];
    check(&forged(&site, Release::PRESENT, platform, &without_key), "not that of its platform").await;
    let own = site.back_up(MadeBy::Request).await;
    let mut bytes = fs::read(&own).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(site.bench.root().join("forged"), &bytes).unwrap();
    check(&site.bench.root().join("forged"), "its end was changed").await;
    let turn = site.backups.turn().unwrap();
    let wrong = site.backups.unpack(&turn, own, Passphrase::new("another").unwrap()).await;
    assert!(matches!(wrong, Err(RestoreError::Refused(backup::Refusal::WrongPassphrase))), "{wrong:?}");
}
