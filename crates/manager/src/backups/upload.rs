//! Uploads a backup with PUT over HTTPS. The server is verified by the certificates that the machine trusts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;
use thiserror::Error;

use super::name::BackupName;

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long an upload may take: the largest backup at 2 MB a second. The next one of the schedule waits for it.
const UPLOAD_WITHIN: Duration = Duration::from_secs(60 * 60);

/// Where backups are uploaded.
#[derive(Clone)]
pub(super) struct Destination {
    /// The URL of a directory, checked: `https`.
    pub(super) url: String,
    /// The user; none is named when it is empty.
    pub(super) username: String,
    /// The user's password.
    pub(super) password: String,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, username, password: _ } = self;
        f.debug_struct("Destination").field("url", url).field("username", username).finish_non_exhaustive()
    }
}

/// A backup could not be uploaded.
#[derive(Debug, Error)]
pub(super) enum UploadError {
    /// TLS cannot be set up.
    #[error("the certificates that the machine trusts cannot be used; install ca-certificates")]
    Tls(#[source] rustls::Error),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    /// There is no answer.
    #[error("the server cannot be reached, or ends the connection")]
    NoAnswer(#[source] reqwest::Error),
    /// The server refuses it.
    #[error("the server answered {status}")]
    Refused {
        /// The status.
        status: reqwest::StatusCode,
    },
}

/// Uploads a backup under its name. `more` are certificates of authorities that are trusted as well.
pub(super) async fn upload(
    to: &Destination,
    dir: &Path,
    name: BackupName,
    more: &[CertificateDer<'static>],
) -> Result<(), UploadError> {
    let client = client(more)?;
    let file = tokio::fs::File::open(dir.join(name.to_string())).await.map_err(UploadError::File)?;
    let size = file.metadata().await.map_err(UploadError::File)?.len();
    let url = format!("{}/{name}", to.url.trim_end_matches('/'));
    let request = client.put(url).header(reqwest::header::CONTENT_LENGTH, size).body(file);
    let request = match to.username.as_str() {
        "" => request,
        username => request.basic_auth(username, Some(&to.password)),
    };
    // The URL stands in the settings, and perhaps holds something secret.
    let answer = request.send().await.map_err(|error| UploadError::NoAnswer(error.without_url()))?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(UploadError::Refused { status }) }
}

fn client(more: &[CertificateDer<'static>]) -> Result<reqwest::Client, UploadError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        Verifier::new_with_extra_roots(more.iter().cloned(), provider.clone()).map_err(UploadError::Tls)?;
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(UploadError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        // A redirect would send the password elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .timeout(UPLOAD_WITHIN)
        .build()
        .map_err(UploadError::NoAnswer)
}
