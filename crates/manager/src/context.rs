//! What the management API is constructed from: `rest::router(Context) -> axum::Router`.

use fleet::version::Release;

use crate::auth::oauth::Audiences;
use crate::backups::Backups;
use crate::driver::Committer;
use crate::enrolment::NodeAccess;
use crate::layout::Layout;
use crate::link::Refusals;
use crate::operator_certificate::OperatorCertificate;

/// Everything that a request to the management API may need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// The release of this process.
    pub release: Release,
    /// Applies events to the core, and gives access to the store.
    pub committer: Committer,
    /// The paths of packages and uploads.
    pub layout: Layout,
    /// The addresses and the authority that are written into enrolment files.
    pub nodes: NodeAccess,
    /// The name of this Management Node: the first of the machine's `names`.
    pub name: String,
    /// How many requests to the management API are answered in a minute; 0 is without a limit.
    pub requests_per_minute: u32,
    /// How OAuth2 clients may name this Management Node in their assertions.
    pub token_urls: Audiences,
    /// The certificate that the pages show.
    pub certificate: OperatorCertificate,
    /// Makes and restores backups.
    pub backups: Backups,
    /// The refusals of the nodes' listener.
    pub refusals: Refusals,
}
