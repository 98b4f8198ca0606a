//! Tests of assertions, requests and access tokens.

mod assertion;
mod tokens;

use fleet::time::Wall;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

/// The time of the tests.
const NOW: Wall = Wall(1_796_000_000_500);

const CLIENT: &str = "0b5a1f9e-63a5-4a66-9a8f-4a3a1d3c7e11";

/// A client whose key was made here.
struct Kit {
    made: NewClientKey,
    audiences: Audiences,
}

impl Kit {
    fn new() -> Self {
        let audiences = Audiences::of(["manager.example.com", "192.0.2.7", "2001:db8::7"], 8443);
        Self { made: NewClientKey::make().unwrap(), audiences }
    }

    /// An assertion with some claims changed; a null takes one away.
    fn assertion(&self, changes: Value) -> String {
        let key = EncodingKey::from_ec_der(&self.made.private.to_der());
        encode(&Header::new(jsonwebtoken::Algorithm::ES256), &claims(changes), &key).unwrap()
    }

    fn verify(&self, assertion: &str) -> Result<Verified, Refusal> {
        verify(assertion, CLIENT, &self.made.key, &self.audiences, NOW)
    }

    /// Why an assertion with these claims is refused.
    fn refused(&self, changes: Value) -> Refusal {
        self.verify(&self.assertion(changes.clone())).expect_err(&changes.to_string())
    }
}

fn claims(changes: Value) -> Value {
    let now = NOW.0 / 1_000;
    let mut claims = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": "https://manager.example.com/oauth/token/",
        "iat": now, "exp": now + 300, "jti": "one",
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}
