//! Lets one seed happen again and prints every event: `replay SEED`.

use sim::seeded::{Telling, tell};

fn main() -> std::process::ExitCode {
    let Some(seed) = std::env::args().nth(1).and_then(|word| word.parse().ok()) else {
        eprintln!("replay: say which seed, as in `replay 42`");
        return std::process::ExitCode::from(2);
    };
    let story = tell(seed, Telling::Everything, None);
    println!("seed {seed}\n{}{}{:?}", story.odds, story.journal, story.counts);
    if story.violations.is_empty() {
        return std::process::ExitCode::SUCCESS;
    }
    println!("{}", story.complaint());
    std::process::ExitCode::FAILURE
}
