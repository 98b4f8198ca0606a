use std::collections::BTreeSet;

use fleet::time::Wall;

use super::*;

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

#[test]
fn text_is_that_of_openssl_to_the_letter() {
    for (name, pem, text) in CERTIFICATES {
        assert_eq!(read_certificates(pem).unwrap()[0].shown().text, text, "{name}");
    }
}

#[test]
fn every_value_of_a_certificate_is_shown() {
    let leaf = certificate("leaf");
    let shown = leaf.shown();
    assert_eq!(shown.subject_name, "C=GB, O=Example\\, Ltd, CN=leaf");
    assert_eq!(shown.issuer_name, "C=GB, O=Example\\, Ltd, CN=intermediate");
    assert_eq!(shown.serial_no, "1236");
    let names = "conf.example.com, *.rooms.example.com, 192.0.2.7, 2001:db8::7, sip:conf@example.com";
    assert_eq!(shown.subject_alt_names, names);
    assert!(shown.server_auth_usage && shown.client_auth_usage);
    assert_eq!(shown.issuer_key_id, certificate("intermediate").shown().key_id);
    assert_eq!(shown.issuer_hash, certificate("intermediate").shown().subject_hash);
    assert_eq!(shown.raw_issuer, certificate("intermediate").shown().raw_subject);
    assert_ne!(shown.raw_issuer, shown.raw_subject);
    assert_eq!(shown.end_date.since(shown.start_date).0, 36_500 * DAY);
    // 2026-11-30, when the files were made.
    assert_eq!(shown.start_date.0 / DAY, 20_787);
    let client = certificate("pss");
    assert!(!client.shown().server_auth_usage && client.shown().client_auth_usage);
    let unlimited = certificate("self");
    assert!(unlimited.shown().server_auth_usage && unlimited.shown().client_auth_usage);
    assert_eq!(
        (certificate("v1").shown().key_id.as_str(), certificate("v1").shown().subject_alt_names.as_str()),
        ("", "")
    );
}

#[test]
fn kind_of_a_certificate_is_known() {
    let check = |name, expected| assert_eq!(certificate(name).kind(), expected, "{name}");
    check("root", Kind::Root);
    check("v1", Kind::Root);
    check("intermediate", Kind::Intermediate);
    check("leaf", Kind::EndEntity);
    check("self", Kind::EndEntity);
    assert!(certificate("leaf").is_issued_by(&certificate("intermediate")));
    assert!(!certificate("leaf").is_issued_by(&certificate("sha1-intermediate")));
    assert!(!certificate("pss").is_issued_by(&certificate("root")));
}

#[test]
fn hash_of_every_signature_is_known() {
    let check = |name, expected| assert_eq!(certificate(name).signature_hash(), expected, "{name}");
    check("root", SignatureHash::Md5);
    check("intermediate", SignatureHash::Sha256);
    check("sha1-intermediate", SignatureHash::Sha1);
    check("pss", SignatureHash::Sha256);
    check("pss-sha1", SignatureHash::Sha1);
    check("self", SignatureHash::Inherent);
    for text in ["md5", "sha1", "sha512"] {
        assert_eq!(text.parse::<SignatureHash>().unwrap().to_string(), text);
    }
    for text in ["", "SHA1", "sha3", "inherent", "unknown"] {
        assert_eq!(text.parse::<SignatureHash>(), Err(NotAHash), "{text}");
    }
}

#[test]
fn forbidden_hash_is_found_in_every_certificate_but_roots_r16() {
    let all = CERTIFICATES.map(|(name, ..)| certificate(name));
    let forbidden = BTreeSet::from([SignatureHash::Md5, SignatureHash::Sha1]);
    let offending: Vec<String> =
        with_forbidden_hash(&all, &forbidden).into_iter().map(Certificate::subject).collect();
    assert_eq!(
        offending,
        ["C=GB, O=Example\\, Ltd, CN=sha1-intermediate", "C=GB, O=Example\\, Ltd, CN=pss-sha1"]
    );
    assert!(with_forbidden_hash(&all, &BTreeSet::new()).is_empty());
}

#[test]
fn days_are_counted_to_the_end_of_the_validity() {
    let leaf = certificate("leaf");
    let end = leaf.shown().end_date;
    let check = |now, days, is_expired| {
        assert_eq!((leaf.days_left(now), leaf.is_expired(now)), (days, is_expired), "{now:?}");
    };
    check(end, 0, false);
    check(Wall(end.0 - 1), 0, false);
    check(Wall(end.0 - 10 * DAY), 10, false);
    check(Wall(end.0 - 10 * DAY + 1), 9, false);
    check(Wall(end.0 + 1), -1, true);
    check(Wall(0), 36_500 + 20_787, false);
}

#[test]
fn certificate_covers_its_alternative_names_and_not_its_common_name() {
    let check =
        |certificate: &Certificate, name, expected| assert_eq!(certificate.covers(name), expected, "{name}");
    let leaf = certificate("leaf");
    check(&leaf, "conf.example.com", true);
    check(&leaf, "Blue.Rooms.example.com", true);
    check(&leaf, "rooms.example.com", false);
    check(&leaf, "192.0.2.7", true);
    check(&leaf, "192.0.2.8", false);
    check(&leaf, "2001:db8:0::7", true);
    check(&leaf, "leaf", false);
    check(&certificate("v1"), "v1", false);
}
