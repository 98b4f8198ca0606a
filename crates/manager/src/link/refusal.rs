//! Why a node's request is refused: a stable kind, a sentence, and a hint that says what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use edge::error_chain::chain;
use fleet::starts::{Duplicate, SWITCH_OFF};
use fleet::version::Release;
use thiserror::Error;
use wire::{PROTOCOL, Protocols};

use super::refusals::Reason;
use crate::authority::AuthorityError;
use crate::store::StoreError;

/// A node's request is refused.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No certificate of this platform's authority was shown.
    #[error("this request needs the certificate of a Conferencing Node")]
    NoCertificate,
    /// The certificate names a node that is not registered.
    #[error("this node is not registered on the platform")]
    NotRegistered,
    /// The certificate has expired.
    #[error("the certificate of this node has expired")]
    Expired,
    /// The certificate belongs to another registration of its node's number.
    #[error("the registration that this certificate belongs to has ended")]
    RegistrationEnded,
    /// The machine has another version than a new node must have (R29).
    #[error("this machine has release {} and the Management Node has {manager}; a new node must join with the latter",
        .machine.map_or("34".into(), |release| release.to_string()))]
    Release {
        /// What the machine runs; none when it does not report it, as release 34.
        machine: Option<Release>,
        /// What the Management Node runs.
        manager: Release,
    },
    /// The enrolment token is unknown, spent or expired.
    #[error("the enrolment token is not valid any more")]
    Token,
    /// Two processes report under the identity whose certificate is to be renewed.
    #[error("{0}, so its certificate is not renewed")]
    Duplicate(Duplicate),
    /// The node and the Management Node have no protocol version in common.
    #[error("the node supports protocol versions {} to {} and the Management Node {} to {}",
        .0.min, .0.max, PROTOCOL.min, PROTOCOL.max)]
    Protocol(Protocols),
    /// The message cannot be parsed.
    #[error("the message cannot be read: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The message is larger than allowed, or did not arrive in time.
    #[error("the message is too large or did not arrive in time")]
    Body,
    /// The request for a certificate cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The reason that is recorded and shown of a node that is refused; none for a refusal that says nothing about
    /// its identity.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self {
            Self::NoCertificate => Some(Reason::NoCertificate),
            Self::NotRegistered => Some(Reason::NotRegistered),
            Self::Expired => Some(Reason::Expired),
            Self::RegistrationEnded => Some(Reason::RegistrationEnded),
            Self::Release { .. } => Some(Reason::OtherRelease),
            Self::Token => Some(Reason::WrongToken),
            Self::Duplicate(_)
            | Self::Protocol(_)
            | Self::Malformed(_)
            | Self::Body
            | Self::Authority(_)
            | Self::Store(_) => None,
        }
    }

    /// The status, the stable kind, and what to do.
    fn answer(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoCertificate => (
                StatusCode::UNAUTHORIZED,
                "no_certificate",
                "enrol the node with the file that the Management Node makes for it",
            ),
            Self::NotRegistered => {
                (StatusCode::FORBIDDEN, "not_registered", "register the node anew and enrol it again")
            }
            Self::Expired => (
                StatusCode::FORBIDDEN,
                "certificate_expired",
                "make a new enrolment file with `pitlane node enrol NAME`, and use it here with \
                 `pitlane-node enrol --replace`",
            ),
            Self::Duplicate(_) => (StatusCode::CONFLICT, "duplicate", SWITCH_OFF),
            Self::RegistrationEnded => (
                StatusCode::FORBIDDEN,
                "registration_ended",
                "if another machine is the node now, stop pitlane-node on this one; if this one is to be the node again, \
                 make a new enrolment file with `pitlane node enrol NAME`, and use it here with \
                 `pitlane-node enrol --replace`, which shuts the other out",
            ),
            // Not one of the statuses that release 34 takes for a wrong token.
            Self::Release { .. } => (
                StatusCode::BAD_REQUEST,
                "release",
                "install the release of the Management Node on this machine, and use the same enrolment file again",
            ),
            Self::Token => {
                (StatusCode::FORBIDDEN, "token", "make a new enrolment file with `pitlane node enrol NAME`")
            }
            Self::Protocol(_) => (
                StatusCode::BAD_REQUEST,
                "protocol",
                "deploy the node with the release of the Management Node or the one before",
            ),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "this is a fault; contact support"),
            Self::Body => (StatusCode::PAYLOAD_TOO_LARGE, "body", "this is a fault; contact support"),
            Self::Authority(AuthorityError::BadRequest) => {
                (StatusCode::BAD_REQUEST, "request", "send a request for an ECDSA P-256 key")
            }
            Self::Authority(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "authority", "see the log of the Management Node")
            }
            Self::Store(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "store", "see the log of the Management Node")
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind, hint) = self.answer();
        if status.is_server_error() {
            tracing::error!(error = %chain(&self), "a node's request failed");
        }
        let body = serde_json::json!({ "error": self.to_string(), "kind": kind, "hint": hint });
        (status, Json(body)).into_response()
    }
}
