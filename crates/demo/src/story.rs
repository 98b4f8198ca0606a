//! What happens in the demo, in its order.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use callers::call_log::{CallLog, NodeName};
use callers::time::Millis;
use callers::{CallId, Crowd, CrowdSettings, Lengths, Pin, Room};
use demo::{Block, Built, Contents, Error, Ground, Plan, Platform, Releases};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::Options;
use crate::history::History;
use crate::verdict::Verdict;

/// The rooms, each with as many seats on a node as its tones allow to be told apart easily.
const ROOMS: usize = 10;
const SEATS: usize = 6;
/// The room of the calls that are to live through the whole drain of their node.
const LONG_CALLS: &str = "long-calls";
/// How long such a call goes on after its node began to wait for it.
const THROUGH_THE_DRAIN: Duration = Duration::from_secs(20);
/// How long everything may take that is not the run itself.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long people go on talking on the upgraded platform.
const AFTERWARDS: Duration = Duration::from_secs(6);

/// Tells the whole story and returns the platform as it is at the end.
pub(crate) fn tell(
    options: &Options,
    releases: Releases,
    folder: &Path,
) -> Result<(Platform, Verdict), Error> {
    let runtime = Runtime::new().map_err(|source| Error::File { path: folder.to_owned(), source })?;
    say(&format!(
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
        ground: Ground::Loopback(Block::DEMO),
        nodes: options.nodes,
        rooms: [rooms.clone(), vec![LONG_CALLS.to_owned()]].concat(),
        settings: String::new(),
    })?;

    say(&format!(
        "People begin to talk: {} calls are kept alive, each with a tone of its own.",
        options.calls
    ));
    let crowd = runtime.block_on(Crowd::start(crowd_of(options, &platform, &rooms)))?;
    let long = runtime.block_on(fill(&crowd, &platform, options))?;

    say(&format!("Building and signing release {}, and uploading it.", Built::NEXT.version));
    let package = platform.build_package("next", &Contents::next())?;
    platform.upload(&package)?;
    let policy =
        ["--drain-limit", &options.drain_limit, "--run-limit", &options.run_limit, "--rest", &options.rest];
    say(&format!(
        "Start. The clocks are scaled: drain limit {} instead of 1 h, run limit {} instead of 24 h, rest {} \
         instead of 10 min.",
        options.drain_limit, options.run_limit, options.rest
    ));
    platform.start(&policy)?;
    let watch = watch(&platform)?;
    let status = follow(&runtime, &crowd, &platform, long)?;
    finish(watch);

    std::thread::sleep(AFTERWARDS);
    say("The run has ended. Everybody hangs up.");
    let history = History::of_last_run(&platform.pitlane, &status)?;
    let ledger: CallLog = runtime.block_on(crowd.stop());
    let verdict = Verdict::new(options.calls.into(), &status, &history, &ledger);
    Ok((platform, verdict))
}

fn say(what: &str) {
    println!("\n» {what}");
}

fn crowd_of(options: &Options, platform: &Platform, rooms: &[String]) -> CrowdSettings {
    let rooms = rooms.iter().map(|alias| Room { alias: alias.clone(), seats: SEATS }).collect();
    CrowdSettings {
        seed: options.seed,
        // One long call on each node counts among those alive, and ends with its node's drain.
        minimum: usize::from(options.calls) + usize::from(options.nodes),
        spare: 6,
        lengths: Lengths {
            median: Millis::seconds(18),
            spread: 0.7,
            shortest: Millis::seconds(6),
            longest: Millis::seconds(60),
        },
        ..CrowdSettings::new(platform.callers(), platform.as_dialled(), rooms)
    }
}

/// Waits until enough people talk, and places one long call on every node.
async fn fill(
    crowd: &Crowd,
    platform: &Platform,
    options: &Options,
) -> Result<BTreeMap<String, CallId>, Error> {
    let late = |alive: usize| Error::Late {
        what: format!("{} calls", options.calls),
        seconds: PATIENCE.as_secs(),
        logs: platform.logs(),
        last: format!("{alive} calls are alive"),
    };
    tokio::time::timeout(PATIENCE, crowd.populated()).await.map_err(|_| late(crowd.alive()))?;
    let mut long = BTreeMap::new();
    for node in platform.as_dialled() {
        let alias = LONG_CALLS.to_owned();
        let pin = Pin { node: node.name.clone(), alias, length: Millis::seconds(3_600) };
        long.insert(node.name.0, crowd.pin(pin).await?);
    }
    Ok(long)
}

/// The command line's own live view: on a terminal it redraws itself, otherwise it prints a line a
/// change.
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

/// Lets the long calls go on for a while after their node began to wait for them, until the run has
/// ended.
fn follow(
    runtime: &Runtime,
    crowd: &Crowd,
    platform: &Platform,
    mut long: BTreeMap<String, CallId>,
) -> Result<Value, Error> {
    let mut waiting: BTreeMap<String, Instant> = BTreeMap::new();
    let mut silent_since = Instant::now();
    loop {
        match platform.status() {
            Ok(status) => {
                silent_since = Instant::now();
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
            // The Management Node restarts into its new release.
            Err(error) if silent_since.elapsed() > PATIENCE => return Err(error),
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

/// Leaves the platform up and says how to look at it.
pub(crate) fn keep(platform: &mut Platform, folder: PathBuf) {
    let pitlane = &platform.pitlane;
    println!("\nThe platform is left up. Look at it with");
    for words in ["node list", "upgrade status", "upgrade history 1"] {
        println!("  {}", pitlane.as_typed(words));
    }
    println!("Everything is in {}.", folder.display());
    let machines = platform.nodes.iter_mut().chain([&mut platform.manager]);
    let processes: Vec<_> = machines.filter_map(|machine| machine.keep()).map(|id| id.to_string()).collect();
    println!("To end it: kill {}", processes.join(" "));
    if std::io::stdout().is_terminal() {
        println!();
    }
}

/// A node's name as the ledger knows it.
pub(crate) fn name(node: &Value) -> NodeName {
    NodeName(node["name"].as_str().unwrap_or_default().to_owned())
}
