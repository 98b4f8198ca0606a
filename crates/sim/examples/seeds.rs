//! Lets as many seeds happen as one likes, on every core: `seeds`, `seeds --from 5000 --count 100000`,
//! `seeds --for 90m`. What fails is kept, shrunk, as a file that `replay` takes: under `target/failed-seeds`,
//! or where `--keep DIR` says.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sim::seeded::{Counts, Plan, Story, tell_many};

/// How often it says how far it has come.
const PROGRESS: Duration = Duration::from_secs(10);

/// What was asked for.
struct Asked {
    from: u64,
    count: Option<u64>,
    time: Option<Duration>,
    keep: PathBuf,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match asked(&words) {
        Ok(asked) => tell(&asked),
        Err(why) => {
            eprintln!("seeds: {why}");
            ExitCode::from(2)
        }
    }
}

fn tell(Asked { from, count, time, keep }: &Asked) -> ExitCode {
    let (began, mut said) = (Instant::now(), Instant::now());
    let (mut told, mut broken, mut counts) = (0_u64, 0_u64, Counts::default());
    // Without either bound it is a thousand seeds; a time alone is as many as it takes.
    let count = count.unwrap_or(if time.is_some() { u64::MAX } else { 1_000 });
    let until = time.map(|time| began + time);
    tell_many(*from..from.saturating_add(count), until, |story| {
        told += 1;
        counts.add(&story.counts);
        if !story.violations.is_empty() {
            broken += 1;
            println!("{}", story.complaint());
            keep_in(keep, &story);
        }
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            eprintln!("{told} seeds, {broken} broken, {} s", began.elapsed().as_secs());
        }
    });
    let seconds = began.elapsed().as_secs_f32();
    println!("{told} seeds from {from}, {broken} broken, {seconds:.1} s\n{}", counts.table());
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked(words: &[String]) -> Result<Asked, String> {
    let mut asked = Asked { from: 1, count: None, time: None, keep: "target/failed-seeds".into() };
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("nothing follows {}", pair[0])) };
        let wrong = |like: &str| format!("{name} takes {like}, and not {value}");
        match name.as_str() {
            "--from" => asked.from = value.parse().map_err(|_| wrong("the number of a seed"))?,
            "--count" => asked.count = Some(value.parse().map_err(|_| wrong("a number of seeds"))?),
            "--for" => {
                asked.time = Some(duration(value).ok_or_else(|| wrong("a time such as 90m, 30s or 2h"))?)
            }
            "--keep" => asked.keep = value.into(),
            _ => return Err(format!("{name} is unknown; there are --from, --count, --for and --keep")),
        }
    }
    Ok(asked)
}

fn duration(text: &str) -> Option<Duration> {
    let seconds = [("s", 1), ("m", 60), ("h", 3_600)];
    let (number, unit) =
        seconds.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    // Nobody waits longer than a year.
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit).filter(|seconds| *seconds <= 366 * 86_400)?;
    Some(Duration::from_secs(seconds))
}

/// Writes a failing seed, shrunk, as a file.
fn keep_in(dir: &Path, story: &Story) {
    let Some(violation) = story.violations.first() else { return };
    let text = Plan::of(story.seed).shrunk(violation.promise).to_text(violation.promise);
    let path = dir.join(format!("{}.txt", story.seed));
    match std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, text)) {
        Ok(()) => println!("  kept, shrunk, in {}", path.display()),
        Err(error) => eprintln!("seeds: {}: {error}", path.display()),
    }
}
