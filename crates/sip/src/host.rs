//! Hosts: names, IPv4 addresses and IPv6 references (RFC 3261 section 25.1, RFC 5954).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::Malformed;
use crate::lex::{Cursor, ascii, number};

/// A host.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A name, as it came. Case does not count.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, which stands in brackets.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// A whole text as a host.
    ///
    /// # Errors
    /// It is none.
    pub fn new(text: &'a str) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(text.as_bytes());
        let host = Self::read(&mut cursor)?;
        cursor.end()?;
        Ok(host)
    }

    /// The host that comes next.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        if cursor.take(b'[') {
            let text = ascii(cursor.over(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')));
            let address = v6(text).ok_or(Malformed("an IPv6 address is wrong"));
            return if cursor.take(b']') { address.map(Self::V6) } else { Err(UNCLOSED) };
        }
        // The underscore is in no host name of RFC 1123, and in many that are resolved.
        let name = cursor.over(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        match ascii(name) {
            "" => Err(Malformed("a host is missing")),
            name => Ok(name.parse().map_or(Self::Name(name), Self::V4)),
        }
    }

    /// The address, unless it is a name.
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(address)),
            Self::V6(address) => Some(IpAddr::V6(address)),
        }
    }
}

const UNCLOSED: Malformed = Malformed("an IPv6 address in brackets is wrong or does not end");

/// An IPv6 address. Three colons before an IPv4 address are read as two: the grammar of RFC 3261 has them by
/// mistake, and messages that follow it are to be understood (RFC 5118 section 4.10).
fn v6(text: &str) -> Option<Ipv6Addr> {
    let Some((before, after)) = text.split_once(":::") else {
        return text.parse().ok();
    };
    let mut corrected = [0; 48];
    let parts = before.bytes().chain(*b"::").chain(after.bytes());
    let length = before.len() + 2 + after.len();
    let places = corrected.get_mut(..length)?;
    places.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    let is_v4 = after.parse::<Ipv4Addr>().is_ok();
    is_v4.then(|| ascii(&corrected[..length]).parse().ok()).flatten()
}

/// `received` and its like: an address, an IPv6 one with brackets or without (RFC 5118 section 4.5).
pub(crate) fn bare_address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| Host::new(text).ok()?.address())
}

/// `COLON port` behind a host, if it is there. White space may stand around the colon where `spaced`.
pub(crate) fn port(cursor: &mut Cursor<'_>, spaced: bool) -> Result<Option<u16>, Malformed> {
    let found = if spaced { cursor.separator(b':') } else { cursor.take(b':') };
    if !found {
        return Ok(None);
    }
    let port = number(cursor.over(|byte| byte.is_ascii_digit())).and_then(|port| u16::try_from(port).ok());
    port.map(Some).ok_or(Malformed("a port is not a number up to 65535"))
}

impl PartialEq for Host<'_> {
    /// Names in any case; addresses by what they mean, not by how they are written (RFC 5954 section 4).
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            (Self::V4(one), Self::V4(other)) => one == other,
            (Self::V6(one), Self::V6(other)) => one == other,
            (Self::Name(_) | Self::V4(_) | Self::V6(_), _) => false,
        }
    }
}

impl Eq for Host<'_> {}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn hosts_are_equal_by_what_they_mean() {
        let host = |text| Host::new(text).unwrap();
        assert_eq!(host("Example.COM"), host("example.com"));
        assert_eq!(host("[2001:DB8::1]"), host("[2001:db8:0:0:0:0:0:1]"));
        assert_eq!(host("[2001:db8:::192.0.2.1]"), host("[2001:db8::192.0.2.1]"));
        assert_ne!(host("[::ffff:192.0.2.1]"), host("192.0.2.1"));
        assert_eq!(host("[::1]").to_string(), "[::1]");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in
            ["", "[", "[]", "[::1", "[::g]", "[1]", "[:::1]", "a b", "2001:db8::1", "[::1%eth0]", "a@b"]
        {
            assert!(Host::new(text).is_err(), "{text}");
        }
        let long = alloc::format!("[{}:::1.2.3.4]", "1".repeat(60));
        assert!(Host::new(&long).is_err());
    }
}
