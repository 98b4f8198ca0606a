//! Tests of what a package asks for beside its version path, and of certificates that end soon.

use fleet::version::Version;
use openssl::hash::MessageDigest;
use package::rules::{CertificateHash, Rule};
use serde_json::{Value, json};

use super::authorities::{AUTHORITIES, Role, Signed, TLS};
use super::kit::Kit;

const CHECK: &str = "/command/v1/platform/upgrade_check/";
const START: &str = "/command/v1/platform/upgrade_start/";

fn hash_rule(from_below: Version, hashes: &[&str]) -> Rule {
    let hashes = hashes.iter().map(|hash| (*hash).to_string()).collect();
    Rule::CertificateHash(CertificateHash { from_below, hashes })
}

/// A platform with one node that could be upgraded, and a package with these rules.
async fn kit(rules: Option<Vec<Rule>>) -> Kit {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    kit.report(1, super::kit::OLD).await;
    kit.upload_package_with(rules).await;
    kit
}

async fn brings(kit: &Kit, signed: &Signed, path: &str) {
    let body = match path {
        TLS => json!({"certificate": signed.pem(), "private_key": signed.key_pem()}),
        _ => json!({"certificate": signed.pem()}),
    };
    kit.call("POST", path, body).await.expect(201);
}

/// The blockers or warnings of a check: what, whose certificate, and its hash or rule.
async fn found(kit: &Kit, list: &str, what: &str) -> Vec<Value> {
    let check = kit.call("POST", CHECK, json!({})).await.expect(200);
    let all = check[list].as_array().unwrap().clone();
    let kind = list.strip_suffix('s').unwrap();
    all.into_iter().filter(|one| one[kind] == what).collect()
}

#[tokio::test]
async fn certificates_with_a_forbidden_hash_block_the_start_and_are_named_r16() {
    let kit = kit(Some(vec![hash_rule(Version::new(34, 1), &["md5", "sha1"])])).await;
    let (sha1, sha256) = (MessageDigest::sha1(), MessageDigest::sha256());
    let root = Signed::new("root", Role::Authority, None, sha1);
    let between = Signed::new("between", Role::Authority, Some(&root), MessageDigest::md5());
    let good = Signed::new("good.example.com", Role::Server, Some(&root), sha256);
    let bad = Signed::new("bad.example.com", Role::Server, Some(&between), sha1);
    brings(&kit, &root, AUTHORITIES).await;
    brings(&kit, &good, TLS).await;
    assert_eq!(found(&kit, "blockers", "certificate_hash").await, [] as [Value; 0]);
    brings(&kit, &between, AUTHORITIES).await;
    brings(&kit, &bad, TLS).await;
    let blockers = found(&kit, "blockers", "certificate_hash").await;
    let named: Vec<Value> =
        blockers.iter().map(|one| json!([one["rule"], one["object"], one["uri"], one["hash"]])).collect();
    let configuration = "/api/admin/configuration/v1";
    let expected = [
        json!(["R16", "CN=bad.example.com", format!("{configuration}/tls_certificate/2/"), "sha1"]),
        json!(["R16", "CN=between", format!("{configuration}/ca_certificate/2/"), "md5"]),
    ];
    assert_eq!(named, expected);
    let text = blockers[0]["text"].as_str().unwrap();
    assert!(text.contains("signed with sha1, which 34.1 does not accept (R16)"), "{text}");
    let start = kit.call("POST", START, json!({})).await.expect(409);
    assert_eq!(start["blockers"].as_array().unwrap().len(), 2);
    kit.call("DELETE", "/configuration/v1/tls_certificate/2/", json!({})).await.expect(204);
    kit.call("DELETE", "/configuration/v1/ca_certificate/2/", json!({})).await.expect(204);
    kit.call("POST", START, json!({})).await.expect(202);
}

#[tokio::test]
async fn certificate_of_a_chain_is_named_with_the_object_that_has_it_r16() {
    let kit = kit(Some(vec![hash_rule(Version::new(34, 1), &["sha1"])])).await;
    let root = Signed::new("root", Role::Authority, None, MessageDigest::sha256());
    let between = Signed::new("between", Role::Authority, Some(&root), MessageDigest::sha1());
    let leaf = Signed::new("conf.example.com", Role::Server, Some(&between), MessageDigest::sha256());
    let pair = json!({"certificate": leaf.pem() + &between.pem(), "private_key": leaf.key_pem()});
    kit.call("POST", TLS, pair).await.expect(201);
    let blockers = found(&kit, "blockers", "certificate_hash").await;
    assert_eq!(blockers.len(), 1, "{blockers:?}");
    assert_eq!(blockers[0]["object"], "CN=between");
}

/// The rule of a package without rules is that of the step from below 32 to 32 or later: no other step is concerned.
#[tokio::test]
async fn package_without_rules_and_rules_of_other_steps_accept_every_hash() {
    let leaf = Signed::new("conf.example.com", Role::Server, None, MessageDigest::sha1());
    for rules in [None, Some(vec![]), Some(vec![hash_rule(Version::new(35, 0), &["sha1"])])] {
        let kit = kit(rules).await;
        brings(&kit, &leaf, TLS).await;
        assert_eq!(found(&kit, "blockers", "certificate_hash").await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn rule_that_is_not_known_is_a_warning() {
    let later = json!({"rule": "moon_phase\n", "full": true});
    let hashes = hash_rule(Version::new(34, 1), &["sha3"]);
    let kit = kit(Some(vec![serde_json::from_value(later).unwrap(), hashes])).await;
    let warnings = found(&kit, "warnings", "unknown_rule").await;
    let named: Vec<&Value> = warnings.iter().map(|one| &one["name"]).collect();
    assert_eq!(named, ["moon_phase\\n", "certificate_hash with sha3"]);
    let started = kit.call("POST", START, json!({})).await.expect(202);
    assert_eq!(started["data"]["warnings"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn certificate_that_ends_soon_is_a_warning_with_its_object() {
    let kit = kit(None).await;
    for (name, days) in [("late.example.com", 31), ("soon.example.com", 29), ("over.example.com", 0)] {
        brings(&kit, &Signed::ending(name, days), TLS).await;
    }
    let warnings = found(&kit, "warnings", "certificate_ends").await;
    let named: Vec<Value> = warnings.iter().map(|one| json!([one["object"], one["days_left"]])).collect();
    assert_eq!(named, [json!(["CN=soon.example.com", 28]), json!(["CN=over.example.com", -1])]);
    let [soon, over] = [0, 1].map(|n| warnings[n]["text"].as_str().unwrap());
    assert!(
        soon.contains("tls_certificate/2/ ends in 28 days") && over.contains("has ended"),
        "{soon} {over}"
    );
    kit.call("POST", START, json!({})).await.expect(202);
}
