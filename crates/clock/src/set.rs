//! Clocks that a test sets by hand. No program uses them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet::time::{Offset, Span, Wall};

use crate::{Readings, Source, Trust};

/// Clocks that stand still until somebody says what passes. Every clone is the same machine.
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

    /// Somebody sets the wall clock.
    pub fn set(&self, by: Offset) {
        let mut readings = self.readings();
        readings.wall = readings.wall + by;
    }

    /// The machine is off for a while, and starts.
    pub fn off(&self, span: Span) {
        let mut readings = self.readings();
        readings.wall = readings.wall + span;
        readings.uptime = Span::minutes(1);
        readings.boot.push('1');
        readings.trust = Trust::Unknown;
    }

    /// A time daemon has set the wall clock, or nobody says so.
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
