//! Lets one seed, or one kept file, happen again and prints every event with what it has changed:
//! `replay 42`, `replay kept/x.txt`. With `--events` after it, the events alone; with `--steps`, nothing but
//! the world as a file, with all that was drawn as steps, to be changed by hand.

use std::process::ExitCode;

use sim::seeded::{Plan, Telling, tell_plan};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = match *words {
        [world] => plan(world).map(|plan| replay(&plan, Telling::Everything)),
        [world, "--events"] => plan(world).map(|plan| replay(&plan, Telling::Events)),
        [world, "--steps"] => plan(world).map(|plan| write_down(&plan)),
        _ => Err("say which seed or which file, and perhaps --events or --steps, as in `replay 42`".into()),
    };
    told.unwrap_or_else(|why| {
        eprintln!("replay: {why}");
        ExitCode::from(2)
    })
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
