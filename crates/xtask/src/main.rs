//! The tasks of the project that cargo cannot do: install tools, build the releases that are upgraded between, run
//! the demo, the gate, the benchmarks and the fuzzing.
//!
//! It knows commands and files, and nothing of calls, nodes or runs.

mod fuzz;
mod gate;
mod mutants;
mod progress;
mod releases;
mod run;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::gate::Extent;
use crate::run::Failed;

/// The project's own tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Start a platform with simulated callers and upgrade it under their calls.
    Demo {
        /// Passed on to the demo; `-- --help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the gate: format, tidiness, lints, docs, all tests, fuzzing.
    Test {
        /// Only what needs neither root nor other programs: format, tidiness, lints, quick tests, few seeds.
        #[arg(long)]
        quick: bool,
    },
    /// Run the fuzz targets, each for a given time, and keep their findings.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 30)]
        seconds: u32,
        /// The seed of the random inputs; without it every run differs.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        seed: Option<u32>,
        /// The one target to run; without it all of them.
        #[arg(long)]
        target: Option<String>,
    },
    /// Run the fault matrix: every phase of a run with every fault, on real processes with test callers.
    Faults {
        /// Passed on to pitlane-faults; `-- --help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Mutate the crates that decide about calls and machines, and find mutants that no test notices. Takes hours.
    Mutants {
        /// Passed on to cargo mutants, such as `-- --shard 1/8`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run every benchmark. Each prints a ratio to something measured in the same run.
    Bench,
    /// Build the recorded releases, the present one and the next, and print their folder.
    Releases,
    /// Build the release that is shipped, optimised, and print its folder.
    Dist,
}

fn main() -> ExitCode {
    match task(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("xtask: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn task(task: Task) -> Result<(), Failed> {
    match task {
        Task::Demo { arguments } => {
            let releases = releases::build()?;
            run::run(releases.demo().arg("--releases").arg(&releases.dir).args(arguments))
        }
        Task::Test { quick } => gate::run_all(if quick { Extent::Quick } else { Extent::Whole }),
        Task::Fuzz { seconds, seed, target } => fuzz::fuzz(seconds, seed, target.as_deref()),
        Task::Faults { arguments } => gate::faults(&arguments),
        Task::Mutants { arguments } => mutants::run_all(&arguments),
        Task::Bench => gate::bench(),
        Task::Releases => {
            println!("{}", releases::build_all()?.dir.display());
            Ok(())
        }
        Task::Dist => {
            println!("{}", releases::dist()?.display());
            Ok(())
        }
    }
}
