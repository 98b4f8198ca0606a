//! Tests of rules in the manifest: read, given back, and absent from a package without them.

use fleet::version::Version;
use serde_json::{Value, json};

use super::*;
use crate::rules::{CertificateHash, Rule};

fn hash_rule() -> Rule {
    let (from_below, hashes) = (Version::new(34, 1), vec!["sha1".to_string()]);
    Rule::CertificateHash(CertificateHash { from_below, hashes })
}

#[test]
fn rules_of_a_package_are_read_as_they_were_given_and_one_that_is_unknown_keeps_its_name() {
    let mut kit = Kit::small();
    let later = json!({"rule": "moon_phase", "full": true});
    kit.recipe.rules = Some(vec![hash_rule(), serde_json::from_value(later.clone()).unwrap()]);
    let (package, _) = kit.build();
    let rules = verify_file(&package, &kit.trusted).unwrap().manifest().rules.clone().unwrap();
    assert_eq!(rules[0], hash_rule());
    assert!(matches!(&rules[1], Rule::Unknown { name, .. } if name == "moon_phase"), "{rules:?}");
    let expected = json!([{"rule": "certificate_hash", "from_below": "34.1", "hashes": ["sha1"]}, later]);
    assert_eq!(serde_json::to_value(&rules).unwrap(), expected);
}

#[test]
fn package_without_rules_has_none_in_its_manifest() {
    let kit = Kit::small();
    let (_, built) = kit.build();
    let manifest: Value = serde_json::from_slice(built.manifest_bytes()).unwrap();
    assert_eq!((built.manifest().rules.as_ref(), manifest.get("rules")), (None, None));
}

#[test]
fn rule_without_a_name_or_with_other_fields_than_it_has_is_refused() {
    let check = |rule: Value, expected: &str| {
        let refused = serde_json::from_value::<Rule>(rule).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    };
    check(json!({"hashes": []}), "no name");
    check(json!({"rule": 7}), "no name");
    check(json!({"rule": "certificate_hash", "hashes": ["md5"]}), "from_below");
    check(json!({"rule": "certificate_hash", "from_below": "v32", "hashes": []}), "not a version");
    let mut kit = Kit::small();
    kit.recipe.rules = Some(vec![hash_rule(); 33]);
    let refused = build(&kit.recipe, &kit.key, &kit.at("many.pkg")).unwrap_err();
    assert!(edge_of(&refused).contains("rules"), "{refused:?}");
}

fn edge_of(error: &BuildError) -> String {
    std::error::Error::source(error).map_or(String::new(), ToString::to_string)
}
