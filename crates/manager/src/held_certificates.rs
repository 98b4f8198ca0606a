//! The certificates that the operator has brought, one by one, as the check before an upgrade and the daily look at them
//! judge them: by the hash of their signature (R16) and by their end. It relies on the store for their text, and decides
//! nothing about connections.

use std::collections::BTreeSet;

use fleet::time::Wall;

use crate::resources::time;
use crate::store::{Store, StoreError, certificates};
use crate::trust::{Certificate, SignatureHash, read_certificates, with_forbidden_hash};

/// How many days before its end a certificate is named: a month is time for an authority to issue another one, and
/// longer than the week that a run may take at most.
const DAYS: i64 = 30;

/// A certificate, and where it is put right.
#[derive(Clone, Debug)]
pub(crate) struct HeldCertificate {
    /// The certificate.
    pub(crate) certificate: Certificate,
    /// What its object is called.
    pub(crate) called: &'static str,
    /// The URI of its object.
    pub(crate) uri: String,
}

impl HeldCertificate {
    /// Whose it is, with its object.
    pub(crate) fn described(&self) -> String {
        format!("the certificate of {} in the {} {}", self.certificate.subject(), self.called, self.uri)
    }

    /// The end of its validity.
    pub(crate) fn end(&self) -> String {
        time::text(self.certificate.shown().end_date)
    }

    /// Whether it is named in good time: it ends soon, or has ended.
    fn ends_soon(&self, now: Wall) -> bool {
        self.certificate.days_left(now) < DAYS
    }
}

/// All certificates of chains and of authorities.
///
/// # Errors
/// The store cannot be read.
pub(crate) async fn all(store: &Store) -> Result<Vec<HeldCertificate>, StoreError> {
    store
        .read(|connection| {
            let stored = certificates::all(connection)?;
            let held = |(of, id, text): (&'static crate::resources::Resource, i64, String)| {
                // What was stored was checked before.
                let certificates = read_certificates(&text).unwrap_or_default();
                certificates.into_iter().map(move |certificate| HeldCertificate {
                    certificate,
                    called: of.called,
                    uri: of.uri(id),
                })
            };
            Ok(stored.into_iter().flat_map(held).collect())
        })
        .await
}

/// Those that end soon or have ended.
pub(crate) fn ending(held: &[HeldCertificate], now: Wall) -> impl Iterator<Item = &HeldCertificate> {
    held.iter().filter(move |one| one.ends_soon(now))
}

/// Those that are signed with one of these hashes and are no roots (R16).
pub(crate) fn forbidden<'h>(
    held: &'h [HeldCertificate],
    hashes: &'h BTreeSet<SignatureHash>,
) -> impl Iterator<Item = &'h HeldCertificate> {
    held.iter().filter(|one| !with_forbidden_hash([&one.certificate], hashes).is_empty())
}
