//! The commands that this process has carried out, so that one that comes again is not carried out again. Pure: the time
//! is given.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use uuid::Uuid;
use wire::live::Outcome;

/// How long a command is remembered: many times as long as a Management Node repeats it, which is a minute.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The most commands that are remembered, the latest ones: more than an operator gives in those minutes.
const COMMANDS: usize = 4096;

/// The commands with their outcomes.
#[derive(Debug, Default)]
pub(super) struct Performed {
    outcomes: BTreeMap<Uuid, Outcome>,
    order: std::collections::VecDeque<(Instant, Uuid)>,
}

impl Performed {
    /// The outcome of a command that was carried out.
    pub(super) fn find(&mut self, now: Instant, id: Uuid) -> Option<Outcome> {
        while self.order.front().is_some_and(|(at, _)| now.duration_since(*at) > REMEMBERED) {
            self.forget_first();
        }
        self.outcomes.get(&id).cloned()
    }

    /// A command was carried out.
    pub(super) fn remember(&mut self, now: Instant, outcome: &Outcome) {
        if self.order.len() >= COMMANDS {
            self.forget_first();
        }
        self.order.push_back((now, outcome.command));
        self.outcomes.insert(outcome.command, outcome.clone());
    }

    fn forget_first(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.outcomes.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(n: usize) -> Outcome {
        Outcome { command: Uuid::from_u128(n as u128), participant: None, failure: None }
    }

    #[test]
    fn command_is_remembered_for_ten_minutes_and_their_number_is_bounded() {
        let (mut performed, start) = (Performed::default(), Instant::now());
        (0..COMMANDS + 10).for_each(|n| performed.remember(start, &outcome(n)));
        assert_eq!(performed.outcomes.len(), COMMANDS);
        assert_eq!(
            performed.find(start + REMEMBERED, Uuid::from_u128(9)),
            None,
            "of too many the first are forgotten"
        );
        assert_eq!(performed.find(start + REMEMBERED, Uuid::from_u128(10)), Some(outcome(10)));
        let later = start + REMEMBERED + Duration::from_millis(1);
        assert_eq!(performed.find(later, Uuid::from_u128(10)), None);
        assert!(performed.outcomes.is_empty() && performed.order.is_empty());
    }
}
