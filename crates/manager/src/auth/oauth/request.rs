//! A request for a token: the parameters of its form (RFC 6749 section 4.4.2, RFC 7523 section 2.2).

use super::assertion::MAX_ASSERTION;
use super::refusal::Refusal;

/// The scopes that a client may ask for. They change nothing: what a client may do is what its role says.
pub const SCOPES: [&str; 2] = ["is_admin", "use_api"];

/// The kind of an assertion.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The assertion of the client, unverified.
    pub assertion: String,
    /// The scopes that it asks for, in the order of the request; all when it names none.
    pub scopes: Vec<&'static str>,
}

impl TokenRequest {
    /// Reads the parameters of a form. Those that are not of the grant are passed over.
    ///
    /// # Errors
    /// A parameter is missing, there twice, or has another value than this server knows.
    pub fn read(form: &[(String, String)]) -> Result<Self, Refusal> {
        if one(form, "grant_type")? != "client_credentials" {
            return Err(Refusal::UnsupportedGrantType);
        }
        if one(form, "client_assertion_type")? != ASSERTION_TYPE {
            return Err(Refusal::InvalidRequest { parameter: "client_assertion_type" });
        }
        let assertion = one(form, "client_assertion")?;
        if assertion.is_empty() || assertion.len() > MAX_ASSERTION {
            return Err(Refusal::InvalidRequest { parameter: "client_assertion" });
        }
        Ok(Self { assertion: assertion.into(), scopes: scopes(form)? })
    }
}

/// The value of a parameter that must be there once.
fn one<'f>(form: &'f [(String, String)], parameter: &'static str) -> Result<&'f str, Refusal> {
    optional(form, parameter)?.ok_or(Refusal::InvalidRequest { parameter })
}

fn optional<'f>(form: &'f [(String, String)], parameter: &'static str) -> Result<Option<&'f str>, Refusal> {
    let mut values = form.iter().filter(|(name, _)| name == parameter).map(|(_, value)| value.as_str());
    let first = values.next();
    if values.next().is_some() { Err(Refusal::InvalidRequest { parameter }) } else { Ok(first) }
}

fn scopes(form: &[(String, String)]) -> Result<Vec<&'static str>, Refusal> {
    let Some(asked) = optional(form, "scope")?.filter(|scope| !scope.is_empty()) else {
        return Ok(SCOPES.to_vec());
    };
    let known = |name: &str| SCOPES.into_iter().find(|scope| *scope == name).ok_or(Refusal::InvalidScope);
    let mut scopes: Vec<&'static str> = Vec::new();
    for name in asked.split(' ') {
        let scope = known(name)?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}
