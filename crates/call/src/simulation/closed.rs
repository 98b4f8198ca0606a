//! A node that is full, and one in maintenance mode: guests are refused, and calls go on and are changed.

use crate::admission::{Admission, Closed};
use crate::signalling::UserAgent;

use super::caller::Caller;
use super::guest::Guest;
use super::habits::{Access, Habits};
use super::network::Quality;
use super::sabotage::Sabotage;
use super::world::{CALLERS, GUESTS, SETTLE, World};

/// How long maintenance mode lasts in which something happens.
const MAINTENANCE: u64 = 30_000;
/// How long a call takes to be answered over a fair network: it rings for four seconds at most.
const ANSWERED: u64 = 6_000;
/// How long a call lasts that is not confirmed: 64 × T1.
const UNCONFIRMED: u64 = 32_000;

impl World {
    /// Maintenance mode begins: calls go on and are changed, and nobody new is admitted.
    pub(super) fn maintain(&mut self) -> Result<(), String> {
        let before = self.up();
        if self.sabotage != Sabotage::AdmitInMaintenance {
            self.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
        }
        if self.sabotage == Sabotage::HangUpInMaintenance {
            self.act(UserAgent::shut_down)?;
        }
        self.network.quality = Quality::Poor;
        let (end, most) = (self.now + MAINTENANCE, self.callers.len() + GUESTS);
        while self.now < end {
            let pause = 1 + self.random.next() % 3000;
            self.pass(pause)?;
            if self.callers.len() < most {
                self.call_as_guest(Guest::Maintenance)?;
            }
            self.do_something_in_maintenance()?;
        }
        self.calm(SETTLE)?;
        if self.up() != before {
            return Err("calls were ended by the node in maintenance mode".into());
        }
        self.restore()?;
        self.play()
    }

    /// A caller holds its call, goes on with it, refreshes its session, or loses its connections.
    fn do_something_in_maintenance(&mut self) -> Result<(), String> {
        let number = (self.random.next() % CALLERS as u64) as usize;
        let (choice, now) = (self.random.next() % 6, self.now);
        let caller = &mut self.callers[number];
        let text = match choice {
            0 => caller.change(now, "sendonly"),
            1 => caller.change(now, "inactive"),
            2 => caller.change(now, "sendrecv"),
            3 => caller.update(now),
            _ => None,
        };
        match (text, self.callers[number].habits.access) {
            (Some(text), _) => {
                self.see("change in maintenance mode");
                self.send(number, text)
            }
            (None, Access::Connected) => self.break_connections(number),
            (None, Access::Direct | Access::Proxied | Access::Translated) => {
                self.forge(number);
                Ok(())
            }
        }
    }

    /// A guest calls.
    pub(super) fn call_as_guest(&mut self, guest: Guest) -> Result<(), String> {
        let (number, habits) = (self.callers.len(), Habits::new(&mut self.random, self.codecs));
        self.callers.push(Caller::guest(number, habits, guest));
        let text = self.callers[number].dial(self.now);
        self.send(number, text)
    }

    /// A stranger begins as many calls as it can, so that a guest is refused. Calls go on and are changed meanwhile, and
    /// the strangers' calls end when nobody confirms them.
    pub(super) fn crowd(&mut self) -> Result<(), String> {
        self.calm(1)?;
        self.burst();
        self.calm(ANSWERED)?;
        self.call_as_guest(Guest::CallLimit)?;
        self.restore()?;
        self.play()?;
        self.calm(UNCONFIRMED)
    }
}
