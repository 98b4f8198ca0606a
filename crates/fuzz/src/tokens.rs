//! What a client of the management API shows of itself: requests for a token, assertions and access tokens. No assertion
//! that the client has not signed counts, and none counts twice.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use fleet::time::Wall;
use manager::auth::oauth::{
    AccessToken, Audiences, NewClientKey, Refusal, TokenKey, TokenRequest, claimed_client, verify,
};

use crate::input::patched;

pub(crate) const DICTIONARY: &[&str] = &[
    "grant_type=client_credentials",
    "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion=",
    "scope=is_admin use_api",
    "{\"alg\":\"ES256\"}",
    "{\"alg\":\"none\"}",
    "{\"alg\":\"HS256\"}",
    "eyJhbGciOiJFUzI1NiJ9.",
    "\"iss\"",
    "\"sub\"",
    "\"aud\"",
    "\"exp\"",
    "\"iat\"",
    "\"nbf\"",
    "\"jti\"",
    "1e300",
    "18446744073709551616",
];

/// The time of every run.
const NOW: Wall = Wall(1_796_000_000_000);

const CLIENT: &str = "0b5a1f9e-63a5-4a66-9a8f-4a3a1d3c7e11";

fn client() -> &'static NewClientKey {
    static CLIENT: OnceLock<NewClientKey> = OnceLock::new();
    CLIENT.get_or_init(|| NewClientKey::make().expect("a key"))
}

/// A form, the header and claims of an assertion that is signed here, or an access token or an assertion of raw bytes.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        b'f' => form(&String::from_utf8_lossy(data)),
        b's' => signed(data),
        b't' => token(data),
        _ => unsigned(&String::from_utf8_lossy(data)),
    }
}

fn form(text: &str) {
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let form: Vec<(String, String)> = text.split('&').filter_map(pair).collect();
    match TokenRequest::read(&form) {
        Ok(request) => assert!(!request.assertion.is_empty() && !request.scopes.is_empty()),
        Err(refusal) => check(&refusal),
    }
}

fn audiences() -> Audiences {
    Audiences::of(["manager.example.com"], 8443)
}

/// Nobody has signed it, so it never counts.
fn unsigned(assertion: &str) {
    if let Err(refusal) = claimed_client(assertion) {
        check(&refusal);
    }
    let refusal = verify(assertion, CLIENT, &client().key, &audiences(), NOW);
    check(&refusal.expect_err("an assertion counts that nobody signed"));
}

/// Claims of any form, signed by the client: they count for a bounded time, or are refused.
fn signed(claims: &[u8]) {
    let assertion = assertion(claims);
    match verify(&assertion, CLIENT, &client().key, &audiences(), NOW) {
        Ok(verified) => {
            assert!(verified.client == CLIENT && verified.expires > NOW);
            assert!(verified.expires.0 <= NOW.0 + 3_660_000);
        }
        Err(refusal) => check(&refusal),
    }
}

/// A JWT with these bytes as its claims.
fn assertion(claims: &[u8]) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), URL_SAFE_NO_PAD.encode(claims));
    static KEY: OnceLock<EcdsaKeyPair> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let private = client().private.to_der();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private).expect("a key")
    });
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// No access token counts but the one that was issued.
fn token(data: &[u8]) {
    static GOOD: OnceLock<(TokenKey, String)> = OnceLock::new();
    let (key, good) = GOOD.get_or_init(|| {
        let key = TokenKey::make();
        let token = AccessToken::issue(uuid::Uuid::from_u128(7), 3, &key, Wall(NOW.0 + 1)).to_string();
        (key, token)
    });
    let text = String::from_utf8_lossy(&patched(good.as_bytes(), data)).into_owned();
    let counts = AccessToken::read(&text).is_ok_and(|token| token.verify(3, key, NOW).is_ok());
    assert_eq!(counts, text == *good, "{text}");
}

fn check(refusal: &Refusal) {
    let text = refusal.to_string();
    assert!(!text.is_empty() && text.len() < 1024 && !text.contains(char::is_control), "{text:?}");
    assert!(!refusal.code().is_empty());
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    let claims = format!(
        "{{\"iss\":\"{CLIENT}\",\"sub\":\"{CLIENT}\",\"aud\":[\"https://manager.example.com/oauth/token/\"],\
         \"iat\":1796000000,\"nbf\":1796000000,\"exp\":1796000300,\"jti\":\"one\"}}"
    );
    let form = "grant_type=client_credentials&client_assertion_type=\
                urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=a.b.c&scope=use_api";
    vec![
        tagged(b'f', form.as_bytes()),
        tagged(b's', claims.as_bytes()),
        tagged(b't', &[]),
        tagged(b't', &[0, 3, 0, 0, 1, b'x']),
        tagged(b'w', b"eyJhbGciOiJFUzI1NiJ9.e30.AAAA"),
    ]
}
