//! Which step follows which for the process that gives the calls of a conference away. Pure.
//!
//! A conference moves as a whole: a part of it would not hear the rest. So no far end is brought over before all have
//! answered the other process.

use std::collections::BTreeMap;

use crate::audio::Participant;
use crate::signalling::Handover;

use super::message::ExportedCall;
use super::protocol::{FromGiver, FromTaker};
use super::{Changed, NotExported, NotTakenOver};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Say this to the other process.
    Say(FromGiver),
    /// The call goes on here; see `UserAgent::take_back`.
    TakeBack { call: Participant, last_sequence: Option<u32>, changed: Changed },
    /// The same when it is not known what the other process has done; see `UserAgent::take_back_from_lost`.
    TakeBackFromLost(Participant),
    /// The call is at the other process; see `UserAgent::hand_out`.
    HandOut(Participant),
    /// Its far end has hung up there; see `UserAgent::end_moved`.
    End(Participant),
}

/// What has become of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// The other process has it.
    Moved,
    /// It was not exported.
    NotExported(NotExported),
    /// The other process could not take it in.
    NotImported(String),
    /// The other process did not take it over.
    NotTakenOver(NotTakenOver),
    /// Another call of its conference could not be moved.
    StaysWithOthers,
    /// Its far end has hung up.
    Ended,
    /// The other process was lost.
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The other process probes its far end.
    Offered,
    Ready {
        last_sequence: Option<u32>,
    },
    TakingOver,
    /// Its leg is being taken out.
    HandingOut,
    Over(Given),
}

/// The calls of a conference that are given away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Giver {
    calls: BTreeMap<u64, Stage>,
}

impl Giver {
    /// Offers the calls that were exported, if they are all of the conference.
    pub(crate) fn begin(calls: Vec<(Participant, Result<ExportedCall, NotExported>)>) -> (Giver, Vec<Step>) {
        let mut giver = Giver::default();
        let mut steps = Vec::new();
        for (call, exported) in calls {
            let stage = match exported {
                Ok(exported) => {
                    let call_of = FromGiver::Call { number: call.0, call: Box::new(exported) };
                    steps.push(Step::Say(call_of));
                    Stage::Offered
                }
                Err(why) => Stage::Over(Given::NotExported(why)),
            };
            giver.calls.insert(call.0, stage);
        }
        if giver.are_all(|stage| *stage == Stage::Offered) {
            return (giver, steps);
        }
        let steps = giver.stay();
        (giver, steps)
    }

    /// What has become of each call, once all is over.
    pub(crate) fn outcome(&self) -> Option<BTreeMap<Participant, Given>> {
        let given = |(number, stage): (&u64, &Stage)| match stage {
            Stage::Over(given) => Some((Participant(*number), given.clone())),
            Stage::Offered | Stage::Ready { .. } | Stage::TakingOver | Stage::HandingOut => None,
        };
        self.calls.iter().map(given).collect()
    }

    /// The other process says something.
    pub(crate) fn hear(&mut self, said: FromTaker) -> Vec<Step> {
        match said {
            FromTaker::Ready { number, last_sequence } => {
                self.pass(number, &Stage::Offered, Stage::Ready { last_sequence });
                self.decide()
            }
            FromTaker::TakenOver { number } => {
                let passed = self.pass(number, &Stage::TakingOver, Stage::HandingOut);
                passed.then_some(Step::HandOut(Participant(number))).into_iter().collect()
            }
            FromTaker::NotImported { number, why } => {
                self.take_back(number, None, Changed::No, Given::NotImported(why))
            }
            FromTaker::NotTakenOver { number, last_sequence, changed, why } => {
                self.take_back(number, last_sequence, changed, Given::NotTakenOver(why))
            }
            FromTaker::Ended { number } => {
                let ended = self.end(number);
                let mut steps: Vec<_> = ended.then_some(Step::End(Participant(number))).into_iter().collect();
                steps.extend(self.decide());
                steps
            }
        }
    }

    /// The signalling here reports something of a call.
    pub(crate) fn report(&mut self, call: Participant, event: &Handover) -> Vec<Step> {
        let number = call.0;
        match event {
            Handover::Stream(stream) => {
                let passed = self.pass(number, &Stage::HandingOut, Stage::Over(Given::Moved));
                let said = Step::Say(FromGiver::Stream { number, stream: *stream });
                passed.then_some(said).into_iter().collect()
            }
            Handover::Ended => {
                let mut steps = vec![Step::Say(FromGiver::Ended { number })];
                self.end(number);
                steps.extend(self.decide());
                steps
            }
            // Of calls that are taken over.
            Handover::Ready { .. } | Handover::TakenOver | Handover::NotTakenOver { .. } => Vec::new(),
        }
    }

    /// The call had ended when its leg was to be taken out.
    pub(crate) fn not_handed_out(&mut self, call: Participant) -> Vec<Step> {
        self.end(call.0);
        vec![Step::Say(FromGiver::Ended { number: call.0 })]
    }

    /// Nothing more is heard of the other process.
    pub(crate) fn lose(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, stage) in &mut self.calls {
            match stage {
                Stage::Offered | Stage::Ready { .. } | Stage::TakingOver => {
                    steps.push(Step::TakeBackFromLost(Participant(*number)));
                    *stage = Stage::Over(Given::Lost);
                }
                // It has said that the far end is there, and goes on without the stream.
                Stage::HandingOut => *stage = Stage::Over(Given::Moved),
                Stage::Over(_) => {}
            }
        }
        steps
    }

    /// Has the far ends brought over when all are ready, or leaves all here when one cannot be moved.
    fn decide(&mut self) -> Vec<Step> {
        let is_ready = |stage: &Stage| matches!(stage, Stage::Ready { .. });
        let is_offered = |stage: &Stage| *stage == Stage::Offered;
        if !self.calls.values().any(is_ready) || self.calls.values().any(is_offered) {
            return Vec::new();
        }
        if !self.are_all(|stage| is_ready(stage) || *stage == Stage::Over(Given::Ended)) {
            return self.stay();
        }
        self.calls.values_mut().filter(|stage| is_ready(stage)).for_each(|stage| *stage = Stage::TakingOver);
        vec![Step::Say(FromGiver::TakeOver)]
    }

    /// Keeps all calls here that no far end was brought over for.
    fn stay(&mut self) -> Vec<Step> {
        let mut steps = vec![Step::Say(FromGiver::GiveUp)];
        for (number, stage) in &mut self.calls {
            let last_sequence = match stage {
                Stage::Offered => None,
                Stage::Ready { last_sequence } => *last_sequence,
                Stage::TakingOver | Stage::HandingOut | Stage::Over(_) => continue,
            };
            let call = Participant(*number);
            steps.push(Step::TakeBack { call, last_sequence, changed: Changed::No });
            *stage = Stage::Over(Given::StaysWithOthers);
        }
        steps
    }

    fn take_back(
        &mut self,
        number: u64,
        last_sequence: Option<u32>,
        changed: Changed,
        given: Given,
    ) -> Vec<Step> {
        let Some(stage) = self.calls.get_mut(&number) else { return Vec::new() };
        if !matches!(stage, Stage::Offered | Stage::Ready { .. } | Stage::TakingOver) {
            return Vec::new();
        }
        *stage = Stage::Over(given);
        let mut steps = vec![Step::TakeBack { call: Participant(number), last_sequence, changed }];
        steps.extend(self.decide());
        steps
    }

    fn are_all(&self, is: impl Fn(&Stage) -> bool) -> bool {
        self.calls.values().all(is)
    }

    /// Takes a call from one stage to the next. False when it is in another one.
    fn pass(&mut self, number: u64, from: &Stage, to: Stage) -> bool {
        let stage = self.calls.get_mut(&number).filter(|stage| **stage == *from);
        stage.is_some_and(|stage| {
            *stage = to;
            true
        })
    }

    /// The far end of a call has hung up. False when it is over already, or is no call of these.
    fn end(&mut self, number: u64) -> bool {
        let stage = self.calls.get_mut(&number).filter(|stage| !matches!(stage, Stage::Over(_)));
        stage.is_some_and(|stage| {
            *stage = Stage::Over(Given::Ended);
            true
        })
    }
}
