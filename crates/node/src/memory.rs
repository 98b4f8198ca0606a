//! What the node remembers: the agent's memory with the time, and the Virtual Meeting Rooms. Both lie in
//! `state/`, outside the slots, so an upgrade and a fall-back find them as they were.

use std::path::{Path, PathBuf};

use fleet::agent::Memory;
use serde::{Deserialize, Serialize};
use tracing::warn;
use wire::Configuration;

use crate::clock::{Clock, Stamp};
use crate::files::{self, FileError};

/// The format of `agent.json` that this release reads and writes. A field that a later release adds is
/// passed over, so that a fall-back finds its memory.
const FORMAT: u16 = 1;

/// What to do about a damaged memory. The node cannot guess: it may be in maintenance mode.
const ADVICE: &str = "put it back from a backup, or delete this node on the Management Node, remove the \
                      directory `state` and enrol the node again; until then it takes no calls";

#[derive(Serialize, Deserialize)]
struct AgentFile {
    format: u16,
    stamp: Stamp,
    memory: Memory,
}

/// The file with the agent's memory.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    path: PathBuf,
}

impl MemoryFile {
    /// The file in the node's state directory.
    pub fn new(state: &Path) -> Self {
        Self { path: state.join("agent.json") }
    }

    /// What is remembered, and the clock that goes on from there. A node that was never started
    /// remembers nothing.
    ///
    /// # Errors
    /// The file cannot be read or is damaged; nothing is guessed.
    pub fn load(&self) -> Result<(Memory, Clock), FileError> {
        let Some(file) = files::load::<AgentFile>(&self.path, ADVICE)? else {
            return Ok((Memory::default(), Clock::start(None)));
        };
        let AgentFile { format, stamp, memory } = file;
        if format != FORMAT {
            let reason = format!("its format is {format} and this release reads format {FORMAT}");
            return Err(FileError::Damaged { path: self.path.clone(), reason, advice: ADVICE });
        }
        Ok((memory, Clock::start(Some(&stamp))))
    }

    /// Makes the memory durable, with the time.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn store(&self, memory: &Memory, clock: &Clock) -> Result<(), FileError> {
        let file = AgentFile { format: FORMAT, stamp: clock.stamp(), memory: memory.clone() };
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

    /// The configuration known last. A damaged file is no loss: the Management Node sends it again, since
    /// the node says that it has none.
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

    fn remembered() -> Memory {
        let owners = Owners { operator: Some("a test".into()), ..Owners::default() };
        let intent = Intent { owners, software: None };
        Memory {
            accepted: Desired { generation: Generation { epoch: 1, n: 7 }, intent },
            ..Memory::default()
        }
    }

    #[test]
    fn the_memory_and_the_time_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = MemoryFile::new(dir.path());
        let (memory, clock) = file.load().unwrap();
        assert_eq!(memory, Memory::default());
        file.store(&remembered(), &clock).unwrap();
        let before = clock.now();
        let (memory, clock) = file.load().unwrap();
        assert_eq!(memory, remembered());
        assert!(clock.now() >= before);
    }

    #[test]
    fn a_damaged_memory_is_refused_and_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = MemoryFile::new(dir.path());
        let check = |text: &str, expected: &str| {
            fs::write(dir.path().join("agent.json"), text).unwrap();
            let error = file.load().map(drop).unwrap_err().to_string();
            assert!(error.contains(expected) && error.ends_with("it takes no calls"), "{error}");
        };
        check("{\"format\":1", "agent.json is damaged");
        let (_, clock) = MemoryFile::new(&dir.path().join("nowhere")).load().unwrap();
        let newer = AgentFile { format: 2, stamp: clock.stamp(), memory: remembered() };
        check(&serde_json::to_string(&newer).unwrap(), "its format is 2");
    }

    #[test]
    fn a_damaged_configuration_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = ConfigurationFile::new(dir.path());
        let known = Configuration { revision: 3, rooms: Vec::new() };
        file.store(&known).unwrap();
        assert_eq!(file.load(), known);
        fs::write(dir.path().join("configuration.json"), "rooms").unwrap();
        assert_eq!(file.load(), Configuration::default());
    }
}
