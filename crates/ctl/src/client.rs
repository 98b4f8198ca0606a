//! The HTTP client of the management API: sends one request and returns the answer, or an error with its kind. Relies
//! on `trust` for TLS; retries nothing.

use std::time::Duration;

use bytes::Bytes;
use fleet::time::Span;
use fleet::version::Release;
use reqwest::header::{COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use crate::client_error::{ClientError, certificate_fault, innermost, sentence};
use crate::password::Password;
use crate::text::{sanitized, sanitized_value};
use crate::trust::Trust;

/// How long connecting may take: a machine that is up answers at once.
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

/// The cookie that carries the token of a device.
const DEVICE_COOKIE: &str = "pitlane-device";

/// The longest token that is kept, in bytes; ours have 97.
const MAX_TOKEN: usize = 512;

/// The address of the Management Node, how to verify it, and the login.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// `https://host:port`, checked.
    pub(crate) manager: Url,
    /// How the Management Node is verified.
    pub(crate) trust: Trust,
    /// The user.
    pub(crate) user: String,
    /// The user's password.
    pub(crate) password: Password,
    /// The device token of an earlier login: with it, wrong passwords of others do not delay this login.
    pub(crate) device: Option<Password>,
}

/// A client of one Management Node.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    connection: Connection,
}

/// The answer to a request that has succeeded.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The path of a new object.
    pub(crate) location: Option<String>,
    /// The body.
    pub(crate) text: String,
    /// The device token that came with it.
    pub(crate) device: Option<Password>,
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

/// Reads what this release needs from an answer. Unknown fields are ignored, and control characters in texts are
/// replaced.
pub(crate) fn view<T: serde::de::DeserializeOwned>(doing: &str, value: &Value) -> Result<T, ClientError> {
    serde_json::from_value(sanitized_value(value))
        .map_err(|error| ClientError::NotUnderstood { doing: doing.into(), why: error.to_string() })
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// TLS cannot be set up as requested.
    pub(crate) fn new(connection: Connection) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(connection.trust.tls()?)
            .https_only(true)
            // A redirect would send the password elsewhere; a proxy in the environment is not meant for the
            // management network.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .user_agent(format!("pitlane/{}", Release::PRESENT.version))
            .build()
            .map_err(ClientError::Setup)?;
        Ok(Self { http, connection })
    }

    /// The address of the Management Node.
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
        let Connection { user, password, device, .. } = &self.connection;
        let request = self.http.request(method, url).basic_auth(user, Some(password.reveal()));
        match device {
            Some(token) => request.header(COOKIE, format!("{DEVICE_COOKIE}={}", token.reveal())),
            None => request,
        }
    }

    /// The user of the requests.
    pub(crate) fn user(&self) -> &str {
        &self.connection.user
    }

    /// The password of the requests.
    pub(crate) fn password(&self) -> &Password {
        &self.connection.password
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

    /// Sends a request; the answer, or an error with its kind.
    pub(crate) async fn send(&self, doing: &str, request: RequestBuilder) -> Result<Answer, ClientError> {
        let response = self.open(doing, request).await?;
        let location = header(&response, "location");
        let device = given_token(response.headers());
        let text = self.body(doing, response).await?;
        Ok(Answer { location, text, device })
    }

    /// Sends a request; the answer with its body still to be read, or an error with its kind.
    pub(crate) async fn open(&self, doing: &str, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(doing, response).await) }
    }

    /// The next bytes of an answer; none at its end.
    pub(crate) async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, ClientError> {
        response.chunk().await.map_err(|error| self.no_answer(&error))
    }

    /// The error that an answer without success is.
    async fn refusal(&self, doing: &str, response: Response) -> ClientError {
        let status = response.status();
        let path = response.url().path().to_string();
        let retry_after =
            header(&response, "retry-after").and_then(|text| text.parse().ok()).map(Span::seconds);
        let text = match self.body(doing, response).await {
            Ok(text) => text,
            Err(error) => return error,
        };
        let body: Option<Value> = serde_json::from_str(&text).ok();
        let hint = body.as_ref().and_then(|body| body["hint"].as_str()).map(sanitized);
        let (manager, user) = (self.manager().to_string(), self.connection.user.clone());
        let (doing, sentence) = (doing.to_string(), sentence(body.as_ref(), &text, status));
        match status {
            StatusCode::UNAUTHORIZED => ClientError::LoginRefused { manager, user },
            StatusCode::TOO_MANY_REQUESTS => {
                ClientError::RateLimited { manager, sentence, retry_after, hint }
            }
            StatusCode::NOT_FOUND => ClientError::NotFound { path, sentence, hint },
            // A full disk (507) counts as a refusal: the Management Node has changed nothing.
            status if status.is_client_error() || status == StatusCode::INSUFFICIENT_STORAGE => {
                ClientError::Refused { doing, status, sentence, hint, body }
            }
            status => ClientError::Failed { doing, status, sentence, hint },
        }
    }

    async fn body(&self, doing: &str, mut response: Response) -> Result<String, ClientError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
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

/// A header of an answer.
fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(sanitized)
}

/// The device token in the cookies of an answer.
fn given_token(headers: &HeaderMap) -> Option<Password> {
    let cookies = headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    cookies.filter_map(|cookie| cookie.split(';').next()?.split_once('=')).find_map(|(name, token)| {
        let plain = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        (name.trim() == DEVICE_COOKIE && plain && token.len() <= MAX_TOKEN).then(|| Password::new(token))
    })
}

fn next_page(envelope: &Value) -> Option<String> {
    envelope["meta"]["next"].as_str().filter(|next| next.starts_with('/')).map(str::to_string)
}
