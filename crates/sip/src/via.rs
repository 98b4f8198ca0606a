//! Via (RFC 3261 section 20.42): who sent a request, over what, and where the answer goes.

use core::fmt;
use core::net::IpAddr;

use crate::error::Malformed;
use crate::host::{self, Host};
use crate::lex::{Cursor, is_space, number};
use crate::params::Params;
use crate::value::Value;

/// The beginning of a branch that identifies a transaction by itself (section 8.1.1.7).
pub const COOKIE: &str = "z9hG4bK";

macro_rules! transports {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// A transport, as Via names it. Case does not count.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Transport<'a> {
            $(#[doc = $text] $variant,)*
            /// Any other token.
            Other(&'a str),
        }

        impl<'a> Transport<'a> {
            fn of(text: &'a str) -> Self {
                $(if text.eq_ignore_ascii_case($text) { return Self::$variant; })*
                Self::Other(text)
            }

            /// Its name.
            pub const fn as_str(self) -> &'a str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }
    };
}

transports! {
    Udp = "UDP",
    Tcp = "TCP",
    Tls = "TLS",
    Sctp = "SCTP",
    TlsSctp = "TLS-SCTP",
    Ws = "WS",
    Wss = "WSS",
}

impl fmt::Display for Transport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One element of Via. The protocol's name and version are read and not judged: the start line decides.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    text: &'a [u8],
    /// The transport.
    pub transport: Transport<'a>,
    /// The host of `sent-by`.
    pub host: Host<'a>,
    /// The port of `sent-by`, if it is given.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
}

/// What Via says of the port that the request came from (RFC 3581).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rport {
    /// Nothing: the answer goes to the port of `sent-by`.
    Absent,
    /// The sender requests the response at its source port.
    Asked,
    /// The port, filled in by the receiver.
    Given(u16),
}

impl<'a> Via<'a> {
    /// The element as it came, without white space around it.
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The branch.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.token("branch")
    }

    /// The branch when it identifies the transaction by itself: it has the cookie and something behind it. Without,
    /// a transaction is matched by the rules of RFC 2543 (section 17.2.3).
    pub fn transaction(&self) -> Option<&'a str> {
        let is_cookie = |start: &str| start.eq_ignore_ascii_case(COOKIE);
        self.branch().filter(|branch| branch.len() > COOKIE.len() && branch.get(..7).is_some_and(is_cookie))
    }

    /// The address that the request came from, as its receiver saw it.
    pub fn received(&self) -> Option<IpAddr> {
        self.params.token("received").and_then(host::bare_address)
    }

    /// The port that the request came from.
    pub fn rport(&self) -> Rport {
        match self.params.find("rport") {
            None => Rport::Absent,
            Some(_) => {
                let port = self.params.token("rport").and_then(|port| number(port.as_bytes()));
                let port = port.and_then(|port| u16::try_from(port).ok());
                port.map_or(Rport::Asked, Rport::Given)
            }
        }
    }

    /// The address that answers go to instead of `sent-by`.
    pub fn maddr(&self) -> Option<Host<'a>> {
        self.params.token("maddr").and_then(|host| Host::new(host).ok())
    }
}

impl<'a> Value<'a> for Via<'a> {
    /// `sent-protocol LWS sent-by *( SEMI via-params )`.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        let mark = cursor.mark();
        let slash = Malformed("a slash is missing in the protocol");
        for _ in ["name", "version"] {
            cursor.token()?;
            if !cursor.separator(b'/') {
                return Err(slash);
            }
        }
        let transport = Transport::of(cursor.token()?);
        if cursor.over(is_space).is_empty() {
            return Err(Malformed("white space is missing before sent-by"));
        }
        let host = Host::read(cursor)?;
        let port = host::port(cursor, true)?;
        let params = Params(cursor.params()?);
        if params.has("branch") && params.token("branch").is_none() {
            return Err(Malformed("its branch is empty or a quoted string"));
        }
        if params.is_ambiguous("branch") {
            return Err(Malformed("it has two different branches"));
        }
        Ok(Self { text: cursor.since(mark), transport, host, port, params })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn via(text: &'static str) -> Via<'static> {
        Via::whole(text.as_bytes()).unwrap()
    }

    #[test]
    fn white_space_may_stand_around_slash_and_colon() {
        let via = via("SIP  /    2.0 \r\n  / uDp  [2001:db8::1] : 5070 ; branch=\r\n z9hG4bK-71b ;rport");
        assert_eq!(via.transport, Transport::Udp);
        assert_eq!((via.host.to_string().as_str(), via.port), ("[2001:db8::1]", Some(5070)));
        assert_eq!((via.transaction(), via.rport()), (Some("z9hG4bK-71b"), Rport::Asked));
    }

    #[test]
    fn branch_without_an_identifier_behind_its_cookie_identifies_nothing() {
        assert_eq!(via("SIP/2.0/UDP a;branch=z9hG4bK").transaction(), None);
        assert_eq!(via("SIP/2.0/UDP a;branch=old71").transaction(), None);
        assert_eq!(via("SIP/2.0/UDP a;branch=Z9HG4BKa").transaction(), Some("Z9HG4BKa"));
        assert_eq!(via("SIP/2.0/UDP a").branch(), None);
    }

    #[test]
    fn received_may_have_brackets_or_none() {
        let address = "2001:db8:b:7::255".parse().ok();
        assert_eq!(via("SIP/2.0/UDP a;received=[2001:db8:b:7::255]").received(), address);
        assert_eq!(via("SIP/2.0/UDP a;received=2001:db8:b:7::255;rport=5").received(), address);
        assert_eq!(via("SIP/2.0/UDP a;received=2001:db8:b:7::255;rport=5").rport(), Rport::Given(5));
        assert_eq!(via("SIP/2.0/UDP a;rport=+5").rport(), Rport::Asked);
    }

    #[test]
    fn malformed_elements_are_refused() {
        for wrong in [
            "",
            "SIP/2.0",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP a:",
            "SIP/2.0/UDP a:99999",
            "SIP/2.0/UDP a;;b",
            "SIP/2.0/UDP a;branch",
            "SIP/2.0/UDP a;branch=\"b\"",
            "SIP/2.0/UDP a;branch=b;Branch=c",
        ] {
            assert!(Via::whole(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
