//! Whether a name of a certificate is the name that was asked for (RFC 6125 section 6.4, RFC 9110 section 4.3.4).
//! Pure; it reads no certificate.

use std::net::IpAddr;

use openssl::x509::GeneralNameRef;

/// Whether `own`, a subject alternative name, is valid for `name`.
pub(super) fn is_name(own: &GeneralNameRef, name: &str) -> bool {
    match name.parse::<IpAddr>() {
        Ok(address) => own.ipaddress().is_some_and(|bytes| is_address(bytes, address)),
        Err(_) => own.dnsname().is_some_and(|pattern| is_host(pattern, name)),
    }
}

fn is_address(bytes: &[u8], address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => bytes == address.octets(),
        IpAddr::V6(address) => bytes == address.octets(),
    }
}

/// Whether a host name fits a pattern: the same, or with one label in place of a leading `*`.
fn is_host(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return false;
    }
    match pattern.strip_prefix("*.") {
        // At least two labels are left, so that no certificate is for all of a top-level domain.
        Some(domain) => {
            domain.contains('.')
                && host
                    .split_once('.')
                    .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain))
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_fits_the_same_name_and_one_label_in_place_of_a_star() {
        let check =
            |pattern, host, expected| assert_eq!(is_host(pattern, host), expected, "{pattern} {host}");
        check("conf.example.com", "CONF.example.com", true);
        check("conf.example.com", "conf.example.com.", true);
        check("conf.example.com", "b.example.com", false);
        check("*.example.com", "conf.example.com", true);
        check("*.example.com", "a.b.example.com", false);
        check("*.example.com", "example.com", false);
        check("*.example.com", ".example.com", false);
        check("*.com", "example.com", false);
        check("c*.example.com", "conf.example.com", false);
        check("", "", false);
    }

    #[test]
    fn address_is_compared_as_bytes() {
        assert!(is_address(&[10, 0, 0, 1], "10.0.0.1".parse().unwrap()));
        assert!(!is_address(&[10, 0, 0, 2], "10.0.0.1".parse().unwrap()));
        assert!(!is_address(&[10, 0, 0, 1], "::10.0.0.1".parse().unwrap()));
    }
}
