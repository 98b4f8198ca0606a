//! The client of the Management Node's REST: one request, one answer, every failure with its kind.

use std::error::Error;
use std::io;
use std::time::Duration;

use fleet::time::Span;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use crate::failure::Exit;
use crate::secret::Password;
use crate::text::{harmless, harmless_value, one_line};
use crate::trust::{Trust, TrustError};

/// How long connecting may take: a machine that is up answers at once, one that is down need not be
/// waited for.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long an ordinary answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long an answer may take that reads or writes a whole package on the other side.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Largest accepted answer, in bytes: the status of ten thousand nodes has about ten million.
const MAX_ANSWER: usize = 64 << 20;

/// Objects asked for at a time in a list.
const PAGE: &str = "1000";

/// Pages of a list that are followed: a million objects.
const MAX_PAGES: usize = 1_000;

/// Where the Management Node is, whom to believe, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// `https://host:port`, checked.
    pub(crate) manager: Url,
    /// Whom to believe.
    pub(crate) trust: Trust,
    /// The user.
    pub(crate) user: String,
    /// The user's password.
    pub(crate) password: Password,
}

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
    #[error(
        "the Management Node has nothing at {path}; it may have been removed just now, or be of another release"
    )]
    Nothing {
        /// The path.
        path: String,
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
            Self::Refused { hint, .. } => hint.clone(),
            Self::Failed { .. } => Some("look at the Management Node's log, and try again".into()),
            Self::NotUnderstood { .. } => Some("use the pitlane that came with the Management Node's release".into()),
            Self::Setup(_) | Self::Trust(_) | Self::Wait { .. } | Self::Nothing { .. } => None,
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

/// The Management Node, from here.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    connection: Connection,
}

/// A good answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Where a new object is.
    pub(crate) location: Option<String>,
    /// The body.
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON; null when there is none.
    pub(crate) fn json(&self, doing: &str) -> Result<Value, ClientError> {
        if self.text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&self.text)
            .map_err(|error| ClientError::NotUnderstood { doing: doing.into(), why: error.to_string() })
    }
}

/// Reads what this release needs out of an answer. Fields that it does not know are passed over,
/// and control characters in its texts made visible.
pub(crate) fn view<T: serde::de::DeserializeOwned>(doing: &str, value: &Value) -> Result<T, ClientError> {
    serde_json::from_value(harmless_value(value))
        .map_err(|error| ClientError::NotUnderstood { doing: doing.into(), why: error.to_string() })
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// TLS cannot be set up as demanded.
    pub(crate) fn new(connection: Connection) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(connection.trust.tls()?)
            .https_only(true)
            // A redirect would carry the password elsewhere; a proxy of the environment is not meant
            // for the management network.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .user_agent(concat!("pitlane/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError::Setup)?;
        Ok(Self { http, connection })
    }

    /// Where the Management Node is.
    pub(crate) fn manager(&self) -> &str {
        self.connection.manager.as_str().trim_end_matches('/')
    }

    /// A request to a path below `/api/admin/`, or to an absolute path as the API gives them.
    pub(crate) fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.connection.manager.clone();
        match path.split_once('?') {
            _ if !path.starts_with('/') => url.set_path(&format!("/api/admin/{path}")),
            Some((path, query)) => {
                url.set_path(path);
                url.set_query(Some(query));
            }
            None => url.set_path(path),
        }
        for (name, value) in query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let Connection { user, password, .. } = &self.connection;
        self.http.request(method, url).basic_auth(user, Some(password.reveal()))
    }

    /// Gets an object.
    pub(crate) async fn get(&self, doing: &str, path: &str) -> Result<Value, ClientError> {
        self.send(doing, self.request(Method::GET, path, &[])).await?.json(doing)
    }

    /// Posts an object.
    pub(crate) async fn post(&self, doing: &str, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.send(doing, self.request(Method::POST, path, &[]).json(body)).await
    }

    /// Changes some fields of an object.
    pub(crate) async fn patch(&self, doing: &str, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.send(doing, self.request(Method::PATCH, path, &[]).json(body)).await
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, doing: &str, path: &str) -> Result<Answer, ClientError> {
        self.send(doing, self.request(Method::DELETE, path, &[])).await
    }

    /// Gets a whole list: the envelope of its first page, with the objects of all.
    pub(crate) async fn list(
        &self,
        doing: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, ClientError> {
        let query: Vec<(&str, &str)> = query.iter().copied().chain([("limit", PAGE)]).collect();
        let mut envelope = self.send(doing, self.request(Method::GET, path, &query)).await?.json(doing)?;
        let mut next = next_page(&envelope);
        for _ in 0..MAX_PAGES {
            let Some(path) = next else { return Ok(envelope) };
            let mut page = self.get(doing, &path).await?;
            next = next_page(&page);
            let more = page["objects"].as_array_mut().map(std::mem::take).unwrap_or_default();
            if let Some(objects) = envelope["objects"].as_array_mut() {
                objects.extend(more);
            }
            envelope["meta"]["next"] = Value::Null;
        }
        Err(ClientError::NotUnderstood { doing: doing.into(), why: "the list has no end".into() })
    }

    /// Sends a request and sorts the answer: a good one, or a failure with its kind.
    pub(crate) async fn send(&self, doing: &str, request: RequestBuilder) -> Result<Answer, ClientError> {
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        let status = response.status();
        let path = response.url().path().to_string();
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(harmless);
        let location = header("location");
        let retry_after = header("retry-after").and_then(|text| text.parse().ok()).map(Span::seconds);
        let text = self.body(doing, response).await?;
        if status.is_success() {
            return Ok(Answer { location, text });
        }
        let body: Option<Value> = serde_json::from_str(&text).ok();
        let (manager, user) = (self.manager().to_string(), self.connection.user.clone());
        let (doing, sentence) = (doing.to_string(), sentence(body.as_ref(), &text, status));
        Err(match status {
            StatusCode::UNAUTHORIZED => ClientError::NotLetIn { manager, user },
            StatusCode::TOO_MANY_REQUESTS => ClientError::Wait { manager, sentence, retry_after },
            StatusCode::NOT_FOUND => ClientError::Nothing { path },
            status if status.is_client_error() => {
                let hint = body.as_ref().and_then(|body| body["hint"].as_str()).map(harmless);
                ClientError::Refused { doing, status, sentence, hint, body }
            }
            status => ClientError::Failed { doing, status, sentence },
        })
    }

    async fn body(&self, doing: &str, mut response: Response) -> Result<String, ClientError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.no_answer(&error))? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                let why = format!("it has more than {MAX_ANSWER} bytes");
                return Err(ClientError::NotUnderstood { doing: doing.into(), why });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn no_answer(&self, error: &reqwest::Error) -> ClientError {
        let manager = self.manager().to_string();
        match certificate_fault(error) {
            Some(why) => ClientError::NotTrusted { manager, why },
            None => ClientError::Unreachable { manager, why: innermost(error) },
        }
    }
}

fn next_page(envelope: &Value) -> Option<String> {
    envelope["meta"]["next"].as_str().filter(|next| next.starts_with('/')).map(str::to_string)
}

/// What is wrong with the other side's certificate, if that is what went wrong.
fn certificate_fault(error: &(dyn Error + 'static)) -> Option<String> {
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
fn innermost(error: &reqwest::Error) -> String {
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
fn sentence(body: Option<&Value>, text: &str, status: StatusCode) -> String {
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
