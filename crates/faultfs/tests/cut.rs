//! What a power cut leaves of a file that is replaced: the old or the new one when it was made durable in
//! the right order, and more when it was not.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use faultfs::{Change, FaultFs, Record, cut_everywhere, lay_out};

/// Replaces `file` by way of `other/new`, on a disk that writes it down.
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
        |survivor| {
            let at = folder.path().join(found.len().to_string());
            lay_out(survivor.nodes, &at).unwrap();
            let file = fs::read_to_string(at.join("file")).unwrap();
            let there = (survivor.marks.len(), file, at.join("other/new").exists());
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
fn a_file_that_is_replaced_in_the_right_order_is_the_old_or_the_new_one() {
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
fn a_file_whose_contents_were_not_made_durable_can_be_empty_or_half() {
    let found = found(&without(&replaced(), |change| matches!(change, Change::Sync { .. })));
    for half in ["", "new", "new one"] {
        assert!(found.contains(&(2, half.to_owned(), false)), "{found:?}");
    }
}

#[test]
fn a_name_that_was_not_made_durable_can_be_the_old_one() {
    let found = found(&without(&replaced(), |change| matches!(change, Change::SyncDir { .. })));
    for file in ["old", "new one"] {
        assert!(found.contains(&(2, file.to_owned(), true)), "{found:?}");
    }
}

#[test]
fn a_fault_is_told_with_its_moment() {
    let refused = cut_everywhere(
        &replaced(),
        |_| false,
        |survivor| match survivor.marks {
            [] => Ok(()),
            [..] => Err("the story ends here".into()),
        },
    );
    let told = refused.unwrap_err();
    assert!(told.contains("[\"replaced\"]") && told.ends_with("the story ends here"), "{told}");
}
