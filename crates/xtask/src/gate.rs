//! The gate: the stages of everything that must hold, in one command, and a quick part of it for daily work.
//! It reports each stage and its progress, and ends with a table of the stages and their times. What a stage
//! checks is elsewhere: tests, [`crate::tidy`], [`crate::fuzz`].

use std::process::Command;
use std::time::{Duration, Instant};

use crate::progress::{Progress, nextest, reported};
use crate::run::{Failed, cargo, run};
use crate::{fuzz, releases, tidy, tools};

/// How long each fuzz target runs in the gate, in seconds.
const FUZZ_SECONDS: u32 = 30;

/// The seed of the fuzzing of the gate: constant, so that the result depends on the change alone.
const FUZZ_SEED: u32 = 1;

/// How many seeds of the simulation the quick gate runs; the whole one runs 10,000.
const QUICK_SEEDS: &str = "1000";

/// The tests that the quick gate leaves out: those that need root, programs of others or built releases, and those
/// that take minutes.
const NOT_QUICK: [&str; 8] = [
    // Whole platforms, from built releases.
    "package(demo) & kind(test)",
    // Root and /dev/fuse, or namespaces.
    "package(faultfs)",
    "package(boot) & (binary(power_cut) | test(machine_that_executes_no_memory))",
    // schemathesis.
    "package(manager) & binary(openapi)",
    // minisign, OpenSSL's command line and age.
    "(package(package) | package(manager) | package(backup) | package(licence)) & test(stock)",
    // SIPp, and real calls, which take their time.
    "(package(call) | package(callers) | package(node)) & kind(test)",
    // Many seeds and all small worlds.
    "package(sim) & (binary(seeds) | binary(small_worlds) | binary(forecast))",
    // All fuzz inputs.
    "package(fuzz) & kind(test)",
];

/// How much of the gate is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything that must hold.
    Whole,
    /// What needs neither root nor programs of others and takes at most three minutes when all is built.
    Quick,
}

/// A stage: its name, and what it runs.
type Stage = (&'static str, fn(&Progress) -> Result<(), Failed>);

const WHOLE: [Stage; 8] = [
    ("tools", |_| tools::install()),
    ("format", |_| format()),
    ("tidiness", |_| tidy::check()),
    ("lints", |_| lints()),
    ("documentation", |_| documentation()),
    ("releases", |_| releases::build_all().map(drop)),
    ("tests", |progress| tests(progress)),
    ("fuzzing", |_| fuzz::fuzz(FUZZ_SECONDS, Some(FUZZ_SEED), None)),
];

const QUICK: [Stage; 6] = [
    ("tools", |_| tools::check_nextest().and_then(|()| tools::install_for_builds())),
    ("format", |_| format()),
    ("tidiness", |_| tidy::check()),
    ("lints", |_| lints()),
    ("quick tests", |progress| quick_tests(progress)),
    ("few seeds", |_| few_seeds()),
];

/// Runs the gate up to the first stage that fails.
///
/// # Errors
/// The failure of that stage.
pub(crate) fn run_all(extent: Extent) -> Result<(), Failed> {
    let stages: &[Stage] = match extent {
        Extent::Whole => &WHOLE,
        Extent::Quick => &QUICK,
    };
    let mut times = Vec::new();
    let mut outcome = Ok(());
    for (number, (name, stage)) in (1..).zip(stages) {
        eprintln!("gate: stage {number} of {}: {name}", stages.len());
        let began = Instant::now();
        outcome = reported(name, stage);
        times.push((*name, began.elapsed()));
        if outcome.is_err() {
            break;
        }
    }
    let failed = outcome.is_err().then(|| times.len() - 1);
    eprint!("{}", table(&times, failed, stages.len()));
    outcome
}

/// The stages that were run and their times; `failed` is the position of the one that failed.
fn table(times: &[(&str, Duration)], failed: Option<usize>, stages: usize) -> String {
    let mut text = String::from("stage             seconds\n");
    for (position, (name, time)) in times.iter().enumerate() {
        let end = if failed == Some(position) { "  failed" } else { "" };
        text += &format!("{name:<16}  {:>7}{end}\n", time.as_secs());
    }
    let all: Duration = times.iter().map(|(_, time)| *time).sum();
    text += &format!("{:<16}  {:>7}\n", format!("{} of {stages}", times.len()), all.as_secs());
    text
}

fn format() -> Result<(), Failed> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

fn lints() -> Result<(), Failed> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn documentation() -> Result<(), Failed> {
    run(cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links -A rustdoc::bare_urls"))
}

fn tests(progress: &Progress) -> Result<(), Failed> {
    let dir = releases::dir();
    nextest(cargo(&["nextest", "run", "--workspace"]).env("PITLANE_RELEASES", dir), progress)
}

fn quick_tests(progress: &Progress) -> Result<(), Failed> {
    let left_out = NOT_QUICK.map(|filter| format!("({filter})")).join(" | ");
    let filter = format!("not ({left_out})");
    nextest(&mut cargo(&["nextest", "run", "--workspace", "--filterset", &filter]), progress)
}

fn few_seeds() -> Result<(), Failed> {
    run(&mut cargo(&["run", "--quiet", "-p", "sim", "--example", "seeds", "--", "--count", QUICK_SEEDS]))
}

/// Every phase of a run with every fault, on real processes.
pub(crate) fn faults(arguments: &[String]) -> Result<(), Failed> {
    let dir = releases::build()?.dir;
    run(Command::new(dir.join("pitlane-faults")).arg("--releases").arg(&dir).args(arguments))
}

/// Every benchmark.
pub(crate) fn bench() -> Result<(), Failed> {
    let dir = releases::build()?.dir;
    for package in ["fleet", "package", "call", "manager", "demo"] {
        run(cargo(&["bench", "-p", package]).env("PITLANE_RELEASES", &dir))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_lists_the_stages_that_ran_and_marks_the_one_that_failed() {
        let times = [("tools", Duration::from_secs(1)), ("lints", Duration::from_millis(62_900))];
        let expected = "stage             seconds\n\
                        tools                   1\n\
                        lints                  62  failed\n\
                        2 of 8                 63\n";
        assert_eq!(table(&times, Some(1), 8), expected);
        assert!(!table(&times, None, 2).contains("failed"));
    }
}
