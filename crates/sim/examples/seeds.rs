//! Lets as many seeds happen as one likes: `seeds --from 1 --count 100000 --keep DIR`.
//! What fails is kept there, shrunk, as a file that `replay` takes.

use std::time::Instant;

use sim::seeded::{Counts, Plan, Story, Telling, tell};

fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let number = |name: &str, otherwise: u64| {
        let at = words.iter().position(|word| word == name).map(|at| at + 1);
        at.and_then(|at| words.get(at)).and_then(|word| word.parse().ok()).unwrap_or(otherwise)
    };
    let (from, count) = (number("--from", 1), number("--count", 1_000));
    let keep = words.iter().position(|word| word == "--keep").and_then(|at| words.get(at + 1)).cloned();
    let (began, mut counts, mut broken) = (Instant::now(), Counts::default(), 0);
    for seed in from..from.saturating_add(count) {
        let story = tell(seed, Telling::Sums, None);
        counts.add(&story.counts);
        if !story.violations.is_empty() {
            broken += 1;
            println!("{}", story.complaint());
            if let Some(dir) = &keep {
                keep_in(dir, &story);
            }
        }
        if (seed + 1 - from).is_multiple_of(1_000) {
            eprintln!("{} seeds, {broken} broken, {} s", seed + 1 - from, began.elapsed().as_secs());
        }
    }
    println!(
        "{count} seeds from {from}, {broken} broken, {:.1} s\n{}",
        began.elapsed().as_secs_f32(),
        counts.table()
    );
    if broken == 0 { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

/// Writes a failing seed, shrunk, as a file.
fn keep_in(dir: &str, story: &Story) {
    let Some(violation) = story.violations.first() else { return };
    let text = Plan::of(story.seed).shrunk(violation.promise).to_text(violation.promise);
    let path = std::path::Path::new(dir).join(format!("{}.txt", story.seed));
    match std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, text)) {
        Ok(()) => println!("  kept, shrunk, in {}", path.display()),
        Err(error) => eprintln!("seeds: {}: {error}", path.display()),
    }
}
