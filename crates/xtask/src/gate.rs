//! The gate: everything that must hold, in one command.

use std::process::Command;
use std::time::Instant;

use crate::run::{Failed, cargo, run};
use crate::{fuzz, releases, tidy, tools};

/// How long each fuzz target runs in the gate, in seconds.
const FUZZ_SECONDS: u32 = 30;

/// What the fuzzing of the gate begins with: a change is judged by what it does, not by the luck of a run.
const FUZZ_SEED: u32 = 1;

/// Runs one part and prints how long it took.
fn run_step(name: &str, step: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
    let began = Instant::now();
    eprintln!("gate: {name}");
    step()?;
    eprintln!("gate: {name}: well, after {} s", began.elapsed().as_secs());
    Ok(())
}

/// Everything that must hold.
pub(crate) fn run_all() -> Result<(), Failed> {
    run_step("tools", tools::install)?;
    run_step("format", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    run_step("tidiness", tidy::check)?;
    run_step("lints", || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    run_step("documentation", || {
        run(cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links -A rustdoc::bare_urls"))
    })?;
    let mut dir = None;
    run_step("the releases", || {
        dir = Some(releases::build_all()?.dir);
        Ok(())
    })?;
    let dir = dir.unwrap_or_default();
    run_step("tests", || run(cargo(&["nextest", "run", "--workspace"]).env("PITLANE_RELEASES", &dir)))?;
    run_step("fuzzing", || fuzz::fuzz(FUZZ_SECONDS, Some(FUZZ_SEED), None))
}

/// Every phase of a run with every fault, on real processes.
pub(crate) fn faults(arguments: &[String]) -> Result<(), Failed> {
    let dir = releases::build()?.dir;
    run(Command::new(dir.join("pitlane-faults")).arg("--releases").arg(&dir).args(arguments))
}

/// Every benchmark.
pub(crate) fn bench() -> Result<(), Failed> {
    let dir = releases::build()?.dir;
    for package in ["fleet", "package", "demo"] {
        run(cargo(&["bench", "-p", package]).env("PITLANE_RELEASES", &dir))?;
    }
    Ok(())
}
