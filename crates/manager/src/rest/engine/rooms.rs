//! What has to hold after a change of Virtual Meeting Rooms or their aliases.

use crate::store::Transaction;

use super::write::Change;
use crate::rest::error::{Kind, Refusal};
use crate::store::room_bytes;

/// How many bytes all names and aliases may have, with [`BYTES_BESIDE`] for each. The nodes receive all of
/// them in one message of at most `wire::SYNC_BYTES`, in which a byte may take two.
const CONFIGURATION_BYTES: i64 = (wire::SYNC_BYTES / 2 - (256 << 10)) as i64;

/// Bytes of a message beside each name or alias.
const BYTES_BESIDE: i64 = 32;

/// Whether nodes have to learn of a change: of what they know of rooms and aliases.
pub(super) fn concerns_nodes(change: &Change) -> bool {
    match change {
        Change::Created { .. } | Change::Removed { .. } => true,
        Change::Changed { from, to, children } => {
            let known = ["name", "alias", "conference"].map(|name| to.of.field(name));
            !children.is_empty() || known.into_iter().flatten().any(|field| from.get(field) != to.get(field))
        }
    }
}

/// Refuses a change after which the configuration would not fit a message to the nodes.
pub(super) fn check_size(tx: &Transaction<'_>) -> Result<(), Refusal> {
    if room_bytes(tx, BYTES_BESIDE)? <= CONFIGURATION_BYTES {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::Conflict,
        format!(
            "names and aliases of all Virtual Meeting Rooms would take more than {CONFIGURATION_BYTES} bytes"
        ),
        "delete rooms or aliases that are not in use",
    ))
}
