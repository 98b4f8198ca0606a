//! The forms of texts: lengths, addresses, names.

use std::net::{IpAddr, Ipv4Addr};

use edge::text::is_hidden;
use fleet::version::Version;

/// The allowed form of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Text of at most so many characters; it may be empty.
    Text(usize),
    /// Text of one or more lines, of one to so many characters.
    Lines(usize),
    /// Text of one to so many visible characters, on one line.
    Name(usize),
    /// A name that is also part of a file name: without a slash, and not `.` or `..`.
    FileName(usize),
    /// A label of the domain name system (RFC 1123 section 2.1): letters, digits, hyphens.
    Hostname,
    /// Labels joined with dots, at most 192 characters.
    Domain,
    /// An IP address, not necessarily of this platform's network.
    Address,
    /// An IPv6 address of one machine.
    Ipv6Address,
    /// An IPv4 netmask: ones, then zeros.
    Netmask,
    /// The version of a release, such as `34.1`.
    Version,
}

/// The longest domain, in characters, as in the compatible API.
const DOMAIN_LENGTH: usize = 192;

/// The longest label of a name, in characters (RFC 1035 section 2.3.4).
const LABEL_LENGTH: usize = 63;

/// The longest version, in characters: two numbers of 16 bits and a dot.
const VERSION_LENGTH: usize = 11;

/// The message for a name with invisible characters, which may look like another.
const UNSEEN: &str = "Leave characters out that cannot be seen.";

/// The one way to write a text of this shape, so that the same address is not registered twice.
pub(crate) fn canonical(text: &str, shape: Shape) -> String {
    match shape {
        Shape::Address | Shape::Ipv6Address => {
            text.parse().map_or_else(|_| text.into(), |address: IpAddr| address.to_string())
        }
        Shape::Version => text.parse().map_or_else(|_| text.into(), |version: Version| version.to_string()),
        Shape::Text(_)
        | Shape::Lines(_)
        | Shape::Name(_)
        | Shape::FileName(_)
        | Shape::Hostname
        | Shape::Domain
        | Shape::Netmask => text.into(),
    }
}

/// Checks that a text has this shape; the error is the message for its field.
pub(crate) fn validate(text: &str, shape: Shape) -> Result<(), String> {
    let longest = match shape {
        Shape::Text(longest) | Shape::Lines(longest) | Shape::Name(longest) | Shape::FileName(longest) => {
            longest
        }
        Shape::Hostname => LABEL_LENGTH,
        Shape::Domain => DOMAIN_LENGTH,
        Shape::Address | Shape::Ipv6Address | Shape::Netmask => 45,
        Shape::Version => VERSION_LENGTH,
    };
    let length = text.chars().count();
    if length > longest {
        return Err(format!("Ensure this value has at most {longest} characters (it has {length})."));
    }
    let breaks = if let Shape::Lines(_) = shape { &['\n', '\r', '\t'][..] } else { &[] };
    if text.chars().any(|char| char.is_control() && !breaks.contains(&char)) {
        return Err("Leave line breaks and control characters out.".into());
    }
    let refuse = |good: bool, message: &str| if good { Ok(()) } else { Err(message.to_string()) };
    if let Shape::Text(_) = shape {
        return Ok(());
    }
    if text.is_empty() {
        return Err("This field may not be blank.".into());
    }
    match shape {
        Shape::Text(_) | Shape::Lines(_) => Ok(()),
        Shape::Name(_) => refuse(!text.contains(is_hidden), UNSEEN),
        Shape::FileName(_) if text.contains(is_hidden) => Err(UNSEEN.into()),
        Shape::FileName(_) => refuse(
            !text.contains('/') && text != "." && text != "..",
            "Leave slashes out, and enter another name than . or ..; the enrolment file is named after the node.",
        ),
        Shape::Hostname => refuse(is_label(text), "Enter a host name of letters, digits and hyphens."),
        Shape::Domain => refuse(text.split('.').all(is_label), "Enter a domain such as example.com."),
        Shape::Address => refuse(is_host_address(text), "Enter the IP address of one machine."),
        Shape::Ipv6Address => {
            refuse(is_host_address(text) && text.contains(':'), "Enter the IPv6 address of one machine.")
        }
        Shape::Netmask => refuse(is_netmask(text), "Enter a netmask such as 255.255.255.0."),
        Shape::Version => refuse(text.parse::<Version>().is_ok(), "Enter a version such as 34.1."),
    }
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LABEL_LENGTH).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_host_address(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(address)) => {
            !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast()
        }
        Ok(IpAddr::V6(address)) => !address.is_unspecified() && !address.is_multicast(),
        Err(_) => false,
    }
}

fn is_netmask(text: &str) -> bool {
    let mask = text.parse().map(|mask: Ipv4Addr| u32::from_be_bytes(mask.octets()));
    mask.is_ok_and(|mask| mask != 0 && mask.leading_ones() + mask.trailing_zeros() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_has_the_shape_it_should() {
        let check =
            |text: &str, shape, expected| assert_eq!(validate(text, shape).is_ok(), expected, "{text:?}");
        check("", Shape::Text(250), true);
        check("", Shape::Name(32), false);
        check(&"n".repeat(32), Shape::Name(32), true);
        check(&"ü".repeat(32), Shape::Name(32), true);
        check(&"n".repeat(33), Shape::Name(32), false);
        check("one\ntwo", Shape::Name(32), false);
        check("one\u{202e}two", Shape::Name(32), false);
        check("3rd floor/left", Shape::Name(32), true);
        check("lon-1", Shape::FileName(32), true);
        check("London, rack 3", Shape::FileName(32), true);
        check("lon/1", Shape::FileName(32), false);
        check("../lon-1", Shape::FileName(32), false);
        check(".", Shape::FileName(32), false);
        check("..", Shape::FileName(32), false);
        check("", Shape::FileName(32), false);
        check(&"n".repeat(33), Shape::FileName(32), false);
        check("lon\u{1b}1", Shape::FileName(32), false);
        check("lon\u{202e}1", Shape::FileName(32), false);
        check("node-1", Shape::Hostname, true);
        check("node_1", Shape::Hostname, false);
        check("-node", Shape::Hostname, false);
        check("example.com", Shape::Domain, true);
        check("example..com", Shape::Domain, false);
        check("10.0.0.1", Shape::Address, true);
        check("2001:db8::1", Shape::Address, true);
        check("2001:db8::1", Shape::Ipv6Address, true);
        check("10.0.0.1", Shape::Ipv6Address, false);
        check("0.0.0.0", Shape::Address, false);
        check("224.0.0.1", Shape::Address, false);
        check("10.0.0.256", Shape::Address, false);
        check("255.255.254.0", Shape::Netmask, true);
        check("255.255.255.255", Shape::Netmask, true);
        check("255.0.255.0", Shape::Netmask, false);
        check("34.1", Shape::Version, true);
        check("34", Shape::Version, true);
        check("34.1.2", Shape::Version, false);
        check("v34", Shape::Version, false);
        assert_eq!(canonical("34.0", Shape::Version), canonical("34", Shape::Version));
    }
}
