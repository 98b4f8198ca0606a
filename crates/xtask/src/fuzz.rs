//! Fuzzing: builds the targets with coverage, runs each for a given time, two at a time, and keeps the inputs that
//! fail as regressions. What a target does with its input is in the crate `fuzz`.

mod build;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::run::{Failed, workspace};
use build::{Built, isolated};
use report::Report;

/// Targets that run at once. Each is one process that keeps one processor busy.
const AT_ONCE: usize = 2;

/// The most memory of a target, in MiB. The largest thing that one input may ask for is the window of the
/// compression, 128 MiB; the rest is the corpus and the programs themselves.
const MEMORY_MIB: u32 = 2048;

/// The longest that one input may take, in seconds. The slowest real one takes a tenth of a second; the rest is
/// margin for a busy machine.
const INPUT_SECONDS: u32 = 10;

/// A target and the longest of its inputs, as the program lists them.
struct Target {
    name: String,
    longest: String,
}

/// Runs every target, or the one of this name, for so many seconds. The same seed gives the same sequence of inputs,
/// as far as the machine gets with it; without a seed it is random.
///
/// # Errors
/// Something was found, or the targets could not be built or run.
pub(crate) fn fuzz(seconds: u32, seed: Option<u32>, only: Option<&str>) -> Result<(), Failed> {
    let built = build::build()?;
    let targets = targets(&built, only)?;
    let all = targets.len();
    let waiting = Mutex::new((1..).zip(targets));
    let reports = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((number, target)) = next(&waiting) {
                    eprintln!("fuzz: target {number} of {all}: {} for {seconds} s", target.name);
                    let report = run(&built, &target, seconds, seed);
                    reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(report);
                }
            });
        }
    });
    let reports = reports.into_inner().unwrap_or_default();
    let reports = reports.into_iter().collect::<Result<Vec<_>, _>>()?;
    print!("{}", report::table(&reports));
    match report::findings(&reports) {
        None => Ok(()),
        Some(findings) => Err(Failed::Tool(findings)),
    }
}

fn next<T>(waiting: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next()
}

fn targets(built: &Built, only: Option<&str>) -> Result<Vec<Target>, Failed> {
    let list = crate::run::output(Command::new(&built.program).env("PITLANE_FUZZ_TARGET", "list"))?;
    let listed = list.lines().filter_map(|line| line.split_once(' '));
    let mut targets: Vec<Target> =
        listed.map(|(name, longest)| Target { name: name.into(), longest: longest.into() }).collect();
    if let Some(only) = only {
        targets.retain(|target| target.name == only);
    }
    if targets.is_empty() {
        return Err(Failed::Tool(format!(
            "there is no such target; these are: {}",
            list.replace('\n', ", ")
        )));
    }
    Ok(targets)
}

/// Runs one target to its end, and keeps its findings.
fn run(built: &Built, target: &Target, seconds: u32, seed: Option<u32>) -> Result<Report, Failed> {
    let folder = built.folder.join("runs").join(&target.name);
    let (corpus, start, found) = (folder.join("corpus"), folder.join("start"), folder.join("found"));
    let _ = fs::remove_dir_all(&found);
    for dir in [&corpus, &start.join("seeds"), &found] {
        fs::create_dir_all(dir).map_err(|error| Failed::File(dir.clone(), error))?;
    }
    // libFuzzer reads the words after the target has written them.
    let mut command = isolated(&built.program);
    command
        .args(["-print_final_stats=1", "-detect_leaks=0", "-reload=0", "-verbosity=1"])
        .arg(format!("-max_total_time={seconds}"))
        .args(seed.map(|seed| format!("-seed={seed}")))
        .arg(format!("-max_len={}", target.longest))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-dict={}", start.join("words").display()))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args([&corpus, &start.join("seeds")]);
    let kept = regressions(&target.name);
    if kept.is_dir() {
        command.arg(&kept);
    }
    let output = command
        .env("PITLANE_FUZZ_TARGET", &target.name)
        .env("PITLANE_FUZZ_START", &start)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failed::NotStarted("pitlane-fuzz".into(), error))?;
    let log = folder.join("log");
    fs::write(&log, &output.stderr).map_err(|error| Failed::File(log.clone(), error))?;
    let found = keep(&found, &kept)?;
    let log_text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && found.is_empty() {
        let name = &target.name;
        return Err(Failed::Tool(format!(
            "fuzzing {name} ended with {}; see {}",
            output.status,
            log.display()
        )));
    }
    Ok(Report::read(&target.name, &log_text, found, log))
}

/// The inputs of a target that were found before.
fn regressions(target: &str) -> PathBuf {
    workspace().join("crates/fuzz/regressions").join(target)
}

/// Copies the findings to the inputs that the tests replay. An input that was only slow is not a finding.
fn keep(found: &Path, kept: &Path) -> Result<Vec<PathBuf>, Failed> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| Failed::File(path, error)
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(found).map_err(failed(found))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("slow-unit-") {
            continue;
        }
        fs::create_dir_all(kept).map_err(failed(kept))?;
        let to = kept.join(name);
        fs::copy(entry.path(), &to).map_err(failed(&to))?;
        files.push(to);
    }
    Ok(files)
}
