//! Stores the node's persistent state: that of its agent, with the time, and the Virtual Meeting Rooms. Both files lie
//! in `state/`, outside the slots, so an upgrade and a fall-back find them as they were. It never guesses at what a
//! damaged file held.

use std::path::{Path, PathBuf};

use fleet::agent::PersistentState;
use serde::{Deserialize, Serialize};
use tracing::warn;
use wire::Configuration;

pub use self::stored::StoredState;
use crate::clock::{Clock, Stamp};
use crate::files::{self, FileError};

mod stored;

/// The format of `agent.json` that this release reads and writes. A field that a later release adds is
/// passed over, so that a fall-back can read the file.
const FORMAT: u16 = 1;

/// What to do about a damaged file. The node cannot guess: it may be in maintenance mode.
const ADVICE: &str = "put it back from a backup, or delete this node on the Management Node, remove the \
                      directory `state` and enrol the node again; until then it takes no calls";

#[derive(Serialize, Deserialize)]
struct AgentFile {
    format: u16,
    stamp: Stamp,
    #[serde(rename = "memory")]
    state: StoredState,
}

/// The file with the agent's persistent state.
#[derive(Clone, Debug)]
pub struct PersistentStateFile {
    path: PathBuf,
}

impl PersistentStateFile {
    /// The file in the node's state directory.
    pub fn new(state: &Path) -> Self {
        Self { path: state.join("agent.json") }
    }

    /// The persistent state, and the clock that continues from there. The state of a node that was never started is
    /// the default.
    ///
    /// # Errors
    /// The file cannot be read or is damaged; nothing is guessed.
    pub fn load(&self) -> Result<(PersistentState, Clock), FileError> {
        let Some(file) = files::load::<AgentFile>(&self.path, ADVICE)? else {
            return Ok((PersistentState::default(), Clock::start(None)));
        };
        let AgentFile { format, stamp, state } = file;
        if format != FORMAT {
            let reason = format!("its format is {format} and this release reads format {FORMAT}");
            return Err(FileError::Damaged { path: self.path.clone(), reason, advice: ADVICE });
        }
        Ok((state.into(), Clock::start(Some(&stamp))))
    }

    /// Makes the state durable, with the time.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn store(&self, state: &PersistentState, clock: &Clock) -> Result<(), FileError> {
        let file = AgentFile { format: FORMAT, stamp: clock.stamp(), state: state.clone().into() };
        files::store(&self.path, &file)
    }
}

/// The file with the configuration that was received last.
#[derive(Clone, Debug)]
pub struct ConfigurationFile {
    path: PathBuf,
}

impl ConfigurationFile {
    /// The file in the node's state directory.
    pub fn new(state: &Path) -> Self {
        Self { path: state.join("configuration.json") }
    }

    /// The configuration that was received last. A damaged file is no loss: the Management Node sends it again, since
    /// the node reports that it has none.
    pub fn load(&self) -> Configuration {
        let advice = "it is fetched again from the Management Node";
        files::load(&self.path, advice)
            .unwrap_or_else(|error| {
                warn!("{}", files::chain(&error));
                None
            })
            .unwrap_or_default()
    }

    /// Makes a configuration durable.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn store(&self, configuration: &Configuration) -> Result<(), FileError> {
        files::store(&self.path, configuration)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use fleet::desired::{Desired, Generation, Intent, Owners};

    use super::*;

    fn state() -> PersistentState {
        let owners = Owners { operator: Some("a test".into()), ..Owners::default() };
        let intent = Intent { owners, software: None };
        PersistentState {
            accepted: Desired { generation: Generation { epoch: 1, n: 7 }, intent },
            ..PersistentState::default()
        }
    }

    #[test]
    fn state_and_time_are_read_as_they_were_stored() {
        let dir = tempfile::tempdir().unwrap();
        let file = PersistentStateFile::new(dir.path());
        let (found, clock) = file.load().unwrap();
        assert_eq!(found, PersistentState::default());
        file.store(&state(), &clock).unwrap();
        let before = clock.now();
        let (found, clock) = file.load().unwrap();
        assert_eq!(found, state());
        assert!(clock.now() >= before);
    }

    #[test]
    fn damaged_state_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = PersistentStateFile::new(dir.path());
        let check = |text: &str, expected: &str| {
            fs::write(dir.path().join("agent.json"), text).unwrap();
            let error = file.load().map(drop).unwrap_err().to_string();
            assert!(error.contains(expected) && error.ends_with("it takes no calls"), "{error}");
        };
        check("{\"format\":1", "agent.json is damaged");
        let (_, clock) = PersistentStateFile::new(&dir.path().join("nowhere")).load().unwrap();
        let newer = AgentFile { format: 2, stamp: clock.stamp(), state: state().into() };
        check(&serde_json::to_string(&newer).unwrap(), "its format is 2");
    }

    #[test]
    fn damaged_configuration_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = ConfigurationFile::new(dir.path());
        let known = Configuration { revision: 3, rooms: Vec::new() };
        file.store(&known).unwrap();
        assert_eq!(file.load(), known);
        fs::write(dir.path().join("configuration.json"), "rooms").unwrap();
        assert_eq!(file.load(), Configuration::default());
    }
}
