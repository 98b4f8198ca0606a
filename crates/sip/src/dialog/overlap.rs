//! INVITEs that overlap (RFC 3261 section 14).

use crate::dialog::state::{Dialog, Role};
use crate::time::Millis;

impl Dialog {
    /// Whether this side may send an INVITE: there is none of either side without a final response, and no 2xx of
    /// ours without its ACK (section 14.1).
    pub const fn may_invite(&self) -> bool {
        self.our_invite.is_none() && self.their_invite.is_none() && self.unacknowledged.is_none()
    }

    /// How long a re-INVITE that was answered 491 waits (section 14.1): 2.1 to 4 s on the side that owns the Call-ID,
    /// up to 2 s on the other, in steps of 10 ms. `random` is any number.
    pub(crate) const fn retry_delay(&self, random: u64) -> Millis {
        match self.role {
            Role::Uac => Millis(2_100 + random % 191 * 10),
            Role::Uas => Millis(random % 201 * 10),
        }
    }
}

/// Retry-After of a 500 to an INVITE that comes before the one before it has a final response: 0 to 10 s (section
/// 14.2). `random` is any number.
pub(crate) fn retry_after(random: u64) -> u32 {
    u32::try_from(random % 11).unwrap_or_default()
}
