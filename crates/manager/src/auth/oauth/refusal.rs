//! Why no access token is given (RFC 6749 section 5.2): the error of the standard, and a sentence.

use std::fmt;

/// Why a request for a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A parameter is missing, there twice or too long.
    #[error("the parameter {parameter} is missing, given twice, or too long")]
    InvalidRequest {
        /// The parameter.
        parameter: &'static str,
    },
    /// Another grant than that of a client by itself.
    #[error("the only grant_type here is client_credentials")]
    UnsupportedGrantType,
    /// The client is unknown, or the assertion is not for this server.
    #[error("{0}")]
    InvalidClient(Why),
    /// The assertion does not count.
    #[error("{0}")]
    InvalidGrant(Why),
    /// A scope is unknown.
    #[error("the scopes here are is_admin and use_api; leave the parameter out to have both")]
    InvalidScope,
    /// So many assertions of this client are remembered that no further one can be.
    #[error("this client has asked for too many tokens; use each one until it expires, and try again later")]
    Busy,
}

/// Why an assertion does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is no JWT with the claims that are needed.
    Form,
    /// There is no such client.
    UnknownClient,
    /// `iss` and `sub` are not the client.
    OtherClient,
    /// It is for somebody else.
    OtherAudience,
    /// It is signed with another key or algorithm than the client's, or was changed.
    Signature,
    /// It has expired.
    Expired,
    /// It is valid for longer than is accepted.
    TooLong,
    /// Its beginning is to come.
    NotYet,
    /// It was used before.
    Used,
}

impl Refusal {
    /// The error of the standard.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest { .. } => "invalid_request",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidClient(_) => "invalid_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::Busy => "temporarily_unavailable",
        }
    }
}

impl Why {
    /// The refusal for this reason: the client is in question, or its assertion.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::UnknownClient | Self::OtherClient | Self::OtherAudience => Refusal::InvalidClient(self),
            Self::Form | Self::Signature | Self::Expired | Self::TooLong | Self::NotYet | Self::Used => {
                Refusal::InvalidGrant(self)
            }
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "the client assertion is no JWT with iss, sub, aud, exp and jti",
            Self::UnknownClient => "there is no client with the id in iss",
            Self::OtherClient => "iss and sub of the client assertion must both be the client id",
            Self::OtherAudience => {
                "the client assertion is for another server; aud must be the URL of the token as the client asks for it"
            }
            Self::Signature => "the client assertion is not signed with the key and the algorithm of the client",
            Self::Expired => "the client assertion has expired; compare the clocks",
            Self::TooLong => "the client assertion is valid for more than an hour; let it expire sooner",
            Self::NotYet => "the client assertion is not valid yet; compare the clocks",
            Self::Used => "the client assertion was used before; make a new one, with another jti, for each token",
        })
    }
}
