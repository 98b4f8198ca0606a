//! Lets as many seeds happen as one likes, on every core: `seeds`, `seeds --from 5000 --count 100000`,
//! `seeds --for 90m`. What fails is kept, shrunk, as a file that `replay` takes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use jiff::SignedDuration;
use sim::seeded::{Counts, Plan, SeedReport, run_seeds};

/// How often it says how far it has come.
const PROGRESS: Duration = Duration::from_secs(10);

/// Lets whole fleets happen from seeds, on every core, and judges every promise after every event.
#[derive(Debug, Parser)]
#[command(name = "seeds")]
struct Args {
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// How many seeds. 1000 when no time is given either.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// How long, like 90m or 2h: seeds are begun until then.
    #[arg(long = "for", value_name = "TIME")]
    time: Option<SignedDuration>,
    /// Where what fails is kept.
    #[arg(long, value_name = "FOLDER", default_value = "target/failed-seeds")]
    keep: PathBuf,
}

fn main() -> ExitCode {
    tell(&Args::parse())
}

fn tell(Args { from, count, time, keep }: &Args) -> ExitCode {
    let (began, mut said) = (Instant::now(), Instant::now());
    let (mut told, mut broken, mut counts) = (0_u64, 0_u64, Counts::default());
    // Without either bound it is a thousand seeds; a time alone is as many as it takes.
    let count = count.unwrap_or(if time.is_some() { u64::MAX } else { 1_000 });
    let until = time.map(|time| began + time.unsigned_abs());
    run_seeds(*from..from.saturating_add(count), until, |report| {
        told += 1;
        counts.add(&report.counts);
        if !report.violations.is_empty() {
            broken += 1;
            println!("{}", report.failure_summary());
            keep_in(keep, &report);
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
