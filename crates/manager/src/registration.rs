//! Which certificates count for a node: those of its present registration. A registration begins when an
//! enrolment file is used, and ends when the next file of the node is used or the node is removed.
//!
//! The number in a certificate says for which node it was issued, but numbers are used again after the store
//! was restored. The id of a registration is random and is never used again.

use fleet::time::{Span, Wall};
use fleet::version::Sha256;
use wire::RegistrationId;

use crate::certificate::Certificate;

/// By how much release 34 backdated its certificates.
pub(crate) const DATED_BACK: Span = Span::hours(1);

/// The stored registration of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// The current registration; none until the first enrolment file was used.
    pub(crate) current: Option<RegistrationId>,
    /// The one that begins when the issued enrolment file is used.
    pub(crate) issued: Option<RegistrationId>,
    /// Which certificates of release 34 count.
    pub(crate) earlier: Earlier,
}

/// Which certificates without a registration count: release 34 issued such. They count until the node has
/// shown one with its registration, which it gets at its next renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// None.
    Refused,
    /// The one for this key.
    Of(Sha256),
    /// The one for the key of the enrolment, or one that was issued after the node was registered: release 34
    /// did not store the key of a renewal. The first that is shown is bound, and no other counts from then
    /// on.
    Unbound {
        /// The key that was enrolled.
        enrolled: Option<Sha256>,
        /// When the node was registered.
        since: Wall,
    },
}

/// Whether a certificate counts for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateStatus {
    /// It counts.
    Valid(RegistrationId),
    /// It counts, and a note about it must be stored first.
    ValidFromNow(RegistrationId, Note),
    /// It belongs to another registration.
    Ended,
}

/// What must be stored when a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// Its registration is the current one, and no certificate of release 34 counts any more. The enrolment
    /// file was used: a store that was restored to an earlier state does not know that.
    Begun,
    /// Of the certificates of release 34, only the one for this key counts.
    Bound(Sha256),
}

impl Registered {
    /// Whether this certificate counts for the node.
    pub(crate) fn status_of(&self, shown: &Certificate) -> CertificateStatus {
        let Some(named) = shown.registration else { return self.status_of_earlier(shown) };
        let (in_force, used) = (self.current == Some(named), self.issued == Some(named));
        match self.earlier {
            Earlier::Refused if in_force => CertificateStatus::Valid(named),
            Earlier::Refused | Earlier::Of(_) | Earlier::Unbound { .. } if in_force || used => {
                CertificateStatus::ValidFromNow(named, Note::Begun)
            }
            Earlier::Refused | Earlier::Of(_) | Earlier::Unbound { .. } => CertificateStatus::Ended,
        }
    }

    fn status_of_earlier(&self, shown: &Certificate) -> CertificateStatus {
        let Some(current) = self.current else { return CertificateStatus::Ended };
        match self.earlier {
            Earlier::Of(key) if key == shown.key => CertificateStatus::Valid(current),
            Earlier::Unbound { enrolled, since }
                if enrolled == Some(shown.key) || shown.not_before + DATED_BACK >= since =>
            {
                CertificateStatus::ValidFromNow(current, Note::Bound(shown.key))
            }
            Earlier::Refused | Earlier::Of(_) | Earlier::Unbound { .. } => CertificateStatus::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use fleet::node::NodeId;

    use super::*;

    const FIRST: RegistrationId = RegistrationId(1);
    const SECOND: RegistrationId = RegistrationId(2);
    const KEY: Sha256 = Sha256([1; 32]);
    const OTHER: Sha256 = Sha256([2; 32]);
    const SINCE: Wall = Wall(100_000_000);

    fn shown(registration: Option<RegistrationId>, key: Sha256, made: Wall) -> Certificate {
        let not_before = Wall(made.0 - DATED_BACK.0);
        Certificate { node: NodeId(1), registration, key, not_before, not_after: Wall(u64::MAX) }
    }

    fn registered(earlier: Earlier) -> Registered {
        Registered { current: Some(FIRST), issued: Some(FIRST), earlier }
    }

    #[test]
    fn certificate_counts_for_its_own_registration_alone() {
        let node = registered(Earlier::Refused);
        let check = |registration, expected| {
            assert_eq!(node.status_of(&shown(registration, KEY, SINCE)), expected);
        };
        check(Some(FIRST), CertificateStatus::Valid(FIRST));
        check(Some(SECOND), CertificateStatus::Ended);
        check(None, CertificateStatus::Ended);
    }

    #[test]
    fn old_registration_counts_until_the_new_enrolment_file_is_used() {
        let node = Registered { issued: Some(SECOND), ..registered(Earlier::Refused) };
        assert_eq!(node.status_of(&shown(Some(FIRST), KEY, SINCE)), CertificateStatus::Valid(FIRST));
        // It names the registration of the file, so the file was used, and the store was restored later.
        let used = node.status_of(&shown(Some(SECOND), KEY, SINCE));
        assert_eq!(used, CertificateStatus::ValidFromNow(SECOND, Note::Begun));
        let new = Registered { current: None, issued: Some(FIRST), earlier: Earlier::Refused };
        let enrolled = new.status_of(&shown(Some(FIRST), KEY, SINCE));
        assert_eq!(enrolled, CertificateStatus::ValidFromNow(FIRST, Note::Begun));
    }

    #[test]
    fn certificate_of_release_34_counts_for_the_key_that_is_registered() {
        let unbound = registered(Earlier::Unbound { enrolled: Some(KEY), since: SINCE });
        let check = |node: &Registered, key, made, expected| {
            assert_eq!(node.status_of(&shown(None, key, made)), expected);
        };
        let bound = |key| CertificateStatus::ValidFromNow(FIRST, Note::Bound(key));
        check(&unbound, KEY, Wall(SINCE.0 - 5_000), bound(KEY));
        check(&unbound, OTHER, Wall(SINCE.0 + 5_000), bound(OTHER));
        check(&unbound, OTHER, Wall(SINCE.0 - 1), CertificateStatus::Ended);
        let node = registered(Earlier::Of(KEY));
        check(&node, KEY, SINCE, CertificateStatus::Valid(FIRST));
        check(&node, OTHER, Wall(SINCE.0 + 5_000), CertificateStatus::Ended);
        let renewed = node.status_of(&shown(Some(FIRST), OTHER, SINCE));
        assert_eq!(renewed, CertificateStatus::ValidFromNow(FIRST, Note::Begun));
    }
}
