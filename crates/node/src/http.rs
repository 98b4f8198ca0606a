//! Sends requests to the Management Node and classifies failures: unreachable, untrusted, refused, malformed. The class
//! decides whether a new release may wait for its Management Node. Answers are read up to a limit; nothing is retried
//! here but another address of the same Management Node.

use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use edge::text::is_hidden;
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How much is read of the body of a refusal, in bytes: a sentence and a hint.
const REFUSAL_BYTES: usize = 16 << 10;

/// How much of a manager's sentence is passed on, in characters.
const SENTENCE: usize = 400;

/// A request to the Management Node failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There was no answer.
    #[error("the Management Node cannot be reached at {address}; check its power and the network between")]
    Unreachable {
        /// The address that was tried.
        address: String,
        /// What the network said.
        source: reqwest::Error,
    },
    /// TLS failed: one side does not trust the other's certificate.
    #[error(
        "the Management Node at {address} and this node do not trust each other's certificates; check that it \
         is the right one, its names, and the date of both machines, else enrol the node again"
    )]
    Untrusted {
        /// The address that was tried.
        address: String,
        /// What TLS said.
        source: reqwest::Error,
    },
    /// The manager answered with a refusal.
    #[error("the Management Node at {address} refused with {status}{why}")]
    Refused {
        /// The address that was tried.
        address: String,
        /// The status of the answer.
        status: StatusCode,
        /// Its sentence, with a colon in front, or nothing.
        why: String,
    },
    /// The manager's answer cannot be understood.
    #[error("the answer of the Management Node at {address} cannot be understood: {why}")]
    Malformed {
        /// The address that was tried.
        address: String,
        /// What is wrong with it.
        why: String,
    },
}

/// What a failed request says about the Management Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failing {
    /// It cannot be reached.
    Unreachable,
    /// It was reached, and refused or was not understood.
    Refused,
}

impl RequestError {
    /// Classifies an error of a request to `address`. A timeout and an incomplete answer count as unreachable: a
    /// manager that hangs or ends is no fault of this node.
    pub fn sort(address: &str, source: reqwest::Error) -> Self {
        let address = address.to_string();
        if is_tls(&source) {
            Self::Untrusted { address, source }
        } else if source.is_builder() {
            Self::Malformed { address, why: crate::files::chain(&source) }
        } else {
            Self::Unreachable { address, source }
        }
    }

    /// Whether no connection was made in the time for that.
    pub(crate) fn took_too_long_to_connect(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => source.is_connect() && source.is_timeout(),
            Self::Untrusted { .. } | Self::Refused { .. } | Self::Malformed { .. } => false,
        }
    }

    /// What it says about the Management Node.
    pub fn failing(&self) -> Failing {
        match self {
            Self::Unreachable { .. } => Failing::Unreachable,
            Self::Untrusted { .. } | Self::Refused { .. } | Self::Malformed { .. } => Failing::Refused,
        }
    }
}

/// Whether TLS is somewhere among the causes.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    within.is_some_and(|inner| is_tls(inner)) || error.source().is_some_and(is_tls)
}

/// The addresses of the Management Node; the one that answered last is tried first.
#[derive(Debug)]
pub struct Managers {
    addresses: Vec<String>,
    first: AtomicUsize,
}

impl Managers {
    /// Addresses `host:port`.
    pub fn new(addresses: Vec<String>) -> Self {
        Self { addresses, first: AtomicUsize::new(0) }
    }

    /// Tries the addresses in turn until one answers.
    ///
    /// # Errors
    /// The failure of the last address that was reached, else of the last one.
    pub async fn in_turn<T, F>(&self, request: impl Fn(String) -> F) -> Result<T, RequestError>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let first = self.first.load(Ordering::Relaxed);
        let mut worst: Option<RequestError> = None;
        for step in 0..self.addresses.len() {
            let index = (first + step) % self.addresses.len();
            match request(self.addresses[index].clone()).await {
                Ok(answer) => {
                    self.first.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => {
                    let keep = worst.as_ref().is_none_or(|worst| worst.failing() <= error.failing());
                    worst = if keep { Some(error) } else { worst };
                }
            }
        }
        Err(worst.unwrap_or_else(|| RequestError::Malformed {
            address: "(none)".into(),
            why: "no address of a Management Node is known".into(),
        }))
    }
}

/// Posts JSON and reads the JSON that is answered, at most `limit` bytes of it.
///
/// # Errors
/// See [`RequestError`].
pub async fn post<T: DeserializeOwned>(
    client: &reqwest::Client,
    address: &str,
    path: &str,
    body: &impl Serialize,
    (timeout, limit): (Duration, usize),
) -> Result<T, RequestError> {
    let request = client.post(format!("https://{address}{path}")).timeout(timeout).json(body);
    let answer = request.send().await.map_err(|error| RequestError::sort(address, error))?;
    let answer = accepted(address, answer).await?;
    let body = bytes(address, answer, limit).await?;
    let malformed = |error: serde_json::Error| RequestError::Malformed {
        address: address.into(),
        why: error.to_string(),
    };
    serde_json::from_slice(&body).map_err(malformed)
}

/// Gets a small file, at most `limit` bytes of it.
///
/// # Errors
/// See [`RequestError`].
pub async fn get(
    client: &reqwest::Client,
    address: &str,
    path: &str,
    (timeout, limit): (Duration, usize),
) -> Result<Vec<u8>, RequestError> {
    let request = client.get(format!("https://{address}{path}")).timeout(timeout);
    let answer = request.send().await.map_err(|error| RequestError::sort(address, error))?;
    bytes(address, accepted(address, answer).await?, limit).await
}

/// Passes a successful answer on.
///
/// # Errors
/// Any other answer, with the manager's own sentence.
pub async fn accepted(address: &str, answer: Response) -> Result<Response, RequestError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = bytes(address, answer, REFUSAL_BYTES).await.unwrap_or_default();
    Err(RequestError::Refused { address: address.into(), status, why: sentence(&body) })
}

#[derive(Deserialize)]
struct RefusalBody {
    error: String,
    #[serde(default)]
    hint: String,
}

/// The manager's sentence and hint, printable and short.
fn sentence(body: &[u8]) -> String {
    let Ok(RefusalBody { error, hint }) = serde_json::from_slice(body) else { return String::new() };
    let link = if hint.is_empty() { "" } else { "; " };
    let text = format!(": {error}{link}{hint}");
    text.chars().filter(|c| !is_hidden(*c)).take(SENTENCE).collect()
}

async fn bytes(address: &str, mut answer: Response, limit: usize) -> Result<Vec<u8>, RequestError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| RequestError::sort(address, error))? {
        if body.len() + chunk.len() > limit {
            let why = format!("it is larger than {limit} bytes");
            return Err(RequestError::Malformed { address: address.into(), why });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: String) -> RequestError {
        RequestError::Refused { address, status: StatusCode::FORBIDDEN, why: String::new() }
    }

    #[tokio::test]
    async fn address_that_answered_is_tried_first_the_next_time() {
        let managers = Managers::new(vec!["a".into(), "b".into(), "c".into()]);
        let only_b = async |address: String| if address == "b" { Ok(address) } else { Err(refused(address)) };
        assert_eq!(managers.in_turn(only_b).await.unwrap(), "b");
        assert_eq!(managers.in_turn(async |address| Ok(address)).await.unwrap(), "b");
        let none = managers.in_turn(async |address| Err::<(), _>(refused(address))).await;
        assert!(none.unwrap_err().to_string().contains("at a refused"), "the order is b, c, a");
    }

    #[test]
    fn managers_sentence_is_passed_on_printable_and_short() {
        let check = |body: &str, expected: &str| assert_eq!(sentence(body.as_bytes()), expected);
        check(r#"{"error":"used","hint":"make a new one"}"#, ": used; make a new one");
        check(r#"{"error":"bad\u001b[2J"}"#, ": bad[2J");
        check("<html>", "");
        assert_eq!(sentence(format!(r#"{{"error":"{}"}}"#, "x".repeat(9_000)).as_bytes()).len(), SENTENCE);
    }
}
