//! URIs (RFC 3261 section 19.1): `sip:` and `sips:` in their parts, `tel:` (RFC 3966), others as text. A URI stays as
//! it came, escapes included.

use alloc::borrow::Cow;
use core::fmt;

use crate::error::Malformed;
use crate::escape;
use crate::host::{self, Host};
use crate::lex::{Cursor, ascii};
use crate::limits;

/// A URI.
#[derive(Clone, Copy, Debug)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip(SipUri<'a>),
    /// `tel:`.
    Tel(TelUri<'a>),
    /// Any other scheme, as text.
    Other(&'a str),
}

/// The scheme of a SIP URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`.
    Sip,
    /// `sips:`.
    Sips,
}

/// A `sip:` or `sips:` URI.
#[derive(Clone, Copy, Debug)]
pub struct SipUri<'a> {
    text: &'a str,
    /// Which of the two.
    pub scheme: Scheme,
    /// The user part, escapes as they came, parameters of a telephone number included.
    pub user: Option<&'a str>,
    /// The password, escapes as they came.
    pub password: Option<&'a str>,
    /// The host.
    pub host: Host<'a>,
    /// The port, if it is given.
    pub port: Option<u16>,
    /// The parameters.
    pub params: UriParams<'a>,
    /// The headers behind `?`, which have no meaning in a Request-URI (section 19.1.1).
    pub headers: UriHeaders<'a>,
}

/// A `tel:` URI.
#[derive(Clone, Copy, Debug)]
pub struct TelUri<'a> {
    text: &'a str,
    /// The number, visual separators included.
    pub number: &'a str,
    /// The parameters.
    pub params: UriParams<'a>,
}

/// `;name=value` behind a URI, escapes as they came. A name that stands twice counts where it stands first; where it
/// has a meaning in RFC 3261 and another value, the URI is refused.
#[derive(Clone, Copy, Debug)]
pub struct UriParams<'a>(&'a str);

/// `?name=value&name=value` behind a URI, escapes as they came.
#[derive(Clone, Copy, Debug)]
pub struct UriHeaders<'a>(&'a str);

impl<'a> Uri<'a> {
    /// Reads a whole text as a URI.
    ///
    /// # Errors
    /// It is none: a byte that is not allowed, a part that is missing, too many parameters.
    pub fn new(text: &'a [u8]) -> Result<Self, Malformed> {
        crate::steps::count(text.len());
        if !text.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"')) {
            return Err(Malformed("a URI has a byte that must be escaped in it"));
        }
        let text = ascii(text);
        let (scheme, rest) = text.split_once(':').ok_or(Malformed("a URI has no scheme"))?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(letters) {
            return Err(Malformed("a URI has no scheme"));
        }
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        if is("sip") || is("sips") {
            let scheme = if is("sip") { Scheme::Sip } else { Scheme::Sips };
            sip(text, scheme, rest).map(Self::Sip)
        } else if is("tel") {
            tel(text, rest).map(Self::Tel)
        } else if rest.is_empty() {
            Err(Malformed("a URI has nothing behind its scheme"))
        } else if !escape::is_valid(rest.as_bytes(), |byte| byte != b'%') {
            Err(Malformed("an escape of a URI is wrong"))
        } else {
            Ok(Self::Other(text))
        }
    }

    /// The URI as it came.
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Sip(uri) => uri.text,
            Self::Tel(uri) => uri.text,
            Self::Other(text) => text,
        }
    }

    /// The URI without the headers behind `?`: what a request to it has in its start line (section 19.1.5).
    pub fn without_headers(self) -> &'a str {
        let headers = self.sip().map_or(0, |uri| uri.headers.0.len());
        let text = self.as_str();
        &text[..text.len() - headers]
    }

    /// The SIP URI, if it is one.
    pub const fn sip(self) -> Option<SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Tel(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> SipUri<'a> {
    /// The user part with its escapes decoded: what a name is looked up by. It may hold any byte.
    pub fn decoded_user(self) -> Option<Cow<'a, [u8]>> {
        self.user.map(escape::decoded)
    }

    /// The user part without the parameters of a telephone number (`8000;phone-context=…`, section 19.1.6), its
    /// escapes decoded.
    pub fn decoded_number(self) -> Option<Cow<'a, [u8]>> {
        self.user.map(|user| escape::decoded(user.split_once(';').map_or(user, |(number, _)| number)))
    }

    /// Its transport parameter, in any case.
    pub fn transport(self) -> Option<&'a str> {
        self.params.value("transport")
    }

    /// Whether it names a loose router (section 19.1.1).
    pub fn is_loose(self) -> bool {
        self.params.has("lr")
    }
}

/// `mark`, and the letters and digits: `unreserved`.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

/// `unreserved` and `user-unreserved`, and `#`, which phones send as it is in dialled codes.
pub(crate) const fn is_user(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/' | b'#')
}

const fn is_password(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',')
}

const fn is_param(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

const fn is_header(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$')
}

/// `[ userinfo ] hostport uri-parameters [ headers ]`.
fn sip<'a>(text: &'a str, scheme: Scheme, rest: &'a str) -> Result<SipUri<'a>, Malformed> {
    // No other part of a SIP URI may hold an `@` that is not escaped.
    let (info, rest) = rest.split_once('@').map_or((None, rest), |(info, rest)| (Some(info), rest));
    let info = info.map(userinfo).transpose()?;
    let (user, password) = info.map_or((None, None), |(user, password)| (Some(user), password));
    let mut cursor = Cursor::new(rest.as_bytes());
    let host = Host::read(&mut cursor)?;
    let port = host::port(&mut cursor, false)?;
    let params = UriParams::new(ascii(cursor.over(|byte| byte != b'?')))?;
    let headers = UriHeaders::new(ascii(cursor.rest()))?;
    Ok(SipUri { text, scheme, user, password, host, port, params, headers })
}

/// `user [ ":" password ]`.
fn userinfo(text: &str) -> Result<(&str, Option<&str>), Malformed> {
    let split = text.split_once(':');
    let (user, password) = split.map_or((text, None), |(user, password)| (user, Some(password)));
    let user_fits = !user.is_empty() && escape::is_valid(user.as_bytes(), is_user);
    if user_fits && password.is_none_or(|password| escape::is_valid(password.as_bytes(), is_password)) {
        Ok((user, password))
    } else {
        Err(Malformed("the user part of a URI is wrong"))
    }
}

/// `telephone-subscriber`: a global number, which begins with a plus sign and has decimal digits alone, or a local one
/// (RFC 3966 section 3). What parameters a local one needs is not judged here.
fn tel<'a>(text: &'a str, rest: &'a str) -> Result<TelUri<'a>, Malformed> {
    let (number, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
    let global = number.strip_prefix('+');
    let digits = global.unwrap_or(number);
    let is_local = |byte: u8| global.is_none() && (byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#'));
    let fits = |byte: u8| byte.is_ascii_digit() || is_visual(byte) || is_local(byte);
    if !digits.bytes().all(fits) || digits.bytes().all(is_visual) {
        return Err(Malformed("the number of a tel: URI is wrong"));
    }
    Ok(TelUri { text, number, params: UriParams::new(params)? })
}

/// `visual-separator` of RFC 3966, which has no meaning.
pub(crate) const fn is_visual(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// The parameters with a meaning of their own (`uri-parameter`), which decide where a request goes. None may stand
/// twice (section 19.1.1): whoever reads the last one would send it elsewhere.
const NAMED: [&str; 6] = ["transport", "user", "method", "ttl", "maddr", "lr"];

impl<'a> UriParams<'a> {
    /// Checks and counts `*( ";" pname [ "=" pvalue ] )`.
    fn new(text: &'a str) -> Result<Self, Malformed> {
        let all = text.strip_prefix(';');
        if all.is_none() && !text.is_empty() {
            return Err(Malformed("a URI goes on behind its host"));
        }
        let mut found = [None; NAMED.len()];
        for (index, param) in all.into_iter().flat_map(|all| all.split(';')).enumerate() {
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            // An equals sign in a value can be understood in one way only, and base64 ends in them.
            let fits = |byte| is_param(byte) || byte == b'=';
            if index >= limits::PARAMETERS {
                return Err(Malformed::PARAMETERS);
            }
            if name.is_empty() || !escape::is_valid(name.as_bytes(), is_param) {
                return Err(Malformed("the name of a parameter of a URI is wrong"));
            }
            if !escape::is_valid(value.as_bytes(), fits) {
                return Err(Malformed("the value of a parameter of a URI is wrong"));
            }
            let named = NAMED.iter().position(|known| escape::same_in_any_case(known, name));
            if let Some(first) = named.map(|place| found[place].get_or_insert(value))
                && !escape::same_in_any_case(first, value)
            {
                return Err(Malformed("a parameter of a URI has two different values"));
            }
        }
        Ok(Self(text))
    }

    /// All of them, in order: names, and values where there are any.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.0.split(';').skip(1).map(|param| match param.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (param, None),
        })
    }

    /// The parameter of a name, in any case and with any escapes.
    pub fn find(self, name: &str) -> Option<(&'a str, Option<&'a str>)> {
        self.iter().find(|(found, _)| escape::same_in_any_case(found, name))
    }

    /// Whether there is a parameter of the name, with a value or without.
    pub fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value of a parameter as it came.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.find(name)?.1
    }
}

impl<'a> UriHeaders<'a> {
    /// Checks and counts `[ "?" header *( "&" header ) ]`.
    fn new(text: &'a str) -> Result<Self, Malformed> {
        let all = text.strip_prefix('?');
        for (index, header) in all.into_iter().flat_map(|all| all.split('&')).enumerate() {
            let (name, value) = header.split_once('=').ok_or(WRONG_HEADER)?;
            if index >= limits::PARAMETERS {
                return Err(Malformed::PARAMETERS);
            }
            let fits = |text: &str| escape::is_valid(text.as_bytes(), is_header);
            if name.is_empty() || !fits(name) || !fits(value) {
                return Err(WRONG_HEADER);
            }
        }
        Ok(Self(text))
    }

    /// All of them, in order: names and values.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.0.strip_prefix('?');
        all.into_iter().flat_map(|all| all.split('&')).filter_map(|header| header.split_once('='))
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

const WRONG_HEADER: Malformed = Malformed("a header in a URI is wrong");

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(text: &str) -> SipUri<'_> {
        Uri::new(text.as_bytes()).unwrap().sip().unwrap()
    }

    #[test]
    fn sip_uri_is_read_in_its_parts() {
        let uri = sip("SIPS:b%6Fb:p%20w@[2001:db8::1]:5061;transport=TLS;lr;x=a=?Subject=a%20b&To=sip:c%40d");
        assert_eq!((uri.scheme, uri.user, uri.password), (Scheme::Sips, Some("b%6Fb"), Some("p%20w")));
        assert_eq!(uri.decoded_user().as_deref(), Some(&b"bob"[..]));
        assert_eq!((uri.port, uri.transport(), uri.is_loose()), (Some(5061), Some("TLS"), true));
        assert_eq!(uri.params.value("X"), Some("a="));
        assert!(uri.headers.iter().eq([("Subject", "a%20b"), ("To", "sip:c%40d")]));
        assert_eq!((sip("sip:a:@b").password, sip("sip:a@b").password), (Some(""), None));
        assert_eq!((sip("sip:b").user, sip("sip:b").port), (None, None));
        assert!(sip("sip:a@b;lr;LR;transport=udp;transport=UDP;x=1;x=2").is_loose());
        let text = "sip:a@b;lr?X=y";
        assert_eq!(Uri::new(text.as_bytes()).unwrap().without_headers(), "sip:a@b;lr");
    }

    #[test]
    fn other_schemes_are_kept_as_text() {
        assert!(matches!(Uri::new(b"tel:+1-201;ext=5"), Ok(Uri::Tel(tel)) if tel.number == "+1-201"));
        for text in ["http://a/b?c#d", "urn:service:sos", "coap+tcp://192.0.2.77:5683", "wardcall:bed4"] {
            assert!(matches!(Uri::new(text.as_bytes()), Ok(Uri::Other(kept)) if kept == text), "{text}");
        }
    }

    #[test]
    fn malformed_uris_are_refused() {
        for wrong in [
            "",
            "sip",
            "sip:",
            ":a",
            "1a:b",
            "sip:@b",
            "sip:a@",
            "sip:a b@c",
            "sip:a@b;",
            "sip:a@b;;c",
            "sip:a@b;=c",
            "sip:a@b;transport=udp;lr;%74ransport=tcp",
            "sip:a@b;maddr;maddr=192.0.2.1",
            "sip:a@b?c",
            "sip:a@b?=c",
            "sip:a@b?c=d&",
            "sip:a@b:",
            "sip:a@b:x",
            "sip:a@b:65536",
            "sip:a%4@b",
            "sip:a%zz@b",
            "sip:a@b@c",
            "sip:a@b/c",
            "sip:2001:db8::1",
            "sip:é@b",
            "<sip:a@b>",
            "tel:",
            "tel:+",
            "tel:a b",
            "tel:x",
            "tel:+1a2",
            "tel:+1#",
            "gopher://a/%4",
            "urn:%zz",
            "x:",
        ] {
            assert!(Uri::new(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
