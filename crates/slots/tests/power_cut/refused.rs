//! The disk changes the slot record and refuses to make it durable: the error says which record is valid.

use std::sync::Arc;

use slots::{Error, Machine, Result, Slot, Why};

use super::disk::{MemoryDisk, root};
use super::{NOW, TRIES, identity, installed, unpack};

/// A step that changes the record. Of each pair the first prepares a machine with a staged release for the second.
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

fn ready(before: Step) -> (Arc<MemoryDisk>, Machine) {
    let disk = Arc::new(installed());
    let machine = Machine::on(root(), disk.clone());
    let staging = machine.begin_staging(Slot::A).unwrap();
    unpack(&*disk, &staging.dir(), 2);
    staging.finish(&identity(2)).unwrap();
    before(&machine).unwrap();
    (disk, machine)
}

#[test]
fn change_that_becomes_durable_at_the_second_attempt_succeeds() {
    for (before, step) in STEPS {
        let (disk, machine) = ready(before);
        disk.refuse_dir_syncs(1);
        step(&machine).unwrap();
        let now = machine.record().unwrap();
        let lost = disk.after_the_worst_cut();
        assert_eq!(Machine::on(root(), Arc::new(lost)).record().unwrap(), now);
    }
}

#[test]
fn change_that_never_becomes_durable_is_reported_as_valid_now_and_not_durable() {
    for (before, step) in STEPS {
        let (disk, machine) = ready(before);
        let old = machine.record().unwrap();
        disk.refuse_dir_syncs(2);
        let error = step(&machine).unwrap_err();
        assert!(matches!(error, Error::NotDurable { .. }), "{error}");
        let now = machine.record().unwrap();
        assert_ne!(now, old, "it is valid now");
        let lost = disk.after_the_worst_cut();
        assert_eq!(Machine::on(root(), Arc::new(lost)).record().unwrap(), old, "and a power cut undoes it");
    }
}

#[test]
fn repeated_change_succeeds_only_when_it_is_durable() {
    for (before, step) in &STEPS[..2] {
        let (disk, machine) = ready(*before);
        disk.refuse_dir_syncs(3);
        step(&machine).unwrap_err();
        step(&machine).unwrap_err();
        step(&machine).unwrap();
        let now = machine.record().unwrap();
        let lost = disk.after_the_worst_cut();
        assert_eq!(Machine::on(root(), Arc::new(lost)).record().unwrap(), now);
    }
}

#[test]
fn change_that_was_refused_before_it_was_made_leaves_the_old_record_valid() {
    for (before, step) in STEPS {
        // Writing the new record, making it durable, renaming it.
        for changes in 0..3 {
            let (disk, machine) = ready(before);
            let old = machine.record().unwrap();
            drop(machine);
            disk.refuse_after(changes);
            let machine = Machine::on(root(), disk);
            let error = step(&machine).unwrap_err();
            assert!(matches!(error, Error::Disk { .. }), "{error}");
            assert_eq!(machine.record().unwrap(), old);
        }
    }
}
