//! The faults that the disk can have, and whether a change is let through.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use fuser::Errno;

/// What is wrong with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every change is refused with an input/output error, what makes it durable too.
    InputOutput,
    /// So many bytes more can be written; then the disk is full until it is healed. What is removed makes
    /// no room.
    NoSpaceAfter {
        /// How many bytes.
        bytes: u64,
    },
    /// Every change takes this long.
    Slow {
        /// How long.
        each: Duration,
    },
}

/// What a change needs of the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Needs {
    /// So many bytes more.
    Bytes(u64),
    /// A place for one more name or node.
    Place,
    /// No space: it removes, renames, shortens or makes durable.
    Nothing,
}

/// The fault of the moment, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Health {
    fault: Mutex<Option<Fault>>,
    /// Wakes the changes that a slow disk holds up.
    changed: Condvar,
}

impl Health {
    pub(crate) fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().expect("nobody panics with it") = fault;
        self.changed.notify_all();
    }

    /// Lets a change through, late perhaps, or refuses it.
    pub(crate) fn admit(&self, needs: Needs) -> Result<(), Errno> {
        let mut fault = self.fault.lock().expect("nobody panics with it");
        match (&mut *fault, needs) {
            (None, _) | (Some(Fault::NoSpaceAfter { .. }), Needs::Nothing) => Ok(()),
            (Some(Fault::InputOutput), _) => Err(Errno::EIO),
            (Some(Fault::NoSpaceAfter { bytes }), Needs::Place) => {
                if *bytes == 0 {
                    Err(Errno::ENOSPC)
                } else {
                    Ok(())
                }
            }
            (Some(Fault::NoSpaceAfter { bytes }), Needs::Bytes(wanted)) => {
                let left = bytes.checked_sub(wanted);
                *bytes = left.unwrap_or(0);
                left.map(drop).ok_or(Errno::ENOSPC)
            }
            (Some(Fault::Slow { each }), _) => {
                let each = *each;
                let slow = |fault: &mut Option<Fault>| matches!(fault, Some(Fault::Slow { .. }));
                let waited = self.changed.wait_timeout_while(fault, each, slow);
                drop(waited.expect("nobody panics with it"));
                Ok(())
            }
        }
    }
}
