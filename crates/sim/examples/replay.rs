//! Lets one seed, or one kept file, happen again and prints every event with what it has changed:
//! `replay 42`, `replay kept/x.txt`.

use std::process::ExitCode;

use clap::Parser;
use sim::seeded::{Plan, Telling, tell_plan};

/// Lets one seed, or one kept file, happen again and prints every event with what it has changed.
#[derive(Debug, Parser)]
#[command(name = "replay")]
struct Asked {
    /// The number of a seed, or a kept file.
    world: String,
    /// Prints the events alone.
    #[arg(long)]
    events: bool,
    /// Prints nothing but the world as a file, with all that was drawn as steps, to be changed by hand.
    #[arg(long, conflicts_with = "events")]
    steps: bool,
}

fn main() -> ExitCode {
    let Asked { world, events, steps } = Asked::parse();
    match plan(&world) {
        Ok(plan) if steps => write_down(&plan),
        Ok(plan) => replay(&plan, if events { Telling::Events } else { Telling::Everything }),
        Err(why) => {
            eprintln!("replay: {why}");
            ExitCode::from(2)
        }
    }
}

fn replay(plan: &Plan, telling: Telling) -> ExitCode {
    let story = tell_plan(plan, telling);
    println!("seed {}\n{}{}{}", story.seed, story.odds, story.journal, story.counts.table());
    if story.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("{}", story.complaint());
    ExitCode::FAILURE
}

fn write_down(plan: &Plan) -> ExitCode {
    let broken = tell_plan(plan, Telling::Sums).violations;
    let promise = broken.first().map_or("(none is broken)", |violation| violation.promise);
    print!("{}", plan.written_down().to_text(promise));
    ExitCode::SUCCESS
}

fn plan(word: &str) -> Result<Plan, String> {
    match word.parse() {
        Ok(seed) => Ok(Plan::of(seed)),
        Err(_) => {
            let text = std::fs::read_to_string(word).map_err(|error| format!("{word}: {error}"))?;
            Plan::from_text(&text).map_err(|why| format!("{word}: {why}"))
        }
    }
}
