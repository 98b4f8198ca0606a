//! What is written down of a seed: every event when it is replayed, and the sums always.

use std::fmt::Write as _;

use fleet::time::Time;

use super::state::State;

/// Whether every event is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Only the sums.
    Sums,
    /// Every event, as text.
    Events,
    /// Every event, and after each what it has changed in what the brains hold and in what is true.
    Everything,
}

/// The log of events; kept only when somebody is to read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    log: Option<String>,
    /// The state when it was last looked at, where its differences are told.
    before: Option<State>,
    /// What happens, as long as no line has said so.
    unsaid: Option<String>,
}

impl Journal {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        let (log, before) = match verbosity {
            Verbosity::Sums => (None, None),
            Verbosity::Events => (Some(String::new()), None),
            Verbosity::Everything => (Some(String::new()), Some(State::default())),
        };
        Self { log, before, unsaid: None }
    }

    pub(crate) fn records_differences(&self) -> bool {
        self.before.is_some()
    }

    pub(crate) fn line(&mut self, now: Time, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            let seconds = now.0 / 1_000;
            let (hours, minutes, millis) = (seconds / 3_600, seconds / 60 % 60, now.0 % 1_000);
            let _ = writeln!(log, "{hours:02}:{minutes:02}:{:02}.{millis:03}  {}", seconds % 60, text());
            self.unsaid = None;
        }
    }

    /// What happens now is worth a line when it changes something, and no other line tells of it.
    pub(crate) fn happens(&mut self, what: impl FnOnce() -> String) {
        if self.records_differences() {
            self.unsaid = Some(what());
        }
    }

    /// Tells what has changed since the last time.
    pub(crate) fn differences(&mut self, now: Time, state: State) {
        let lines = self.before.as_ref().map(|before| state.differences(before)).unwrap_or_default();
        self.before = Some(state);
        if let Some(what) = self.unsaid.take().filter(|_| !lines.is_empty()) {
            self.line(now, || what);
        }
        if let Some(log) = &mut self.log {
            lines.iter().for_each(|line| log.push_str(&format!("  ~ {line}\n")));
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.log.unwrap_or_default()
    }
}
