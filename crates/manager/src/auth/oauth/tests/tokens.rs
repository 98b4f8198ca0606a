use uuid::Uuid;

use super::*;

fn form(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "a.b.c"),
    ];
    for (name, value) in changes {
        form.retain(|(kept, _)| kept != name);
        form.push((name, value));
    }
    form.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn request_for_a_token_is_read() {
    let read = |changes: &[(&str, &str)]| TokenRequest::read(&form(changes)).map(|request| request.scopes);
    assert_eq!(TokenRequest::read(&form(&[])).unwrap().assertion, "a.b.c");
    assert_eq!(read(&[]).unwrap(), ["is_admin", "use_api"]);
    assert_eq!(read(&[("scope", "")]).unwrap(), ["is_admin", "use_api"]);
    assert_eq!(
        read(&[("scope", "use_api is_admin use_api"), ("client_id", "x")]).unwrap(),
        ["use_api", "is_admin"]
    );
    for scope in ["root", "use_api  is_admin", "USE_API"] {
        assert_eq!(read(&[("scope", scope)]), Err(Refusal::InvalidScope));
    }
    assert_eq!(read(&[("grant_type", "password")]), Err(Refusal::UnsupportedGrantType));
    let invalid = |parameter| Err(Refusal::InvalidRequest { parameter });
    assert_eq!(read(&[("client_assertion_type", "x")]), invalid("client_assertion_type"));
    assert_eq!(read(&[("client_assertion", "")]), invalid("client_assertion"));
    assert_eq!(read(&[("client_assertion", &"x".repeat(4_097))]), invalid("client_assertion"));
    for parameter in ["grant_type", "client_assertion_type", "client_assertion"] {
        let mut twice = form(&[]);
        twice.push((parameter.into(), "x".into()));
        assert_eq!(TokenRequest::read(&twice), Err(Refusal::InvalidRequest { parameter }));
        twice.retain(|(name, _)| name != parameter);
        assert_eq!(TokenRequest::read(&twice), Err(Refusal::InvalidRequest { parameter }));
    }
}

#[test]
fn every_refusal_has_the_error_of_the_standard() {
    let check = |refusal: Refusal, code| {
        assert_eq!(refusal.code(), code);
        assert!(!refusal.to_string().contains("not found"), "clients take that for a thing that is gone");
    };
    check(Refusal::InvalidRequest { parameter: "scope" }, "invalid_request");
    check(Refusal::UnsupportedGrantType, "unsupported_grant_type");
    check(Refusal::InvalidScope, "invalid_scope");
    check(Refusal::Busy, "temporarily_unavailable");
    for why in [Why::UnknownClient, Why::OtherClient, Why::OtherAudience] {
        check(why.refusal(), "invalid_client");
    }
    for why in [Why::Form, Why::Signature, Why::Expired, Why::TooLong, Why::NotYet, Why::Used] {
        check(why.refusal(), "invalid_grant");
    }
}

#[test]
fn access_token_is_good_for_its_client_as_it_is_until_it_expires() {
    let (client, key) = (Uuid::from_u128(7), TokenKey::make());
    let expires = Wall(NOW.0 + 3_600_000);
    let text = AccessToken::issue(client, 3, &key, expires).to_string();
    let token = AccessToken::read(&text).unwrap();
    assert_eq!(token.claimed_client(), client);
    assert_eq!(token.verify(3, &key, NOW), Ok(()));
    assert_eq!(token.verify(3, &key, Wall(expires.0 - 1)), Ok(()));
    assert_eq!(token.verify(3, &key, expires), Err(NotAToken::Expired));
    assert_eq!(token.verify(4, &key, NOW), Err(NotAToken::Unknown), "another revision");
    assert_eq!(token.verify(3, &TokenKey::make(), NOW), Err(NotAToken::Unknown), "another client");
    assert_eq!(format!("{key:?}"), "TokenKey(…)");
}

#[test]
fn access_token_with_any_one_character_changed_does_not_count() {
    let key = TokenKey::make();
    let text = AccessToken::issue(Uuid::from_u128(7), 3, &key, Wall(NOW.0 + 1_000)).to_string();
    assert_eq!(text.len(), 75);
    for at in 0..text.len() {
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        let counts = AccessToken::read(&changed).and_then(|token| token.verify(3, &key, NOW));
        assert_eq!(counts, Err(NotAToken::Unknown), "{changed}");
    }
    for strange in ["", "A", &text[1..], &format!("{text}A"), &format!("{text}="), &"é".repeat(38)] {
        assert_eq!(AccessToken::read(strange), Err(NotAToken::Unknown), "{strange}");
    }
}
