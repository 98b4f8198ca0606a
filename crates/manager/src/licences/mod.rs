//! The licences that are installed, in memory. It relies on the store for what is kept and on crate `licence` for what a
//! licence says; the management API installs and removes them.

mod installed;

use std::sync::Arc;

use parking_lot::RwLock;

use crate::store::{Store, StoreError, licences as stored};
pub(crate) use installed::{AsOf, Installed};

/// What is known of licences while the Management Node runs.
#[derive(Debug, Default)]
pub(crate) struct Licences {
    installed: RwLock<Arc<Vec<Installed>>>,
}

impl Licences {
    /// The licences that are installed.
    pub(crate) fn installed(&self) -> Arc<Vec<Installed>> {
        self.installed.read().clone()
    }

    /// Reads the licences that are stored, after a start or a change.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn reload(&self, store: &Store) -> Result<(), StoreError> {
        *self.installed.write() = Arc::new(store.read(stored::all).await?);
        Ok(())
    }
}
