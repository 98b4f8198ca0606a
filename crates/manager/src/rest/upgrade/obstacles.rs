//! What stands in the way of a start beside what the core knows: the rules of the package (R16), the disk of the
//! Management Node, and certificates that are about to end.
//!
//! It relies on the store and the disk of this moment. A start looks again, so nothing of it is stored.

use std::collections::BTreeSet;

use answers::Finding;
use edge::text::visible;
use fleet::version::Version;
use package::rules::{CertificateHash, Rule};
use serde_json::json;

use super::precheck::{Findings, finding};
use crate::disk_space::{self, Lacking};
use crate::held_certificates::{self, HeldCertificate};
use crate::packages::HeldPackage;
use crate::resources::upgrade::UPGRADE_PACKAGE;
use crate::rest::Api;
use crate::rest::error::Refusal;
use crate::trust::SignatureHash;

/// The most characters of a foreign name in a sentence.
const NAME: usize = 60;

/// A blocker that the core does not know.
#[derive(Debug)]
enum Obstacle {
    /// A certificate is signed with a hash that the release does not accept (R16).
    ForbiddenHash {
        /// The certificate.
        held: Box<HeldCertificate>,
        /// The release that does not accept it.
        brings: Version,
    },
    /// The release does not fit the disk of the Management Node.
    DiskSpace(Lacking),
}

/// What an operator should know before a start, and the core does not.
#[derive(Debug)]
enum Notice {
    /// The package has a rule that this release does not know, so it is not checked.
    UnknownRule {
        /// Its name.
        name: String,
    },
    /// A certificate ends soon, or has ended.
    Ends {
        /// The certificate.
        held: Box<HeldCertificate>,
        /// How many days are left.
        days: i64,
    },
}

/// All that was found.
#[derive(Debug, Default)]
struct Found {
    /// What blocks the start.
    obstacles: Vec<Obstacle>,
    /// What should be known.
    notices: Vec<Notice>,
}

/// Looks for everything of this module that concerns a start of a package now.
pub(super) async fn find(api: &Api, held: &HeldPackage) -> Result<Findings, Refusal> {
    let from = api.committer().read(|fleet, _| fleet.platform.release);
    let (to, rules) = (held.verified.manifest().release(), held.verified.manifest().rules());
    let mut found = Found::default();
    let certificates = held_certificates::all(api.committer().store()).await?;
    found.judge_rules(&rules, (from.version, to.version), &certificates);
    if from != to {
        let package = held.clone();
        let lacking = api.blocking(move |layout| disk_space::lacking(layout, &package)).await?;
        found.obstacles.extend(lacking.map(Obstacle::DiskSpace));
    }
    let now = api.committer().wall();
    found.notices.extend(
        held_certificates::ending(&certificates, now)
            .map(|held| Notice::Ends { held: Box::new(held.clone()), days: held.certificate.days_left(now) }),
    );
    Ok(Findings {
        blockers: found.obstacles.iter().map(|obstacle| obstacle.finding(&api.context.name)).collect(),
        warnings: found.notices.iter().map(Notice::finding).collect(),
    })
}

impl Found {
    /// Applies the rules of a package to a step from one version to another.
    fn judge_rules(&mut self, rules: &[Rule], (from, to): (Version, Version), held: &[HeldCertificate]) {
        for rule in rules {
            match rule {
                Rule::CertificateHash(rule) if from < rule.from_below && rule.from_below <= to => {
                    self.judge_hashes(rule, to, held);
                }
                Rule::CertificateHash(_) => {}
                Rule::Unknown { name, fields: _ } => {
                    self.notices.push(Notice::UnknownRule { name: shortened(name) });
                }
            }
        }
    }

    fn judge_hashes(&mut self, rule: &CertificateHash, brings: Version, held: &[HeldCertificate]) {
        let mut hashes = BTreeSet::new();
        for name in &rule.hashes {
            match name.parse::<SignatureHash>() {
                Ok(hash) => _ = hashes.insert(hash),
                Err(_) => {
                    let name = format!("certificate_hash with {}", shortened(name));
                    self.notices.push(Notice::UnknownRule { name });
                }
            }
        }
        let offending = held_certificates::forbidden(held, &hashes);
        self.obstacles
            .extend(offending.map(|held| Obstacle::ForbiddenHash { held: Box::new(held.clone()), brings }));
    }
}

/// A name of the package, for a sentence.
fn shortened(name: &str) -> String {
    visible(name).chars().take(NAME).collect()
}

impl Obstacle {
    fn finding(&self, manager: &str) -> Finding {
        match self {
            Self::ForbiddenHash { held, brings } => {
                let hash = held.certificate.signature_hash().to_string();
                let reason = json!({"blocker": "certificate_hash", "hash": hash});
                let text = format!(
                    "{} is signed with {hash}, which {brings} does not accept (R16); replace or delete it there",
                    held.described()
                );
                finding(&reason, Some("R16"), place(held), text)
            }
            Self::DiskSpace(lacking) => {
                let Lacking { free, needed } = lacking;
                let reason = json!({"blocker": "disk_space", "free": free, "needed": needed});
                let place = (manager.into(), UPGRADE_PACKAGE.path());
                finding(&reason, None, place, lacking.to_string())
            }
        }
    }
}

impl Notice {
    fn finding(&self) -> Finding {
        match self {
            Self::UnknownRule { name } => {
                let text = format!(
                    "the package has a rule that this release does not know, {name}, so it is not checked; read the \
                     notes of the release"
                );
                let place = ("upgrade package".into(), UPGRADE_PACKAGE.path());
                finding(&json!({"warning": "unknown_rule", "name": name}), None, place, text)
            }
            Self::Ends { held, days } => {
                let reason =
                    json!({"warning": "certificate_ends", "end_date": held.end(), "days_left": days});
                let (what, end) = (held.described(), held.end());
                let text = if *days < 0 {
                    format!("{what} has ended at {end} UTC; replace or delete it there")
                } else {
                    let days = if *days == 1 { "1 day".into() } else { format!("{days} days") };
                    format!("{what} ends in {days}, at {end} UTC; replace it there before that")
                };
                finding(&reason, None, place(held), text)
            }
        }
    }
}

/// The subject of a certificate, and where it is.
fn place(held: &HeldCertificate) -> (String, String) {
    (held.certificate.subject(), held.uri.clone())
}

#[cfg(test)]
mod tests {
    use package::rules::built_in;

    use super::*;
    use crate::trust::read_certificates;

    /// Two certificates of authorities that are signed with SHA-1 and MD5; the second one is a root.
    fn held() -> Vec<HeldCertificate> {
        let texts = [
            include_str!("../../../tests/certificates/sha1-intermediate.pem"),
            include_str!("../../../tests/certificates/root.pem"),
        ];
        let held = |text| HeldCertificate {
            certificate: read_certificates(text).unwrap().remove(0),
            called: "CA certificate",
            uri: "/api/admin/configuration/v1/ca_certificate/1/".into(),
        };
        texts.map(held).into()
    }

    #[test]
    fn built_in_rule_concerns_steps_from_below_32_to_32_or_later_r16() {
        let check = |from: (u16, u16), to: (u16, u16), expected: usize| {
            let mut found = Found::default();
            let step = (Version::new(from.0, from.1), Version::new(to.0, to.1));
            found.judge_rules(&built_in(), step, &held());
            assert_eq!((found.obstacles.len(), found.notices.len()), (expected, 0), "{step:?}");
        };
        check((31, 4), (34, 0), 1);
        check((31, 4), (32, 0), 1);
        check((31, 3), (31, 4), 0);
        check((32, 0), (34, 0), 0);
        check((34, 0), (34, 1), 0);
    }

    #[test]
    fn certificate_is_named_with_its_hash_and_its_object() {
        let mut found = Found::default();
        found.judge_rules(&built_in(), (Version::new(31, 4), Version::new(34, 0)), &held());
        assert_eq!(
            found.obstacles[0].finding("manager").text,
            "the certificate of C=GB, O=Example\\, Ltd, CN=sha1-intermediate in the CA certificate \
             /api/admin/configuration/v1/ca_certificate/1/ is signed with sha1, which 34 does not accept (R16); \
             replace or delete it there"
        );
    }
}
