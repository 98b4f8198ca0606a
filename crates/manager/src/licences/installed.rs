//! What the licences that are installed allow at a moment. Pure.

use fleet::time::Wall;
use fleet::version::Version;
use licence::{Terms, Validity, not_valid_after_upgrade};

/// A licence that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Its number in the management API.
    pub(crate) id: i64,
    /// What it says.
    pub(crate) terms: Terms,
    /// The whole text, as it was signed.
    pub(crate) text: String,
    /// The number of the key that has signed it.
    pub(crate) signed_with: String,
    /// When it was installed.
    pub(crate) installed_at: Wall,
}

/// All that are installed, at a moment and for the version that the platform runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsOf<'l> {
    /// The licences.
    pub(crate) all: &'l [Installed],
    /// The moment.
    pub(crate) now: Wall,
    /// The version.
    pub(crate) version: Version,
}

impl<'l> AsOf<'l> {
    /// The licences that count now and would not for another version, the first of each id (R18).
    pub(crate) fn not_valid_after_upgrade(self, to: Version) -> Vec<&'l Installed> {
        let terms = self.all.iter().map(|licence| &licence.terms);
        let lost = not_valid_after_upgrade(terms, self.now, self.version, to);
        self.all
            .iter()
            .filter(|licence| lost.iter().any(|terms| std::ptr::eq(*terms, &licence.terms)))
            .collect()
    }

    /// Whether a licence counts later: from a day on, or for a later version.
    pub(crate) fn is_to_come(self, terms: &Terms) -> bool {
        match terms.validity(self.now, self.version) {
            Validity::NotYet { .. } => true,
            Validity::OtherVersions { versions } => self.version.major < versions.from,
            Validity::Valid | Validity::Expired { .. } => false,
        }
    }
}
