//! Clocks that a test sets by hand. No shipped program uses them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet::time::{Offset, Span, Wall};

use crate::source::{Readings, Source, Trust};

/// Clocks that change only through these methods. Every clone is the same machine.
#[derive(Clone, Debug)]
pub struct SetByHand(Arc<Mutex<Readings>>);

impl SetByHand {
    /// A machine that has been up for a minute.
    pub fn new(wall: Wall) -> Self {
        let uptime = Span::minutes(1);
        Self(Arc::new(Mutex::new(Readings { wall, boot: "1".into(), uptime, trust: Trust::Unknown })))
    }

    /// Time passes.
    pub fn pass(&self, span: Span) {
        let mut readings = self.readings();
        readings.wall = readings.wall + span;
        readings.uptime = readings.uptime + span;
    }

    /// The wall clock is set.
    pub fn set(&self, by: Offset) {
        let mut readings = self.readings();
        readings.wall = readings.wall + by;
    }

    /// The machine is off for this time, and starts again.
    pub fn off(&self, span: Span) {
        let mut readings = self.readings();
        readings.wall = readings.wall + span;
        readings.uptime = Span::minutes(1);
        readings.boot.push('1');
        readings.trust = Trust::Unknown;
    }

    /// Sets whether the wall clock is known to be correct.
    pub fn trust(&self, trust: Trust) {
        self.readings().trust = trust;
    }

    fn readings(&self) -> MutexGuard<'_, Readings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for SetByHand {
    fn wall(&self) -> Wall {
        self.readings().wall
    }

    fn uptime(&self) -> Span {
        self.readings().uptime
    }

    fn boot(&self) -> String {
        self.readings().boot.clone()
    }

    fn trust(&self) -> Trust {
        self.readings().trust
    }
}
