//! The path through a small world to a broken promise, as text: each step with what the state machines returned.

use std::fmt::{self, Write as _};

use fleet::time::Time;
use stateright::Path;

use super::healing::{STEPS, healed};
use super::model::Action;
use super::promises::Promise;
use super::state::State;
use super::step::Step;
use super::transition::Output;
use super::worlds::{BEGIN, SmallWorld};

/// How many steps of a recovery that does not end are printed.
const PRINTED: usize = 80;

/// The steps to the state in which a promise is broken.
pub(crate) fn trace(world: &SmallWorld, broken: &str, path: Path<State, Action>) -> String {
    let mut text = format!("in {}, a promise is broken: {broken}\n", world.name);
    let last = path.last_state().clone();
    for (number, (state, action)) in path.into_vec().into_iter().enumerate() {
        let Some(action) = action else { break };
        write_step(&mut text, number, state.now, action.step);
        let Some(transition) = world.apply(&state, action) else { break };
        write_outputs(&mut text, &transition.outputs);
        if action.holds_up.is_some() {
            write_outputs(&mut text, &["(the message that this overtakes is delayed)"]);
        }
    }
    if broken == Promise::Recovers.sentence() {
        trace_recovery(world, &mut text, healed(&last));
    }
    text
}

/// What follows from the last state when nothing goes wrong any more.
fn trace_recovery(world: &SmallWorld, text: &mut String, mut state: State) {
    let _ = writeln!(text, "everything heals");
    for number in 0..STEPS.min(PRINTED) {
        let Some((step, transition)) = world.next_recovery_step(&state) else { break };
        write_step(text, number, state.now, step);
        write_outputs(text, &transition.outputs);
        state = transition.state;
    }
    let _ = writeln!(text, "nothing more happens: {:?}", state.manager.fleet.platform.run);
}

fn write_step(text: &mut String, number: usize, now: Time, step: Step) {
    let _ = writeln!(text, "{:>3}. after {}: {step}", number + 1, now.since(BEGIN));
}

fn write_outputs(text: &mut String, outputs: &[impl fmt::Display]) {
    for output in outputs {
        let _ = writeln!(text, "       {output}");
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform(fact) => write!(f, "{fact}"),
            Self::Node(id, fact) => write!(f, "node{id} itself: {fact}"),
            Self::Refused(id, refusal) => write!(f, "node{id} refuses: {refusal}"),
        }
    }
}
