//! Which address of ours a peer is given: in Via, and in Contact.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::draft::SentVia;
use crate::error::Malformed;
use crate::host::Host;
use crate::transport::flow::Protocol;

/// A host and a port of ours as others are given them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentBy {
    host: Box<str>,
    port: u16,
}

impl SentBy {
    /// A name or an address, an IPv6 one in brackets, and a port.
    ///
    /// # Errors
    /// It is no host.
    pub fn new(host: &str, port: u16) -> Result<Self, Malformed> {
        Host::new(host).map(|_| Self { host: host.into(), port })
    }

    /// The host.
    pub fn host(&self) -> Host<'_> {
        Host::new(&self.host).expect("the host was checked when it was set")
    }

    /// Whether it may be reached by those who reach this address: it is of the same family, or a name.
    fn is_reached_like(&self, local: IpAddr) -> bool {
        self.host().address().is_none_or(|address| address.to_canonical().is_ipv4() == local.is_ipv4())
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for SentBy {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::from(address.ip().to_canonical()).to_string().into(), port: address.port() }
    }
}

impl fmt::Display for SentBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// An address that the shell listens on.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The transport.
    pub protocol: Protocol,
    /// The address, which may be a wildcard. One of IPv6 takes IPv4 as well.
    pub address: SocketAddr,
    /// What others are given instead of the address, such as the outer address of a NAT that maps one to one. An address is
    /// given to peers of its family alone.
    pub advertised: Option<SentBy>,
}

/// Every address that the shell listens on. A handful.
#[derive(Clone, Debug, Default)]
pub struct Listeners(pub Vec<Listener>);

impl Listeners {
    /// Where a peer reaches us that is reached from this address of ours: `sent-by` of Via, host and port of
    /// Contact. Without a listener for it, the address and the default port.
    pub fn sent_by(&self, protocol: Protocol, local: IpAddr) -> SentBy {
        let local = local.to_canonical();
        let fits =
            |listener: &&Listener| listener.protocol == protocol && covers(listener.address.ip(), local);
        match self.0.iter().find(fits) {
            Some(Listener { advertised: Some(advertised), .. }) if advertised.is_reached_like(local) => {
                advertised.clone()
            }
            Some(listener) => SocketAddr::new(local, listener.address.port()).into(),
            None => SocketAddr::new(local, protocol.default_port()).into(),
        }
    }
}

/// Whether a socket that listens on `bound` takes what is sent to `local`.
fn covers(bound: IpAddr, local: IpAddr) -> bool {
    let wildcard = bound.is_unspecified() && (bound.is_ipv6() || local.is_ipv4());
    wildcard || bound.to_canonical() == local
}

/// The request with this Via of ours as its first header (RFC 3261 section 18.1.1); all else stays byte for byte.
/// `None` when there is no start line.
pub(crate) fn with_via(bare: &[u8], via: SentVia<'_>) -> Option<Vec<u8>> {
    let headers = bare.windows(2).position(|two| two == b"\r\n")? + 2;
    let via = via.to_string();
    Some([&bare[..headers], b"Via: ", via.as_bytes(), b"\r\n", &bare[headers..]].concat())
}
