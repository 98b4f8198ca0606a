//! Where a request goes, and over which transport (RFC 3261 section 8.1.2, RFC 3263 section 4). Names are left to
//! the shell, which resolves them.

use core::fmt;

use crate::error::FieldError;
use crate::host::Host;
use crate::message::Request;
use crate::transport::flow::Protocol;
use crate::uri::{Scheme, SipUri, Uri};

/// The next place that a request is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop<'a> {
    /// The transport.
    pub protocol: Protocol,
    /// A name or an address.
    pub host: Host<'a>,
    /// The port.
    pub port: u16,
}

/// Why a request cannot be sent anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unroutable {
    /// The URI is neither `sip:` nor `sips:`.
    Scheme,
    /// The URI requires a transport that this engine does not support.
    Transport,
    /// The URI is `sips:` and requires UDP, which cannot be secured.
    Insecure,
    /// The first Route does not follow its grammar.
    Route(FieldError),
}

impl fmt::Display for Unroutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("a request goes to a sip: or sips: URI only"),
            Self::Transport => f.write_str("the URI requires another transport than UDP, TCP and TLS"),
            Self::Insecure => f.write_str("a sips: URI requires UDP, which cannot be secured"),
            Self::Route(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for Unroutable {}

impl<'a> NextHop<'a> {
    /// That of a request: its first Route, or its Request-URI. Who writes the request has put the URI of a strict
    /// router into its Request-URI (section 12.2.1.1).
    ///
    /// # Errors
    /// It cannot be sent anywhere.
    pub fn of_request(request: &'a Request) -> Result<Self, Unroutable> {
        match request.headers().routes().next() {
            Some(route) => Self::of(route.map_err(Unroutable::Route)?.uri),
            None => Self::of(request.uri()),
        }
    }

    /// That of a URI.
    ///
    /// # Errors
    /// It cannot be sent anywhere.
    pub fn of(uri: Uri<'a>) -> Result<Self, Unroutable> {
        let uri = uri.sip().ok_or(Unroutable::Scheme)?;
        let protocol = protocol(uri)?;
        let maddr = uri.params.value("maddr").and_then(|host| Host::new(host).ok());
        let port = uri.port.unwrap_or(protocol.default_port());
        Ok(Self { protocol, host: maddr.unwrap_or(uri.host), port })
    }
}

/// The transport parameter of a URI, else the transport of its scheme.
fn protocol(uri: SipUri<'_>) -> Result<Protocol, Unroutable> {
    let asked = uri.transport();
    let is = |name: &str| asked.is_some_and(|asked| asked.eq_ignore_ascii_case(name));
    match uri.scheme {
        Scheme::Sips if is("udp") => Err(Unroutable::Insecure),
        Scheme::Sips if asked.is_none() || is("tcp") || is("tls") => Ok(Protocol::TLS),
        Scheme::Sip if asked.is_none() || is("udp") => Ok(Protocol::Udp),
        Scheme::Sip if is("tcp") => Ok(Protocol::TCP),
        Scheme::Sip if is("tls") => Ok(Protocol::TLS),
        Scheme::Sip | Scheme::Sips => Err(Unroutable::Transport),
    }
}
