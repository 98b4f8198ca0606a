//! Decides what `boot` starts next, and counts the tries of a release that has not confirmed itself. It starts no
//! process, and leaves it to the caller to verify a slot.

use std::path::PathBuf;

use crate::{Error, FellBack, Machine, Record, Result, Slot, SlotIdentity, Trying, UnixMillis, Why};

/// The next start of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The slot to start.
    pub slot: Slot,
    /// The program to start, with the root directory in front.
    pub program: PathBuf,
    /// The release.
    pub identity: SlotIdentity,
    /// Whether it still has to confirm itself.
    pub attempt: Attempt,
    /// The fall-back that this start follows, if there was one just now.
    pub fell_back: Option<FellBack>,
}

/// Whether a release that is started still has to confirm itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It has confirmed itself.
    Confirmed,
    /// It has to confirm itself.
    Trying {
        /// Which start this is, from 1; it has been counted durably.
        attempt: u32,
    },
}

/// The caller's verification of a slot, of which this crate knows nothing: why its release must not be started,
/// if so.
pub type Inspect<'i> = dyn FnMut(Slot, &SlotIdentity) -> std::result::Result<(), String> + 'i;

impl Machine {
    /// [`Machine::next_inspected_start`] without a verification of the slot.
    ///
    /// # Errors
    /// As there.
    pub fn next_start(&self, tries: u32, now: UnixMillis) -> Result<Start> {
        self.next_inspected_start(tries, now, &mut |_, _| Ok(()))
    }

    /// Decides what starts next. A try is counted durably before it is used. Falls back to the confirmed release
    /// when the tried one has used up `tries`, when its slot does not hold what was selected, or when `inspect`
    /// refuses it; in the last two cases no try is counted. The last call of `inspect` is for the slot returned.
    ///
    /// # Errors
    /// The record or the confirmed slot is damaged, `inspect` refuses the confirmed slot, or the disk refuses.
    pub fn next_inspected_start(
        &self,
        tries: u32,
        now: UnixMillis,
        inspect: &mut Inspect<'_>,
    ) -> Result<Start> {
        let record = self.record()?;
        let Some(trying) = record.trying.clone() else {
            return self.start_confirmed(record.confirmed, None, inspect);
        };
        if trying.tries >= tries {
            return self.give_up(Why::TriesUsedUp { tries: trying.tries }, now, inspect);
        }
        let identity = match self.startable(&trying, inspect)? {
            Ok(identity) => identity,
            Err(reason) => return self.give_up(Why::Damaged { reason }, now, inspect),
        };
        let (slot, attempt) = (trying.slot, trying.tries + 1);
        self.write_record(&Record { trying: Some(Trying { tries: attempt, ..trying }), ..record })?;
        Ok(self.start(slot, identity, Attempt::Trying { attempt }, None))
    }

    fn give_up(&self, why: Why, now: UnixMillis, inspect: &mut Inspect<'_>) -> Result<Start> {
        let fell_back = self.fall_back(why, now)?;
        self.start_confirmed(self.record()?.confirmed, Some(fell_back), inspect)
    }

    fn start_confirmed(
        &self,
        slot: Slot,
        fell_back: Option<FellBack>,
        inspect: &mut Inspect<'_>,
    ) -> Result<Start> {
        let identity = self.inspect(slot, inspect)?;
        Ok(self.start(slot, identity, Attempt::Confirmed, fell_back))
    }

    /// The release in a slot, if it passes `inspect`: what a start of the confirmed release requires of its slot.
    ///
    /// # Errors
    /// [`Error::SlotDamaged`] when the slot holds no complete release, [`Error::NotVerified`] when it does not pass.
    pub fn inspect(&self, slot: Slot, inspect: &mut Inspect<'_>) -> Result<SlotIdentity> {
        let identity = self.release_or_damaged(slot)?;
        match inspect(slot, &identity) {
            Ok(()) => Ok(identity),
            Err(reason) => Err(Error::NotVerified { slot, path: self.slot_dir(slot), reason }),
        }
    }

    /// The release in a selected slot, or why it cannot be started. A failing disk is an error.
    fn startable(
        &self,
        trying: &Trying,
        inspect: &mut Inspect<'_>,
    ) -> Result<std::result::Result<SlotIdentity, String>> {
        let slot = trying.slot;
        match self.release_or_damaged(slot) {
            Ok(identity) if identity.manifest == trying.manifest => {
                Ok(inspect(slot, &identity).map(|()| identity))
            }
            Ok(identity) => Ok(Err(format!("slot {slot} holds release {}", identity.manifest))),
            Err(Error::SlotDamaged { reason, .. }) => Ok(Err(reason)),
            Err(other) => Err(other),
        }
    }

    fn start(
        &self,
        slot: Slot,
        identity: SlotIdentity,
        attempt: Attempt,
        fell_back: Option<FellBack>,
    ) -> Start {
        let program = self.slot_dir(slot).join(&identity.program);
        Start { slot, program, identity, attempt, fell_back }
    }
}
