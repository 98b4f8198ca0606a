//! What a parser makes of a message, in a form in which parsers can be compared.

use core::net::IpAddr;
use std::collections::BTreeMap;

/// A part of a message that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aspect {
    Method,
    RequestUri,
    Status,
    Reason,
    /// Every header, in order: its name in lower case and its value without folding.
    Headers,
    CallId,
    CSeq,
    /// The tags of From and To.
    Tags,
    TopVia,
    Vias,
    Contacts,
    Routes,
    RecordRoutes,
    MaxForwards,
    ContentLength,
    Body,
}

/// What a parser reads of each aspect, as a text.
pub(crate) type Reading = BTreeMap<Aspect, String>;

/// A value that does not follow its grammar in a message that is accepted all the same.
pub(crate) const MALFORMED: &str = "malformed";

/// Bytes in a form that shows all of them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// A value that may be missing.
pub(crate) fn optional(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "-".to_owned(), shown)
}

/// A header: its name in any case, and white space in its value as one space.
pub(crate) fn header(name: &[u8], value: &[u8]) -> String {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
    format!("{}: {}\n", shown(&name.to_ascii_lowercase()), shown(&words.join(&b' ')))
}

/// The elements of a list, or that one of them is malformed.
pub(crate) fn list<E>(elements: impl Iterator<Item = Result<String, E>>) -> String {
    let elements: Result<Vec<String>, E> = elements.collect();
    elements.map_or_else(|_| MALFORMED.to_owned(), |elements| elements.join(" , "))
}

/// One element of Via.
pub(crate) struct Hop<'a> {
    pub(crate) transport: &'a [u8],
    /// An IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) branch: Option<&'a [u8]>,
    pub(crate) received: Option<IpAddr>,
    pub(crate) rport: Rport,
}

pub(crate) enum Rport {
    Absent,
    Asked,
    Given(u16),
}

impl Hop<'_> {
    pub(crate) fn shown(&self) -> String {
        let Self { transport, host, port, branch, received, rport } = self;
        let rport = match rport {
            Rport::Absent => "no rport".to_owned(),
            Rport::Asked => "rport".to_owned(),
            Rport::Given(port) => format!("rport={port}"),
        };
        let transport = shown(&transport.to_ascii_uppercase());
        format!("{transport} {host} {port:?} {} {received:?} {rport}", optional(*branch))
    }
}
