//! The dialogs there are, by their identification.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use crate::dialog::id::DialogId;
use crate::dialog::settings::Settings;
use crate::dialog::state::{Dialog, Phase};
use crate::dialog::timing::Due;
use crate::message::{Request, Response};
use crate::time::Time;

/// All dialogs.
#[derive(Clone, Debug)]
pub struct Dialogs {
    settings: Settings,
    all: BTreeMap<DialogId, Dialog>,
    /// The next deadline of each dialog that has one.
    deadlines: BTreeSet<(Time, DialogId)>,
}

/// Where a request of the other side belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Outside of any dialog.
    Outside,
    /// Within this one.
    Within(DialogId),
    /// Within one that there is not: respond with 481, but to an ACK with nothing (section 12.2.2).
    Unknown,
}

/// Why a dialog is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// There is one of the same identification.
    Exists,
    /// There are as many as there may be.
    Full,
    /// Its addresses and routes are longer than they may be.
    TooLarge,
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exists => "there is a dialog with these tags; draw another tag",
            Self::Full => "there are as many dialogs as there may be; respond with 503",
            Self::TooLarge => "the addresses and routes are too long; respond with 513",
        })
    }
}

impl core::error::Error for NotKept {}

impl Dialogs {
    /// No dialogs yet.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, all: BTreeMap::new(), deadlines: BTreeSet::new() }
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Keeps a dialog.
    ///
    /// # Errors
    /// It is not kept.
    pub fn insert(&mut self, dialog: Dialog) -> Result<(), NotKept> {
        if self.all.contains_key(&dialog.id) {
            return Err(NotKept::Exists);
        }
        if self.all.len() >= self.settings.dialogs {
            return Err(NotKept::Full);
        }
        if dialog.size() > self.settings.dialog_bytes {
            return Err(NotKept::TooLarge);
        }
        self.deadlines.extend(deadline(&dialog));
        self.all.insert(dialog.id.clone(), dialog);
        Ok(())
    }

    /// A dialog.
    pub fn get(&self, id: &DialogId) -> Option<&Dialog> {
        self.all.get(id)
    }

    /// Changes a dialog; `None` when there is none.
    pub fn change<T>(&mut self, id: &DialogId, change: impl FnOnce(&mut Dialog) -> T) -> Option<T> {
        let dialog = self.all.get_mut(id)?;
        let before = deadline(dialog);
        let result = change(dialog);
        let after = deadline(dialog);
        if before != after {
            before.map(|entry| self.deadlines.remove(&entry));
            self.deadlines.extend(after);
        }
        Some(result)
    }

    /// Removes a dialog that is over.
    pub fn remove(&mut self, id: &DialogId) -> Option<Dialog> {
        let dialog = self.all.remove(id)?;
        deadline(&dialog).map(|entry| self.deadlines.remove(&entry));
        Some(dialog)
    }

    /// Removes the early dialogs of an INVITE of ours: when it has a final response that is not 2xx (section 12.3),
    /// or 64 × T1 after its first 2xx (section 13.2.2.4).
    pub fn remove_early(&mut self, call_id: &str, local_tag: &str) -> Vec<Dialog> {
        let first = DialogId::new(call_id, local_tag, None);
        let of_invite = |id: &DialogId| id.call_id == first.call_id && id.local_tag == first.local_tag;
        let forks = self.all.range(&first..).take_while(|(id, _)| of_invite(id));
        let early = forks.filter(|(_, dialog)| dialog.phase == Phase::Early);
        let ids: Vec<_> = early.map(|(id, _)| id.clone()).collect();
        ids.iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Where a request of the other side belongs.
    pub fn place(&self, request: &Request) -> Place {
        match DialogId::of_request(request) {
            None => Place::Outside,
            Some(id) if self.all.contains_key(&id) => Place::Within(id),
            Some(_) => Place::Unknown,
        }
    }

    /// The dialog of a response to a request of ours. A response to an INVITE that has none may begin one: each fork
    /// has a tag of its own (section 13.2.2.4).
    pub fn of_response(&self, response: &Response) -> Option<DialogId> {
        DialogId::of_response(response).filter(|id| self.all.contains_key(id))
    }

    /// When [`Self::pass_time`] is to be called if nothing happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Does what is due in all dialogs, in the order of their deadlines.
    pub fn pass_time(&mut self, now: Time) -> Vec<(DialogId, Due)> {
        let timers = self.settings.timers;
        let mut all = Vec::new();
        while let Some((_, id)) = self.deadlines.first().filter(|(at, _)| *at <= now).cloned() {
            let due = self.change(&id, |dialog| dialog.pass_time(now, &timers)).unwrap_or_default();
            all.extend(due.into_iter().map(|due| (id.clone(), due)));
        }
        all
    }
}

fn deadline(dialog: &Dialog) -> Option<(Time, DialogId)> {
    dialog.next_deadline().map(|at| (at, dialog.id.clone()))
}
