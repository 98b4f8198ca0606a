//! The faults that can be injected, and the decision whether a change is admitted. Knows no files.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use fuser::Errno;

/// A fault of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every change and every sync is refused with an input/output error.
    InputOutput,
    /// So many more bytes can be written; then the disk is full until the fault is cleared. Removing files frees
    /// no space.
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
    /// Space for one more name or node.
    Entry,
    /// No space: it removes, renames, truncates or syncs.
    Nothing,
}

/// The injected fault, if there is one.
#[derive(Debug, Default)]
pub(crate) struct FaultSwitch {
    fault: Mutex<Option<Fault>>,
    /// Wakes the changes that a slow disk delays.
    changed: Condvar,
}

impl FaultSwitch {
    pub(crate) fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().expect("nobody panics with it") = fault;
        self.changed.notify_all();
    }

    /// Admits a change, possibly after a delay, or refuses it.
    pub(crate) fn admit(&self, needs: Needs) -> Result<(), Errno> {
        let mut fault = self.fault.lock().expect("nobody panics with it");
        match (&mut *fault, needs) {
            (None, _) | (Some(Fault::NoSpaceAfter { .. }), Needs::Nothing) => Ok(()),
            (Some(Fault::InputOutput), _) => Err(Errno::EIO),
            (Some(Fault::NoSpaceAfter { bytes }), Needs::Entry) => {
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
