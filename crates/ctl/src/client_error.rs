//! Why there is no answer of the Management Node, or not the one that was hoped for: what happened, what
//! to do next, and whether trying again helps. It sends nothing.

use std::error::Error;
use std::io;

use fleet::time::Span;
use reqwest::StatusCode;
use serde_json::Value;

use crate::failure::Exit;
use crate::text::{harmless, one_line};
use crate::trust::TrustError;

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The client cannot be set up.
    #[error("the connection cannot be set up")]
    Setup(#[source] reqwest::Error),
    /// The way to trust cannot be set up.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Nobody answers.
    #[error("cannot reach the Management Node at {manager}: {why}")]
    Unreachable {
        /// Where it should be.
        manager: String,
        /// What the network said.
        why: String,
    },
    /// Somebody answers who is not believed to be the Management Node.
    #[error(
        "whoever answers at {manager} is not trusted as the Management Node: {why}; nothing was sent to it"
    )]
    NotTrusted {
        /// Where it should be.
        manager: String,
        /// What is wrong with its certificate.
        why: String,
    },
    /// The user or password is wrong.
    #[error("the Management Node at {manager} does not accept the user {user} with this password")]
    NotLetIn {
        /// Where it is.
        manager: String,
        /// The user.
        user: String,
    },
    /// Too many requests or failed logins.
    #[error("the Management Node at {manager} asks to wait{}: {sentence}", after(*.retry_after))]
    Wait {
        /// Where it is.
        manager: String,
        /// What it said.
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
    Nothing {
        /// The path.
        path: String,
        /// What it said.
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
        /// What it said.
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
            | Self::NotLetIn { .. }
            | Self::Wait { .. } => Exit::NoManager,
            Self::Refused { .. } => Exit::Refused,
            Self::Trust(_) => Exit::Usage,
            Self::Setup(_) | Self::Nothing { .. } | Self::Failed { .. } | Self::NotUnderstood { .. } => {
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
            Self::NotLetIn { .. } => Some("run pitlane login again, with the right user and password".into()),
            // The Management Node knows best what to do about its own refusal.
            Self::Refused { hint, .. } | Self::Wait { hint, .. } => hint.clone(),
            Self::Failed { hint, .. } => {
                hint.clone().or_else(|| Some("look at the Management Node's log, and try again".into()))
            }
            Self::Nothing { hint, .. } => hint.clone().or_else(|| {
                Some("it may have been removed just now, or the Management Node is of another release".into())
            }),
            Self::NotUnderstood { .. } => Some("use the pitlane that came with the Management Node's release".into()),
            Self::Setup(_) | Self::Trust(_) => None,
        }
    }

    /// Whether the same request may succeed in a while: the Management Node is away, or not ready.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Failed { .. } | Self::Wait { .. } => true,
            Self::Setup(_)
            | Self::Trust(_)
            | Self::NotTrusted { .. }
            | Self::NotLetIn { .. }
            | Self::Refused { .. }
            | Self::Nothing { .. }
            | Self::NotUnderstood { .. } => false,
        }
    }
}

/// What is wrong with the other side's certificate, if that is what went wrong.
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

/// The innermost cause, which says what happened; those around it say only where.
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
    harmless(&cause.to_string())
}

/// The sentence of a refusal, in whichever of the API's shapes it comes.
pub(crate) fn sentence(body: Option<&Value>, text: &str, status: StatusCode) -> String {
    let known = body.and_then(|body| {
        let plain = ["error", "message", "details", "detail"].into_iter().find_map(|key| body[key].as_str());
        plain.map(str::to_string).or_else(|| fields(body))
    });
    let said = known.unwrap_or_else(|| text.chars().take(300).collect());
    let said = one_line(&harmless(&said));
    if said.is_empty() { status.to_string() } else { said }
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
    fn a_refusal_is_read_in_each_of_its_shapes() {
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
