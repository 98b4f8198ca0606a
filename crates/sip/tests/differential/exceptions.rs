//! Where our parser and another are known to differ, each with what decides for ours. An exception that does not occur
//! in the messages of the gate fails the test, so that none outlives its cause.

use sip::address::Address;
use sip::error::{Fault, FieldError};
use sip::fields::{Contacts, Fields};
use sip::limits::Limit;
use sip::name::Name;
use sip::params::Params;
use sip::uri::Uri;
use sip::via::Via;

use crate::reading::{Aspect, MALFORMED};

/// How two parsers differ about a message.
#[derive(Clone, Debug)]
pub(crate) enum Difference {
    /// The other one refuses what ours accepts, and why.
    Refused(String),
    /// Ours refuses what the other one accepts.
    Accepted(Fault),
    /// They read another thing.
    Read { aspect: Aspect, ours: String, theirs: String },
}

/// A difference and the message.
pub(crate) struct Case<'a> {
    pub(crate) bytes: &'a [u8],
    /// The headers, as ours has them.
    pub(crate) fields: &'a Fields,
    pub(crate) difference: &'a Difference,
}

/// A kind of difference. Where ours reads beyond the grammar, decision 28 says so.
pub(crate) struct Exception {
    /// What the messages have in common, and what ours makes of them.
    pub(crate) what: &'static str,
    /// The section that decides for ours, or that ours reads beyond.
    pub(crate) source: &'static str,
    pub(crate) holds: fn(&Case<'_>) -> bool,
}

const fn exception(what: &'static str, source: &'static str, holds: fn(&Case<'_>) -> bool) -> Exception {
    Exception { what, source, holds }
}

/// Those of sipx-sip.
pub(crate) const SIPX: [Exception; 22] = [
    exception("hops beyond 255 are 255", "RFC 4475 3.1.2.4 leaves it open", |case| {
        refused(case, "Max-Forwards") && matches!(case.fields.max_forwards(), Ok(Some(hops)) if hops.0 == 255)
    }),
    exception("CSeq from 2^31 on is read", "RFC 3261 8.1.1.5 binds who sends it", |case| {
        refused(case, "CSeq")
            && case
                .fields
                .value(Name::CSeq)
                .is_some_and(|value| number(value).is_some_and(|number| number >> 31 == 1))
    }),
    exception("white space stands around the colon of sent-by", "RFC 3261 25.1, COLON", |case| {
        refused(case, "Via") && case.fields.vias().flatten().any(|via| has_spaced_port(via.text()))
    }),
    exception("a port has zeros in front", "RFC 3261 25.1, port", |case| {
        let long = |text: &[u8]| longest_number(text) > 5;
        refused(case, "") && long(case.bytes)
            || misread(case).is_some_and(|name| case.fields.values(name).any(long))
    }),
    exception(
        "a value is not quoted and has other characters than a token, or none",
        "RFC 3261 25.1, gen-value; read beyond it",
        |case| concerned(case).is_some_and(|name| parameters(case.fields, name).into_iter().any(is_wide)),
    ),
    exception(
        "a display name has no quotes and other characters than tokens",
        "RFC 3261 25.1, display-name; read beyond it",
        |case| {
            let wide = |address: &Address<'_>| {
                !address.text().starts_with(b"\"") && has_wide_name(&address.display_name())
            };
            concerned(case).is_some_and(|name| addresses(case.fields, name).iter().any(wide))
        },
    ),
    exception("a user part has a #", "RFC 3261 25.1, user; read beyond it", |case| {
        let has_hash =
            |uri: Uri<'_>| uri.sip().and_then(|uri| uri.user).is_some_and(|user| user.contains('#'));
        refused_uris(case).into_iter().any(has_hash)
    }),
    exception(
        "a parameter of a URI stands twice and decides nothing",
        "RFC 3261 19.1.1; read beyond it",
        |case| refused_uris(case).into_iter().any(repeats),
    ),
    exception("a head exceeds a limit", "RFC 3261 21.5.7 and 21.4.12", |case| {
        matches!(case.difference, Difference::Accepted(Fault::TooLarge(Limit::Head | Limit::StartLine)))
    }),
    exception("a start line is folded", "RFC 3261 7.3.1: a header is", |case| {
        matches!(case.difference, Difference::Accepted(Fault::Line(_))) && starts_folded(case.bytes)
    }),
    exception("a Call-ID has several words or other characters", "RFC 3261 25.1, callid", |case| {
        fault(case, Name::CallId, &["more than is expected", "a character that no word has"])
    }),
    exception("a part of the protocol in Via is no token", "RFC 3261 25.1, sent-protocol", |case| {
        fault(case, Name::Via, &["a slash is missing", "a token is missing", "white space is missing"])
    }),
    exception("a part of a URI has a character that must be escaped", "RFC 3261 25.1, SIP-URI", |case| {
        wrong(case).is_some_and(|error| {
            error.why.0.contains("of a URI is wrong") || error.why.0.contains("in a URI")
        }) || matches!(case.difference, Difference::Accepted(Fault::StartLine(why)) if why.0.contains("URI"))
    }),
    exception("a tag is empty, quoted, or one of two", "RFC 3261 25.1, tag-param, and 7.3.1", |case| {
        [Name::From, Name::To].iter().any(|name| fault(case, *name, &["its tag", "two different tags"]))
    }),
    exception("a branch is empty, quoted, or one of two", "RFC 3261 25.1, via-branch, and 7.3.1", |case| {
        fault(case, Name::Via, &["its branch", "two different branches"])
    }),
    exception("Max-Forwards stands several times in a response", "RFC 3261 7.3.1", |case| {
        case.bytes.to_ascii_lowercase().starts_with(b"sip/")
            && fault(case, Name::MaxForwards, &["several times"])
    }),
    exception("n is no compact form of a header in use", "RFC 8224 removes Identity-Info", |case| {
        headers(case).is_some_and(|(ours, theirs)| {
            format!("\n{theirs}").replace("\nidentity-info: ", "\nn: ") == format!("\n{ours}")
        })
    }),
    exception(
        "a quoted string in received or rport is none",
        "RFC 3261 25.1, via-received, and RFC 3581",
        |case| {
            let quoted = |via: &Via<'_>, name| {
                via.params
                    .find(name)
                    .and_then(|param| param.value)
                    .is_some_and(|value| value.starts_with(b"\""))
            };
            of_vias(case)
                && case.fields.vias().flatten().any(|via| quoted(&via, "received") || quoted(&via, "rport"))
        },
    ),
    exception("a URI without brackets has a comma", "RFC 3261 20.20 and 20.39", |case| {
        let words = ["more than is expected", "a host is missing"];
        [Name::From, Name::To].iter().any(|name| {
            fault(case, *name, &words) && case.fields.values(*name).any(|value| value.contains(&b','))
        })
    }),
    exception("a Contact is a star and an address", "RFC 3261 25.1, Contact", |case| {
        wrong(case).is_some_and(|error| error.name == Name::Contact)
            && case.fields.values(Name::Contact).any(|value| value == b"*")
    }),
    exception("a scheme begins with no letter", "RFC 3261 25.1, scheme", |case| {
        wrong(case).is_some_and(|error| {
            error.why.0 == "a URI has no scheme" && case.fields.values(error.name).any(begins_with_no_letter)
        })
    }),
    exception(
        "a comma stands in parentheses, which are no comment there",
        "RFC 3261 25.1, Contact",
        |case| {
            concerned(case)
                .or_else(|| wrong(case).map(|error| error.name))
                .is_some_and(|name| case.fields.values(name).any(|value| value.contains(&b'(')))
        },
    ),
];

/// Those of rsipstack.
pub(crate) const RSIPSTACK: [Exception; 7] = [
    exception(
        "headers behind a byte that is not UTF-8 are kept",
        "RFC 3261 7.3.1: any header goes on",
        |case| head(case.bytes).is_err(),
    ),
    exception("white space beside an equals sign is none of the value", "RFC 3261 25.1, EQUAL", |case| {
        let spaced = |text: &[u8]| unfolded(text).windows(2).any(|pair| pair == b" =" || pair == b"= ");
        let names: &[Name] = if of_vias(case) { &[Name::Via] } else { &[Name::From, Name::To] };
        of_vias_or_tags(case) && names.iter().any(|name| case.fields.values(*name).any(spaced))
    }),
    exception(
        "a value that begins on another line begins with no space",
        "RFC 3261 7.3.1 and 25.1, HCOLON",
        |case| matches!(case.difference, Difference::Read { aspect: Aspect::CallId, ours, theirs } if theirs.trim() == ours),
    ),
    exception("white space stands around the colon of sent-by", "RFC 3261 25.1, COLON", |case| {
        of_vias(case) && case.fields.vias().flatten().any(|via| has_spaced_port(via.text()))
    }),
    exception("a, d, j, u and y are compact forms", "RFC 3841, RFC 4474 and RFC 6665", |case| {
        headers(case).is_some_and(|(ours, theirs)| {
            let mut pairs = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs);
            let value = |line: &str| line.split_once(": ").map(|(_, value)| value.to_owned());
            pairs
                .all(|(ours, theirs)| theirs.as_bytes().get(1) == Some(&b':') && value(ours) == value(theirs))
        })
    }),
    exception("a port has no sign", "RFC 3581, response-port", |case| {
        let signed = |via: &Via<'_>| via.params.token("rport").is_some_and(|port| port.starts_with('+'));
        of_vias(case) && case.fields.vias().flatten().any(|via| signed(&via))
    }),
    exception("received may stand in brackets", "RFC 5118 4.5", |case| {
        of_vias(case)
            && case
                .fields
                .vias()
                .flatten()
                .any(|via| via.params.token("received").is_some_and(|text| text.starts_with('[')))
    }),
];

fn of_vias(case: &Case<'_>) -> bool {
    matches!(case.difference, Difference::Read { aspect: Aspect::TopVia | Aspect::Vias, .. })
}

fn of_vias_or_tags(case: &Case<'_>) -> bool {
    of_vias(case) || matches!(case.difference, Difference::Read { aspect: Aspect::Tags, .. })
}

/// Whether the other one refuses the message for a reason with these words.
fn refused(case: &Case<'_>, words: &str) -> bool {
    matches!(case.difference, Difference::Refused(why) if why.contains(words))
}

/// The header that the other one cannot read, and ours can.
fn concerned(case: &Case<'_>) -> Option<Name> {
    match case.difference {
        Difference::Refused(why) => {
            let names = [("Via", Name::Via), ("From", Name::From), ("\"To\"", Name::To)];
            names.into_iter().find(|(word, _)| why.contains(word)).map(|(_, name)| name)
        }
        Difference::Read { .. } => misread(case),
        Difference::Accepted(_) => None,
    }
}

fn misread(case: &Case<'_>) -> Option<Name> {
    match case.difference {
        Difference::Read { aspect: Aspect::Contacts, theirs, .. } if theirs == MALFORMED => {
            Some(Name::Contact)
        }
        Difference::Read { aspect: Aspect::Routes, theirs, .. } if theirs == MALFORMED => Some(Name::Route),
        Difference::Read { aspect: Aspect::RecordRoutes, theirs, .. } if theirs == MALFORMED => {
            Some(Name::RecordRoute)
        }
        Difference::Read { .. } | Difference::Refused(_) | Difference::Accepted(_) => None,
    }
}

/// What ours finds wrong with a header.
fn wrong(case: &Case<'_>) -> Option<FieldError> {
    match case.difference {
        Difference::Accepted(Fault::Field(error)) => Some(*error),
        Difference::Read { aspect: Aspect::Contacts, .. } => listed(case.fields).err(),
        Difference::Read { aspect: Aspect::Routes, .. } => case.fields.routes().all().err(),
        Difference::Read { aspect: Aspect::RecordRoutes, .. } => case.fields.record_routes().all().err(),
        Difference::Accepted(_) | Difference::Read { .. } | Difference::Refused(_) => None,
    }
}

/// Whether ours finds that wrong with a header, in one of these words.
fn fault(case: &Case<'_>, name: Name, words: &[&str]) -> bool {
    wrong(case)
        .is_some_and(|error| error.name == name && words.iter().any(|words| error.why.0.contains(words)))
}

fn headers<'a>(case: &Case<'a>) -> Option<(&'a str, &'a str)> {
    match case.difference {
        Difference::Read { aspect: Aspect::Headers, ours, theirs } => Some((ours, theirs)),
        Difference::Read { .. } | Difference::Refused(_) | Difference::Accepted(_) => None,
    }
}

fn listed(fields: &Fields) -> Result<Vec<Address<'_>>, FieldError> {
    match fields.contacts() {
        Contacts::All => Ok(Vec::new()),
        Contacts::Listed(contacts) => contacts.all(),
    }
}

/// The addresses of a header, none for Via.
fn addresses(fields: &Fields, name: Name) -> Vec<Address<'_>> {
    if name == Name::Via {
        return Vec::new();
    }
    let found = if name == Name::Contact { listed(fields) } else { fields.list(name).all() };
    found.unwrap_or_default()
}

/// The URIs among which the other one has found one that it does not read.
fn refused_uris<'a>(case: &Case<'a>) -> Vec<Uri<'a>> {
    if refused(case, "start line") {
        let uri = case.bytes.split(|byte| *byte == b' ').nth(1);
        return uri.and_then(|uri| Uri::new(uri).ok()).into_iter().collect();
    }
    let addresses = concerned(case).map(|name| addresses(case.fields, name)).unwrap_or_default();
    addresses.into_iter().map(|address| address.uri).collect()
}

/// The values of all parameters of a header, as they came.
fn parameters(fields: &Fields, name: Name) -> Vec<&[u8]> {
    let vias = fields.vias().flatten().filter(|_| name == Name::Via).map(|via| via.params);
    let params = vias.chain(addresses(fields, name).into_iter().map(|address| address.params));
    params.flat_map(Params::iter).filter_map(|param| param.value).collect()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

fn is_wide(value: &[u8]) -> bool {
    let narrow = |byte: &u8| is_token(*byte) || b"[]:/".contains(byte);
    !value.starts_with(b"\"") && (value.is_empty() || !value.iter().all(narrow))
}

fn has_wide_name(name: &[u8]) -> bool {
    !name.iter().all(|byte| is_token(*byte) || b" \t".contains(byte))
}

fn repeats(uri: Uri<'_>) -> bool {
    let Some(uri) = uri.sip() else { return false };
    let names: Vec<Vec<u8>> =
        uri.params.iter().map(|(name, _)| sip::escape::decoded(name).to_ascii_lowercase()).collect();
    names.iter().enumerate().any(|(at, name)| names[..at].contains(name))
}

/// White space as one space.
fn unfolded(text: &[u8]) -> Vec<u8> {
    let words = text.split(|byte| b" \t\r\n".contains(byte)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

fn has_spaced_port(via: &[u8]) -> bool {
    let sent_by = unfolded(via.split(|byte| *byte == b';').next().unwrap_or_default());
    sent_by.windows(2).any(|pair| pair == b" :" || pair == b": ")
}

/// Whether a URI, in brackets or without, begins with something else than a letter.
fn begins_with_no_letter(value: &[u8]) -> bool {
    let mut places = value.split(|byte| *byte == b'<').filter_map(<[u8]>::first);
    places.any(|first| !first.is_ascii_alphabetic() && *first != b'"')
}

fn number(text: &[u8]) -> Option<u64> {
    let digits: Vec<u8> = text.iter().copied().take_while(u8::is_ascii_digit).collect();
    String::from_utf8(digits).ok()?.parse().ok()
}

fn longest_number(text: &[u8]) -> usize {
    text.split(|byte| !byte.is_ascii_digit()).map(<[u8]>::len).max().unwrap_or(0)
}

fn starts_folded(bytes: &[u8]) -> bool {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n");
    end.and_then(|end| bytes.get(end + 2)).is_some_and(|byte| b" \t".contains(byte))
}

fn head(bytes: &[u8]) -> Result<&str, core::str::Utf8Error> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end])
}
