//! Stores and loads the node's identity: certificate, key, addresses of the Management Node, and the one authority that
//! it trusts. It is made by enrolment and is one file, so that never a part of it is valid alone. It builds the TLS
//! client; it sends nothing.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::redirect::Policy;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};

use crate::files::{self, FileError};

/// The format of `identity.json` that this release reads and writes.
const FORMAT: u16 = 1;

/// What to do about a damaged identity.
const ADVICE: &str =
    "make a new enrolment file with `pitlane node enrol NAME` and run `pitlane-node enrol` with --replace";

/// How long a manager has to take a connection, unless connections have taken longer before. On any network that carries
/// calls it takes well under a second.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// The longest silence within an answer. A held answer is silent for up to ten seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// The identity of an enrolled node.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    format: u16,
    /// The name of the node, for its log.
    pub node: String,
    /// Where the Management Node listens for nodes, tried in turn.
    pub manager: Vec<String>,
    /// The certificate of the platform's authority, PEM.
    pub authority: String,
    /// The node's certificate, PEM.
    pub certificate: String,
    /// The key of that certificate, PEM.
    pub key: String,
    /// When the certificate is to be renewed, in milliseconds since 1970-01-01 UTC.
    pub renew_at: u64,
}

/// Distinguishes a file from another that was put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    inode: u64,
    changed: (i64, i64),
}

impl FileStamp {
    /// That of the file; `None` when there is none that can be looked at.
    pub fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self { inode: found.ino(), changed: (found.ctime(), found.ctime_nsec()) })
    }
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?}, {:?})", self.node, self.manager)
    }
}

/// The node has no identity that can be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none.
    #[error(
        "this machine is not enrolled; add the node on the Management Node, and run \
         `pitlane-node enrol --root {} --file FILE` with the enrolment file that it gives", root.display()
    )]
    NotEnrolled {
        /// The machine's root directory.
        root: PathBuf,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// By this machine's clock, the node's certificate is refused.
    #[error(
        "by the clock of this machine the node's certificate is refused: {reason}; set the clock, or, when it is \
         right, make a new enrolment file with `pitlane node enrol NAME`"
    )]
    NotValidNow {
        /// Why.
        reason: String,
    },
    /// A certificate or key in it cannot be used.
    #[error("the {what} cannot be used: {reason}; make a new enrolment file with `pitlane node enrol NAME`")]
    Unusable {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Identity {
    /// An identity in today's format.
    pub fn new(file: &wire::EnrolmentFile, key: String, enrolled: wire::Enrolled) -> Self {
        Self {
            format: FORMAT,
            node: file.node.clone(),
            manager: file.manager.clone(),
            authority: file.authority.clone(),
            certificate: enrolled.certificate,
            key,
            renew_at: enrolled.renew_at,
        }
    }

    /// The same node with a renewed certificate for a new key.
    pub fn renewed(self, key: String, enrolled: wire::Enrolled) -> Self {
        let wire::Enrolled { certificate, renew_at } = enrolled;
        Self { certificate, key, renew_at, ..self }
    }

    /// Reads the identity of the machine with this root directory.
    ///
    /// # Errors
    /// The machine is not enrolled, or its identity is damaged.
    pub fn load(root: &Path) -> Result<Self, IdentityError> {
        let path = Self::path(root);
        let identity: Option<Self> = files::load(&path, ADVICE)?;
        let identity = identity.ok_or_else(|| IdentityError::NotEnrolled { root: root.into() })?;
        if identity.format != FORMAT {
            let reason = format!("its format is {} and this release reads format {FORMAT}", identity.format);
            return Err(FileError::Damaged { path, reason, advice: ADVICE }.into());
        }
        Ok(identity)
    }

    /// Makes the identity durable, all of it or nothing.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn store(&self, root: &Path) -> Result<(), FileError> {
        files::state_dir(root)?;
        files::store(&Self::path(root), self)
    }

    /// Keeps others from replacing the identity until it is dropped: a renewal must not overwrite what an
    /// enrolment has put there.
    ///
    /// # Errors
    /// The disk does not answer.
    pub fn lock(root: &Path) -> Result<File, FileError> {
        let path = files::state_dir(root)?;
        let locked = File::open(&path).and_then(|dir| dir.lock().map(|()| dir));
        locked.map_err(|source| FileError::Disk { doing: "lock", path, source })
    }

    /// Where it lies.
    pub fn path(root: &Path) -> PathBuf {
        root.join("state/identity.json")
    }

    /// Checks the node's certificate as the Management Node does: signed by the authority of the platform, for a
    /// client, and good at this time. A clock that is far off, or a certificate that was not renewed, is found
    /// here; a connection that was made before goes on all the same.
    ///
    /// # Errors
    /// The certificate would be refused.
    pub fn check_validity(&self, now: SystemTime) -> Result<(), IdentityError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("certificate of the platform's authority", &self.authority)? {
            roots
                .add(certificate)
                .map_err(|error| unusable("certificate of the platform's authority", &error))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unusable("certificate of the platform's authority", &error))?;
        let chain = certificates("node's certificate", &self.certificate)?;
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let Some((own, between)) = chain.split_first() else { return Ok(()) };
        verifier
            .verify_client_cert(own, between, UnixTime::since_unix_epoch(since))
            .map(drop)
            .map_err(|error| IdentityError::NotValidNow { reason: error.to_string() })
    }

    /// A client that presents this identity and trusts only the platform's authority.
    ///
    /// # Errors
    /// A certificate or the key cannot be used.
    pub fn client(&self) -> Result<reqwest::Client, IdentityError> {
        self.client_that_connects_within(CONNECT)
    }

    /// The same with another time for a connection.
    pub(crate) fn client_that_connects_within(
        &self,
        connect: Duration,
    ) -> Result<reqwest::Client, IdentityError> {
        let builder = trusting(&self.authority)?;
        let certificates = certificates("node's certificate", &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|error| unusable("node's key", &error))?;
        let config = builder
            .with_client_auth_cert(certificates, key)
            .map_err(|error| unusable("node's certificate", &error))?;
        client(config, connect)
    }
}

/// A client without an identity, for enrolment, that trusts only the authority of the enrolment file.
///
/// # Errors
/// The authority's certificate cannot be used.
pub fn client_without_identity(authority: &str) -> Result<reqwest::Client, IdentityError> {
    client(trusting(authority)?.with_no_client_auth(), CONNECT)
}

/// A new key and the request to certify it, both PEM. The manager uses nothing of the request but the
/// public key.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn new_key() -> Result<(String, String), IdentityError> {
    let key = rcgen::KeyPair::generate().map_err(|error| unusable("new key", &error))?;
    let request = rcgen::CertificateParams::default().serialize_request(&key);
    let request = request.and_then(|request| request.pem()).map_err(|error| unusable("new key", &error))?;
    Ok((key.serialize_pem(), request))
}

type WantsIdentity = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn trusting(authority: &str) -> Result<WantsIdentity, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("certificate of the platform's authority", authority)? {
        roots
            .add(certificate)
            .map_err(|error| unusable("certificate of the platform's authority", &error))?;
    }
    Ok(ClientConfig::builder().with_root_certificates(roots))
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.map_err(|error| unusable(what, &error))?;
    if certificates.is_empty() {
        return Err(unusable(what, &"it holds no certificate"));
    }
    Ok(certificates)
}

fn client(config: ClientConfig, connect: Duration) -> Result<reqwest::Client, IdentityError> {
    let builder = reqwest::Client::builder().tls_backend_preconfigured(config).https_only(true).no_proxy();
    let builder =
        builder.redirect(Policy::none()).http1_only().connect_timeout(connect).read_timeout(SILENCE);
    builder.build().map_err(|error| unusable("TLS configuration", &error))
}

fn unusable(what: &'static str, reason: &dyn ToString) -> IdentityError {
    IdentityError::Unusable { what, reason: reason.to_string() }
}
