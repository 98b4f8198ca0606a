//! Blocks of loopback addresses, so that several platforms on one machine never share an address.
//!
//! Chooses addresses by the process number. Opens no socket and configures no interface: Linux accepts every
//! address of 127.0.0.0/8 as it is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// 254 loopback addresses: `127.a.b.1` to `127.a.b.254`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    a: u8,
    b: u8,
}

impl AddressBlock {
    /// The block of the demo: 127.34.1, always the same so that a user can connect to it.
    pub const DEMO: Self = Self { a: 34, b: 1 };

    /// A block that no other process uses: process numbers are unique.
    pub fn of_this_process() -> Self {
        let [low, high, ..] = std::process::id().to_le_bytes();
        // 127.0 and 127.34 are left to interactive use; the third byte of the number only matters beyond
        // 65,536 processes at once.
        Self { a: 64 | (high & 0x3f), b: low }
    }

    /// One address.
    pub fn host(self, number: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.a, self.b, number))
    }

    /// One address with a port.
    pub fn at(self, number: u8, port: u16) -> SocketAddr {
        SocketAddr::new(self.host(number), port)
    }
}
