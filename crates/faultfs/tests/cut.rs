//! What a power cut leaves of a file that is replaced: the old or the new contents when the syncs are in the
//! right order, and further states when one is missing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use faultfs::{Change, FaultFs, Record, cut_everywhere, lay_out};

/// Replaces `file` by way of `other/new`, on a disk that records it.
fn replaced() -> Record {
    let folder = tempfile::tempdir().unwrap();
    let [backing, at] = ["backing", "at"].map(|name| folder.path().join(name));
    fs::create_dir(&at).unwrap();
    fs::create_dir_all(backing.join("other")).unwrap();
    fs::write(backing.join("file"), "old").unwrap();
    let disk = FaultFs::mount(&backing, &at).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    disk.begin_record().unwrap();
    let new = at.join("other/new");
    fs::write(&new, "new one").unwrap();
    let synced = |path: &Path| File::open(path).unwrap().sync_all().unwrap();
    synced(&new);
    fs::rename(&new, at.join("file")).unwrap();
    synced(&at);
    disk.mark("replaced");
    synced(&at.join("other"));
    disk.mark("left");
    disk.record()
}

/// What is found after each mark: the file, and whether the name it came from is there.
fn found(record: &Record) -> BTreeSet<(usize, String, bool)> {
    let folder = tempfile::tempdir().unwrap();
    let mut found = BTreeSet::new();
    let tally = cut_everywhere(
        record,
        |_| false,
        |state| {
            let at = folder.path().join(found.len().to_string());
            lay_out(state.nodes, &at).unwrap();
            let file = fs::read_to_string(at.join("file")).unwrap();
            let there = (state.marks.len(), file, at.join("other/new").exists());
            fs::remove_dir_all(at).unwrap();
            found.insert(there);
            Ok(())
        },
    );
    assert!(tally.unwrap().distinct >= found.len());
    found
}

fn without(record: &Record, left_out: impl Fn(&Change) -> bool) -> Record {
    let changes = record.changes.iter().filter(|change| !left_out(change)).cloned().collect();
    Record { before: record.before.clone(), changes }
}

fn expected(states: &[(usize, &str, bool)]) -> BTreeSet<(usize, String, bool)> {
    states.iter().map(|(marks, file, other)| (*marks, (*file).to_owned(), *other)).collect()
}

#[test]
fn file_replaced_with_syncs_in_the_right_order_has_the_old_or_the_new_contents() {
    let states = [
        (0, "old", false),
        (0, "old", true),
        (0, "new one", false),
        (0, "new one", true),
        (1, "new one", false),
        (1, "new one", true),
        (2, "new one", false),
    ];
    assert_eq!(found(&replaced()), expected(&states));
}

#[test]
fn file_whose_contents_were_not_synced_can_be_empty_or_torn() {
    let found = found(&without(&replaced(), |change| matches!(change, Change::Sync { .. })));
    for half in ["", "new", "new one"] {
        assert!(found.contains(&(2, half.to_owned(), false)), "{found:?}");
    }
}

#[test]
fn name_in_a_directory_that_was_not_synced_can_refer_to_the_old_file() {
    let found = found(&without(&replaced(), |change| matches!(change, Change::SyncDir { .. })));
    for file in ["old", "new one"] {
        assert!(found.contains(&(2, file.to_owned(), true)), "{found:?}");
    }
}

#[test]
fn error_names_the_moment_of_the_power_cut() {
    let refused = cut_everywhere(
        &replaced(),
        |_| false,
        |state| match state.marks {
            [] => Ok(()),
            [..] => Err("stop here".into()),
        },
    );
    let error = refused.unwrap_err();
    assert!(error.contains("[\"replaced\"]") && error.ends_with("stop here"), "{error}");
}
