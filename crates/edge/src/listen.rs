//! Whether two addresses can be listened on at the same time.

use std::net::{IpAddr, SocketAddr};

/// Whether listening on one address keeps the other from being listened on: the same port, and one address includes
/// the other. Port 0 is whichever is free, so that it collides with none.
pub fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && one.port() != 0
        && (includes(one.ip(), other.ip()) || includes(other.ip(), one.ip()))
}

/// Whether whoever listens on `one` listens on `other`, too. The unspecified IPv6 address listens on IPv4 as well.
fn includes(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical() == other.to_canonical() || (one.is_unspecified() && (one.is_ipv6() || other.is_ipv4()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_collide_when_one_includes_the_other() {
        let check = |one: &str, other: &str, expected: bool| {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!((collide(one, other), collide(other, one)), (expected, expected), "{one} and {other}");
        };
        check("192.0.2.1:5060", "192.0.2.1:5060", true);
        check("192.0.2.1:5060", "192.0.2.1:5061", false);
        check("192.0.2.1:5060", "192.0.2.2:5060", false);
        check("0.0.0.0:5060", "192.0.2.1:5060", true);
        check("[::]:5060", "192.0.2.1:5060", true);
        check("0.0.0.0:5060", "[2001:db8::1]:5060", false);
        check("[::ffff:192.0.2.1]:5060", "192.0.2.1:5060", true);
        check("192.0.2.1:0", "192.0.2.1:0", false);
    }
}
