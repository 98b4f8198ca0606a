//! The scenario of the demo: set up a platform, place calls, upload the next release, run the upgrade under the
//! calls, hang up.
//!
//! Relies on `Platform` and on the crate `callers`. Decides nothing about success: that is `verdict`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use callers::call_log::CallLog;
use callers::time::Millis;
use callers::{CallId, Crowd, CrowdSettings, Lengths, Pin, Room};
use demo::{AddressBlock, Built, Contents, Error, Plan, Platform, Releases, Topology};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::Options;
use crate::history::History;
use crate::verdict::Verdict;

/// The number of rooms, and of callers in each on one node: few enough that their tones are clearly distinct.
const ROOMS: usize = 10;
const SEATS: usize = 6;
/// The room of the calls that last through the whole drain of their node.
const LONG_CALLS: &str = "long-calls";
/// How long such a call goes on after its node has begun to drain.
const THROUGH_THE_DRAIN: Duration = Duration::from_secs(20);
/// The time limit of every step but the run itself.
const TIMEOUT: Duration = Duration::from_secs(90);
/// How long calls go on on the upgraded platform.
const AFTER_THE_RUN: Duration = Duration::from_secs(6);

/// Runs the scenario, and returns the platform and the verdict.
pub(crate) fn run(
    options: &Options,
    releases: Releases,
    folder: &Path,
) -> Result<(Platform, Verdict), Error> {
    let runtime = Runtime::new().map_err(|source| Error::File { path: folder.to_owned(), source })?;
    announce(&format!(
        "Setting up one Management Node and {} Conferencing Nodes of release {}.",
        options.nodes,
        Built::PRESENT.version
    ));
    let rooms: Vec<String> = (1..=ROOMS).map(|number| format!("room{number}")).collect();
    let platform = Platform::bring_up(Plan {
        releases,
        manager: Built::PRESENT,
        conferencing: Built::PRESENT,
        folder: folder.to_owned(),
        topology: Topology::Loopback(AddressBlock::DEMO),
        nodes: options.nodes,
        rooms: [rooms.clone(), vec![LONG_CALLS.to_owned()]].concat(),
        settings: String::new(),
    })?;

    announce(&format!(
        "Placing calls: {} are kept alive, and each caller sends a tone of its own.",
        options.calls
    ));
    let crowd = runtime.block_on(Crowd::start(crowd_of(options, &platform, &rooms)))?;
    let long = runtime.block_on(place_calls(&crowd, &platform, options))?;

    announce(&format!("Building and signing release {}, and uploading it.", Built::NEXT.version));
    let package = platform.build_package("next", &Contents::next())?;
    platform.upload(&package)?;
    let policy =
        ["--drain-limit", &options.drain_limit, "--run-limit", &options.run_limit, "--rest", &options.rest];
    announce(&format!(
        "Start. The limits are shortened: drain limit {} instead of 1 h, run limit {} instead of 24 h, rest {} \
         instead of 10 min.",
        options.drain_limit, options.run_limit, options.rest
    ));
    platform.start(&policy)?;
    let watch = watch(&platform)?;
    let status = follow(&runtime, &crowd, &platform, long)?;
    finish(watch);

    std::thread::sleep(AFTER_THE_RUN);
    announce("The run has ended. All callers hang up.");
    let history = History::of_last_run(&platform.pitlane, &status)?;
    let log: CallLog = runtime.block_on(crowd.stop());
    let verdict = Verdict::new(options.calls.into(), &status, &history, &log);
    Ok((platform, verdict))
}

fn announce(what: &str) {
    println!("\n» {what}");
}

fn crowd_of(options: &Options, platform: &Platform, rooms: &[String]) -> CrowdSettings {
    let rooms = rooms.iter().map(|alias| Room { alias: alias.clone(), seats: SEATS }).collect();
    CrowdSettings {
        seed: options.seed,
        // The long call on each node counts as alive, and ends with its node's drain.
        minimum: usize::from(options.calls) + usize::from(options.nodes),
        spare: 6,
        lengths: Lengths {
            median: Millis::seconds(18),
            spread: 0.7,
            shortest: Millis::seconds(6),
            longest: Millis::seconds(60),
        },
        ..CrowdSettings::new(platform.callers(), platform.dial_targets(), rooms)
    }
}

/// Waits until enough calls are alive, and places one long call on every node.
async fn place_calls(
    crowd: &Crowd,
    platform: &Platform,
    options: &Options,
) -> Result<BTreeMap<String, CallId>, Error> {
    let timeout = |alive: usize| Error::Timeout {
        what: format!("{} calls alive", options.calls),
        seconds: TIMEOUT.as_secs(),
        logs: platform.logs(),
        last: format!("{alive} calls are alive"),
    };
    tokio::time::timeout(TIMEOUT, crowd.populated()).await.map_err(|_| timeout(crowd.alive()))?;
    let mut long = BTreeMap::new();
    for node in platform.dial_targets() {
        let alias = LONG_CALLS.to_owned();
        let pin = Pin { node: node.name.clone(), alias, length: Millis::seconds(3_600) };
        long.insert(node.name.0, crowd.pin(pin).await?);
    }
    Ok(long)
}

/// Starts the live view of the command line: it redraws itself on a terminal, and prints a line for each change
/// otherwise.
fn watch(platform: &Platform) -> Result<Child, Error> {
    let mut command = platform.pitlane.command(&["upgrade", "watch"]);
    let program = PathBuf::from(command.get_program());
    println!();
    command.spawn().map_err(|source| Error::NotStarted { program, source })
}

fn finish(mut watch: Child) {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if let Ok(Some(_)) = watch.try_wait() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = watch.kill();
    let _ = watch.wait();
}

/// Waits until the run has ended, and hangs up each long call some time after its node has begun to drain.
fn follow(
    runtime: &Runtime,
    crowd: &Crowd,
    platform: &Platform,
    mut long: BTreeMap<String, CallId>,
) -> Result<Value, Error> {
    let mut waiting: BTreeMap<String, Instant> = BTreeMap::new();
    let mut last_answer = Instant::now();
    loop {
        match platform.status() {
            Ok(status) => {
                last_answer = Instant::now();
                if status["run"].is_null() && !status["last_run"].is_null() {
                    return Ok(status);
                }
                for node in status["nodes"].as_array().into_iter().flatten() {
                    if node["upgrade_status"] == "WAITING_FOR_CALLS"
                        && let Some(name) = node["name"].as_str()
                    {
                        waiting.entry(name.to_owned()).or_insert_with(Instant::now);
                    }
                }
            }
            // The Management Node does not answer while it restarts into its new release.
            Err(error) if last_answer.elapsed() > TIMEOUT => return Err(error),
            Err(_) => {}
        }
        for (name, _) in waiting.iter().filter(|(_, since)| since.elapsed() > THROUGH_THE_DRAIN) {
            if let Some(call) = long.remove(name) {
                runtime.block_on(crowd.hang_up(&call));
            }
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Leaves the platform running and prints how to use it.
pub(crate) fn keep(platform: &mut Platform, folder: PathBuf) {
    let pitlane = &platform.pitlane;
    println!("\nThe platform keeps running. Inspect it with");
    for arguments in ["node list", "upgrade status", "upgrade history 1"] {
        println!("  {}", pitlane.shell_line(arguments));
    }
    println!("Its files are in {}.", folder.display());
    let machines = platform.nodes.iter_mut().chain([&mut platform.manager]);
    let processes: Vec<_> =
        machines.filter_map(|machine| machine.detach()).map(|id| id.to_string()).collect();
    println!("To end it: kill {}", processes.join(" "));
    if std::io::stdout().is_terminal() {
        println!();
    }
}
