//! Programs of others that call a node: the phones baresip and Linphone, sipp, and Kamailio as a proxy.
//!
//! Responsible for their configuration, for operating them and for what they have heard. Used by tests alone: what does
//! not happen within [`BOUND`] is a panic that shows what the program has written. Knows nothing of engines or platforms.

use std::time::Duration;

pub mod baresip;
pub mod kamailio;
pub mod linphone;
pub mod program;
pub mod sipp;
pub mod tone;

/// The longest wait for a condition: longer than anything here takes, even on a busy machine.
pub const BOUND: Duration = Duration::from_secs(30);

/// The one codec of a phone that a node has as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711, one of its laws.
    G711,
    /// G.722.
    G722,
    /// Opus.
    Opus,
}

impl Codec {
    /// The samples a second of what a phone records.
    fn rate(self) -> u32 {
        match self {
            Codec::G711 => 8000,
            Codec::G722 => 16_000,
            Codec::Opus => 48_000,
        }
    }
}

/// Waits for a condition, for [`BOUND`] at most.
pub async fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(BOUND, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}
