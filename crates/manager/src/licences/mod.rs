//! The licences that are installed, in memory, and the shares of the nodes in the calls that they allow.
//!
//! It relies on the store for what is kept, on crate `licence` for what a licence says, and on the link for what nodes hold
//! and for bringing them another share. It never touches a call: a node counts by itself, and refuses new ones alone.

mod division;
mod installed;
mod shares;
mod watch;

use std::sync::Arc;

use parking_lot::RwLock;

use crate::store::{Store, StoreError, licences as stored};
pub(crate) use installed::{AsOf, Installed};
pub(crate) use shares::CallShares;
pub(crate) use watch::{calls, watch};

/// What is known of licences while the Management Node runs.
#[derive(Debug, Default)]
pub(crate) struct Licences {
    installed: RwLock<Arc<Vec<Installed>>>,
    shares: CallShares,
}

impl Licences {
    /// The licences that are installed.
    pub(crate) fn installed(&self) -> Arc<Vec<Installed>> {
        self.installed.read().clone()
    }

    /// The shares of the nodes.
    pub(crate) fn shares(&self) -> &CallShares {
        &self.shares
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
