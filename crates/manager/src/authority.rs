//! The platform's certificate authority. It is created at the first start and issues the certificates of the
//! Management Node and of every Conferencing Node.
//!
//! It relies on the directory `state` for its key, which never leaves the machine, and on the wall clock for
//! dates. It does not decide which node may have a certificate: `link` and `registration` do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clock::{Machine, Source};
use fleet::node::NodeId;
use fleet::time::Wall;
use fleet::version::Sha256;
use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::Digest as _;
use thiserror::Error;
use wire::{IdentityName, RegistrationId};

use crate::enrolment::random;
use crate::registration::DATED_BACK;

/// The beginning of the validity of the authority and of every node's certificate: 2020-01-01. It is a fixed
/// day, for the clock of a machine that is deployed may be wrong, and a certificate that begins too late is
/// rejected by everybody once the clock is corrected. An early beginning costs nothing: the end of the
/// validity limits a certificate.
const BEGINS: Duration = Duration::from_secs(1_577_836_800);

/// The end of the validity of the authority: 2070-01-01, longer than a platform runs without a new
/// deployment.
const AUTHORITY_ENDS: Duration = Duration::from_secs(3_155_760_000);

/// The earliest plausible time of a clock: 2026-01-01, before the first release. A machine whose clock has no
/// battery begins with 1970, and its certificates would all have expired.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

/// How long a node's certificate is valid.
const CERTIFICATE_LIFE: Duration = Duration::from_millis(wire::CERTIFICATE_LIFE.0);

/// How long the Management Node's own certificate is valid before and after it was issued: a node, or a
/// person, whose clock is more than a year off, either way, accepts it, and can be informed of its clock. Its
/// key never leaves the process, which is restarted more often than that. The validity is within the 825 days
/// that the strictest clients accept (Apple, support document 103769).
const MARGIN: Duration = days(410);

/// How far the wall clock may move from the time of issue of the Management Node's certificate, either way,
/// before another is issued: so the margin stays the same, whatever is done to the clock.
const MADE_ANEW_AFTER: Duration = days(1);

/// Largest accepted certificate signing request, in bytes of PEM. Ours have some five hundred.
const REQUEST_MAX: usize = 16 << 10;

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

/// An error of the authority.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The disk reported an error.
    #[error("could not {doing} {}; check the disk and the owner of the file", path.display())]
    Disk {
        /// The operation.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The certificate is there and its key is not.
    #[error("{} is missing; put it back from a backup, nodes trust no other", path.display())]
    KeyMissing {
        /// Where the key belongs.
        path: PathBuf,
    },
    /// A key or certificate is damaged, or could not be created.
    #[error("the authority in {} cannot be used; put it back from a backup", dir.display())]
    Unusable {
        /// The directory of the authority.
        dir: PathBuf,
        /// The error.
        source: rcgen::Error,
    },
    /// A certificate could not be issued.
    #[error("a certificate could not be made")]
    NotIssued(#[source] rcgen::Error),
    /// A node sent a certificate signing request that cannot be used.
    #[error("the certificate signing request cannot be used; send one for an ECDSA P-256 key")]
    BadRequest,
}

/// Issues certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    certificate: CertificateDer<'static>,
    clocks: Arc<dyn Source>,
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate, PEM.
    pub pem: String,
    /// When it is to be renewed: at two thirds of its life.
    pub renew_at: SystemTime,
}

impl Authority {
    /// Loads the authority from the directory `dir`, or creates it there.
    ///
    /// # Errors
    /// The disk reports an error, or a file there is damaged.
    pub fn load_or_make(dir: &Path) -> Result<Self, AuthorityError> {
        Self::load_or_make_on(Arc::new(Machine), dir)
    }

    /// The same with other clocks than this machine's.
    pub(crate) fn load_or_make_on(clocks: Arc<dyn Source>, dir: &Path) -> Result<Self, AuthorityError> {
        if !dir.join("authority.pem").exists() {
            // A key without its certificate was left by a power cut while it was created; nothing was issued
            // with it.
            let (pair, text) =
                make().map_err(|source| AuthorityError::Unusable { dir: dir.into(), source })?;
            let (key, pem) = (dir.join("authority.key"), dir.join("authority.pem"));
            fs::create_dir_all(dir).map_err(failed("create", dir))?;
            write_private(&key, pair.serialize_pem().as_bytes())?;
            write_durably(&pem, text.as_bytes(), 0o644)?;
        }
        Self::read(clocks, dir)
    }

    /// Loads the authority from the directory `dir`; none when there is none.
    ///
    /// # Errors
    /// The disk reports an error, or a file there is damaged.
    pub fn load(dir: &Path) -> Result<Option<Self>, AuthorityError> {
        let is_made = dir.join("authority.pem").exists();
        if is_made { Self::read(Arc::new(Machine), dir).map(Some) } else { Ok(None) }
    }

    fn read(clocks: Arc<dyn Source>, dir: &Path) -> Result<Self, AuthorityError> {
        let (key, pem) = (dir.join("authority.key"), dir.join("authority.pem"));
        let unusable = |source| AuthorityError::Unusable { dir: dir.into(), source };
        let text = fs::read_to_string(&pem).map_err(failed("read", &pem))?;
        let pair = match fs::read_to_string(&key) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(AuthorityError::KeyMissing { path: key });
            }
            pair => pair.map_err(failed("read", &key))?,
        };
        let pair = KeyPair::from_pem(&pair).map_err(unusable)?;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|_| unusable(rcgen::Error::CouldNotParseCertificate))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, pair).map_err(unusable)?;
        Ok(Self { issuer, pem: text, certificate, clocks })
    }

    /// The authority's certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The authority's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The SHA-256 of the certificate, which a person compares before trusting it.
    pub fn fingerprint(&self) -> Sha256 {
        Sha256(sha2::Sha256::digest(&self.certificate).into())
    }

    /// Issues the certificate of a node and its registration for the key in `request`; nothing else of the
    /// request is used.
    ///
    /// # Errors
    /// [`AuthorityError::BadRequest`] when its key is of another kind than ours.
    pub fn issue_to_node(
        &self,
        node: NodeId,
        registration: RegistrationId,
        request: &NodeRequest,
    ) -> Result<Issued, AuthorityError> {
        self.issue_dated(node, Some(registration), request, self.now())
    }

    /// Issues a node's certificate as of `now`; without a registration, as release 34 does.
    pub(crate) fn issue_dated(
        &self,
        node: NodeId,
        registration: Option<RegistrationId>,
        request: &NodeRequest,
        now: SystemTime,
    ) -> Result<Issued, AuthorityError> {
        let begins = registration.map_or(now - Duration::from_millis(DATED_BACK.0), |_| at(BEGINS));
        let validity = (begins, now + CERTIFICATE_LIFE);
        let mut params = identity(IdentityName::Node(node), validity).map_err(AuthorityError::NotIssued)?;
        if let Some(registration) = registration {
            let name = registration.name().try_into().map_err(AuthorityError::NotIssued)?;
            params.subject_alt_names.push(SanType::URI(name));
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate =
            params.signed_by(&request.0.public_key, &self.issuer).map_err(AuthorityError::NotIssued)?;
        Ok(Issued { pem: certificate.pem(), renew_at: now + CERTIFICATE_LIFE * 2 / 3 })
    }

    /// The time of the wall clock, or the earliest plausible one.
    fn now(&self) -> SystemTime {
        at(Duration::from_millis(self.clocks.wall().0).max(EARLIEST))
    }

    /// Issues a certificate of the Management Node for `names`, with a key of its own.
    fn issue_to_manager(&self, names: &[String], now: SystemTime) -> Result<CertifiedKey, rcgen::Error> {
        let mut params = identity(IdentityName::Manager, (now - MARGIN, now + MARGIN))?;
        params.subject_alt_names.extend(CertificateParams::new(names)?.subject_alt_names);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        // With the authority, so that a client that has pinned its fingerprint can check it.
        let chain = vec![certificate.der().clone(), self.certificate().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        CertifiedKey::from_der(chain, key, &provider).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// The public key of a certificate signing request.
#[derive(Debug)]
pub struct NodeRequest(CertificateSigningRequestParams);

impl NodeRequest {
    /// Reads a request, PEM, and checks that it is signed with its own key.
    ///
    /// # Errors
    /// [`AuthorityError::BadRequest`].
    pub fn parse(pem: &str) -> Result<Self, AuthorityError> {
        if pem.len() > REQUEST_MAX {
            return Err(AuthorityError::BadRequest);
        }
        let request =
            CertificateSigningRequestParams::from_pem(pem).map_err(|_| AuthorityError::BadRequest)?;
        if *request.public_key.algorithm() != rcgen::PKCS_ECDSA_P256_SHA256 {
            return Err(AuthorityError::BadRequest);
        }
        Ok(Self(request))
    }

    /// The public key.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key.der_bytes()
    }
}

/// The Management Node's certificate, which is reissued whenever the wall clock has moved away from the time
/// of issue, in either direction.
#[derive(Debug)]
pub struct ServerIdentity {
    authority: Arc<Authority>,
    names: Vec<String>,
    current: Mutex<Made>,
}

/// A certificate with the time of its issue.
#[derive(Clone, Debug)]
struct Made {
    certificate: Arc<CertifiedKey>,
    at: SystemTime,
}

impl Made {
    /// Whether the wall clock is still close to the time of issue.
    fn is_fresh(&self, now: SystemTime) -> bool {
        let away = now.duration_since(self.at).unwrap_or_else(|earlier| earlier.duration());
        away < MADE_ANEW_AFTER
    }
}

impl ServerIdentity {
    /// Issues the certificate for these names and addresses.
    ///
    /// # Errors
    /// A name is invalid.
    pub fn new(authority: Arc<Authority>, names: Vec<String>) -> Result<Self, AuthorityError> {
        let at = authority.now();
        let made = authority.issue_to_manager(&names, at).map_err(AuthorityError::NotIssued)?;
        let current = Mutex::new(Made { certificate: Arc::new(made), at });
        Ok(Self { authority, names, current })
    }

    /// The time of the wall clock, by which certificates are judged.
    pub(crate) fn wall(&self) -> Wall {
        let since = self.authority.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The current certificate, and that of the authority.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current().cert.clone()
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let mut current = self.current.lock();
        let now = self.authority.now();
        if !current.is_fresh(now)
            && let Ok(made) = self.authority.issue_to_manager(&self.names, now)
        {
            *current = Made { certificate: Arc::new(made), at: now };
        }
        current.certificate.clone()
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// The parameters that all certificates of the platform have in common.
fn identity(
    name: IdentityName,
    (begins, ends): (SystemTime, SystemTime),
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name.to_string());
    params.subject_alt_names = vec![SanType::URI(name.to_string().try_into()?)];
    params.not_before = date(begins);
    params.not_after = date(ends);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn make() -> Result<(KeyPair, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let tag = u32::from_be_bytes(random());
    params.distinguished_name.push(DnType::CommonName, format!("Pitlane authority {tag:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date(at(BEGINS));
    params.not_after = date(at(AUTHORITY_ENDS));
    let pem = params.self_signed(&key)?.pem();
    Ok((key, pem))
}

/// The time that is `since` after 1970-01-01 UTC.
fn at(since: Duration) -> SystemTime {
    UNIX_EPOCH + since
}

fn date<T: From<SystemTime>>(time: SystemTime) -> T {
    time.into()
}

/// Writes a file that only its owner may read, atomically and durably.
pub(crate) fn write_private(path: &Path, contents: &[u8]) -> Result<(), AuthorityError> {
    write_durably(path, contents, 0o600)
}

fn write_durably(path: &Path, contents: &[u8], mode: u32) -> Result<(), AuthorityError> {
    slots::replace_file(path, contents, mode).map_err(failed("write", path))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuthorityError + use<> {
    let path = path.to_path_buf();
    move |source| AuthorityError::Disk { doing, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clock::SetByHand;
    use fleet::time::{Offset, Wall};

    use super::*;

    #[test]
    fn authority_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let made = Authority::load_or_make(dir.path()).unwrap();
        let again = Authority::load_or_make(dir.path()).unwrap();
        assert_eq!(made.fingerprint(), again.fingerprint());
        let mode = fs::metadata(dir.path().join("authority.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn authority_that_lost_its_key_is_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        Authority::load_or_make(dir.path()).unwrap();
        fs::remove_file(dir.path().join("authority.key")).unwrap();
        let refusal = Authority::load_or_make(dir.path()).unwrap_err().to_string();
        assert!(refusal.contains("authority.key is missing"), "{refusal}");
    }

    #[test]
    fn only_the_key_of_a_request_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_make(dir.path()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut asked = CertificateParams::new(["127.0.0.1".to_string()]).unwrap();
        asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let request = asked.serialize_request(&key).unwrap().pem().unwrap();
        let request = NodeRequest::parse(&request).unwrap();
        let issued = authority.issue_to_node(NodeId(7), RegistrationId(5), &request).unwrap();
        let der = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert!(!certificate.is_ca());
        let shown = crate::certificate::Certificate::read(&der).unwrap();
        assert_eq!((shown.node, shown.registration), (NodeId(7), Some(RegistrationId(5))));
        let names = certificate.subject_alternative_name().unwrap().unwrap().value;
        assert_eq!(names.general_names.len(), 2);
    }

    #[test]
    fn damaged_request_is_refused() {
        for pem in ["", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"] {
            assert!(matches!(NodeRequest::parse(pem), Err(AuthorityError::BadRequest)));
        }
    }

    /// The validity of a certificate, in days since 1970.
    fn validity(certificate: &[u8]) -> (i64, i64) {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).unwrap();
        let day = |time: x509_parser::time::ASN1Time| time.timestamp() / 86_400;
        (day(certificate.validity().not_before), day(certificate.validity().not_after))
    }

    /// The day on which the tests begin, in days since 1970.
    const DAY: i64 = 21_000;

    fn clocks() -> SetByHand {
        SetByHand::new(Wall(u64::try_from(DAY).unwrap() * 86_400_000))
    }

    fn set_days(clocks: &SetByHand, days: i64) {
        clocks.set(Offset(days * 86_400_000));
    }

    #[test]
    fn managers_certificate_is_good_for_everybody_however_its_clock_is_set() {
        let (dir, clocks) = (tempfile::tempdir().unwrap(), clocks());
        let authority = Authority::load_or_make_on(Arc::new(clocks.clone()), dir.path()).unwrap();
        let identity = ServerIdentity::new(Arc::new(authority), vec!["127.0.0.1".into()]).unwrap();
        let mut today = DAY;
        for step in [0, 400, -400, -400, 800, 60, -60] {
            set_days(&clocks, step);
            today += step;
            let (begins, ends) = validity(identity.current().cert[0].as_ref());
            assert!(begins <= today - 400 && today + 400 <= ends, "{begins} to {ends} on {today}");
            assert!(ends - begins <= 825, "the strictest clients accept 825 days");
        }
    }

    #[test]
    fn managers_certificate_is_made_anew_only_when_its_clock_has_gone_away_from_it() {
        let (dir, clocks) = (tempfile::tempdir().unwrap(), clocks());
        let authority = Authority::load_or_make_on(Arc::new(clocks.clone()), dir.path()).unwrap();
        let identity = ServerIdentity::new(Arc::new(authority), vec!["127.0.0.1".into()]).unwrap();
        let first = identity.current();
        for hours in [23, -46] {
            clocks.set(Offset(hours * 3_600_000));
            assert!(Arc::ptr_eq(&first, &identity.current()));
        }
        clocks.set(Offset(-2 * 3_600_000));
        assert!(!Arc::ptr_eq(&first, &identity.current()));
    }

    #[test]
    fn authority_that_is_made_under_a_wrong_clock_is_good_under_a_right_one() {
        for days in [0, 400, -400, -DAY] {
            let (dir, clocks) = (tempfile::tempdir().unwrap(), clocks());
            set_days(&clocks, days);
            let authority = Authority::load_or_make_on(Arc::new(clocks), dir.path()).unwrap();
            let (begins, ends) = validity(authority.certificate());
            assert!(begins < DAY - 2_000 && DAY + 10_000 < ends, "{begins} to {ends}");
        }
    }

    #[test]
    fn nodes_certificate_is_not_too_young_for_any_clock() {
        for (days, good_for) in [(0, 90), (400, 490)] {
            let (dir, clocks) = (tempfile::tempdir().unwrap(), clocks());
            set_days(&clocks, days);
            let authority = Authority::load_or_make_on(Arc::new(clocks), dir.path()).unwrap();
            let key = KeyPair::generate().unwrap();
            let asked = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
            let issued = authority
                .issue_to_node(NodeId(7), RegistrationId(1), &NodeRequest::parse(&asked).unwrap())
                .unwrap();
            let der = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
            let (begins, ends) = validity(&der);
            assert!(begins < DAY - 2_000, "a node or a manager whose clock was behind refused it");
            assert_eq!(ends, DAY + good_for);
        }
    }
}
