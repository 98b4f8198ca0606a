//! The CPU of a call that talks and hears, with its sockets: the engine and the baseline, each with processes of its own.
//!
//! All are in one conference, talk all the time in G.711, and hear all others. The bare server sends every packet back.

use std::time::Duration;

use super::client::{After, Load, Pace};
use super::servers::{self, Pair, Server};

/// Their numbers: one conference of a usual size, and as many as keep a media thread busy.
const LEGS: [u32; 2] = [10, 200];
/// Of 20 ms.
const PACKETS: u16 = 500;
/// Sound that is not measured: jitter buffers find their depth, and memory is touched for the first time.
const WARM_UP: u16 = 100;
/// Rounds of a measurement, each with processes of its own. Odd, so that the median is one of them.
const ROUNDS: u32 = 3;

/// Both servers, with calls that talk.
pub(crate) fn compare() {
    for legs in LEGS {
        let mut rounds: Vec<_> = (0..ROUNDS).map(|_| measure_both(legs)).collect();
        rounds.sort_by(|a, b| (a.engine / a.baseline).total_cmp(&(b.engine / b.baseline)));
        let Pair { engine, baseline } = rounds[ROUNDS as usize / 2];
        println!(
            "{legs} legs, CPU of each for a second: engine {engine:.3} ms, baseline {baseline:.3} ms; \
             engine / baseline = {:.2}x",
            engine / baseline
        );
    }
}

fn measure_both(legs: u32) -> Pair<f64> {
    let Pair { engine, baseline } = servers::pair();
    Pair { engine: measure(&engine, legs), baseline: measure(&baseline, legs) }
}

/// The CPU of a leg for each second, in milliseconds.
fn measure(server: &Server, legs: u32) -> f64 {
    let (pace, after) = (Pace::AtOnce(20), After::Stand);
    let load = Load { target: server.address, name: "talk", calls: legs, pace, after };
    let talkers = load.talkers();
    talkers.talk(WARM_UP);
    let before = server.cpu();
    let heard = talkers.talk(PACKETS);
    let spent = (server.cpu() - before).sum;
    let all = u64::from(PACKETS) * u64::from(legs);
    assert!(heard > all / 10 * 9, "{}: heard {heard} packets of {all}", server.name);
    let length = Duration::from_millis(20) * PACKETS.into();
    spent.as_secs_f64() * 1000.0 / f64::from(legs) / length.as_secs_f64()
}
