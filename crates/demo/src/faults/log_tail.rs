//! Reads the log of a machine from a given position on, while it is being written.
//!
//! Used to detect the beginning of a phase, which is a line of a log, and to find the reason why a run waits.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How often a log is read: the shortest phases last ten milliseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The lines of a log that are written after a given time.
#[derive(Clone, Debug)]
pub(crate) struct LogTail {
    path: PathBuf,
    from: u64,
}

impl LogTail {
    /// The lines that are written from now on.
    pub(crate) fn from_now(path: PathBuf) -> Self {
        let from = path.metadata().map_or(0, |file| file.len());
        Self { path, from }
    }

    /// The lines so far.
    pub(crate) fn text(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.read_to_end(&mut text)
        });
        // A log that does not exist yet is empty.
        read.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&text).into_owned())
    }

    /// Whether the lines contain a text.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// Waits until the lines contain a text.
    pub(crate) fn wait_for(&self, text: &str, limit: Duration) -> Result<(), Error> {
        let until = Instant::now() + limit;
        while !self.contains(text) {
            if Instant::now() > until {
                let log = self.text();
                return Err(Error::Timeout {
                    what: format!("{text:?} in {}", self.path.display()),
                    seconds: limit.as_secs(),
                    logs: self.path.clone(),
                    last: log.lines().last().unwrap_or_default().to_owned(),
                });
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// The last line that contains one of these texts.
    pub(crate) fn last_with(&self, texts: &[&str]) -> Option<String> {
        let text = self.text();
        let line = text.lines().rev().find(|line| texts.iter().any(|text| line.contains(text)))?;
        Some(line.to_owned())
    }
}
