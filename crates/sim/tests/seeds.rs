//! Tests of the seeded simulation: no seed breaks a promise, runs are deterministic, plans shrink and replay, and the
//! oracle notices every broken rule.

use std::process::Command;
use std::time::Instant;

use sim::seeded::{
    Canary, Counts, Kind, Plan, SeedReport, Step, Switch, Verbosity, run_plan, run_seed, run_seeds,
};

/// How many seeds a run of the tests takes: two minutes on two cores.
const SEEDS: u64 = 10_000;

#[test]
fn no_seed_breaks_a_promise() {
    let (began, mut counts, mut broken) = (Instant::now(), Counts::default(), Vec::new());
    run_seeds(1..SEEDS + 1, None, |report| {
        counts.add(&report.counts);
        if !report.violations.is_empty() {
            broken.push(report.failure_summary());
        }
    });
    println!("{SEEDS} seeds in {} s\n{}", began.elapsed().as_secs(), counts.table());
    assert!(broken.is_empty(), "{} seeds of {SEEDS}:\n{}", broken.len(), broken.join("\n"));
    // A world in which nothing happens would keep every promise.
    assert!(counts.restarts > SEEDS && counts.calls > 10 * SEEDS, "{counts:?}");
    for (kind, name) in Kind::ALL {
        assert!(counts.done.of(kind) > 100, "{name}: hardly any seed of {SEEDS} has it");
    }
    for (name, sum) in counts.reached.sums() {
        assert!(sum > 0, "{name}: no seed of {SEEDS} reached it");
    }
    let (done, impossible) = (counts.done.sum(), counts.impossible.sum());
    assert!(impossible < done / 10, "{impossible} of {done} actions were impossible");
}

#[test]
fn same_seed_is_the_same_world_byte_for_byte() {
    for seed in [3, 77, 1_234] {
        let (one, other) =
            (run_seed(seed, Verbosity::Everything, None), run_seed(seed, Verbosity::Everything, None));
        assert!(one.journal.len() > 10_000, "seed {seed} logs next to nothing");
        assert!(one.journal == other.journal, "seed {seed} differs the second time");
        assert_eq!(one.counts, run_seed(seed, Verbosity::Sums, None).counts);
    }
}

/// Compares the logs of a few seeds between three processes.
#[test]
fn the_same_seed_is_the_same_world_in_every_process() {
    let program = std::env::current_exe().expect("this program has a path");
    let elsewhere = || {
        let run = Command::new(&program)
            .args(["--exact", "logs_of_a_few_seeds", "--nocapture"])
            .output()
            .expect("the program of this test starts");
        let output = String::from_utf8(run.stdout).expect("the output is UTF-8");
        let lines: Vec<String> =
            output.lines().filter(|line| line.contains("  ")).map(String::from).collect();
        assert!(run.status.success() && lines.len() > 1_000, "{} lines", lines.len());
        lines
    };
    // The last line of a test program says how long it took.
    let (mut one, mut other) = (elsewhere(), elsewhere());
    let here = run_seed(11, Verbosity::Everything, None).journal;
    for lines in [&mut one, &mut other] {
        lines.retain(|line| !line.contains("finished in"));
    }
    assert!(one == other, "two processes differ in the same seeds");
    let report = one.join("\n");
    assert!(here.lines().all(|line| report.contains(line)), "another process differs in seed 11");
}

#[test]
fn logs_of_a_few_seeds() {
    for seed in [11, 12, 13] {
        let SeedReport { rates, journal, violations, .. } = run_seed(seed, Verbosity::Everything, None);
        println!("{rates}{journal}");
        assert!(violations.is_empty(), "{violations:?}");
    }
}

#[test]
fn every_broken_rule_is_noticed_by_the_promise_that_it_breaks() {
    let mut missed = Vec::new();
    for (canary, promise, within) in Canary::ALL {
        let noticed = (1..=within).find(|seed| {
            let report = run_seed(*seed, Verbosity::Sums, Some(canary));
            report.violations.iter().any(|violation| violation.promise == promise)
        });
        match noticed {
            Some(seed) => println!("{canary:?}: in seed {seed} of {within}, by {promise:?}"),
            None => missed.push((canary, within)),
        }
    }
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

#[test]
fn run_that_ends_late_is_distinguished_from_one_that_never_ends() {
    let late = |canary| {
        let violations = (1..=40).flat_map(|seed| run_seed(seed, Verbosity::Sums, Some(canary)).violations);
        violations.map(|violation| violation.subject).collect::<Vec<_>>().join("\n")
    };
    assert!(late(Canary::RunDawdles).contains("ended after the bound"));
    assert!(late(Canary::ReleaseNeverSent).contains("has not ended"));
}

#[test]
fn failing_seed_becomes_a_smaller_world_that_breaks_the_same_promise() {
    let (canary, promise, _) = Canary::ALL[3];
    let breaks = |plan: &Plan| {
        run_plan(plan, Verbosity::Sums).violations.iter().any(|violation| violation.promise == promise)
    };
    let steps = |plan: &Plan| plan.steps.as_ref().map_or(0, Vec::len);
    let written = (1..=100)
        .map(|seed| Plan { canary: Some(canary), ..Plan::of(seed) })
        .filter(breaks)
        .map(|plan| plan.written_down())
        .find(|plan| steps(plan) > 20)
        .expect("some seed fails after many steps");
    let small = written.clone().shrunk(promise);
    assert!(breaks(&small), "{small:?}");
    assert!(steps(&small) < 5, "{} of {} steps are left", steps(&small), steps(&written));
    assert!(small.without.len() > 5, "{:?}", small.without);
    for at in 0..steps(&small) {
        let mut less = small.clone();
        less.steps.iter_mut().for_each(|steps| drop(steps.remove(at)));
        assert!(!breaks(&less), "step {at} can go: {small:?}");
    }
}

/// Drawn, written down, and read from the file: the same world, whatever its steps are.
#[test]
fn a_file_with_steps_is_the_world_of_its_seed_byte_for_byte() {
    for seed in 1..=20 {
        let drawn = run_seed(seed, Verbosity::Events, None);
        let plan = Plan::of(seed).written_down();
        assert_eq!(plan.steps.as_ref(), Some(&drawn.steps));
        let read = Plan::from_text(&plan.to_text("none")).expect("a file that was written is read");
        assert_eq!(read, plan);
        let replayed = run_plan(&read, Verbosity::Events);
        assert!(replayed.journal == drawn.journal, "seed {seed} differs when it is run from its file");
        assert_eq!((replayed.lasted, &replayed.steps), (drawn.lasted, &drawn.steps));
    }
}

#[test]
fn disabled_kind_of_fault_changes_no_other() {
    // Which nodes there are, and which version is new, does depend on what happened before.
    let drawn = |seed, without: &[Switch]| -> Vec<Step> {
        let without = [without, &[Switch::Nodes, Switch::Changes, Switch::Starts]].concat();
        let report = run_plan(&Plan { without, ..Plan::of(seed) }, Verbosity::Sums);
        report.steps.into_iter().filter(|step| step.action.kind() != Kind::Start).collect()
    };
    let mut removed = 0;
    for seed in 1..=12 {
        let all = drawn(seed, &[]);
        for (switch, kind) in [
            (Switch::Cuts, Kind::Cut),
            (Switch::Crashes, Kind::NodeCrash),
            (Switch::ManagerCrashes, Kind::ManagerCrash),
            (Switch::Maintenance, Kind::Maintenance),
        ] {
            let mut others = all.clone();
            others.retain(|step| step.action.kind() != kind);
            removed += all.len() - others.len();
            assert_eq!(drawn(seed, &[switch]), others, "seed {seed} without {switch:?}");
        }
    }
    assert!(removed > 20, "hardly anything was removed");
}

#[test]
fn replay_logs_after_each_event_what_it_has_changed() {
    let replay = run_seed(35, Verbosity::Everything, None);
    let changes: Vec<&str> = replay.journal.lines().filter_map(|line| line.strip_prefix("  ~ ")).collect();
    for change in [
        "platform.run.manager: ",
        "platform.node3.progress: ",
        "platform.node3.generation.n: ",
        "node3.persistent_state.accepted.generation.n: ",
        "node3.runs: 34 (0) -> none",
        "node3.slots.confirmed: 34 (0) -> 34.",
        "node3.engine: admitting -> refusing",
        "node3.observes.calls.known.count: 0 -> 1",
        "node3.calls: 0 -> 1",
        "manager.up: true -> false",
    ] {
        assert!(changes.iter().any(|line| line.starts_with(change)), "never logged: {change}");
    }
    // Without the changes the log is the same, except for events that are logged only because they changed something.
    let events = run_seed(35, Verbosity::Events, None).journal;
    let mut everything = replay.journal.lines();
    assert!(events.lines().all(|line| everything.any(|logged| logged == line)));
}

/// Worlds that once broke a promise break none now.
#[test]
fn no_kept_world_breaks_a_promise_any_more() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept");
    let files: Vec<_> = std::fs::read_dir(dir).expect("there are kept files").flatten().collect();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(file.path()).expect("a kept file is read");
        let plan = Plan::from_text(&text).unwrap_or_else(|why| panic!("{}: {why}", file.path().display()));
        let report = run_plan(&plan, Verbosity::Sums);
        assert!(report.violations.is_empty(), "{}", report.failure_summary());
    }
}
