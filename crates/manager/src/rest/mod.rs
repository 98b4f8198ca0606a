//! The management API for people and tools: paths, shapes and answers of the compatible API for what Pitlane
//! has, and resources of our own for upgrades.
//!
//! It reads the committed state and passes requests to the committer. It never decides anything about a run,
//! and a refused request changes nothing.

mod error;
mod list;
mod oauth;
mod request;
mod sessions;

mod refusals;
mod request_limit;

mod engine;

mod loads;
mod reasons;
mod tokens;
mod views;

mod status;

mod backups;
mod calls;
mod certificates_import;

mod history;
mod json;
mod licences;
mod upgrade;

mod access;
mod accounts;
mod acts;
mod route;
mod router;

#[cfg(test)]
mod tests;

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::Mutex;

pub use accounts::first_account;
pub use router::router;

use crate::auth::logins::Logins;
use crate::context::Context;
use crate::layout::Layout;

/// The state that all handlers share. Cheap to clone.
#[derive(Clone)]
struct Api(Arc<Inner>);

struct Inner {
    context: Context,
    logins: Logins,
    request_limit: request_limit::RequestLimit,
    upload_locks: upgrade::UploadLocks,
    /// Held while the password of an account is hashed for an administrator.
    hashing: Mutex<()>,
    /// Held while a list is filtered by the store: two at a time, so that there are readers left for logins and nodes.
    lists: tokio::sync::Semaphore,
    /// The places of status pages over all nodes, which do not wait for lists of the store.
    statuses: tokio::sync::Semaphore,
    /// Held while an upload is admitted.
    creating: Mutex<()>,
    /// Held while a package is admitted, removed, or started: one of them at a time.
    packages: Mutex<()>,
}

/// How many lists are filtered at once: half of the readers of the store.
const LISTS_AT_ONCE: usize = 2;

/// How many status pages over all nodes are made at once: each has all rows in memory, and more would only share the
/// processor.
const STATUSES_AT_ONCE: usize = 2;

impl Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Api {
    fn new(context: Context) -> Self {
        let (logins, upload_locks) = (Logins::new(), upgrade::UploadLocks::default());
        let (creating, packages) = (Mutex::default(), Mutex::default());
        let request_limit = request_limit::RequestLimit::new(context.requests_per_minute);
        Self(Arc::new(Inner {
            context,
            logins,
            request_limit,
            hashing: Mutex::default(),
            lists: tokio::sync::Semaphore::new(LISTS_AT_ONCE),
            statuses: tokio::sync::Semaphore::new(STATUSES_AT_ONCE),
            upload_locks,
            creating,
            packages,
        }))
    }

    fn committer(&self) -> &crate::driver::Committer {
        &self.context.committer
    }

    fn layout(&self) -> &Layout {
        &self.context.layout
    }

    /// Runs work that may block for long on a thread of its own.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Layout) -> T + Send + 'static,
    ) -> Result<T, error::Refusal> {
        let layout = self.layout().clone();
        let work = tokio::task::spawn_blocking(move || work(&layout));
        work.await.map_err(|cause| error::Refusal::internal(&cause))
    }
}
