//! Lets one seed, or one kept file, happen again and prints every event: `replay 42`, `replay kept/x.txt`.

use std::process::ExitCode;

use sim::seeded::{Plan, Telling, tell_plan};

fn main() -> ExitCode {
    let plan = match std::env::args().nth(1).map(|word| plan(&word)) {
        Some(Ok(plan)) => plan,
        Some(Err(why)) => return refuse(&why),
        None => return refuse("say which seed or which file, as in `replay 42`"),
    };
    let story = tell_plan(&plan, Telling::Everything);
    println!("seed {}\n{}{}{}", story.seed, story.odds, story.journal, story.counts.table());
    if story.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("{}", story.complaint());
    ExitCode::FAILURE
}

fn plan(word: &str) -> Result<Plan, String> {
    match word.parse() {
        Ok(seed) => Ok(Plan::of(seed)),
        Err(_) => {
            let text = std::fs::read_to_string(word).map_err(|error| format!("{word}: {error}"))?;
            Plan::from_text(&text)
        }
    }
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("replay: {why}");
    ExitCode::from(2)
}
