//! The Virtual Meeting Rooms as the nodes receive them.
//!
//! They are kept in memory beside the store, so that 10,000 nodes do not each read them from the disk.

use std::sync::Arc;

use parking_lot::RwLock;
use wire::Configuration;

/// The rooms in memory, so that 10,000 nodes do not each read them from the disk.
#[derive(Debug)]
pub(crate) struct Rooms(RwLock<Arc<Configuration>>);

impl Rooms {
    pub(crate) fn new(configuration: Configuration) -> Self {
        Self(RwLock::new(Arc::new(configuration)))
    }

    pub(crate) fn current(&self) -> Arc<Configuration> {
        self.0.read().clone()
    }

    /// Replaces the configuration by a committed one, unless it is older: two changes may arrive here in the
    /// other order.
    pub(crate) fn replace(&self, configuration: Configuration) {
        let mut current = self.0.write();
        if configuration.revision > current.revision {
            *current = Arc::new(configuration);
        }
    }
}
