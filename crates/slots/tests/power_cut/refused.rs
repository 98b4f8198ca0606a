//! The disk changes the record and refuses to make it durable: whoever asked learns what is so.

use std::sync::Arc;

use slots::{Error, Machine, Result, Slot, Why};

use super::disk::{FakeDisk, Fate, Honesty, root};
use super::{NOW, TRIES, identity, installed, unpack};

/// A change of the record, and what brings a machine that has a second release to before it.
type Step = fn(&Machine) -> Result<()>;

const STEPS: [(Step, Step); 4] = [
    (|_| Ok(()), |machine| machine.select(&identity(2).manifest)),
    (begun, |machine| machine.confirm(Slot::B)),
    (begun, |machine| machine.fall_back(Why::NeverConfirmed { within_seconds: 300 }, NOW).map(|_| ())),
    (|machine| machine.select(&identity(2).manifest), |machine| machine.next_start(TRIES, NOW).map(|_| ())),
];

fn begun(machine: &Machine) -> Result<()> {
    machine.select(&identity(2).manifest)?;
    machine.next_start(TRIES, NOW).map(|_| ())
}

fn ready(before: Step) -> (Arc<FakeDisk>, Machine) {
    let disk = Arc::new(installed(Honesty::Honest));
    let machine = Machine::on(root(), disk.clone());
    let staging = machine.begin_staging(Slot::A).unwrap();
    unpack(&*disk, &staging.dir(), 2);
    staging.finish(&identity(2)).unwrap();
    before(&machine).unwrap();
    (disk, machine)
}

#[test]
fn a_change_that_is_durable_at_the_second_attempt_is_a_success() {
    for (before, step) in STEPS {
        let (disk, machine) = ready(before);
        disk.refuse_dir_syncs(1);
        step(&machine).unwrap();
        let now = machine.record().unwrap();
        let lost = disk.after_the_cut(&vec![Fate::Lost; disk.pending()]);
        assert_eq!(Machine::on(root(), Arc::new(lost)).record().unwrap(), now);
    }
}

#[test]
fn a_change_that_never_gets_durable_says_that_it_may_be_in_force() {
    for (before, step) in STEPS {
        let (disk, machine) = ready(before);
        let old = machine.record().unwrap();
        disk.refuse_dir_syncs(2);
        let error = step(&machine).unwrap_err();
        assert!(matches!(error, Error::MayBeInForce { .. }), "{error}");
        let now = machine.record().unwrap();
        assert_ne!(now, old, "it is in force");
        let lost = disk.after_the_cut(&vec![Fate::Lost; disk.pending()]);
        assert_eq!(Machine::on(root(), Arc::new(lost)).record().unwrap(), old, "and a power cut undoes it");
    }
}

#[test]
fn the_same_again_is_a_success_only_when_it_is_durable() {
    for (before, step) in &STEPS[..2] {
        let (disk, machine) = ready(*before);
        disk.refuse_dir_syncs(3);
        step(&machine).unwrap_err();
        step(&machine).unwrap_err();
        step(&machine).unwrap();
        let now = machine.record().unwrap();
        let lost = disk.after_the_cut(&vec![Fate::Lost; disk.pending()]);
        assert_eq!(Machine::on(root(), Arc::new(lost)).record().unwrap(), now);
    }
}

#[test]
fn a_change_that_was_refused_before_it_happened_is_not_in_force() {
    for (before, step) in STEPS {
        // Writing the new record, making it durable, renaming it.
        for changes in 0..3 {
            let (disk, machine) = ready(before);
            let old = machine.record().unwrap();
            drop(machine);
            let disk = Arc::into_inner(disk).unwrap().with_fuse(changes);
            let machine = Machine::on(root(), Arc::new(disk));
            let error = step(&machine).unwrap_err();
            assert!(matches!(error, Error::Disk { .. }), "{error}");
            assert_eq!(machine.record().unwrap(), old);
        }
    }
}
