//! What must hold in every world.

use super::caller::{By, Caller, State};
use super::world::World;

/// How much of what was heard must be right: the first packets are from before all sound has begun.
const RIGHT: f64 = 0.7;

/// The node counts at least the calls that callers are in, and no more than there are callers.
pub(super) fn count_is_the_truth(world: &World) -> Result<(), String> {
    let up = world.callers.iter().filter(|caller| caller.state == State::Up).count();
    let counted = world.counted();
    if (up..=world.callers.len()).contains(&counted) {
        Ok(())
    } else {
        Err(format!("at {} ms {up} callers are in calls, and {counted} are counted", world.now))
    }
}

/// No call ends but by its caller: the network is never bad for long enough.
pub(super) fn is_ended_by_its_caller(world: &World, number: usize) -> Result<(), String> {
    match world.callers[number].state {
        State::Over(By::Node) => {
            Err(format!("at {} ms the call of caller {number} was ended by the node", world.now))
        }
        State::Idle | State::Calling | State::Up | State::Ending | State::Over(_) => Ok(()),
    }
}

/// Everyone who is in a call both ways hears the sum of all others who are, and not itself.
pub(super) fn everyone_hears_everyone_else(world: &World) -> Result<(), String> {
    let takes_part = |caller: &&Caller| caller.state == State::Up && caller.direction == "sendrecv";
    let all: Vec<&Caller> = world.callers.iter().filter(takes_part).collect();
    for caller in &all {
        let others = all.iter().filter(|other| other.number != caller.number);
        let expected: i32 = others.map(|other| i32::from(other.level)).sum();
        let is_right = |heard: &&i16| (i32::from(**heard) - expected).abs() <= 60 + expected / 16;
        let right = caller.heard.iter().filter(is_right).count();
        if (right as f64) < RIGHT * 100.0 {
            return Err(format!(
                "caller {} does not hear the others ({expected}): {right} of {} packets, the last is {:?}",
                caller.number,
                caller.heard.len(),
                caller.heard.last()
            ));
        }
    }
    Ok(())
}

/// When all calls are over nothing is left of them.
pub(super) fn is_empty(world: &World) -> Result<(), String> {
    let left = world.agent.entries();
    if left != 0 || !world.legs.is_empty() || world.counted() != 0 {
        let legs = world.legs.len();
        return Err(format!("a call outlives its end: {left} entries and {legs} legs are left"));
    }
    Ok(())
}
