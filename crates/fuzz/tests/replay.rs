//! Replays every regression and every seed through its target, so that corrected faults stay corrected.

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use fuzz::target::{TARGETS, named};

/// Panics so far, in any thread: the runtime catches those of the product's tasks.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Runs all inputs of a target.
fn replay(name: &str) {
    let target = named(name).expect("a target of this name");
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        hook(info);
    }));
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty());
    let mut inputs: Vec<(String, Vec<u8>)> =
        seeds.into_iter().enumerate().map(|(n, seed)| (format!("seed {n}"), seed)).collect();
    for file in regressions(name) {
        inputs.push((file.display().to_string(), fs::read(&file).unwrap()));
    }
    for (input, data) in inputs {
        assert!(data.len() <= target.longest, "{input} is longer than the target's inputs");
        (target.run)(&data);
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "{input} makes the product panic");
    }
}

fn regressions(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(name);
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

macro_rules! replays {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { replay($name); })*

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(TARGETS.map(|target| target.name), [$($name),*]);
        }
    };
}

replays! {
    packages_are_accepted_or_refused: "package",
    manifests_are_parsed_or_refused: "manifest",
    enrolment_files_are_parsed_or_refused: "enrolment",
    identities_are_made_or_refused: "identity",
    messages_break_no_promise: "messages",
    call_engine_goes_on_answering: "sip",
    messages_of_a_far_end_are_parsed_or_refused: "sip-pure",
    requests_are_answered_or_refused: "rest",
    stores_are_opened_or_refused: "store",
    files_of_a_machine_are_parsed_or_refused: "machine",
    certificates_are_read_or_refused: "certificates",
    backups_are_read_or_refused: "backup",
    licences_are_read_or_refused: "licence",
    tokens_count_or_are_refused: "tokens",
}

#[test]
fn every_regression_belongs_to_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(named(&name).is_some(), "{name} is no target");
    }
}
