//! Reads a node's certificate: node, registration, key and validity.
//!
//! It relies on the TLS handshake, which has verified that our authority issued the certificate and that the
//! peer holds its key. It does not decide whether the certificate counts.

use std::time::Duration;

use fleet::node::NodeId;
use fleet::time::Wall;
use fleet::version::Sha256;
use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::Digest as _;
use wire::{IdentityName, RegistrationId};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::time::ASN1Time;

/// A node's certificate. Its times are of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The node that it names.
    pub node: NodeId,
    /// The registration; none in a certificate that release 34 issued.
    pub registration: Option<RegistrationId>,
    /// The SHA-256 of its public key.
    pub key: Sha256,
    /// The beginning of its validity.
    pub not_before: Wall,
    /// The end of its validity.
    pub not_after: Wall,
}

impl Certificate {
    /// Reads a certificate; none when it names no node, or more than one.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        let uris = uris(&parsed)?;
        let mut names = uris.iter().filter_map(|uri| uri.parse().ok());
        let name = names.next().filter(|_| names.next().is_none())?;
        let IdentityName::Node(node) = name else { return None };
        let mut registrations = uris.iter().filter_map(|uri| RegistrationId::of_name(uri));
        let registration = registrations.next();
        if registrations.next().is_some() {
            return None;
        }
        let validity = parsed.validity();
        Some(Self {
            node,
            registration,
            key: Sha256(sha2::Sha256::digest(key_of(&parsed)).into()),
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
        })
    }

    /// Whether it has expired by the wall clock. One whose validity has not begun yet was issued while the
    /// clock of this Management Node was ahead, and is accepted.
    pub(crate) fn is_expired(&self, wall: Wall) -> bool {
        wall > self.not_after
    }
}

fn uris(certificate: &X509Certificate<'_>) -> Option<Vec<String>> {
    let names = certificate.subject_alternative_name().ok()??;
    let uris = names.value.general_names.iter();
    Some(
        uris.filter_map(|name| if let GeneralName::URI(uri) = name { Some((*uri).into()) } else { None })
            .collect(),
    )
}

/// The public key in the form in which an enrolment stores its hash: the bits alone, as `rcgen` returns those
/// of a request.
fn key_of<'a>(certificate: &'a X509Certificate<'_>) -> &'a [u8] {
    &certificate.public_key().subject_public_key.data
}

fn time(time: ASN1Time) -> Wall {
    Wall(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(1_000))
}

/// The time at which the authenticity of a certificate is verified: now, or the nearest end of its validity.
/// Whether it is valid now is decided for every request, so that the node gets an answer with the reason.
pub(crate) fn moment_of_check(der: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(der) else { return now };
    let seconds = |time: ASN1Time| u64::try_from(time.timestamp()).unwrap_or(0);
    let (begin, end) = (seconds(parsed.validity().not_before), seconds(parsed.validity().not_after));
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().min(end).max(begin)))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    /// The node and the registration of a certificate with these names.
    fn named(names: &[&str]) -> Option<(NodeId, Option<RegistrationId>)> {
        let mut params = CertificateParams::default();
        let uri = |name: &&str| SanType::URI((*name).try_into().unwrap());
        params.subject_alt_names = names.iter().map(uri).collect();
        let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(signed.der()).map(|read| (read.node, read.registration))
    }

    #[test]
    fn certificate_names_one_node_and_at_most_one_registration() {
        let [first, second] = [1, 2].map(|number| RegistrationId(number).name());
        assert_eq!(named(&["pitlane:node:7", &first]), Some((NodeId(7), Some(RegistrationId(1)))));
        assert_eq!(named(&["pitlane:node:7"]), Some((NodeId(7), None)));
        assert_eq!(named(&["pitlane:node:7", &first, &second]), None);
        assert_eq!(named(&["pitlane:node:7", "pitlane:node:8", &first]), None);
        assert_eq!(named(&["pitlane:manager", &first]), None);
        assert_eq!(named(&[&first]), None);
    }
}
