//! Measures how long a node is out of service for its upgrade: from the end of its last call until it accepts calls
//! again, as a ratio to a plain stop and start of the same program.
//!
//! `cargo xtask bench`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use callers::call_log::NodeName;
use callers::time::Millis;
use callers::{Crowd, CrowdSettings, Pin, Room};
use demo::{AddressBlock, Built, Contents, Error, Plan, Platform, Releases, Step, Topology, Wait};
use tokio::runtime::Runtime;

const NODES: u8 = 6;
const ROOM: &str = "meet";
const TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> Result<(), Error> {
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
    let runtime = Runtime::new().map_err(|source| Error::File { path: folder.path().into(), source })?;
    let mut platform = Platform::bring_up(Plan {
        releases: Releases::of_the_gate(Step::TO_NEXT)?,
        manager: Built::PRESENT,
        conferencing: Built::PRESENT,
        folder: folder.path().to_owned(),
        topology: Topology::Loopback(AddressBlock::of_this_process()),
        nodes: NODES,
        rooms: vec![ROOM.to_owned()],
        settings: String::new(),
    })?;
    let upgrades = runtime.block_on(upgrades(&platform))?;
    let mut restarts = Vec::new();
    for number in 1..=NODES {
        restarts.push(restart(&mut platform, number)?);
    }
    let (upgrade, restart) = (median(upgrades), median(restarts));
    println!("upgrade: {upgrade:?} from the end of the last call until calls are accepted again");
    println!("restart: {restart:?} from the stop of the same program until calls are accepted again");
    println!(
        "away / restart = {:.2}x (median of {NODES} nodes)",
        upgrade.as_secs_f64() / restart.as_secs_f64()
    );
    Ok(())
}

/// Upgrades the platform with a call on each node; the calls end one after the other.
async fn upgrades(platform: &Platform) -> Result<Vec<Duration>, Error> {
    let room = Room { alias: ROOM.to_owned(), seats: 6 };
    let settings = CrowdSettings {
        minimum: 0,
        spare: 0,
        ..CrowdSettings::new(platform.callers(), platform.dial_targets(), vec![room])
    };
    let crowd = Crowd::start(settings).await?;
    let mut calls = Vec::new();
    for number in 1..=NODES {
        let node = NodeName(format!("node{number}"));
        calls.push(crowd.pin(Pin { node, alias: ROOM.to_owned(), length: Millis::seconds(3_600) }).await?);
    }
    platform.upload(&platform.build_package("next", &Contents::next())?)?;
    platform.start(&[])?;
    platform.wait_for(Wait { what: "every node waits for its call", limit: TIMEOUT }, |status| {
        let nodes = status["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        nodes.iter().all(|node| node["upgrade_status"] == "WAITING_FOR_CALLS")
    })?;
    let mut away = Vec::new();
    for (call, number) in calls.iter().zip(1..) {
        crowd.hang_up(call).await;
        let ended = Instant::now();
        wait_until_calls_are_accepted(platform, number)?;
        away.push(ended.elapsed());
    }
    platform.wait_until_ended(TIMEOUT)?;
    Ok(away)
}

/// Stops the machine and starts it again, without a run.
fn restart(platform: &mut Platform, number: u8) -> Result<Duration, Error> {
    let machine = &mut platform.nodes[usize::from(number) - 1];
    let began = Instant::now();
    machine.stop();
    machine.power_on()?;
    wait_until_calls_are_accepted(platform, number)?;
    Ok(began.elapsed())
}

/// Waits until the node's status reports that it accepts calls, checking every two milliseconds.
fn wait_until_calls_are_accepted(platform: &Platform, number: u8) -> Result<(), Error> {
    let until = Instant::now() + TIMEOUT;
    while !accepts_calls(platform.web(number)) {
        if Instant::now() > until {
            return Err(Error::Timeout {
                what: format!("node{number} accepts calls again"),
                seconds: TIMEOUT.as_secs(),
                logs: platform.logs(),
                last: String::new(),
            });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Asks as load balancers do: `GET /api/client/v2/status`.
fn accepts_calls(web: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&web, Duration::from_millis(500))?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        stream.write_all(b"GET /api/client/v2/status HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
