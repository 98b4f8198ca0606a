//! A power cut after every recorded change of the disks of a Management Node and of a Conferencing Node, from their
//! installation to the end of an upgrade, with the programs as they ship. Afterwards each machine starts a complete
//! release and has all data that was acknowledged.

mod history;
mod inspect;

use std::ffi::OsStr;

use faultfs::cut_everywhere;
use history::History;
use inspect::{Inspector, Machine};

/// SQLite rebuilds the index of its log when a store is opened.
fn is_rebuilt(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(b"-shm")
}

#[test]
fn whole_upgrade_survives_a_power_cut_after_every_change() {
    let history = History::of_an_upgrade();
    for (machine, record) in [(Machine::Manager, &history.manager), (Machine::Node, &history.node)] {
        let mut inspector = Inspector::new(machine, &history.releases);
        let tally = cut_everywhere(record, is_rebuilt, |state| inspector.check(state));
        let tally = tally.unwrap_or_else(|fault| panic!("{machine:?}: {fault}"));
        println!("{machine:?}: {tally}; {inspector}, all good");
        assert!(tally.distinct >= 150, "{machine:?}: only {tally}");
    }
}
