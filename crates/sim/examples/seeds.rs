//! Runs any number of seeds on all cores: `seeds`, `seeds --from 5000 --count 100000`, `seeds --for 90m`. Failing seeds
//! are kept, shrunk, as files that `replay` reads.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use jiff::SignedDuration;
use sim::seeded::{Counts, Plan, SeedReport, run_seeds};

/// The interval between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// Simulates whole platforms from seeds, on all cores, and judges every promise after every event.
#[derive(Debug, Parser)]
#[command(name = "seeds")]
struct Args {
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// How many seeds. 1000 when no time is given either.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// For how long seeds are begun, such as 90m or 2h.
    #[arg(long = "for", value_name = "TIME")]
    time: Option<SignedDuration>,
    /// The folder for failing seeds.
    #[arg(long, value_name = "FOLDER", default_value = "target/failed-seeds")]
    keep: PathBuf,
}

fn main() -> ExitCode {
    run(&Args::parse())
}

fn run(Args { from, count, time, keep }: &Args) -> ExitCode {
    let (began, mut printed) = (Instant::now(), Instant::now());
    let (mut done, mut broken, mut counts) = (0_u64, 0_u64, Counts::default());
    // Without either bound a thousand seeds are run; with a time alone, as many as fit in it.
    let count = count.unwrap_or(if time.is_some() { u64::MAX } else { 1_000 });
    let until = time.map(|time| began + time.unsigned_abs());
    run_seeds(*from..from.saturating_add(count), until, |report| {
        done += 1;
        counts.add(&report.counts);
        if !report.violations.is_empty() {
            broken += 1;
            println!("{}", report.failure_summary());
            keep_in(keep, &report);
        }
        if printed.elapsed() >= PROGRESS {
            printed = Instant::now();
            eprintln!("{done} seeds, {broken} broken, {} s", began.elapsed().as_secs());
        }
    });
    let seconds = began.elapsed().as_secs_f32();
    println!("{done} seeds from {from}, {broken} broken, {seconds:.1} s\n{}", counts.table());
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes a failing seed, shrunk, as a file.
fn keep_in(dir: &Path, report: &SeedReport) {
    let Some(violation) = report.violations.first() else { return };
    let text = Plan::of(report.seed).shrunk(violation.promise).to_text(violation.promise);
    let path = dir.join(format!("{}.txt", report.seed));
    match std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, text)) {
        Ok(()) => println!("  kept, shrunk, in {}", path.display()),
        Err(error) => eprintln!("seeds: {}: {error}", path.display()),
    }
}
