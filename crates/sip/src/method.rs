//! Methods (RFC 3261 section 7.1). They are case-sensitive.

use core::fmt;

macro_rules! methods {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// A method, those that are known by their names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method<'a> {
            $(#[doc = $text] $variant,)*
            /// Any other token.
            Other(&'a str),
        }

        impl<'a> Method<'a> {
            /// The method of its name. [`crate::start_line`] has checked that it is a token.
            pub(crate) fn of(text: &'a str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    other => Self::Other(other),
                }
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

methods! {
    Ack = "ACK",
    Bye = "BYE",
    Cancel = "CANCEL",
    Info = "INFO",
    Invite = "INVITE",
    Message = "MESSAGE",
    Notify = "NOTIFY",
    Options = "OPTIONS",
    Prack = "PRACK",
    Publish = "PUBLISH",
    Refer = "REFER",
    Register = "REGISTER",
    Subscribe = "SUBSCRIBE",
    Update = "UPDATE",
}

impl<'a> Method<'a> {
    /// The method of its name, `None` when that is not a token.
    pub fn new(text: &'a str) -> Option<Self> {
        let token = !text.is_empty() && text.bytes().all(crate::lex::is_token);
        token.then(|| Self::of(text))
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_tokens_and_case_sensitive() {
        assert_eq!(Method::new("INVITE"), Some(Method::Invite));
        assert_eq!(Method::new("Invite"), Some(Method::Other("Invite")));
        assert_eq!(Method::new("%52EGISTE%52"), Some(Method::Other("%52EGISTE%52")));
        assert_eq!(Method::new(""), None);
        assert_eq!(Method::new("IN VITE"), None);
    }
}
