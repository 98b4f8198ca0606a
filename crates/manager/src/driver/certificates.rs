//! Looks once a day at the certificates that the operator has brought, and names those that end soon.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::Committer;
use crate::held_certificates;

/// How often a certificate that ends soon is named.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks until it is aborted, or the store is broken, which the driver notices.
pub(super) async fn watch(committer: Committer) {
    let mut look = interval(EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Ok(held) = held_certificates::all(committer.store()).await else { return };
        let now = committer.wall();
        for one in held_certificates::ending(&held, now) {
            let (days, subject) = (one.certificate.days_left(now), one.certificate.subject());
            let (end, uri) = (one.end(), one.uri.as_str());
            warn!(days, subject, end, uri, "a certificate ends soon or has ended; replace or delete it");
        }
        if !held.is_empty() {
            info!(certificates = held.len(), "the certificates of the operator were looked at");
        }
    }
}
