//! Extractors for the parts of a request: the query, the id in the path, the body, the account, the source
//! address.
//!
//! Everything is bounded, and what cannot be read is refused in the shape of this API.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::body::{HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use serde_json::{Map, Value};

use super::error::{Kind, Refusal};

/// The largest body of a request that is no package, in bytes.
pub(crate) const BODY_BYTES: usize = 1 << 20;

/// The parameters of a query, in order.
#[derive(Debug)]
pub(crate) struct QueryPairs(pub(crate) Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Query(pairs) = Query::try_from_uri(&parts.uri)
            .map_err(|_| malformed("the query cannot be read", "write it as field=value&field=value"))?;
        Ok(Self(pairs))
    }
}

/// The account that sends the request. It is set by the authentication.
#[derive(Clone, Debug)]
pub(crate) struct AuthenticatedUser(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for AuthenticatedUser {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let by = parts.extensions.get::<Self>().cloned();
        by.ok_or_else(|| malformed("the request carries no account", "send user name and password"))
    }
}

/// The address that a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) IpAddr);

impl Source {
    /// The address that the listener has noted, or the unspecified one.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let info = extensions.get::<ConnectInfo<SocketAddr>>();
        Self(info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip()))
    }
}

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The id at the end of the path, as text. The resource checks whether there is such an object.
#[derive(Debug)]
pub(crate) struct PathId(pub(crate) String);

impl PathId {
    /// The id as the resource's own type.
    pub(crate) fn id<T: FromStr>(&self, what: &str) -> Result<T, Refusal> {
        self.0.parse().map_err(|_| Refusal::no_such(what, &self.0))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(id) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| malformed("the path cannot be read", "write the id of the object at its end"))?;
        Ok(Self(id))
    }
}

/// The body as one object, JSON or form-encoded. No body is an empty object.
#[derive(Debug)]
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        // A body of an announced size is refused before it is requested.
        if body.size_hint().lower() > BODY_BYTES as u64 {
            return Err(too_large());
        }
        let bytes = to_bytes(body, BODY_BYTES).await.map_err(|_| too_large())?;
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        if has_type(&parts.headers, "application/x-www-form-urlencoded") {
            return form(&bytes).map(Self);
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(malformed("the body is not a JSON object", "send the fields as {\"field\": value}"))
            }
            Err(error) => Err(malformed(
                &format!("the body is not JSON: {error}"),
                "send the fields as {\"field\": value}",
            )),
        }
    }
}

fn too_large() -> Refusal {
    Refusal::new(
        Kind::TooLarge,
        format!("the body is larger than {BODY_BYTES} bytes, or was interrupted"),
        "send a smaller body",
    )
}

/// The pairs of a form-encoded body, in order.
pub(crate) async fn read_form(request: Request) -> Result<Vec<(String, String)>, Refusal> {
    pairs(&to_bytes(request.into_body(), BODY_BYTES).await.map_err(|_| too_large())?)
}

fn form(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    Ok(pairs(bytes)?.into_iter().map(|(key, value)| (key, Value::String(value))).collect())
}

fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let text = std::str::from_utf8(bytes).ok();
    let uri = text.and_then(|text| format!("/?{text}").parse().ok());
    let pairs = uri.and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    let hint = "send the fields as field=value&field=value";
    pairs.map(|Query(pairs)| pairs).ok_or_else(|| malformed("the form in the body cannot be read", hint))
}

/// Whether the body is of this media type.
pub(crate) fn has_type(headers: &HeaderMap, expected: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    given.split(';').next().is_some_and(|given| given.trim().eq_ignore_ascii_case(expected))
}

/// The request cannot be read.
pub(crate) fn malformed(error: &str, hint: &str) -> Refusal {
    Refusal::new(Kind::Malformed, error, hint)
}
