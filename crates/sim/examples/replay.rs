//! Replays one seed or one kept file, and prints every event with what it has changed: `replay 42`, `replay
//! kept/x.txt`.

use std::process::ExitCode;

use clap::Parser;
use sim::seeded::{Plan, Verbosity, run_plan};

/// Replays one seed or one kept file, and prints every event with what it has changed.
#[derive(Debug, Parser)]
#[command(name = "replay")]
struct Args {
    /// The number of a seed, or a kept file.
    world: String,
    /// Prints the events alone.
    #[arg(long)]
    events: bool,
    /// Prints only the world as a file, with everything that was drawn as steps, to be edited by hand.
    #[arg(long, conflicts_with = "events")]
    steps: bool,
}

fn main() -> ExitCode {
    let Args { world, events, steps } = Args::parse();
    match plan(&world) {
        Ok(plan) if steps => write_down(&plan),
        Ok(plan) => replay(&plan, if events { Verbosity::Events } else { Verbosity::Everything }),
        Err(why) => {
            eprintln!("replay: {why}");
            ExitCode::from(2)
        }
    }
}

fn replay(plan: &Plan, verbosity: Verbosity) -> ExitCode {
    let report = run_plan(plan, verbosity);
    println!("seed {}\n{}{}{}", report.seed, report.rates, report.journal, report.counts.table());
    if report.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("{}", report.failure_summary());
    ExitCode::FAILURE
}

fn write_down(plan: &Plan) -> ExitCode {
    let broken = run_plan(plan, Verbosity::Sums).violations;
    let promise = broken.first().map_or("(none is broken)", |violation| violation.promise);
    print!("{}", plan.written_down().to_text(promise));
    ExitCode::SUCCESS
}

fn plan(name: &str) -> Result<Plan, String> {
    match name.parse() {
        Ok(seed) => Ok(Plan::of(seed)),
        Err(_) => {
            let text = std::fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))?;
            Plan::from_text(&text).map_err(|why| format!("{name}: {why}"))
        }
    }
}
