//! Remembers which files of the node's state cannot be written. Each file is a fault of its own: one that can be
//! written says nothing about the other. Performs no I/O.

/// A file of the node's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StateFile {
    /// The persistent state of the agent.
    PersistentState,
    /// The Virtual Meeting Rooms.
    Configuration,
    /// The certificate of the operator.
    Certificate,
}

/// Whether that is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was not so before.
    New,
    /// Nothing has changed.
    Known,
}

/// The files that could not be written when it was last tried, and why.
#[derive(Debug, Default)]
pub(super) struct Faults {
    persistent_state: Option<String>,
    configuration: Option<String>,
    certificate: Option<String>,
}

impl Faults {
    /// A file could not be written.
    pub(super) fn failed(&mut self, file: StateFile, why: String) -> Change {
        let before = self.of(file).replace(why);
        if before == *self.of(file) { Change::Known } else { Change::New }
    }

    /// A file was written.
    pub(super) fn written(&mut self, file: StateFile) -> Change {
        if self.of(file).take().is_some() { Change::New } else { Change::Known }
    }

    /// Whether the persistent state can be written, as far as is known.
    pub(super) fn spare_persistent_state(&self) -> bool {
        self.persistent_state.is_none()
    }

    /// Why the node is not fit to take calls.
    pub(super) fn unfit(&self) -> Option<String> {
        let others = self.configuration.as_ref().or(self.certificate.as_ref());
        self.persistent_state.as_ref().or(others).cloned()
    }

    fn of(&mut self, file: StateFile) -> &mut Option<String> {
        match file {
            StateFile::PersistentState => &mut self.persistent_state,
            StateFile::Configuration => &mut self.configuration,
            StateFile::Certificate => &mut self.certificate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_is_written_ends_only_its_own_fault() {
        let mut faults = Faults::default();
        assert_eq!(faults.failed(StateFile::Configuration, "full".into()), Change::New);
        assert_eq!(faults.failed(StateFile::Configuration, "full".into()), Change::Known);
        assert_eq!(faults.written(StateFile::PersistentState), Change::Known);
        assert!(faults.spare_persistent_state());
        assert_eq!(faults.unfit().as_deref(), Some("full"));
        faults.failed(StateFile::PersistentState, "gone".into());
        assert_eq!(faults.written(StateFile::Configuration), Change::New);
        assert_eq!(faults.unfit().as_deref(), Some("gone"));
        faults.written(StateFile::PersistentState);
        assert_eq!(faults.unfit(), None);
    }
}
