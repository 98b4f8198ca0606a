//! What several licences allow together, and which of them an upgrade would end (R18).

use std::collections::BTreeSet;

use fleet::time::Wall;
use fleet::version::Version;

use crate::terms::{Counts, Terms, Validity};

/// What all licences that count allow together. Without any it is nothing; what that means is for the caller to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlements {
    /// What is counted.
    pub counts: Counts,
    /// Features that are there or not.
    pub features: BTreeSet<String>,
}

/// The sum of the licences that are valid at `now` for a version. One that is there twice counts once.
pub fn entitlements<'t>(
    licences: impl IntoIterator<Item = &'t Terms>,
    now: Wall,
    version: Version,
) -> Entitlements {
    let mut sum = Entitlements::default();
    for terms in each_once(licences).filter(|terms| terms.validity(now, version) == Validity::Valid) {
        let Counts { port, vmr } = terms.counts;
        sum.counts = Counts { port: sum.counts.port.plus(port), vmr: sum.counts.vmr.plus(vmr) };
        sum.features.extend(terms.features.iter().cloned());
    }
    sum
}

/// The active licences that would not be valid after an upgrade, each once: they are valid at `now` for the version
/// `from`, and would not be for the version `to` (R18: "This system includes active licenses that will not be valid after
/// upgrade"). One that has expired or is to come stands in nobody's way.
pub fn not_valid_after_upgrade<'t>(
    licences: impl IntoIterator<Item = &'t Terms>,
    now: Wall,
    from: Version,
    to: Version,
) -> Vec<&'t Terms> {
    let is_lost = |terms: &&Terms| {
        terms.validity(now, from) == Validity::Valid && terms.validity(now, to) != Validity::Valid
    };
    each_once(licences).filter(is_lost).collect()
}

/// The licences, the first of each id.
fn each_once<'t>(licences: impl IntoIterator<Item = &'t Terms>) -> impl Iterator<Item = &'t Terms> {
    let mut seen = BTreeSet::new();
    licences.into_iter().filter(move |terms| seen.insert(terms.id.as_str()))
}
