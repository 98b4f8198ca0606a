//! Requests for backups that are made while nobody waits: what has become of them. They are kept in memory, the last
//! ones alone, and a restart of the process forgets them; the backups themselves are files. Pure.

use std::collections::VecDeque;

use fleet::time::Wall;
use uuid::Uuid;

use super::name::BackupName;

/// How many requests are kept.
const MOST: usize = 20;

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestState {
    /// The backup is being made.
    Initialising,
    /// It is made.
    Completed {
        /// Its name.
        name: BackupName,
    },
    /// It could not be made.
    Failed {
        /// Why, in a sentence.
        why: String,
    },
}

/// A request for a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackupRequest {
    /// Its identifier.
    pub(crate) id: Uuid,
    /// How far it is.
    pub(crate) state: RequestState,
    /// When it was made, by the wall clock.
    pub(crate) created_at: Wall,
    /// When its state changed last.
    pub(crate) updated_at: Wall,
}

/// The last requests, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Requests(VecDeque<BackupRequest>);

impl Requests {
    /// Notes a request. The oldest one beyond those that are kept is forgotten.
    pub(crate) fn begin(&mut self, id: Uuid, now: Wall) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let state = RequestState::Initialising;
        self.0.push_back(BackupRequest { id, state, created_at: now, updated_at: now });
    }

    /// Notes what has become of a request, if it is kept.
    pub(crate) fn end(&mut self, id: Uuid, state: RequestState, now: Wall) {
        if let Some(request) = self.0.iter_mut().find(|request| request.id == id) {
            (request.state, request.updated_at) = (state, now);
        }
    }

    /// Those that are kept, the newest first.
    pub(crate) fn all(&self) -> Vec<BackupRequest> {
        self.0.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_request_is_forgotten_and_its_end_has_no_effect() {
        let mut requests = Requests::default();
        let ids: Vec<Uuid> = (0..=MOST as u128).map(Uuid::from_u128).collect();
        ids.iter().for_each(|id| requests.begin(*id, Wall(1)));
        for id in [ids[0], ids[1]] {
            requests.end(id, RequestState::Failed { why: "the disk is full".into() }, Wall(2));
        }
        let all = requests.all();
        assert_eq!((all.len(), all[0].id), (MOST, ids[MOST]));
        let last = all.last().unwrap();
        assert_eq!((last.id, last.updated_at), (ids[1], Wall(2)));
        assert!(all.iter().filter(|it| it.state != RequestState::Initialising).count() == 1);
    }
}
