//! Mutation tests of the crates in which a fault costs a call or a machine: every mutant that `cargo mutants` makes
//! must fail a test. Mutants that change nothing observable stand with their reason in `.cargo/mutants.toml`. Hours
//! of work, so it is no part of the gate.

use crate::run::{Failed, cargo, run, workspace};

/// A pass: what is mutated, and the tests that must notice.
struct Pass {
    mutated: &'static [&'static str],
    tests: &'static [&'static str],
    filter: &'static str,
    /// The level of optimisation.
    optimised: &'static str,
}

const DISK: Pass =
    Pass { mutated: &["slots", "package"], tests: &["slots", "package"], filter: "all()", optimised: "1" };
/// The tests of the crate alone, which take seconds for each mutant.
const CORE: Pass = Pass { mutated: &["fleet"], tests: &["fleet"], filter: "all()", optimised: "0" };
/// The scenarios and the seeds, which take minutes for each mutant that [`CORE`] has missed.
const CORE_SIMULATED: Pass = Pass {
    mutated: &["fleet"],
    tests: &["sim"],
    filter: "binary(scenarios) | binary(seeds)",
    optimised: "1",
};

/// Runs all passes. `arguments` are passed on to `cargo mutants`, such as `--shard 1/8`.
///
/// # Errors
/// A mutant is left that no test notices, or the tool is missing.
pub(crate) fn run_all(arguments: &[String]) -> Result<(), Failed> {
    if !cargo(&["mutants", "--version"]).output().is_ok_and(|answer| answer.status.success()) {
        let advice = "cargo-mutants is missing; install it with `cargo install --locked cargo-mutants`";
        return Err(Failed::Tool(advice.into()));
    }
    let disk = mutate(&DISK, arguments);
    // What this pass misses is tried again in the next, which decides.
    let core = mutate(&CORE, arguments).or_else(|_| mutate(&CORE_SIMULATED, arguments));
    disk.and(core)
}

fn mutate(pass: &Pass, arguments: &[String]) -> Result<(), Failed> {
    let output = workspace().join("target/mutants").join(pass.mutated.join("-"));
    std::fs::create_dir_all(&output).map_err(|error| Failed::File(output.clone(), error))?;
    let mut command = cargo(&["mutants", "--test-tool", "nextest", "--iterate", "--output"]);
    command.arg(output);
    for package in pass.mutated {
        command.args(["--package", package]);
    }
    command.args(["--test-package", &pass.tests.join(",")]);
    // Each mutant is compiled and linked once and run for a second: what saves time is compiling less.
    command.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_PROFILE_DEV_OPT_LEVEL", pass.optimised)]);
    run(command.args(arguments).args(["--", "--filterset", pass.filter]))
}
