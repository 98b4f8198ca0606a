//! What the management API is built of: `rest::router(Context) -> axum::Router`.

use crate::driver::Committer;
use crate::enrolment::NodeAccess;
use crate::layout::Layout;
use crate::link::Refusals;

/// Everything that a request of a person may need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// The way to the core and to the store.
    pub committer: Committer,
    /// Where packages and uploads lie.
    pub layout: Layout,
    /// What enrolment files say of this Management Node.
    pub nodes: NodeAccess,
    /// The name of this Management Node: the first of the machine's `names`.
    pub name: String,
    /// Whom the nodes' listener has refused.
    pub refusals: Refusals,
}
