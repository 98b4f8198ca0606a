//! The policy of one run: the default policy with what the request to start it overrides.

use fleet::policy::Policy;
use serde_json::{Map, Value, json};

use crate::policy::{NUMBERS, named_after};
use crate::rest::error::FieldErrors;

/// Reads the overrides of a start request.
///
/// # Errors
/// Every field that is wrong, or that a policy does not have: whoever misspells a limit must not start a run
/// without it. `name` is ignored, because a policy is shown with it.
pub(crate) fn overridden(standing: &Policy, given: &Map<String, Value>) -> Result<Policy, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut policy = standing.clone();
    for number in NUMBERS {
        let Some(value) = given.get(number.name).filter(|value| !value.is_null()) else { continue };
        let set = value.as_u64().map(|value| number.set(&mut policy, value));
        if set != Some(Ok(())) {
            let (least, most) = (number.least, number.most());
            errors.add(number.name, format!("Enter a whole number from {least} to {most}."));
        }
    }
    let known = |name: &str| name == "name" || NUMBERS.iter().any(|number| number.name == name);
    given
        .keys()
        .filter(|name| !known(name))
        .for_each(|name| errors.add(name.clone(), "A policy has no such field."));
    if errors.0.is_empty() { Ok(named_after(standing, policy)) } else { Err(errors) }
}

/// The JSON of a policy: spans in seconds.
pub(crate) fn shown(policy: &Policy) -> Value {
    let mut shown = json!({ "name": policy.name });
    for number in NUMBERS {
        shown[number.name] = number.get(policy).into();
    }
    shown
}

#[cfg(test)]
mod tests {
    use fleet::time::Span;

    use super::*;

    fn given(value: Value) -> Result<Policy, FieldErrors> {
        overridden(&Policy::standard(), value.as_object().unwrap())
    }

    #[test]
    fn start_overrides_only_what_it_names() {
        assert_eq!(given(json!({})).unwrap(), Policy::standard());
        let policy = given(json!({"nodes_at_once": 3, "drain_limit_seconds": 90, "name": "x"})).unwrap();
        let name = "standard, adapted".into();
        let expected =
            Policy { name, nodes_at_once: 3, drain_limit: Span::seconds(90), ..Policy::standard() };
        assert_eq!(policy, expected);
    }

    #[test]
    fn policy_out_of_bounds_is_refused_field_by_field() {
        let errors = given(json!({"nodes_at_once": 0, "drain_limit_seconds": "x", "rest_seconds": -1}));
        let named: Vec<_> = errors.unwrap_err().0.into_keys().collect();
        assert_eq!(named, ["drain_limit_seconds", "nodes_at_once", "rest_seconds"]);
        let unknown = given(json!({"nodes_at_one": 2})).unwrap_err().0;
        assert_eq!(unknown.into_keys().collect::<Vec<_>>(), ["nodes_at_one"]);
        assert!(given(json!({"run_limit_seconds": 7 * 24 * 3_600 + 1})).is_err());
    }
}
