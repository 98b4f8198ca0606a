//! Licences in words.

use super::Canvas;
use super::table::table;
use crate::api::{InstalledLicence, LicenceUsage};

/// The number by which the Management Node says that there is no limit.
const UNLIMITED: u64 = 2_147_483_647;

/// The licences in a table.
pub(crate) fn installed(licences: &[InstalledLicence], canvas: Canvas) -> Vec<String> {
    if licences.is_empty() {
        return vec![
            "No licence is installed, and calls have no limit; install one with pitlane licence add FILE."
                .into(),
        ];
    }
    let row = |licence: &InstalledLicence| {
        let last = if licence.expiration_date.is_empty() { "never" } else { &licence.expiration_date };
        let (calls, versions) = (amount(licence.concurrent), licence.versions.clone());
        vec![licence.entitlement_id.clone(), calls, last.into(), versions, licence.status.clone()]
    };
    table(canvas, &["LICENCE", "CALLS", "LAST DAY", "VERSIONS", "STATUS"], licences.iter().map(row).collect())
}

/// What is used, a line each.
pub(crate) fn used(used: &LicenceUsage) -> Vec<String> {
    let of = |total| if total == UNLIMITED { "without a limit".into() } else { format!("of {total}") };
    vec![
        format!("Calls  {} {}", used.port_count, of(used.port_total)),
        format!("Rooms  {} {}", used.vmr_count, of(used.vmr_total)),
    ]
}

fn amount(count: u64) -> String {
    if count == UNLIMITED { "unlimited".into() } else { count.to_string() }
}
