use super::*;

const NOW: &str = "2026-11-30";

fn now() -> Wall {
    day(NOW).begins()
}

fn version() -> Version {
    Version::new(34, 1)
}

/// The first terms, with other days and versions.
fn dated(id: &str, not_before: Option<&str>, expires: Option<&str>, versions: (u16, Option<u16>)) -> Terms {
    let versions = Versions { from: versions.0, to: versions.1 };
    Terms { not_before: not_before.map(day), expires: expires.map(day), versions, ..terms(id) }
}

#[test]
fn licence_is_valid_from_its_first_day_to_the_end_of_its_last() {
    let terms = dated("a", Some("2026-11-30"), Some("2026-12-01"), (34, Some(35)));
    let check = |moment: Wall, version, expected: &str| {
        assert_eq!(terms.validity(moment, version).to_string(), expected);
    };
    check(Wall(now().0 - 1), version(), "valid from 2026-11-30 on");
    check(now(), version(), "valid");
    check(Wall(day("2026-12-01").ends().0 - 1), Version::new(35, 9), "valid");
    check(day("2026-12-01").ends(), version(), "expired: its last day was 2026-12-01");
    check(now(), Version::new(33, 9), "valid for version 34 to 35");
    check(now(), Version::new(36, 0), "valid for version 34 to 35");
    assert_eq!(Versions { from: 34, to: Some(34) }.to_string(), "34");
    assert_eq!(Versions { from: 34, to: None }.to_string(), "34 and later");
    assert!(Versions { from: 34, to: None }.include(Version::new(u16::MAX, 0)));
}

#[test]
fn valid_licences_are_added_up_and_others_are_not() {
    let mut more = terms("b");
    more.counts = Counts { port: Amount::Of(7), vmr: Amount::Unlimited };
    more.features = ["scheduling".to_string(), "customlayouts".into()].into();
    let all = [
        terms("a"),
        more,
        dated("c", None, Some("2026-11-29"), (34, None)),
        dated("d", Some("2026-12-01"), None, (34, None)),
        dated("e", None, None, (31, Some(33))),
        // The same once more.
        terms("a"),
    ];
    let sum = entitlements(&all, now(), version());
    assert_eq!(sum.counts, Counts { port: Amount::Of(17), vmr: Amount::Unlimited });
    assert_eq!(sum.features.into_iter().collect::<Vec<_>>(), ["customlayouts", "scheduling"]);
    assert_eq!(entitlements([], now(), version()), Entitlements::default());
    assert!(!Entitlements::default().counts.port.allows(1));
}

#[test]
fn amounts_never_overflow() {
    assert_eq!(Amount::Of(u32::MAX).plus(Amount::Of(1)), Amount::Of(u32::MAX));
    assert_eq!(Amount::Unlimited.plus(Amount::Of(1)), Amount::Unlimited);
    assert!(Amount::Unlimited.allows(u32::MAX) && Amount::Of(3).allows(3) && !Amount::Of(3).allows(4));
}

#[test]
fn active_licences_that_end_with_an_upgrade_are_found_r18() {
    let all = [
        dated("legacy", None, None, (27, Some(34))),
        dated("later", None, None, (34, None)),
        dated("expired", None, Some("2026-11-29"), (27, Some(34))),
        dated("to come", Some("2026-12-01"), None, (27, Some(34))),
        dated("only then", None, None, (35, Some(35))),
        dated("legacy", None, None, (27, Some(34))),
    ];
    let lost = |to| {
        let lost = not_valid_after_upgrade(&all, now(), version(), to);
        lost.into_iter().map(|terms| terms.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(lost(Version::new(34, 2)), [""; 0]);
    assert_eq!(lost(Version::new(35, 0)), ["legacy"]);
}
