//! Refusals of the management API. Each carries the keys of the compatible API that existing tools read, and
//! beside them a stable `kind`, a sentence, and a `hint` that says what to do next.

use crate::rest::json::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edge::error_chain::chain;
use serde_json::{Map, Value, json};

pub(crate) use crate::resources::FieldErrors;

/// The kind of a refusal. Its identifiers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No credentials, or wrong ones.
    Unauthenticated,
    /// Too many wrong credentials; the answer says when to try again.
    TooManyAttempts,
    /// The account has no permission for the request.
    Forbidden,
    /// More requests than are answered in a minute; the answer says when to try again.
    TooManyRequests,
    /// A browser sends the request on behalf of another site.
    CrossSite,
    /// There is no such resource or object.
    NotFound,
    /// The resource does not know this method.
    MethodNotAllowed,
    /// The body or the query cannot be parsed.
    Malformed,
    /// A field has a value that is not allowed.
    Invalid,
    /// The body is larger than is allowed.
    TooLarge,
    /// The object is in use, or not in a state that allows this.
    Conflict,
    /// The bytes do not begin at the offset of the upload.
    WrongOffset,
    /// The package was checked and is not accepted.
    PackageRefused,
    /// The disk has no space for it.
    NoSpace,
    /// A blocker prevents the start.
    Blocked,
    /// The node that it is for cannot be contacted, or none could do it.
    Unreachable,
    /// The node that it is for has said nothing of it in time.
    Unanswered,
    /// The Management Node is about to restart into another release.
    Upgrading,
    /// The Management Node itself failed.
    Internal,
}

impl Kind {
    /// Its identifier in the answer.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::TooManyAttempts => "too_many_attempts",
            Self::TooManyRequests => "too_many_requests",
            Self::Forbidden => "forbidden",
            Self::CrossSite => "cross_site",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::Conflict => "conflict",
            Self::WrongOffset => "wrong_offset",
            Self::PackageRefused => "package_refused",
            Self::NoSpace => "no_space",
            Self::Blocked => "blocked",
            Self::Unreachable => "unreachable",
            Self::Unanswered => "unanswered",
            Self::Upgrading => "upgrading",
            Self::Internal => "internal",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::TooManyAttempts | Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed | Self::Invalid | Self::PackageRefused => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Conflict | Self::WrongOffset | Self::Blocked => StatusCode::CONFLICT,
            Self::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
            Self::Unreachable | Self::Upgrading => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unanswered => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A refusal of the management API.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// Its kind.
    pub(crate) kind: Kind,
    /// What happened, to which object: one sentence.
    pub(crate) error: String,
    /// What to do next.
    pub(crate) hint: String,
    /// Keys beside `error`, `kind` and `hint`.
    pub(crate) more: Map<String, Value>,
    /// When to try again, in seconds.
    pub(crate) retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal with the usual keys.
    pub(crate) fn new(kind: Kind, error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind, error: error.into(), hint: hint.into(), more: Map::new(), retry_after: None }
    }

    /// The same with one more key.
    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.more.insert(key.into(), value);
        self
    }

    /// The same with the time after which to try again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// There is no object with this id.
    pub(crate) fn no_such(what: &str, id: impl std::fmt::Display) -> Self {
        let id: String = id.to_string().chars().take(80).collect();
        Self::new(
            Kind::NotFound,
            format!("{what} {id} not found"),
            format!("list them with GET to see which {what} ids there are"),
        )
    }

    /// The Management Node itself failed. The cause is logged and not sent to the client.
    pub(crate) fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(cause = %chain(cause), "a request failed");
        Self::new(
            Kind::Internal,
            "the Management Node could not do this; nothing was changed",
            "look at the log of the Management Node, then try again",
        )
    }
}

impl FieldErrors {
    /// The refusal, if there is an error.
    pub(crate) fn into_result(self, resource: &'static str) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(self.refusal(resource, Kind::Invalid)) }
    }

    /// The refusal: `{"<resource>": {"<field>": ["message"]}}` beside the usual keys.
    pub(crate) fn refusal(self, resource: &'static str, kind: Kind) -> Refusal {
        let named = self.0.iter().flat_map(|(field, messages)| messages.iter().map(move |m| (field, m)));
        let sentence: Vec<String> = named.map(|(field, message)| format!("{field}: {message}")).collect();
        let hint = "correct the named fields and send the request again; nothing was changed";
        Refusal::new(kind, sentence.join(" "), hint).with(resource, json!(self.0))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { kind, error, hint, more, retry_after } = self;
        let mut body = more;
        body.insert("error".into(), error.into());
        body.insert("hint".into(), hint.into());
        body.insert("kind".into(), kind.token().into());
        let mut response = (kind.status(), Json(body)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if kind == Kind::Unauthenticated {
            let challenge = HeaderValue::from_static("Basic realm=\"Pitlane\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            let token = HeaderValue::from_static("Bearer realm=\"Pitlane\"");
            response.headers_mut().append(header::WWW_AUTHENTICATE, token);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut errors = FieldErrors::default();
        errors.add("name", "This field is required.");
        errors.add("address", "Enter an IP address.");
        let refusal = errors.into_result("worker_vm").unwrap_err();
        assert_eq!(
            refusal.more["worker_vm"],
            json!({"address": ["Enter an IP address."], "name": ["This field is required."]})
        );
        assert_eq!(refusal.error, "address: Enter an IP address. name: This field is required.");
        assert!(FieldErrors::default().into_result("worker_vm").is_ok());
    }

    #[test]
    fn wrong_credentials_are_challenged() {
        let response = Refusal::new(Kind::Unauthenticated, "no", "yes").into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}
