//! When two URIs are the same (RFC 3261 section 19.1.4, RFC 5954 section 4, RFC 3966 section 4).
//!
//! The relation is no equality in the sense of `Eq`: parameters that one side lacks are ignored, so that two URIs may
//! both match a third and not each other.

use crate::escape;
use crate::uri::{SipUri, TelUri, Uri, UriHeaders, UriParams, is_visual};

/// The parameters that are never ignored when one URI lacks them. `transport` is among them by the examples of the
/// section, not by its text.
const NEVER_IGNORED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

impl Uri<'_> {
    /// Whether the two are the same URI.
    ///
    /// Takes time in proportion to the product of the numbers of parameters, which [`crate::limits::PARAMETERS`]
    /// bounds.
    pub fn matches(self, other: Uri<'_>) -> bool {
        match (self, other) {
            (Self::Sip(one), Uri::Sip(other)) => same_sip(one, other),
            (Self::Tel(one), Uri::Tel(other)) => same_tel(one, other),
            (Self::Other(one), Uri::Other(other)) => same_other(one, other),
            (Self::Sip(_) | Self::Tel(_) | Self::Other(_), _) => false,
        }
    }
}

fn same_sip(one: SipUri<'_>, other: SipUri<'_>) -> bool {
    one.scheme == other.scheme
        && one.host == other.host
        && one.port == other.port
        && same_part(one.user, other.user)
        && same_part(one.password, other.password)
        && same_params(one.params, other.params)
        && same_headers(one.headers, other.headers)
}

fn same_part(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => escape::same(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn same_value(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => escape::same_in_any_case(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn same_params(one: UriParams<'_>, other: UriParams<'_>) -> bool {
    let both =
        one.iter().all(|(name, value)| other.find(name).is_none_or(|(_, found)| same_value(value, found)));
    both && NEVER_IGNORED.iter().all(|name| one.has(name) == other.has(name))
}

/// Headers are never ignored, and their order has no meaning.
fn same_headers(one: UriHeaders<'_>, other: UriHeaders<'_>) -> bool {
    let all_in = |some: UriHeaders<'_>, others: UriHeaders<'_>| {
        some.iter().all(|(name, value)| {
            let mut others = others.iter();
            others.any(|(found, other)| escape::same_in_any_case(name, found) && escape::same(value, other))
        })
    };
    one.iter().count() == other.iter().count() && all_in(one, other) && all_in(other, one)
}

fn same_tel(one: TelUri<'_>, other: TelUri<'_>) -> bool {
    let same_number = digits(one).eq(digits(other));
    let all_in = |some: UriParams<'_>, others: UriParams<'_>| {
        some.iter().all(|(name, value)| others.find(name).is_some_and(|(_, found)| same_value(value, found)))
    };
    same_number && all_in(one.params, other.params) && all_in(other.params, one.params)
}

/// The digits of a number, without its visual separators.
fn digits(uri: TelUri<'_>) -> impl Iterator<Item = u8> {
    uri.number.bytes().filter(|byte| !is_visual(*byte)).map(|byte| byte.to_ascii_lowercase())
}

fn same_other(one: &str, other: &str) -> bool {
    match (one.split_once(':'), other.split_once(':')) {
        (Some((scheme, rest)), Some((other_scheme, other_rest))) => {
            scheme.eq_ignore_ascii_case(other_scheme) && rest == other_rest
        }
        (Some(_) | None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &str, other: &str, expected: bool) {
        let (one, other) = (Uri::new(one.as_bytes()).unwrap(), Uri::new(other.as_bytes()).unwrap());
        assert_eq!(one.matches(other), expected, "{one} and {other}");
        assert_eq!(other.matches(one), expected, "{other} and {one}");
    }

    #[test]
    fn equal_uris_of_section_19_1_4_are_equal() {
        check("sip:%69da@clinic.example;transport=TCP", "sip:ida@CliNic.ExAmPle;Transport=tcp", true);
        check("sip:desk@video.example", "sip:desk@video.example;room=7", true);
        check("sip:desk@video.example", "sip:desk@video.example;shift=late", true);
        check("sip:desk@video.example;room=7", "sip:desk@video.example;shift=late", true);
        check(
            "sip:gate.example;transport=tcp;method=REGISTER?to=sip:porter%40gate.example",
            "sip:gate.example;method=REGISTER;transport=tcp?to=sip:porter%40gate.example",
            true,
        );
        check(
            "sip:ida@clinic.example?subject=round%20b&priority=urgent",
            "sip:ida@clinic.example?priority=urgent&subject=round%20b",
            true,
        );
    }

    #[test]
    fn different_uris_of_section_19_1_4_are_different() {
        check("SIP:IDA@CliNic.ExAmPle;Transport=udp", "sip:ida@CliNic.ExAmPle;Transport=UDP", false);
        check("sip:porter@gate.example", "sip:porter@gate.example:5060", false);
        check("sip:porter@gate.example", "sip:porter@gate.example;transport=udp", false);
        check("sip:porter@gate.example", "sip:porter@gate.example:6000;transport=tcp", false);
        check("sip:desk@video.example", "sip:desk@video.example?Subject=next%20round", false);
        check("sip:porter@phone9.gate.example", "sip:porter@192.0.2.77", false);
        check("sip:desk@video.example;shift=late", "sip:desk@video.example;shift=early", false);
        check("sip:desk@video.example;lr", "sip:desk@video.example;lr=on", false);
        check("sip:ida@a.example", "sips:ida@a.example", false);
        check("sip:ida@a.example", "sip:ida:secret@a.example", false);
        check("sip:ida@a.example", "sip:a.example", false);
        check("sip:a@b?x=1&x=1", "sip:a@b?x=1&y=2", false);
    }

    #[test]
    fn addresses_numbers_and_other_schemes_are_compared_by_what_they_mean() {
        check("sip:a@[2001:db8::7:04]", "sip:a@[2001:DB8:0:0:0:0:7:4]", true);
        check("tel:+49-30-100-42", "TEL:+49(30)10042", true);
        check("tel:300-42;phone-context=+49-30", "tel:30042", false);
        check("tel:+1", "tel:1", false);
        check("tel:+1", "sip:+1@a.example", false);
        check("HTTP://a.example/B", "http://a.example/B", true);
        check("http://a.example/B", "http://a.example/b", false);
    }
}
