//! Addresses for engines under test.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};

/// An address that no other process uses. An ephemeral port would not do: an outgoing connection could occupy it when
/// the engine is restarted.
pub(crate) fn own_address() -> SocketAddr {
    static TAKEN: AtomicU8 = AtomicU8::new(1);
    let [low, high, ..] = std::process::id().to_le_bytes();
    let host = TAKEN.fetch_add(1, Ordering::Relaxed);
    SocketAddr::new(Ipv4Addr::new(127, 192 | (high & 0x1f), low, host).into(), 5060)
}
