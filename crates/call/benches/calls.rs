//! Benchmark of signalling: the CPU of a call that is set up and ended at once, as a ratio to that of the same call at a
//! bare server on `rsipstack` in the same run; the calls that fail at 200 a second; the memory of a call that stands; and
//! the CPU of one that talks.
//!
//! The engine is as it ships, with its media ports and its conference. The bare server has none: it answers an INVITE
//! with a session description, and a BYE, and sends sound back. Each is a process of its own, called over UDP on loopback by this one, so that
//! the CPU of the callers is in neither figure. `cargo bench -p call --bench calls`
//!
//! With the path of the example `answer` of another commit, built by `cargo build --release -p call --example answer`, that
//! engine takes the place of the bare server: `cargo bench -p call --bench calls -- /full/path/of/answer`

mod client;
mod servers;
mod sound;

use std::thread;
use std::time::Duration;

use client::{After, Load, Pace};
use servers::{Cpu, Pair, Server};

/// Calls of a measurement.
const CALLS: u32 = 2000;
/// Its rounds, in which the two servers take turns. Odd, so that the median is one of them.
const ROUNDS: u32 = 5;
/// So many calls keep a server busy.
const AT_ONCE: u32 = 20;
const A_SECOND: u32 = 200;
const STANDING: u32 = 500;

fn main() {
    if servers::serve_if_asked() {
        return;
    }
    let servers = servers::pair();
    println!("baseline: {}", servers.baseline.name);
    place(&servers.engine, "warm-up", CALLS / 10, Pace::AtOnce(AT_ONCE));
    place(&servers.baseline, "warm-up", CALLS / 10, Pace::AtOnce(AT_ONCE));
    compare_busy(&servers);
    compare_at_a_rate(&servers);
    compare_memory(&servers);
    drop(servers);
    sound::compare();
}

/// Places calls that are ended at once. Returns how many failed, and the CPU of all.
fn place(server: &Server, name: &str, calls: u32, pace: Pace) -> (u32, Cpu) {
    let before = server.cpu();
    let load = Load { target: server.address, name, calls, pace, after: After::HangUp };
    let failed = load.run();
    (failed, server.cpu() - before)
}

/// Both servers in turn, with as many calls as they can take.
fn compare_busy(servers: &Pair<Server>) {
    let busy = |server, round| place(server, &format!("busy-{round}"), CALLS / ROUNDS, Pace::AtOnce(AT_ONCE));
    let mut rounds: Vec<Pair<Cpu>> = (0..ROUNDS)
        .map(|round| Pair {
            engine: busy(&servers.engine, round).1,
            baseline: busy(&servers.baseline, round).1,
        })
        .collect();
    println!("{CALLS} calls, {AT_ONCE} at a time; CPU of a call:");
    println!("                  user     system        sum   calls a second of CPU");
    print_cpu("engine", rounds.iter().map(|round| round.engine).sum());
    print_cpu("baseline", rounds.iter().map(|round| round.baseline).sum());
    rounds.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    println!(
        "engine / baseline = {:.2}x (median of {ROUNDS}; {:.2}x to {:.2}x)",
        ratio(&rounds[ROUNDS as usize / 2]),
        ratio(&rounds[0]),
        ratio(&rounds[ROUNDS as usize - 1])
    );
}

/// Both servers at the same time, with a rate at which each message is one wake-up.
fn compare_at_a_rate(servers: &Pair<Server>) {
    let steady = |server| place(server, "steady", CALLS, Pace::Rate(A_SECOND));
    let ((failed, engine), (baseline_failed, baseline)) = thread::scope(|scope| {
        let baseline = scope.spawn(|| steady(&servers.baseline));
        (steady(&servers.engine), baseline.join().expect("a caller does not panic"))
    });
    println!("{CALLS} calls at {A_SECOND} a second, failures: {failed} (baseline: {baseline_failed})");
    println!(
        "CPU of a call: engine {:.3} ms, baseline {:.3} ms; engine / baseline = {:.2}x",
        of_a_call(engine.sum),
        of_a_call(baseline.sum),
        ratio(&Pair { engine, baseline })
    );
}

fn compare_memory(servers: &Pair<Server>) {
    let each = |server: &Server| {
        let before = server.resident();
        let (pace, after) = (Pace::Rate(A_SECOND), After::Stand);
        let failed = Load { target: server.address, name: "standing", calls: STANDING, pace, after }.run();
        server.resident().saturating_sub(before) / u64::from((STANDING - failed).max(1))
    };
    let (engine, baseline) = (each(&servers.engine), each(&servers.baseline));
    println!("memory of each of {STANDING} calls that stand: {engine} KiB (baseline: {baseline} KiB)");
}

fn ratio(cpu: &Pair<Cpu>) -> f64 {
    cpu.engine.sum.as_secs_f64() / cpu.baseline.sum.as_secs_f64()
}

fn print_cpu(name: &str, cpu: Cpu) {
    println!(
        "{name:<14} {:>5.2} ms  {:>6.2} ms  {:>6.3} ms   {:.0}",
        of_a_call(cpu.user),
        of_a_call(cpu.system),
        of_a_call(cpu.sum),
        f64::from(CALLS) / cpu.sum.as_secs_f64()
    );
}

/// In milliseconds.
fn of_a_call(cpu: Duration) -> f64 {
    cpu.as_secs_f64() * 1000.0 / f64::from(CALLS)
}
