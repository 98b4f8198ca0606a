//! Whether the call engine of a confirmed release still answers. It is asked now and then, as any caller
//! would ask it. Pure: time comes in.

use fleet::time::{Span, Time};

/// How often an engine that answers is asked: often enough that nobody calls it in vain for long.
const EVERY: Span = Span::seconds(60);

/// The pause before one that did not answer is asked again.
const AGAIN: Span = Span::seconds(5);

/// How many questions in a row may stay without an answer: one may have been lost on a busy machine.
const MISSES: u32 = 3;

/// Whether the engine is to be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Ask it, and say by [`Heartbeat::answered`] what came.
    Ask,
    /// Not before [`Heartbeat::next_deadline`].
    Wait,
}

/// The questions to the call engine.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// When it is asked next; none while it is being asked.
    ask_at: Option<Time>,
    missed: u32,
}

impl Heartbeat {
    /// Begins to ask at this time.
    pub fn begin(now: Time) -> Self {
        Self { ask_at: Some(now), missed: 0 }
    }

    /// Whether to ask now. What it says is to be done is taken as done.
    pub fn step(&mut self, now: Time) -> Beat {
        if self.ask_at.is_none_or(|at| at > now) {
            return Beat::Wait;
        }
        self.ask_at = None;
        Beat::Ask
    }

    /// The engine has answered, or not.
    pub fn answered(&mut self, now: Time, answers: bool) {
        self.missed = if answers { 0 } else { self.missed.saturating_add(1) };
        self.ask_at = Some(now + if answers { EVERY } else { AGAIN });
    }

    /// When [`Heartbeat::step`] is to be asked again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        self.ask_at
    }

    /// Why the node is not fit to take calls, when its engine has failed to answer too often.
    pub fn unfit(&self) -> Option<String> {
        (self.missed >= MISSES).then(|| {
            "the call engine does not answer its own OPTIONS; if that lasts, restart the node at a quiet time"
                .to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000)
    }

    #[test]
    fn an_engine_that_answers_is_asked_once_a_minute() {
        let mut heart = Heartbeat::begin(at(0));
        assert_eq!(heart.step(at(0)), Beat::Ask);
        assert_eq!((heart.step(at(9)), heart.next_deadline()), (Beat::Wait, None), "one question at a time");
        heart.answered(at(10), true);
        assert_eq!((heart.step(at(69)), heart.next_deadline()), (Beat::Wait, Some(at(70))));
        assert_eq!(heart.step(at(70)), Beat::Ask);
    }

    #[test]
    fn an_engine_that_is_silent_again_and_again_makes_the_node_unfit_until_it_answers() {
        let mut heart = Heartbeat::begin(at(0));
        let miss = |heart: &mut Heartbeat| {
            let now = heart.next_deadline().unwrap();
            assert_eq!(heart.step(now), Beat::Ask);
            heart.answered(now, false);
            now
        };
        let asked: Vec<_> = (1..MISSES).map(|_| miss(&mut heart)).collect();
        assert_eq!((asked, heart.unfit()), (vec![at(0), at(5)], None));
        miss(&mut heart);
        assert!(heart.unfit().is_some_and(|why| why.contains("does not answer")));
        miss(&mut heart);
        assert!(heart.unfit().is_some());
        heart.answered(at(30), true);
        assert_eq!(heart.unfit(), None);
        miss(&mut heart);
        assert_eq!(heart.unfit(), None, "it counts from the last answer on");
    }
}
