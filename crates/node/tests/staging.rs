//! Tests staging from a Management Node that serves incomplete, damaged or wrong packages.

mod support;

use std::fs;
use std::sync::{Arc, Weak};

use fleet::agent::{Agent, PersistentState, StagingOutcome, Start};
use fleet::desired::Assignment;
use fleet::time::Time;
use fleet::version::{Release, Version};
use node::clock::Clock;
use node::identity::Identity;
use node::link::{Report, Session};
use node::live::Live;
use node::preflight::Asker;
use node::staging::{FAILED_VERIFICATIONS, Stager, StagingEvent};
use package::{PIECE_SIZE, Role, TrustedKeys, check_slot, kept_manifest};
use slots::Slot;
use tokio::sync::{mpsc, watch};

use support::machine::TestMachine;
use support::package::{Publisher, Served, next_release};
use support::{Fault, Manager};

/// A node program that makes a payload of three pieces.
const THREE_PIECES: usize = 2 * PIECE_SIZE as usize + 1_000_000;

struct Bench {
    machine: TestMachine,
    manager: Manager,
    publisher: Publisher,
    stager: Stager,
    events: mpsc::Receiver<StagingEvent>,
    _report: watch::Sender<Report>,
    rate: watch::Sender<Option<u64>>,
}

impl Bench {
    async fn new() -> Self {
        let (machine, manager, publisher) =
            (TestMachine::installed(), Manager::start().await, Publisher::new());
        publisher.install_key(machine.path());
        assert!(machine.enrol(&manager).await.status.success());
        let identity = Identity::load(machine.path()).unwrap();
        let start = Start { release: Release::PRESENT, confirmed: true, staged: None, fell_back: None };
        let observed = Agent::new(PersistentState::default(), start).observed(Time(0));
        let report = Report::new(observed, wire::Tally::default(), 0);
        let (report_sender, reported) = watch::channel(report);
        let live = Arc::new(Live::new(Weak::new(), Arc::default()));
        let said = wire::machine::Machine::default();
        let session =
            Session::new(machine.path(), identity, Clock::start(None), reported, live, said).unwrap();
        let ((sender, events), (rate, rates)) = (mpsc::channel(64), watch::channel(None));
        let stager = Stager {
            machine: machine.machine.clone(),
            slot: Slot::A,
            running: Release::PRESENT,
            running_package: None,
            session: Arc::new(session),
            asker: Asker {
                release: Release::PRESENT,
                machine: machine.machine.clone(),
                slot: Slot::A,
                addresses: Vec::new(),
                calls: watch::channel(call::Calls::Unknown).1,
                turn: Arc::default(),
            },
            rate: rates,
            events: sender,
        };
        Self { machine, manager, publisher, stager, events, _report: report_sender, rate }
    }

    fn serve(&self, release: Release, from: Version, bytes: usize) -> Served {
        let served = self.publisher.publish(release, from, bytes);
        self.manager.with(|fake| fake.served = Some(served.dir.clone()));
        served
    }

    /// Stages to the end; returns the outcome and the percentages on the way.
    async fn stage(&mut self, software: Assignment) -> (StagingOutcome, Vec<u8>) {
        let _job = self.stager.begin(software);
        self.outcome().await
    }

    async fn outcome(&mut self) -> (StagingOutcome, Vec<u8>) {
        let mut percents = Vec::new();
        loop {
            let event = tokio::time::timeout(support::PATIENCE, self.events.recv()).await;
            match event.expect("the staging ends").unwrap() {
                StagingEvent::Fetching { percent, .. } => percents.push(percent),
                StagingEvent::Ended { outcome, .. } => return (outcome, percents),
            }
        }
    }

    /// Checks that slot b holds the release, every file of it.
    fn check_staged(&self, served: &Served) {
        let dir = self.machine.machine.slot_dir(Slot::B);
        let keys = TrustedKeys::load(&self.machine.path().join("trust")).unwrap();
        assert_eq!(kept_manifest(&dir, &keys).unwrap(), served.verified);
        check_slot(&dir, served.verified.payload(Role::Node)).unwrap();
        let identity = self.machine.machine.release(Slot::B).unwrap().unwrap();
        assert_eq!(identity.manifest, served.verified.hash().to_string());
        assert_eq!(fs::read_dir(self.machine.path().join("downloads")).unwrap().count(), 0);
    }

    /// How often a staging began, by its first request.
    fn attempts(&self) -> u32 {
        self.manager.with(|fake| fake.manifests)
    }

    fn asked_from(&self) -> Vec<usize> {
        self.manager.with(|fake| fake.asked_from.clone())
    }
}

fn rejection(outcome: StagingOutcome) -> String {
    match outcome {
        StagingOutcome::Rejected(why) => why,
        other @ (StagingOutcome::Staged | StagingOutcome::Cancelled) => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_that_broke_off_goes_on_at_its_last_good_piece() {
    let mut bench = Bench::new().await;
    let served = bench.serve(next_release(), Version::new(34, 0), THREE_PIECES);
    assert_eq!(served.verified.payload(Role::Node).pieces.len(), 3);
    let piece = PIECE_SIZE as usize;
    bench.manager.with(|fake| fake.faults = [Fault::CutAfter(piece + piece / 2), Fault::CutAfter(10)].into());
    let (outcome, percents) = bench.stage(served.assignment()).await;
    assert_eq!(outcome, StagingOutcome::Staged);
    assert_eq!(bench.asked_from(), [0, piece, piece]);
    assert_eq!(bench.attempts(), 3, "each break ends the attempt, and a pause comes before the next");
    assert_eq!((percents.first(), percents.last()), (Some(&0), Some(&100)));
    bench.check_staged(&served);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_piece_is_fetched_again_and_only_that() {
    let mut bench = Bench::new().await;
    let served = bench.serve(next_release(), Version::new(34, 0), THREE_PIECES);
    let piece = PIECE_SIZE as usize;
    bench.manager.with(|fake| fake.faults = [Fault::Damage(piece + 5)].into());
    assert_eq!(bench.stage(served.assignment()).await.0, StagingOutcome::Staged);
    assert_eq!((bench.asked_from(), bench.attempts()), (vec![0, piece], 2));
    bench.check_staged(&served);
}

#[tokio::test(flavor = "multi_thread")]
async fn payload_that_is_always_damaged_is_given_up_and_leaves_nothing() {
    let mut bench = Bench::new().await;
    let served = bench.serve(next_release(), Version::new(34, 0), 1_000);
    bench.manager.with(|fake| fake.faults = [Fault::Damage(5); 20].into());
    let why = rejection(bench.stage(served.assignment()).await.0);
    assert!(why.contains("piece 0 of payload-node.tar.zst was changed"), "{why}");
    assert_eq!(bench.asked_from().len(), FAILED_VERIFICATIONS as usize);
    assert_eq!(fs::read_dir(bench.machine.path().join("downloads")).unwrap().count(), 0);
    assert_eq!(bench.machine.machine.staged().unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_manifest_than_the_assigned_one_is_refused() {
    let mut bench = Bench::new().await;
    let assigned = bench.serve(next_release(), Version::new(34, 0), 1_000).assignment();
    bench.serve(next_release(), Version::new(34, 0), 2_000);
    let why = rejection(bench.stage(assigned).await.0);
    assert!(why.contains(&format!("for package {}", assigned.manifest)), "{why}");
    assert_eq!(bench.asked_from(), [] as [usize; 0], "the payload was not asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn package_that_does_not_fit_is_refused_before_its_payload_is_fetched() {
    let mut bench = Bench::new().await;
    let (next, running) = (next_release(), Release::PRESENT);
    let too_new = Release { version: Version::new(36, 0), build: next.build };
    let off_path = bench.serve(too_new, Version::new(35, 0), 1_000).assignment();
    let why = rejection(bench.stage(off_path).await.0);
    assert!(why.contains(&format!("runs {}", running.version)), "{why}");
    let served = bench.serve(next, Version::new(34, 0), 1_000);
    let other = Assignment { release: too_new, ..served.assignment() };
    let why = rejection(bench.stage(other).await.0);
    assert!(why.contains(&format!("the package brings {next}")), "{why}");
    assert_eq!(bench.asked_from(), [] as [usize; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn package_signed_by_an_unknown_key_is_refused() {
    let mut bench = Bench::new().await;
    bench.publisher = Publisher::new();
    let served = bench.serve(next_release(), Version::new(34, 0), 1_000);
    let why = rejection(bench.stage(served.assignment()).await.0);
    assert!(why.contains("which this machine does not trust"), "{why}");
    assert_eq!(bench.machine.machine.staged().unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn release_that_lies_in_the_slot_already_is_not_fetched_again() {
    let mut bench = Bench::new().await;
    let served = bench.serve(next_release(), Version::new(34, 0), 1_000);
    assert_eq!(bench.stage(served.assignment()).await.0, StagingOutcome::Staged);
    assert_eq!(bench.stage(served.assignment()).await.0, StagingOutcome::Staged);
    assert_eq!(bench.asked_from(), [0]);
    let program = bench.machine.machine.slot_dir(Slot::B).join("bin/pitlane-node");
    fs::write(&program, "something else").unwrap();
    assert_eq!(bench.stage(served.assignment()).await.0, StagingOutcome::Staged);
    assert_eq!(bench.asked_from(), [0, 0]);
    bench.check_staged(&served);
}

#[tokio::test(flavor = "multi_thread")]
async fn staging_that_is_not_wanted_any_more_ends_before_it_is_complete() {
    let mut bench = Bench::new().await;
    let served = bench.serve(next_release(), Version::new(34, 0), THREE_PIECES);
    // So slow that it would take hours.
    bench.rate.send_replace(Some(1_000));
    let job = bench.stager.begin(served.assignment());
    let asked = || bench.manager.with(|fake| !fake.asked_from.is_empty());
    support::until("the payload is asked for", asked).await;
    job.cancel();
    assert_eq!(bench.outcome().await.0, StagingOutcome::Cancelled);
}
