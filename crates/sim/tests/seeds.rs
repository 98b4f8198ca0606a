//! Whole fleets from seeds, the machinery that judges them, and broken rules that it must notice.

use std::process::Command;
use std::time::Instant;

use sim::seeded::{Canary, Counts, Kind, Plan, Story, Telling, tell, tell_many, tell_plan};

/// How many seeds a run of the tests takes: two minutes on two cores.
const SEEDS: u64 = 10_000;

#[test]
fn no_seed_breaks_a_promise() {
    let (began, mut counts, mut broken) = (Instant::now(), Counts::default(), Vec::new());
    tell_many(1..SEEDS + 1, None, |story| {
        counts.add(&story.counts);
        if !story.violations.is_empty() {
            broken.push(story.complaint());
        }
    });
    println!("{SEEDS} seeds in {} s\n{}", began.elapsed().as_secs(), counts.table());
    assert!(broken.is_empty(), "{} seeds of {SEEDS}:\n{}", broken.len(), broken.join("\n"));
    // A world in which nothing happens keeps every promise.
    assert!(counts.restarts > SEEDS && counts.calls > 10 * SEEDS, "{counts:?}");
    for (kind, name) in Kind::ALL {
        assert!(counts.done.of(kind) > 100, "{name}: hardly any seed of {SEEDS} has it");
    }
    for (name, sum) in counts.reached.sums() {
        assert!(sum > 0, "{name}: no seed of {SEEDS} came to that");
    }
    let (done, impossible) = (counts.done.sum(), counts.impossible.sum());
    assert!(impossible < done / 10, "{impossible} of {done} could not be done");
}

#[test]
fn the_same_seed_is_the_same_world_byte_for_byte() {
    for seed in [3, 77, 1_234] {
        let (one, other) = (tell(seed, Telling::Everything, None), tell(seed, Telling::Everything, None));
        assert!(one.journal.len() > 10_000, "seed {seed} tells next to nothing");
        assert!(one.journal == other.journal, "seed {seed} goes otherwise the second time");
        assert_eq!(one.counts, tell(seed, Telling::Sums, None).counts);
    }
}

/// What another process than this one tells of a few seeds.
#[test]
fn the_same_seed_is_the_same_world_in_every_process() {
    let program = std::env::current_exe().expect("this program has a path");
    let elsewhere = || {
        let run = Command::new(&program)
            .args(["--exact", "what_a_few_seeds_tell", "--nocapture"])
            .output()
            .expect("the program of this test starts");
        let said = String::from_utf8(run.stdout).expect("it speaks UTF-8");
        let told: Vec<String> = said.lines().filter(|line| line.contains("  ")).map(String::from).collect();
        assert!(run.status.success() && told.len() > 1_000, "{} lines", told.len());
        told
    };
    // The last line of a test program says how long it took.
    let (mut one, mut other) = (elsewhere(), elsewhere());
    let here = tell(11, Telling::Everything, None).journal;
    for told in [&mut one, &mut other] {
        told.retain(|line| !line.contains("finished in"));
    }
    assert!(one == other, "two processes tell the same seeds otherwise");
    let story = one.join("\n");
    assert!(here.lines().all(|line| story.contains(line)), "another process tells seed 11 otherwise");
}

#[test]
fn what_a_few_seeds_tell() {
    for seed in [11, 12, 13] {
        let Story { odds, journal, violations, .. } = tell(seed, Telling::Everything, None);
        println!("{odds}{journal}");
        assert!(violations.is_empty(), "{violations:?}");
    }
}

#[test]
fn every_broken_rule_is_noticed_by_the_promise_that_it_breaks() {
    let mut missed = Vec::new();
    for (canary, promise, within) in Canary::ALL {
        let noticed = (1..=within).find(|seed| {
            let story = tell(*seed, Telling::Sums, Some(canary));
            story.violations.iter().any(|violation| violation.promise == promise)
        });
        match noticed {
            Some(seed) => println!("{canary:?}: in seed {seed} of {within}, by {promise:?}"),
            None => missed.push((canary, within)),
        }
    }
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

#[test]
fn a_run_that_comes_too_late_to_its_end_is_told_from_one_that_never_comes_there() {
    let late = |canary| {
        let said = (1..=8).flat_map(|seed| tell(seed, Telling::Sums, Some(canary)).violations);
        said.map(|violation| violation.subject).collect::<Vec<_>>().join("\n")
    };
    assert!(late(Canary::RunDawdles).contains("ended after the bound"));
    assert!(late(Canary::ReleaseNeverSent).contains("has not ended"));
}

#[test]
fn a_failing_seed_becomes_a_smaller_world_that_breaks_the_same_promise() {
    let promise = "a node in maintenance mode takes no calls (R3)";
    let plan = Plan { canary: Some(Canary::CallsTakenInMaintenance), ..Plan::of(1) };
    let small = plan.clone().shrunk(promise);
    assert!(small.without.len() > plan.without.len() + 5, "{small:?}");
    let read = Plan::from_text(&small.to_text(promise)).expect("a file that was written is read");
    assert_eq!(read, small);
    let (one, other) = (tell_plan(&small, Telling::Everything), tell_plan(&read, Telling::Everything));
    assert_eq!((one.journal, &one.violations), (other.journal, &other.violations));
    assert!(one.violations.iter().any(|violation| violation.promise == promise));
}

/// What once broke a promise breaks none now.
#[test]
fn no_kept_world_breaks_a_promise_any_more() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept");
    let files: Vec<_> = std::fs::read_dir(dir).expect("there are kept files").flatten().collect();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(file.path()).expect("a kept file is read");
        let plan = Plan::from_text(&text).unwrap_or_else(|why| panic!("{}: {why}", file.path().display()));
        let story = tell_plan(&plan, Telling::Sums);
        assert!(story.violations.is_empty(), "{}", story.complaint());
    }
}
