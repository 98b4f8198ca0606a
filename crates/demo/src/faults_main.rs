//! Runs the fault matrix: every phase of a run with every fault, each case on a platform of its own, and prints
//! the results.
//!
//! Relies on root privileges for the network, mount and process namespaces that it creates for each case. Changes
//! nothing outside of them.

mod faults_table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser;
use demo::faults::{Case, Fault, Phase, Verdict, run};
use demo::{Error, Releases, Step};

use faults_table::CaseResult;

/// The time limit of a case: several times the duration of the slowest one measured.
const LIMIT: Duration = Duration::from_secs(300);
/// How often a case is run if its phase ends before the fault is injected.
const ATTEMPTS: u32 = 3;

/// Injects faults into a platform of real processes with calls on it, and prints the result of each case.
#[derive(Debug, Parser)]
#[command(name = "pitlane-faults")]
struct Options {
    /// The folder with the releases. Default: the folder of this program.
    #[arg(long, value_name = "FOLDER")]
    releases: Option<PathBuf>,
    /// Run a subset that contains every phase and every fault at least once.
    #[arg(long)]
    covering: bool,
    /// Run these phases only.
    #[arg(long, value_enum, value_name = "PHASE")]
    phase: Vec<Phase>,
    /// Run these faults only.
    #[arg(long, value_enum, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// The number of cases that run at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// Print one table of phases and faults, for a document.
    #[arg(long)]
    markdown: bool,
    /// Run the one case in this process, which is in namespaces that were created for it.
    #[arg(long, hide = true, value_name = "FOLDER")]
    here: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run_cases(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("pitlane-faults: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_cases(options: &Options) -> Result<ExitCode, Error> {
    let own = || std::env::current_exe().ok()?.parent().map(Path::to_owned);
    let folder = options.releases.clone().or_else(own).unwrap_or_default();
    let releases = Releases::in_folder(&folder, Step::TO_NEXT)?;
    if let (Some(here), [phase], [fault]) = (&options.here, &options.phase[..], &options.fault[..]) {
        let verdict = run(Case { phase: *phase, fault: *fault }, releases, here);
        println!("{}", serde_json::to_string(&verdict).unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let results = run_all(options, &folder);
    let table = if options.markdown { faults_table::matrix(&results) } else { faults_table::list(&results) };
    println!("{table}\n{}", faults_table::totals(&results));
    let broken = results.iter().any(|case| matches!(case.result, Ok(Verdict::Broken(_))));
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs the chosen cases, several at the same time, and returns the results in order.
fn run_all(options: &Options, releases: &Path) -> Vec<CaseResult> {
    let any = |list: &[Phase], phase| list.is_empty() || list.contains(&phase);
    let chosen = Case::all()
        .filter(|case| !options.covering || case.covers())
        .filter(|case| any(&options.phase, case.phase))
        .filter(|case| options.fault.is_empty() || options.fault.contains(&case.fault));
    let queue: Mutex<Vec<Case>> = Mutex::new(chosen.collect::<Vec<_>>().into_iter().rev().collect());
    let results = Mutex::new(Vec::new());
    let take = || queue.lock().ok()?.pop();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                while let Some(case) = take() {
                    let result = run_one(case, releases);
                    eprintln!("{}", faults_table::line(&result));
                    results.lock().expect("no thread panics while it holds the lock").push(result);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|result| result.case);
    results
}

fn run_one(case: Case, releases: &Path) -> CaseResult {
    let began = Instant::now();
    let result = match case.fault.not_applicable_in(case.phase) {
        Some(why) => Err(why),
        None => Ok(in_namespaces(case, releases)),
    };
    CaseResult { case, seconds: began.elapsed().as_secs(), result }
}

/// Runs a case as the first process of namespaces of its own: all that it creates ends with them.
fn in_namespaces(case: Case, releases: &Path) -> Verdict {
    let mut last = Verdict::Broken("it was never run".into());
    for _ in 0..ATTEMPTS {
        last = once(case, releases).unwrap_or_else(|error| Verdict::Broken(error.to_string()));
        match &last {
            Verdict::Broken(why) if why.starts_with("the phase was missed") => {}
            Verdict::Broken(_) | Verdict::Held(_) => break,
        }
    }
    last
}

fn once(case: Case, releases: &Path) -> Result<Verdict, Error> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    let folder = tempfile::Builder::new().prefix("pitlane-faults-").tempdir();
    let folder = folder.map_err(file(&std::env::temp_dir()))?;
    let program = std::env::current_exe().map_err(file(folder.path()))?;
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", &format!("{}s", LIMIT.as_secs())]);
    command.args(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command.arg(program).arg("--releases").arg(releases).arg("--here").arg(folder.path());
    let output = command
        .args(["--phase", &name_of(case.phase), "--fault", &name_of(case.fault)])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Error::NotStarted { program: "unshare".into(), source })?;
    let verdict = serde_json::from_slice(&output.stdout);
    let verdict = verdict.unwrap_or_else(|_| {
        let printed = String::from_utf8_lossy(&output.stdout);
        Verdict::Broken(format!("the case ended without a verdict ({}): {printed}", output.status))
    });
    Ok(match verdict {
        Verdict::Broken(why) => {
            let logs = folder.keep().join("logs");
            Verdict::Broken(format!("{why} [logs: {}]", logs.display()))
        }
        held @ Verdict::Held(_) => held,
    })
}

fn name_of(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
