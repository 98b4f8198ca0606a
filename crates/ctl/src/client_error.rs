//! The errors of a request to the Management Node: what happened, what to do next, the exit code, and whether a retry
//! may help. Sending and retrying are done elsewhere.

use std::error::Error;
use std::io;

use fleet::time::Span;
use reqwest::StatusCode;
use serde_json::Value;

use crate::exit::Exit;
use crate::text::{one_line, sanitized};
use crate::trust::TrustError;

/// Why a request has failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The client cannot be set up.
    #[error("the connection cannot be set up")]
    Setup(#[source] reqwest::Error),
    /// The verification of the Management Node cannot be set up.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// There is no answer.
    #[error("cannot reach the Management Node at {manager}: {why}")]
    Unreachable {
        /// The address.
        manager: String,
        /// The error of the network.
        why: String,
    },
    /// The certificate of the answering machine is not accepted.
    #[error(
        "the machine that answers at {manager} is not trusted as the Management Node: {why}; nothing was sent to it"
    )]
    NotTrusted {
        /// The address.
        manager: String,
        /// What is wrong with its certificate.
        why: String,
    },
    /// The user or password is wrong.
    #[error("the Management Node at {manager} does not accept the user {user} with this password")]
    LoginRefused {
        /// The address.
        manager: String,
        /// The user.
        user: String,
    },
    /// Too many requests or failed logins.
    #[error("the Management Node at {manager} asks to wait{}: {sentence}", after(*.retry_after))]
    RateLimited {
        /// The address.
        manager: String,
        /// The text of the answer.
        sentence: String,
        /// For how long.
        retry_after: Option<Span>,
        /// What to do next, in its words.
        hint: Option<String>,
    },
    /// The request is refused; nothing was changed.
    #[error("the Management Node refuses to {doing}: {sentence}")]
    Refused {
        /// What was asked.
        doing: String,
        /// Its status.
        status: StatusCode,
        /// Why, in its words.
        sentence: String,
        /// What to do next, in its words.
        hint: Option<String>,
        /// The whole refusal.
        body: Option<Value>,
    },
    /// What was asked for is not there.
    #[error("the Management Node has nothing at {path}: {sentence}")]
    NotFound {
        /// The path.
        path: String,
        /// The text of the answer.
        sentence: String,
        /// What to do next, in its words.
        hint: Option<String>,
    },
    /// The Management Node failed or is not ready.
    #[error("the Management Node failed to {doing} ({status}): {sentence}")]
    Failed {
        /// What was asked.
        doing: String,
        /// Its status.
        status: StatusCode,
        /// The text of the answer.
        sentence: String,
        /// What to do next, in its words.
        hint: Option<String>,
    },
    /// The answer is not what this release understands.
    #[error("the answer of the Management Node to {doing} is not understood: {why}")]
    NotUnderstood {
        /// What was asked.
        doing: String,
        /// What is wrong with it.
        why: String,
    },
}

fn after(span: Option<Span>) -> String {
    span.map_or(String::new(), |span| format!(" for {span}"))
}

impl ClientError {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. }
            | Self::NotTrusted { .. }
            | Self::LoginRefused { .. }
            | Self::RateLimited { .. } => Exit::NoManager,
            Self::Refused { .. } => Exit::Refused,
            Self::Trust(_) => Exit::Usage,
            Self::Setup(_) | Self::NotFound { .. } | Self::Failed { .. } | Self::NotUnderstood { .. } => {
                Exit::Failure
            }
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => {
                Some("check the address and that the Management Node is up; during its own upgrade it is away for a while".into())
            }
            Self::NotTrusted { .. } => Some(
                "compare with the fingerprint that the Management Node printed at its first start, or give its authority's file"
                    .into(),
            ),
            Self::LoginRefused { .. } => Some("run pitlane login again, with the right user and password".into()),
            // The Management Node knows best what to do about its own refusal.
            Self::Refused { hint, .. } | Self::RateLimited { hint, .. } => hint.clone(),
            Self::Failed { hint, .. } => {
                hint.clone().or_else(|| Some("look at the Management Node's log, and try again".into()))
            }
            Self::NotFound { hint, .. } => hint.clone().or_else(|| {
                Some("it may have been removed just now, or the Management Node is of another release".into())
            }),
            Self::NotUnderstood { .. } => Some("use the pitlane that came with the Management Node's release".into()),
            Self::Setup(_) | Self::Trust(_) => None,
        }
    }

    /// Whether the same request may succeed in a while: the Management Node is away, or not ready.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Failed { .. } | Self::RateLimited { .. } => true,
            Self::Setup(_)
            | Self::Trust(_)
            | Self::NotTrusted { .. }
            | Self::LoginRefused { .. }
            | Self::Refused { .. }
            | Self::NotFound { .. }
            | Self::NotUnderstood { .. } => false,
        }
    }
}

/// What is wrong with the server's certificate, if that is the cause.
pub(crate) fn certificate_fault(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
            if let rustls::CertificateError::Other(ours) = fault {
                return Some(ours.to_string());
            }
            return Some(fault.to_string());
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The innermost cause, which says what happened; the outer ones name only the layer.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".into();
    }
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(source) = cause.source() {
        match source.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return "nothing listens there".into(),
            Some(
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe,
            ) => {
                return "the connection broke off".into();
            }
            Some(_) | None => cause = source,
        }
    }
    sanitized(&cause.to_string())
}

/// The sentence of a refusal, from any of the forms that the API uses.
pub(crate) fn sentence(body: Option<&Value>, text: &str, status: StatusCode) -> String {
    let known = body.and_then(|body| {
        let plain = ["error", "message", "details", "detail"].into_iter().find_map(|key| body[key].as_str());
        plain.map(str::to_string).or_else(|| fields(body))
    });
    let sentence = known.unwrap_or_else(|| text.chars().take(300).collect());
    let sentence = one_line(&sanitized(&sentence));
    if sentence.is_empty() { status.to_string() } else { sentence }
}

/// `{"worker_vm": {"address": ["…"]}}` as `address: …`.
fn fields(body: &Value) -> Option<String> {
    let messages = |value: &Value| -> Option<String> {
        let texts: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    let of_object = |object: &Value| -> Vec<String> {
        let fields = object.as_object().into_iter().flatten();
        fields.filter_map(|(name, value)| Some(format!("{name}: {}", messages(value)?))).collect()
    };
    let nested = body.as_object()?.values().flat_map(of_object);
    let all: Vec<String> = of_object(body).into_iter().chain(nested).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusal_is_read_in_each_of_its_forms() {
        let check = |body: Value, expected: &str| {
            assert_eq!(sentence(Some(&body), "", StatusCode::BAD_REQUEST), expected);
        };
        check(json!({"error": "no such package", "kind": "not_found"}), "no such package");
        check(
            json!({"worker_vm": {"address": ["not an address", "in use"]}}),
            "address: not an address, in use",
        );
        check(json!({"__all__": ["both are wrong"]}), "__all__: both are wrong");
        check(json!({}), "400 Bad Request");
        assert_eq!(sentence(None, "a page\nof text", StatusCode::BAD_GATEWAY), "a page of text");
    }
}
