//! Faults on real processes: plays every phase of a run with every fault, each on a platform of its own,
//! and prints what came of it. It needs the rights of root, since it pulls cables and fills disks: those of
//! network and mount namespaces that it makes and that end with it.

mod faults_table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser;
use demo::faults::{Case, Fault, Phase, Verdict, run};
use demo::{Error, Releases, Step};

use faults_table::Played;

/// How long one case may take: several times what the slowest was seen to take.
const LIMIT: Duration = Duration::from_secs(300);
/// How often a moment that was missed is tried to be met again.
const TRIES: u32 = 3;

/// Plays faults on real processes with people on the phone, and says what came of each.
#[derive(Debug, Parser)]
#[command(name = "pitlane-faults")]
struct Options {
    /// Where the releases are. The folder of this program when not given.
    #[arg(long, value_name = "FOLDER")]
    releases: Option<PathBuf>,
    /// Plays a part in which every phase and every fault is there at least once.
    #[arg(long)]
    covering: bool,
    /// Plays these phases only.
    #[arg(long, value_enum, value_name = "PHASE")]
    phase: Vec<Phase>,
    /// Plays these faults only.
    #[arg(long, value_enum, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// How many cases are played beside each other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// Prints one table of phases and faults, for a document.
    #[arg(long)]
    markdown: bool,
    /// Plays the one case here and now: in namespaces that were made for it.
    #[arg(long, hide = true, value_name = "FOLDER")]
    here: Option<PathBuf>,
}

fn main() -> ExitCode {
    match play(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("pitlane-faults: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(options: &Options) -> Result<ExitCode, Error> {
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
    let played = play_all(options, &folder);
    let table = if options.markdown { faults_table::matrix(&played) } else { faults_table::list(&played) };
    println!("{table}\n{}", faults_table::sums(&played));
    let broken = played.iter().any(|played| matches!(played.result, Ok(Verdict::Broken(_))));
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Plays what was chosen, a few at a time, in order.
fn play_all(options: &Options, releases: &Path) -> Vec<Played> {
    let any = |list: &[Phase], phase| list.is_empty() || list.contains(&phase);
    let chosen = Case::all()
        .filter(|case| !options.covering || case.covers())
        .filter(|case| any(&options.phase, case.phase))
        .filter(|case| options.fault.is_empty() || options.fault.contains(&case.fault));
    let waiting: Mutex<Vec<Case>> = Mutex::new(chosen.collect::<Vec<_>>().into_iter().rev().collect());
    let played = Mutex::new(Vec::new());
    let take = || waiting.lock().ok()?.pop();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                while let Some(case) = take() {
                    let one = play_one(case, releases);
                    eprintln!("{}", faults_table::line(&one));
                    played.lock().expect("nobody panics while it is held").push(one);
                }
            });
        }
    });
    let mut played = played.into_inner().unwrap_or_default();
    played.sort_by_key(|played| played.case);
    played
}

fn play_one(case: Case, releases: &Path) -> Played {
    let began = Instant::now();
    let result = match case.fault.means_nothing_in(case.phase) {
        Some(why) => Err(why),
        None => Ok(in_namespaces(case, releases)),
    };
    Played { case, seconds: began.elapsed().as_secs(), result }
}

/// Plays a case as the first process of namespaces of its own: whatever it leaves behind ends with it.
fn in_namespaces(case: Case, releases: &Path) -> Verdict {
    let mut last = Verdict::Broken("it was never played".into());
    for _ in 0..TRIES {
        last = once(case, releases).unwrap_or_else(|error| Verdict::Broken(error.to_string()));
        match &last {
            Verdict::Broken(why) if why.starts_with("the moment was missed") => {}
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
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Verdict::Broken(format!("the case ended without a verdict ({}): {said}", output.status))
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
