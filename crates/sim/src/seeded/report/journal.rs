//! The log of a seed: every event, and after each event what it has changed, as far as the verbosity asks for it. The
//! counters are in `counts`.

use std::fmt::Write as _;

use fleet::time::Time;

use super::state::State;

/// How much of a seed is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Nothing but the counters.
    Sums,
    /// Every event.
    Events,
    /// Every event, and after each what it has changed in the state machines and in the machines.
    Everything,
}

/// The log of events, as far as it is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    log: Option<String>,
    /// The state at the last event, if differences are logged.
    before: Option<State>,
    /// The current event, as long as no line has logged it.
    unlogged: Option<String>,
}

impl Journal {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        let (log, before) = match verbosity {
            Verbosity::Sums => (None, None),
            Verbosity::Events => (Some(String::new()), None),
            Verbosity::Everything => (Some(String::new()), Some(State::default())),
        };
        Self { log, before, unlogged: None }
    }

    pub(crate) fn records_differences(&self) -> bool {
        self.before.is_some()
    }

    pub(crate) fn line(&mut self, now: Time, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            let seconds = now.0 / 1_000;
            let (hours, minutes, millis) = (seconds / 3_600, seconds / 60 % 60, now.0 % 1_000);
            let _ = writeln!(log, "{hours:02}:{minutes:02}:{:02}.{millis:03}  {}", seconds % 60, text());
            self.unlogged = None;
        }
    }

    /// Sets the current event. It gets a line if it changes something and no other line is logged for it.
    pub(crate) fn set_event(&mut self, what: impl FnOnce() -> String) {
        if self.records_differences() {
            self.unlogged = Some(what());
        }
    }

    /// Logs what has changed since the last event.
    pub(crate) fn differences(&mut self, now: Time, state: State) {
        let lines = self.before.as_ref().map(|before| state.differences(before)).unwrap_or_default();
        self.before = Some(state);
        if let Some(what) = self.unlogged.take().filter(|_| !lines.is_empty()) {
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
