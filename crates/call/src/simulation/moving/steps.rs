//! What both sides of a handover want done, and who does it.

use crate::handover::giver::{self, Giver};
use crate::handover::taker;

use super::world::{Sabotage, Said, World};

impl World {
    /// Does what is to be done with calls that are given away.
    pub(super) fn give(&mut self, steps: Vec<giver::Step>) {
        for step in steps {
            match step {
                giver::Step::Say(message) => self.say(1, Said::ByGiver(message)),
                giver::Step::TakeBack { call, last_sequence, changed } => {
                    let last = last_sequence.filter(|_| self.sabotage != Sabotage::ForgetSequence);
                    self.act(0, |agent, now| ((), agent.take_back(now, call, last, changed)));
                }
                giver::Step::TakeBackFromLost(call) => {
                    self.act(0, |agent, now| ((), agent.take_back_from_lost(now, call)));
                }
                giver::Step::HandOut(call) => {
                    let handed_out = self.act(0, |agent, now| agent.hand_out(now, call));
                    let giver = self.nodes[0].giver.as_mut().filter(|_| !handed_out);
                    let steps = giver.map(|giver| giver.not_handed_out(call)).unwrap_or_default();
                    self.give(steps);
                }
                giver::Step::End(call) => self.act(0, |agent, now| ((), agent.end_moved(now, call))),
            }
        }
        if let Some(outcome) = self.nodes[0].giver.as_ref().and_then(Giver::outcome) {
            self.given = outcome.into_values().collect();
            self.nodes[0].giver = None;
            self.say(1, Said::Closed);
        }
    }

    /// Does what is to be done with calls that are taken over.
    pub(super) fn take(&mut self, steps: Vec<taker::Step>) {
        for step in steps {
            match step {
                taker::Step::Say(message) => self.say(0, Said::ByTaker(message)),
                taker::Step::Import { number, call } => {
                    let imported = self.act(1, |agent, now| agent.import(now, *call));
                    let taker = self.nodes[1].taker.as_mut();
                    let steps = taker.map(|taker| taker.imported(number, imported)).unwrap_or_default();
                    self.take(steps);
                }
                taker::Step::TakeOver(call) => {
                    self.act(1, |agent, now| ((), agent.take_over(now, call)));
                }
                taker::Step::GoOn { .. } if self.sabotage == Sabotage::StaySilent => {}
                taker::Step::GoOn { call, stream } => {
                    self.act(1, |agent, now| ((), agent.go_on(now, call, stream)));
                }
                taker::Step::GiveUp(call) => {
                    self.act(1, |agent, now| ((), agent.give_up_import(now, call)));
                }
                taker::Step::End(call) => self.act(1, |agent, now| ((), agent.end_moved(now, call))),
            }
        }
    }
}
