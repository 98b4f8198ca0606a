//! What the licences that are installed allow at a moment. Pure.

use fleet::time::Wall;
use fleet::version::Version;
use licence::{Amount, Entitlements, Terms, Validity, entitlements, not_valid_after_upgrade};

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
    /// What is allowed in all.
    pub(crate) fn entitlements(self) -> Entitlements {
        entitlements(self.all.iter().map(|licence| &licence.terms), self.now, self.version)
    }

    /// How many calls there may be; none when no licence says anything of calls yet, and there is no limit. One that has
    /// ended still limits: a platform does not come to be without a limit by a licence that runs out.
    pub(crate) fn call_limit(self) -> Option<Amount> {
        let limits = |licence: &Installed| {
            licence.terms.counts.port != Amount::Of(0) && !self.is_to_come(&licence.terms)
        };
        self.all.iter().any(limits).then(|| self.entitlements().counts.port)
    }

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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const NOW: Wall = Wall(1_795_996_800_000);
    const VERSION: Version = Version::new(34, 1);

    /// A licence of these terms, in JSON, with `id` and `customer`.
    pub(crate) fn licence(id: i64, terms: serde_json::Value) -> Installed {
        let mut terms = terms;
        terms["id"] = format!("L-{id}").into();
        terms["customer"] = "Example Ltd".into();
        let terms = serde_json::from_value(terms).unwrap();
        let (text, signed_with) = (String::new(), String::new());
        Installed { id, terms, text, signed_with, installed_at: NOW }
    }

    fn limit(all: &[serde_json::Value]) -> Option<Amount> {
        let all: Vec<_> = all.iter().zip(1..).map(|(terms, id)| licence(id, terms.clone())).collect();
        AsOf { all: &all, now: NOW, version: VERSION }.call_limit()
    }

    #[test]
    fn calls_are_limited_by_licences_that_say_something_of_calls_and_are_not_to_come() {
        use serde_json::json;
        let of = |port: serde_json::Value| json!({"counts": {"port": port}, "versions": {"from": 34}});
        let with = |name: &str, value: serde_json::Value| {
            let mut terms = of(json!(5));
            terms[name] = value;
            terms
        };
        assert_eq!(limit(&[]), None);
        assert_eq!(limit(&[of(json!(5)), of(json!(7))]), Some(Amount::Of(12)));
        assert_eq!(limit(&[of(json!(5)), of(json!("unlimited"))]), Some(Amount::Unlimited));
        assert_eq!(limit(&[of(json!(0))]), None, "one of features alone limits no calls");
        assert_eq!(limit(&[with("expires", json!("2026-01-31"))]), Some(Amount::Of(0)), "it has ended");
        assert_eq!(limit(&[with("versions", json!({"from": 33, "to": 33}))]), Some(Amount::Of(0)));
        assert_eq!(limit(&[with("not_before", json!("2027-01-31"))]), None, "it is to come");
        assert_eq!(limit(&[with("versions", json!({"from": 35}))]), None, "it is for a later version");
    }
}
