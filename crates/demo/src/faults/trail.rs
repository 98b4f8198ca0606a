//! What a machine logs, read while it is written: the beginning of a phase is a line of a log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How often a log is looked at: the shortest phases last ten milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A log from some moment on.
#[derive(Clone, Debug)]
pub(crate) struct Trail {
    path: PathBuf,
    from: u64,
}

impl Trail {
    /// A log from now on.
    pub(crate) fn from_now(path: PathBuf) -> Self {
        let from = path.metadata().map_or(0, |file| file.len());
        Self { path, from }
    }

    /// What has been logged since.
    pub(crate) fn text(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.read_to_end(&mut text)
        });
        // A log that is not there yet says nothing.
        read.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&text).into_owned())
    }

    /// Whether it says so.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.text().contains(words)
    }

    /// Waits until it says so.
    pub(crate) fn wait_for(&self, words: &str, limit: Duration) -> Result<(), Error> {
        let until = Instant::now() + limit;
        while !self.says(words) {
            if Instant::now() > until {
                let text = self.text();
                return Err(Error::Late {
                    what: format!("{words:?} in {}", self.path.display()),
                    seconds: limit.as_secs(),
                    logs: self.path.clone(),
                    last: text.lines().last().unwrap_or_default().to_owned(),
                });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// The last line that holds one of these words.
    pub(crate) fn last_with(&self, words: &[&str]) -> Option<String> {
        let text = self.text();
        let line = text.lines().rev().find(|line| words.iter().any(|word| line.contains(word)))?;
        Some(line.to_owned())
    }
}
