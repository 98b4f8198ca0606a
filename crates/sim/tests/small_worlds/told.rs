//! A way through a small world, told step by step.

use std::fmt::{self, Write as _};

use fleet::time::Time;
use stateright::Path;

use super::healing::{STEPS, healed};
use super::model::Action;
use super::moment::Moment;
use super::promises::Promise;
use super::step::Step;
use super::turn::Told;
use super::worlds::{BEGIN, SmallWorld};

/// How many steps of a way that goes round in circles are told.
const OF_A_CIRCLE: usize = 80;

/// The steps to where a promise is broken, each with what the brains said of it.
pub(crate) fn tell(world: &SmallWorld, broken: &str, path: Path<Moment, Action>) -> String {
    let mut story = format!("in {}, a promise is broken: {broken}\n", world.name);
    let last = path.last_state().clone();
    for (number, (moment, action)) in path.into_vec().into_iter().enumerate() {
        let Some(action) = action else { break };
        line(&mut story, number, moment.now, action.step);
        let Some(turn) = world.take(&moment, action) else { break };
        said(&mut story, &turn.told);
        if action.holds_up.is_some() {
            said(&mut story, &["(the message that this overtakes is held up)"]);
        }
    }
    if broken == Promise::ComesToItsEnd.sentence() {
        tell_healing(world, &mut story, healed(&last));
    }
    story
}

/// What comes of the last moment when nothing goes wrong any more.
fn tell_healing(world: &SmallWorld, story: &mut String, mut moment: Moment) {
    let _ = writeln!(story, "everything heals");
    for number in 0..STEPS.min(OF_A_CIRCLE) {
        let Some((step, turn)) = world.mend(&moment) else { break };
        line(story, number, moment.now, step);
        said(story, &turn.told);
        moment = turn.moment;
    }
    let _ = writeln!(story, "and that is how it stays: {:?}", moment.manager.fleet.platform.run);
}

fn line(story: &mut String, number: usize, now: Time, step: Step) {
    let _ = writeln!(story, "{:>3}. after {}: {step}", number + 1, now.since(BEGIN));
}

fn said(story: &mut String, told: &[impl fmt::Display]) {
    for told in told {
        let _ = writeln!(story, "       {told}");
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform(fact) => write!(f, "{fact}"),
            Self::Node(id, fact) => write!(f, "node{id} itself: {fact}"),
            Self::Refused(id, refusal) => write!(f, "node{id} refuses: {refusal}"),
        }
    }
}
