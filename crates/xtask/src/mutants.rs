//! Mutation tests of the crates in which a fault costs a call or a machine: every mutant that `cargo mutants` makes
//! must fail a test. Mutants that change nothing observable stand with their reason in `.cargo/mutants.toml`. Hours
//! of work, so it is no part of the gate.

use crate::run::{Failed, cargo, run, workspace};

/// A pass: what is mutated, and the tests that must notice.
struct Pass {
    mutated: &'static [&'static str],
    tests: &'static [&'static str],
    /// What is compiled of these tests, as arguments of cargo; all without one.
    targets: &'static [&'static str],
    /// Which of them run, as a filter of nextest. Without one they run by `cargo test`: many tests in one process,
    /// which takes half the time where they do not disturb each other.
    filter: Option<&'static str>,
    /// The level of optimisation of our crates.
    optimised: &'static str,
}

/// Half of a mutant's time is compiling tests, so most mutants are tried with those that find most.
const SLOTS: Pass = Pass {
    mutated: &["slots"],
    tests: &["slots"],
    targets: &["--lib", "--test", "machine", "--test", "check", "--test", "supervised"],
    filter: None,
    optimised: "0",
};
/// Power cuts and killed processes, for what [`SLOTS`] has missed.
const SLOTS_CUT: Pass = Pass { targets: &[], filter: Some("all()"), ..SLOTS };
/// Without the tests that take seconds: long payloads, every byte of a package, the hash of a passphrase.
const PACKAGE: Pass = Pass {
    mutated: &["package"],
    tests: &["package"],
    targets: &["--lib"],
    filter: Some("not test(/resume|any_one_byte|truncated|distant|bomb|under_a_passphrase/)"),
    optimised: "0",
};
const PACKAGE_LONG: Pass = Pass { targets: &[], filter: Some("all()"), optimised: "1", ..PACKAGE };
/// The tests of the crate alone, which take seconds for each mutant.
const CORE: Pass =
    Pass { mutated: &["fleet"], tests: &["fleet"], targets: &[], filter: Some("all()"), optimised: "0" };
/// The scenarios and the seeds, which take minutes for each mutant that [`CORE`] has missed.
const CORE_SIMULATED: Pass = Pass {
    mutated: &["fleet"],
    tests: &["sim"],
    targets: &[],
    filter: Some("binary(scenarios) | binary(seeds)"),
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
    // What the first pass of a crate misses is tried again in the second, which decides.
    let passes = [(SLOTS, SLOTS_CUT), (PACKAGE, PACKAGE_LONG), (CORE, CORE_SIMULATED)];
    let both = |(quick, slow): (Pass, Pass)| mutate(&quick, arguments).or_else(|_| mutate(&slow, arguments));
    passes.map(both).into_iter().collect()
}

fn mutate(pass: &Pass, arguments: &[String]) -> Result<(), Failed> {
    let output = workspace().join("target/mutants").join(pass.mutated.join("-"));
    std::fs::create_dir_all(&output).map_err(|error| Failed::File(output.clone(), error))?;
    let mut command = cargo(&["mutants", "--iterate", "--output"]);
    command.arg(output);
    for package in pass.mutated {
        command.args(["--package", package]);
    }
    command.args(["--test-package", &pass.tests.join(",")]);
    for target in pass.targets {
        command.arg(format!("--cargo-arg={target}"));
    }
    // Each mutant is compiled and linked once and run for a second: what saves time is compiling less. Third-party
    // crates are those that are built already.
    command.args(["--cargo-arg=--config", "--cargo-arg=profile.dev.package.'*'.opt-level=1"]);
    command.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_PROFILE_DEV_OPT_LEVEL", pass.optimised)]);
    command.args(arguments);
    if let Some(filter) = pass.filter {
        command.args(["--test-tool", "nextest", "--", "--filterset", filter]);
    }
    run(&mut command)
}
