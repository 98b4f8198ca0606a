//! What must hold in every world.

use std::net::SocketAddr;

use sip::transport::flow::Connection;

use super::address;
use super::caller::{By, Caller, State};
use super::habits::Access;
use super::hostile::STRANGER;
use super::proxy::{self, PROXY};
use super::voice::Heard;
use super::world::{LIMIT, World};

/// The most entries of calls, dialogs and transactions: 20 for each call that there may be. One that nobody confirms has
/// nine, and one that is changed has a few more for 32 seconds.
const MOST_ENTRIES: usize = 20 * LIMIT;

/// How much of what was heard must be right: the first packets are from before all sound has begun, and some are
/// lost.
const RIGHT: f64 = 0.5;
/// The windows of 20 ms of the sound that is judged.
const WINDOWS: f64 = 100.0;

/// The longest time that a transaction is kept, in milliseconds: its call rings, it waits for an answer for 64 × T1, as
/// long for what comes late, and for T4 (RFC 3261 section 17).
const LONGEST: u64 = 4_000 + 2 * 32_000 + 5_000;

/// The node counts the calls that it has begun and not ended, at every moment: a drain waits for that number (R4).
pub(super) fn count_is_the_truth(world: &World) -> Result<(), String> {
    let (truth, counted) = (world.observed.truth(world.now), world.counted());
    if truth.calls().contains(&counted) {
        Ok(())
    } else {
        Err(format!("at {} ms there are {truth:?}, and {counted} are counted", world.now))
    }
}

/// No leg, media port or dialog outlives its call, and no call these; and no transaction stays for ever.
pub(super) fn nothing_outlives_its_call(world: &World) -> Result<(), String> {
    let (now, truth) = (world.now, world.observed.truth(world.now));
    let [dialogs, lead_to_calls] = world.dialogs();
    let (ports, legs) = (world.ports.len(), world.legs.len());
    let is_right = [dialogs, lead_to_calls].iter().all(|count| truth.dialogs().contains(count))
        && truth.calls().contains(&ports)
        && legs <= ports;
    if !is_right {
        return Err(format!(
            "at {now} ms something outlives its call: there are {truth:?}, {dialogs} dialogs of which \
             {lead_to_calls} lead to calls, {ports} ports, and {legs} legs"
        ));
    }
    match world.oldest {
        Some((transaction, since)) if now > since + LONGEST => {
            Err(format!("at {now} ms {transaction:?} has been the oldest since {since} ms"))
        }
        Some(_) | None => Ok(()),
    }
}

/// No call ends but by its caller, and none is refused but a guest's: the network is never bad for long enough.
pub(super) fn is_ended_by_its_caller(world: &World, number: usize) -> Result<(), String> {
    let Caller { state, guest, refusal, .. } = &world.callers[number];
    match (state, guest) {
        (State::Up, Some(guest)) => Err(format!("at {} ms a guest ({guest:?}) is admitted", world.now)),
        (State::Over(By::Refusal), Some(guest)) => guest.check(refusal),
        (state, _) => is_a_callers_end(world, number, *state),
    }
}

fn is_a_callers_end(world: &World, number: usize, state: State) -> Result<(), String> {
    match state {
        State::Over(By::Node) => {
            Err(format!("at {} ms the call of caller {number} was ended by the node", world.now))
        }
        State::Over(By::Refusal) => {
            Err(format!("at {} ms caller {number} was refused by a node that takes calls", world.now))
        }
        State::Idle | State::Calling | State::Up | State::Ending | State::Over(By::Caller) => Ok(()),
    }
}

/// Every request of a caller is answered, with what it should be.
pub(super) fn no_request_of_a_caller_fails(world: &World) -> Result<(), String> {
    let failed = world.callers.iter().find_map(|caller| Some((caller.number, caller.fault.as_ref()?)));
    match failed {
        Some((number, fault)) => Err(format!("at {} ms caller {number} finds that {fault}", world.now)),
        None => Ok(()),
    }
}

/// What a caller behind a proxy gets comes from there, but for what a stranger's requests lead to.
pub(super) fn comes_the_way_of_the_call(
    world: &World,
    number: usize,
    from: SocketAddr,
    text: &str,
) -> Result<(), String> {
    let caller = &world.callers[number];
    let is_response = text.starts_with("SIP/2.0 ");
    let is_its = if is_response { proxy::forwards(text) } else { caller.is_of_its_call(text) };
    if caller.habits.access == Access::Proxied && is_its && from != address(PROXY) {
        return Err(format!("at {} ms a message came to caller {number} past its proxy", world.now));
    }
    Ok(())
}

/// No report about the sound of a call goes to who has no part in it.
pub(super) fn no_report_goes_to_a_stranger(to: SocketAddr) -> Result<(), String> {
    if to.ip() == address(STRANGER).ip() { Err(format!("RTCP goes to {to}, a stranger")) } else { Ok(()) }
}

/// What the node keeps has a bound, whatever strangers send.
pub(super) fn state_is_bounded(world: &World) -> Result<(), String> {
    let entries = world.agent.entries();
    if entries <= MOST_ENTRIES {
        Ok(())
    } else {
        Err(format!("at {} ms {entries} entries are kept of {} calls", world.now, world.counted()))
    }
}

/// The node has closed a connection, though everything that came over it was right.
pub(super) fn closes_a_connection(connection: Connection) -> String {
    format!("the node closes {connection:?}, whose messages are right")
}

/// Everyone who is in a call both ways hears the tones of all others who are and are not muted, and no other.
pub(super) fn everyone_hears_everyone_else(world: &World) -> Result<(), String> {
    let takes_part = |caller: &&Caller| caller.state == State::Up && caller.direction == "sendrecv";
    let all: Vec<&Caller> = world.callers.iter().filter(takes_part).collect();
    for caller in &all {
        let others = all.iter().filter(|other| other.number != caller.number);
        let expected = Heard::of(others.filter(|other| !other.is_muted).map(|other| other.voice.tone));
        let heard = caller.voice.heard();
        let right = heard.iter().filter(|heard| **heard == expected).count();
        if (right as f64) < RIGHT * WINDOWS {
            return Err(format!(
                "caller {} does not hear the others ({expected:?}): {right} of {} windows, the last is {:?}; \
                 {:?}",
                caller.number,
                heard.len(),
                heard.last(),
                caller.habits
            ));
        }
    }
    Ok(())
}

/// When all calls are over nothing is left of them, nor of what was forged. Their legs, ports and count are compared with
/// the calls at every moment.
pub(super) fn is_empty(world: &World) -> Result<(), String> {
    let left = world.agent.entries();
    if left == 0 { Ok(()) } else { Err(format!("a call outlives its end: {left} entries are left")) }
}
