//! What `boot` starts next, and the tries of a release that has not confirmed itself.

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
    /// Whether it still has to prove itself.
    pub attempt: Attempt,
    /// The fall-back that happened just now, when that is why this release starts.
    pub fell_back: Option<FellBack>,
}

/// Whether a release that is started still has to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It has proved itself.
    Confirmed,
    /// It has to confirm itself.
    Trying {
        /// Which start this is, from 1; it has been counted durably.
        attempt: u32,
    },
}

impl Machine {
    /// Decides what starts next. A try is counted durably before it is used; a release that has had
    /// `tries` of them, or whose slot does not hold what was selected, is left for the confirmed one.
    ///
    /// # Errors
    /// The record or the confirmed slot is damaged, or the disk refuses. Nothing is guessed.
    pub fn next_start(&self, tries: u32, now: UnixMillis) -> Result<Start> {
        let record = self.record()?;
        let Some(trying) = record.trying.clone() else {
            return self.start(record.confirmed, Attempt::Confirmed, None);
        };
        if trying.tries >= tries {
            return self.give_up(Why::TriesUsedUp { tries: trying.tries }, now);
        }
        if let Some(reason) = self.unfit(&trying)? {
            return self.give_up(Why::Damaged { reason }, now);
        }
        let (slot, attempt) = (trying.slot, trying.tries + 1);
        self.write_record(&Record { trying: Some(Trying { tries: attempt, ..trying }), ..record })?;
        self.start(slot, Attempt::Trying { attempt }, None)
    }

    fn give_up(&self, why: Why, now: UnixMillis) -> Result<Start> {
        let fell_back = self.fall_back(why, now)?;
        self.start(self.record()?.confirmed, Attempt::Confirmed, Some(fell_back))
    }

    /// Says why a selected slot cannot be started, if it cannot. A disk that does not answer is an error.
    fn unfit(&self, trying: &Trying) -> Result<Option<String>> {
        match self.release_or_damaged(trying.slot) {
            Ok(identity) if identity.manifest == trying.manifest => Ok(None),
            Ok(identity) => Ok(Some(format!("slot {} holds release {}", trying.slot, identity.manifest))),
            Err(Error::SlotDamaged { reason, .. }) => Ok(Some(reason)),
            Err(other) => Err(other),
        }
    }

    fn start(&self, slot: Slot, attempt: Attempt, fell_back: Option<FellBack>) -> Result<Start> {
        let identity = self.release_or_damaged(slot)?;
        let program = self.slot_dir(slot).join(&identity.program);
        Ok(Start { slot, program, identity, attempt, fell_back })
    }
}
