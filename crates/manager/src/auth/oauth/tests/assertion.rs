use super::*;
use crate::trust::{KeyKind, PrivateKey};

#[test]
fn assertion_of_a_client_is_verified() {
    let kit = Kit::new();
    let assertion = kit.assertion(json!({}));
    assert_eq!(claimed_client(&assertion).unwrap(), CLIENT);
    let expires = Wall((NOW.0 / 1_000 + 300) * 1_000);
    assert_eq!(kit.verify(&assertion), Ok(Verified { client: CLIENT.into(), id: "one".into(), expires }));
    for changes in
        [json!({"iat": null}), json!({"exp": NOW.0 as f64 / 1_000.0 + 9.5}), json!({"more": {"a": 1}})]
    {
        assert!(kit.verify(&kit.assertion(changes.clone())).is_ok(), "{changes}");
    }
}

#[test]
fn audience_is_any_name_of_this_server_in_any_form() {
    let kit = Kit::new();
    for aud in [
        json!("https://manager.example.com/oauth/token"),
        json!("https://Manager.example.com:8443/oauth/token/"),
        json!("https://192.0.2.7/oauth/token/"),
        json!("https://[2001:db8::7]:8443/oauth/token/"),
        json!(["https://other.example.com/", "https://manager.example.com/oauth/token/"]),
    ] {
        assert!(kit.verify(&kit.assertion(json!({"aud": aud}))).is_ok(), "{aud}");
    }
    let many = vec!["https://manager.example.com/oauth/token/"; 17];
    for aud in [
        json!("https://other.example.com/oauth/token/"),
        json!("https://manager.example.com/oauth/token//"),
        json!("http://manager.example.com/oauth/token/"),
        json!("https://manager.example.com:9443/oauth/token/"),
        json!("https://manager.example.com/"),
        json!(""),
        json!([]),
        json!(many),
    ] {
        assert_eq!(kit.refused(json!({"aud": aud})), Refusal::InvalidClient(Why::OtherAudience), "{aud}");
    }
}

#[test]
fn client_must_be_issuer_and_subject() {
    let kit = Kit::new();
    for claim in ["iss", "sub"] {
        assert_eq!(kit.refused(json!({claim: "other"})), Refusal::InvalidClient(Why::OtherClient));
    }
    assert_eq!(kit.refused(json!({"iss": "a", "sub": "a"})), Refusal::InvalidClient(Why::OtherClient));
}

#[test]
fn assertion_is_good_for_an_hour_and_a_minute_at_most() {
    let kit = Kit::new();
    let now = NOW.0 / 1_000;
    let accepted = |exp: u64| kit.verify(&kit.assertion(json!({"exp": exp}))).map(drop);
    assert_eq!(accepted(now + 1), Ok(()));
    assert_eq!(accepted(now + 3_660), Ok(()));
    assert_eq!(accepted(now), Err(Refusal::InvalidGrant(Why::Expired)));
    assert_eq!(accepted(now + 3_661), Err(Refusal::InvalidGrant(Why::TooLong)));
    for claim in ["iat", "nbf"] {
        assert!(kit.verify(&kit.assertion(json!({claim: now + 60}))).is_ok());
        assert_eq!(kit.refused(json!({claim: now + 61})), Refusal::InvalidGrant(Why::NotYet));
    }
}

#[test]
fn claims_that_are_missing_or_of_another_form_are_refused() {
    let kit = Kit::new();
    let form = Refusal::InvalidGrant(Why::Form);
    for claim in ["iss", "sub", "aud", "exp", "jti"] {
        assert_eq!(kit.refused(json!({claim: null})), form, "{claim}");
        assert_eq!(kit.refused(json!({claim: {}})), form, "{claim}");
    }
    for (claim, value) in [
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("exp", json!("1796000300")),
        ("iat", json!("now")),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
    ] {
        assert_eq!(kit.refused(json!({claim: value})), form, "{claim} {value}");
    }
    let good = kit.assertion(json!({}));
    let long = kit.assertion(json!({"more": "x".repeat(4_096)}));
    for text in ["", "a.b.c", "..", good.rsplit_once('.').unwrap().0, &long, "ä.ä.ä"] {
        assert_eq!(kit.verify(text), Err(form.clone()), "{text}");
    }
    assert_eq!(claimed_client(&long), Err(form.clone()));
    assert_eq!(claimed_client(""), Err(form));
}

#[test]
fn other_keys_and_algorithms_and_changes_are_refused() {
    let kit = Kit::new();
    let signature = Err(Refusal::InvalidGrant(Why::Signature));
    let good = kit.assertion(json!({}));
    assert_eq!(Kit::new().verify(&good).map(drop), signature);
    let other = kit.assertion(json!({"jti": "two"}));
    let (head, rest) = good.split_once('.').unwrap();
    let mixed = format!("{head}.{}.{}", other.split('.').nth(1).unwrap(), rest.split_once('.').unwrap().1);
    assert_eq!(kit.verify(&mixed).map(drop), signature);
    // The public key as the secret of HMAC: a classic confusion of algorithms.
    let hmac = EncodingKey::from_secret(kit.made.key.public()).unwrap();
    let header = Header::new(jsonwebtoken::Algorithm::HS256);
    assert_eq!(kit.verify(&encode(&header, &claims(json!({})), &hmac).unwrap()).map(drop), signature);
    // No signature at all.
    use base64::Engine as _;
    let none = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    for text in [format!("{none}.{rest}"), format!("{none}.{}.", rest.split_once('.').unwrap().0)] {
        assert_eq!(kit.verify(&text).map(drop), signature, "{text}");
    }
    // The right key under the other algorithm.
    let as_rsa = ClientKey::stored(Algorithm::Rs256, kit.made.key.public().to_vec());
    assert_eq!(verify(&good, CLIENT, &as_rsa, &kit.audiences, NOW).map(drop), signature);
}

/// The public half of a key, PEM.
fn public_pem(key: &PrivateKey) -> String {
    let public = openssl::pkey::PKey::public_key_from_der(&key.public_der().unwrap()).unwrap();
    String::from_utf8(public.public_key_to_pem().unwrap()).unwrap()
}

#[test]
fn key_of_rsa_that_an_operator_brings_is_for_rs256_alone() {
    let kit = Kit::new();
    let private = PrivateKey::make(KeyKind::Rsa2048).unwrap();
    let key = ClientKey::read(&public_pem(&private)).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Rs256);
    let stored = ClientKey::stored("RS256".parse().unwrap(), key.public().to_vec());
    assert_eq!(stored, key);
    let signed = |algorithm| {
        let pkcs1 = openssl::pkey::PKey::private_key_from_pkcs8(&private.to_der()).unwrap().rsa().unwrap();
        let signing = EncodingKey::from_rsa_der(&pkcs1.private_key_to_der().unwrap());
        encode(&Header::new(algorithm), &claims(json!({})), &signing).unwrap()
    };
    let verified = |assertion: &str| verify(assertion, CLIENT, &key, &kit.audiences, NOW).map(drop);
    assert_eq!(verified(&signed(jsonwebtoken::Algorithm::RS256)), Ok(()));
    let signature = Err(Refusal::InvalidGrant(Why::Signature));
    for other in [jsonwebtoken::Algorithm::RS512, jsonwebtoken::Algorithm::PS256] {
        assert_eq!(verified(&signed(other)), signature);
    }
    let p256 = PrivateKey::make(KeyKind::P256).unwrap();
    assert_eq!(ClientKey::read(&public_pem(&p256)).unwrap().algorithm(), Algorithm::Es256);
    let p384 = PrivateKey::make(KeyKind::P384).unwrap();
    for other in ["", &public_pem(&p384), &p256.to_pem(), &" ".repeat(20_000)] {
        assert!(ClientKey::read(other).is_err(), "{other}");
    }
    assert!("HS256".parse::<Algorithm>().is_err());
}
