//! The names of headers (RFC 3261 section 7.3.1). Case does not count, and some have a compact form (section 7.3.3).

use core::fmt;

macro_rules! names {
    ($($variant:ident = $text:literal $(/ $compact:literal)?),* $(,)?) => {
        /// A header that is known by its name. Others keep their names as text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $(#[doc = $text] $variant,)*
        }

        impl Name {
            /// The name as it is written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The header of a name in any case, or of its compact form.
            pub fn of(text: &[u8]) -> Option<Self> {
                if let [letter] = text {
                    return match letter.to_ascii_lowercase() {
                        $($($compact => Some(Self::$variant),)?)*
                        _ => None,
                    };
                }
                let is = |name: &str| text.eq_ignore_ascii_case(name.as_bytes());
                $(if is($text) { return Some(Self::$variant); })*
                None
            }
        }
    };
}

// The most frequent first. Sources beyond RFC 3261: 3262 (RAck, RSeq), 3326, 3515, 3841, 3891, 3892, 3903, 4028,
// 4474, 6665.
names! {
    Via = "Via" / b'v',
    From = "From" / b'f',
    To = "To" / b't',
    CallId = "Call-ID" / b'i',
    CSeq = "CSeq",
    Contact = "Contact" / b'm',
    MaxForwards = "Max-Forwards",
    ContentLength = "Content-Length" / b'l',
    ContentType = "Content-Type" / b'c',
    UserAgent = "User-Agent",
    Allow = "Allow",
    Supported = "Supported" / b'k',
    Route = "Route",
    RecordRoute = "Record-Route",
    Require = "Require",
    ProxyRequire = "Proxy-Require",
    Unsupported = "Unsupported",
    Accept = "Accept",
    AcceptContact = "Accept-Contact" / b'a',
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AllowEvents = "Allow-Events" / b'u',
    Authorization = "Authorization",
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding" / b'e',
    ContentLanguage = "Content-Language",
    Date = "Date",
    Event = "Event" / b'o',
    Expires = "Expires",
    Identity = "Identity" / b'y',
    MinExpires = "Min-Expires",
    MinSe = "Min-SE",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    RAck = "RAck",
    RecvInfo = "Recv-Info",
    Reason = "Reason",
    ReferTo = "Refer-To" / b'r',
    ReferredBy = "Referred-By" / b'b',
    RejectContact = "Reject-Contact" / b'j',
    Replaces = "Replaces",
    ReplyTo = "Reply-To",
    RequestDisposition = "Request-Disposition" / b'd',
    RetryAfter = "Retry-After",
    RSeq = "RSeq",
    Server = "Server",
    SessionExpires = "Session-Expires" / b'x',
    SipEtag = "SIP-ETag",
    SipIfMatch = "SIP-If-Match",
    Subject = "Subject" / b's',
    SubscriptionState = "Subscription-State",
    Timestamp = "Timestamp",
    Warning = "Warning",
    WwwAuthenticate = "WWW-Authenticate",
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_by_their_compact_form() {
        for text in ["Via", "VIA", "vIa", "v", "V"] {
            assert_eq!(Name::of(text.as_bytes()), Some(Name::Via), "{text}");
        }
        assert_eq!(Name::of(b"x"), Some(Name::SessionExpires));
        for other in ["", "z", "C%6Fntact", "NewFangledHeader", "Vi"] {
            assert_eq!(Name::of(other.as_bytes()), None, "{other}");
        }
    }
}
