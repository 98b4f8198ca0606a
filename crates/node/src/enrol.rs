//! Enrols the machine: exchanges the one-time token of an enrolment file for the node's identity. It relies on the
//! Management Node to issue the certificate. Until the new identity is complete and durable, the old one stays valid.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fleet::version::Release;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use wire::{ENROLMENT_FILE_BYTES, Enrolled, EnrolmentFile, EnrolmentFileError, EnrolmentRequest};

use crate::files::{self, FileError};
use crate::http::{self, Managers, RequestError};
use crate::identity::{self, Identity, IdentityError};

/// How long the manager has to answer: it makes a key's certificate and one durable write.
const ANSWER: Duration = Duration::from_secs(30);

/// How large the answer may be, in bytes: a certificate of some 800 bytes.
pub const ENROLLED_BYTES: usize = 64 << 10;

/// What to do with an identity that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to enrol.
    Keep,
    /// Replace it once the new one is complete.
    Replace,
}

/// The node could not be enrolled; the identity before is still valid.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The file cannot be read.
    #[error("could not read the enrolment file {}; check its name and who may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The file system's answer.
        source: io::Error,
    },
    /// It is no enrolment file that can be used.
    #[error(transparent)]
    File(#[from] EnrolmentFileError),
    /// The machine is enrolled.
    #[error("this machine is enrolled already as {node:?}; to enrol it anew all the same, add --replace")]
    Already {
        /// The name it was enrolled under.
        node: String,
    },
    /// The manager does not take the token.
    #[error(
        "the Management Node does not take this enrolment file: it was used before, has expired, or its node was \
         deleted{why}; make a new one with `pitlane node enrol NAME`"
    )]
    Token {
        /// The manager's own sentence, with a colon in front, or nothing.
        why: String,
    },
    /// The manager could not be asked.
    #[error("the node was not enrolled")]
    Request(#[source] RequestError),
    /// The identity cannot be used.
    #[error("the node was not enrolled")]
    Identity(#[from] IdentityError),
    /// The identity could not be kept. The token is good for the same key only.
    #[error(
        "the Management Node has enrolled the node, but its identity could not be kept; repair the disk and run \
         the same command again while the file is valid, else make a new one with `pitlane node enrol NAME`"
    )]
    Lost(#[source] FileError),
}

/// Enrols the machine with this root directory, which runs `release` (R29), and returns its identity.
///
/// # Errors
/// See [`EnrolError`].
pub async fn enrol(
    root: &Path,
    file: &Path,
    existing: Existing,
    release: Release,
) -> Result<Identity, EnrolError> {
    enrol_with(root, &read(file)?, existing, release).await
}

/// The same with a file that was read.
///
/// # Errors
/// See [`EnrolError`].
pub async fn enrol_with(
    root: &Path,
    file: &EnrolmentFile,
    existing: Existing,
    release: Release,
) -> Result<Identity, EnrolError> {
    if existing == Existing::Keep
        && let Ok(identity) = Identity::load(root)
    {
        return Err(EnrolError::Already { node: identity.node });
    }
    let client = identity::client_without_identity(&file.authority)?;
    let (pending, Pending { token: _, key, request }) = Pending::of(root, &file.token)?;
    let request = EnrolmentRequest { token: Some(file.token.clone()), request, release: Some(release) };
    let managers = Managers::new(file.manager.clone());
    let answer = managers.in_turn(|address| {
        let (client, request) = (&client, &request);
        async move { http::post(client, &address, "/node/v1/enrol", request, (ANSWER, ENROLLED_BYTES)).await }
    });
    let enrolled: Enrolled = answer.await.map_err(refused)?;
    let identity = Identity::new(file, key, enrolled);
    identity.client()?;
    let _lock = Identity::lock(root).map_err(EnrolError::Lost)?;
    identity.store(root).map_err(EnrolError::Lost)?;
    // A file that cannot be removed is harmless: its token is valid for no other key and no other node.
    let _ = std::fs::remove_file(pending);
    Ok(identity)
}

/// A key that the manager was asked to certify. A token is good for one key, so the key is kept until the
/// identity is: should the answer be lost, the same command asks for the same key again.
#[derive(Serialize, Deserialize)]
struct Pending {
    token: String,
    key: String,
    request: String,
}

impl Pending {
    /// The key for this token, durable before it is used, and the file that it lies in. That the file can
    /// be written also shows that the identity can be kept.
    fn of(root: &Path, token: &str) -> Result<(PathBuf, Self), EnrolError> {
        let path = files::state_dir(root).map_err(IdentityError::File)?.join("enrolment.json");
        // A damaged file counts as none.
        let kept = files::load::<Self>(&path, "it is made again").ok().flatten();
        let pending = match kept.filter(|kept| kept.token == token) {
            Some(kept) => kept,
            None => {
                let (key, request) = identity::new_key()?;
                Self { token: token.into(), key, request }
            }
        };
        files::store(&path, &pending).map_err(IdentityError::File)?;
        Ok((path, pending))
    }
}

fn read(path: &Path) -> Result<EnrolmentFile, EnrolError> {
    let mut text = String::new();
    let limit = ENROLMENT_FILE_BYTES as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text));
    read.map_err(|source| EnrolError::Unreadable { path: path.into(), source })?;
    Ok(EnrolmentFile::parse(&text)?)
}

fn refused(error: RequestError) -> EnrolError {
    const TOKEN: [StatusCode; 5] = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::CONFLICT,
        StatusCode::GONE,
    ];
    match error {
        RequestError::Refused { status, why, .. } if TOKEN.contains(&status) => EnrolError::Token { why },
        other @ (RequestError::Unreachable { .. }
        | RequestError::Untrusted { .. }
        | RequestError::Refused { .. }
        | RequestError::Malformed { .. }) => EnrolError::Request(other),
    }
}
