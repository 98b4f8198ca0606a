//! What cargo cannot do: install what a fresh machine lacks, build the releases that are upgraded between,
//! run the demo, and run the whole gate.
//!
//! It knows commands and files. It knows nothing of calls, nodes or runs.

mod fuzz;
mod gate;
mod releases;
mod run;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Bring up a platform with people talking on it and upgrade it under their calls.
    Demo {
        /// Passed on to the demo; `-- --help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run everything that must hold: format, lints, docs, tidiness, all tests.
    Test,
    /// Run the fuzz targets, each for a while, and keep what they find.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 30)]
        seconds: u32,
        /// What chance begins with; without it every run tries something else.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        seed: Option<u32>,
        /// The one target to run; without it all of them.
        #[arg(long)]
        target: Option<String>,
    },
    /// Play every phase of a run with every fault, on real processes with people on the phone.
    Faults {
        /// Passed on to pitlane-faults; `-- --help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run every benchmark. Each prints a ratio to something measured in the same run.
    Bench,
    /// Build the recorded releases, the present one and the next, and say where they are.
    Releases,
    /// Build the release that is shipped, optimised, and say where it is.
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
        Task::Test => gate::run_all(),
        Task::Fuzz { seconds, seed, target } => fuzz::fuzz(seconds, seed, target.as_deref()),
        Task::Faults { arguments } => gate::faults(&arguments),
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
