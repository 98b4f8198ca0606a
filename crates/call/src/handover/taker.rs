//! Which step follows which for the process that takes the calls of a conference over. Pure.

use std::collections::BTreeMap;

use crate::audio::Participant;
use crate::signalling::Handover;

use super::NotImported;
use super::message::{ExportedCall, ExportedStream};
use super::protocol::{FromGiver, FromTaker};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Say this to the other process.
    Say(FromTaker),
    /// Take a call in. [`Taker::imported`] follows.
    Import { number: u64, call: Box<ExportedCall> },
    /// Bring its far end over.
    TakeOver(Participant),
    /// Its stream goes on from here, or begins anew.
    GoOn { call: Participant, stream: Option<ExportedStream> },
    /// It is left to the other process.
    GiveUp(Participant),
    /// Its far end has hung up there.
    End(Participant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Probing,
    Ready,
    TakingOver,
    /// It is here; the other process says where its stream has come to.
    AwaitingStream,
    Here,
    Gone,
}

/// The calls of a conference that are taken over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taker {
    calls: BTreeMap<Participant, (u64, Stage)>,
    /// Nothing more is heard of the other process.
    is_lost: bool,
}

impl Taker {
    /// How many calls are here, once all is over.
    pub(crate) fn outcome(&self) -> Option<usize> {
        let are_over = self.calls.values().all(|(_, stage)| matches!(stage, Stage::Here | Stage::Gone));
        let here = self.calls.values().filter(|(_, stage)| *stage == Stage::Here);
        (self.is_lost && are_over).then(|| here.count())
    }

    /// The other process says something.
    pub(crate) fn hear(&mut self, said: FromGiver) -> Vec<Step> {
        match said {
            FromGiver::Call { number, call } => vec![Step::Import { number, call }],
            FromGiver::TakeOver => self.all_at(Stage::Ready, Stage::TakingOver, Step::TakeOver),
            FromGiver::GiveUp => {
                let mut steps = self.all_at(Stage::Probing, Stage::Gone, Step::GiveUp);
                steps.extend(self.all_at(Stage::Ready, Stage::Gone, Step::GiveUp));
                steps
            }
            FromGiver::Stream { number, stream } => {
                let Some(call) = self.find(number, Stage::AwaitingStream) else { return Vec::new() };
                self.pass(call, Stage::Here);
                vec![Step::GoOn { call, stream: Some(stream) }]
            }
            FromGiver::Ended { number } => self.end(number),
        }
    }

    /// What has become of [`Step::Import`].
    pub(crate) fn imported(&mut self, number: u64, imported: Result<Participant, NotImported>) -> Vec<Step> {
        match imported {
            Ok(call) => {
                self.calls.insert(call, (number, Stage::Probing));
                Vec::new()
            }
            Err(why) => vec![Step::Say(FromTaker::NotImported { number, why: why.to_string() })],
        }
    }

    /// The signalling here reports something of a call.
    pub(crate) fn report(&mut self, call: Participant, event: &Handover) -> Vec<Step> {
        let Some((number, _)) = self.calls.get(&call).copied() else { return Vec::new() };
        let said = match event {
            Handover::Ready { last_sequence } => {
                self.pass(call, Stage::Ready);
                FromTaker::Ready { number, last_sequence: *last_sequence }
            }
            Handover::TakenOver if self.is_lost => {
                self.pass(call, Stage::Here);
                return vec![Step::GoOn { call, stream: None }];
            }
            Handover::TakenOver => {
                self.pass(call, Stage::AwaitingStream);
                FromTaker::TakenOver { number }
            }
            Handover::NotTakenOver { last_sequence, changed, why } => {
                self.pass(call, Stage::Gone);
                let (last_sequence, changed, why) = (*last_sequence, *changed, *why);
                FromTaker::NotTakenOver { number, last_sequence, changed, why }
            }
            Handover::Ended => {
                self.pass(call, Stage::Gone);
                FromTaker::Ended { number }
            }
            // Of a call that is given away.
            Handover::Stream(_) => return Vec::new(),
        };
        vec![Step::Say(said)]
    }

    /// Nothing more is heard of the other process. A call whose far end was asked to come here is here when it agrees.
    pub(crate) fn lose(&mut self) -> Vec<Step> {
        self.is_lost = true;
        let mut steps = self.all_at(Stage::Probing, Stage::Gone, Step::GiveUp);
        steps.extend(self.all_at(Stage::Ready, Stage::Gone, Step::GiveUp));
        let go_on = |call| Step::GoOn { call, stream: None };
        steps.extend(self.all_at(Stage::AwaitingStream, Stage::Here, go_on));
        steps
    }

    fn end(&mut self, number: u64) -> Vec<Step> {
        let of_number = self.calls.iter_mut().find(|(_, (of, stage))| *of == number && *stage != Stage::Gone);
        let Some((call, (_, stage))) = of_number else { return Vec::new() };
        *stage = Stage::Gone;
        vec![Step::End(*call)]
    }

    fn find(&self, number: u64, stage: Stage) -> Option<Participant> {
        self.calls.iter().find(|(_, at)| **at == (number, stage)).map(|(call, _)| *call)
    }

    fn pass(&mut self, call: Participant, to: Stage) {
        self.calls.get_mut(&call).into_iter().for_each(|(_, stage)| *stage = to);
    }

    /// Takes all calls of one stage to the next.
    fn all_at(&mut self, from: Stage, to: Stage, step: impl Fn(Participant) -> Step) -> Vec<Step> {
        let at = self.calls.iter_mut().filter(|(_, (_, stage))| *stage == from);
        at.map(|(call, (_, stage))| {
            *stage = to;
            step(*call)
        })
        .collect()
    }
}
