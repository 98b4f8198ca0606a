//! The policy of one run: the standing policy with what a start request overrides.

use fleet::policy::Policy;
use fleet::time::Span;
use serde_json::{Map, Value, json};

use super::error::FieldErrors;

/// The most nodes that a run may have out of service at once: the size of the largest platform.
const NODES_AT_MOST: u64 = fleet::platform::NODES_AT_MOST as u64;

/// The longest span that a policy may name, in seconds: a week. Nothing in a run is meant to take longer.
const LONGEST: u64 = 7 * 24 * 3_600;

/// Reads the overrides of a start request.
///
/// # Errors
/// Every field that is wrong; fields that a policy does not have are passed over.
pub(crate) fn overridden(standing: &Policy, given: &Map<String, Value>) -> Result<Policy, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut number = |field: &'static str, least: u64, most: u64| {
        let value = given.get(field).filter(|value| !value.is_null())?;
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            errors.add(field, format!("Enter a whole number from {least} to {most}."));
        }
        number
    };
    let mut policy = standing.clone();
    if let Some(nodes) = number("nodes_at_once", 1, NODES_AT_MOST) {
        policy.nodes_at_once = u32::try_from(nodes).unwrap_or(u32::MAX);
    }
    let spans: [(&'static str, u64, &mut Span); 8] = [
        ("drain_limit_seconds", 1, &mut policy.drain_limit),
        ("run_limit_seconds", 1, &mut policy.run_limit),
        ("rest_seconds", 0, &mut policy.rest),
        ("silent_after_seconds", 1, &mut policy.silent_after),
        ("reboot_silent_after_seconds", 1, &mut policy.reboot_silent_after),
        ("stuck_after_seconds", 1, &mut policy.stuck_after),
        ("absent_grace_seconds", 0, &mut policy.absent_grace),
        ("start_limit_seconds", 1, &mut policy.start_limit),
    ];
    for (field, least, span) in spans {
        if let Some(seconds) = number(field, least, LONGEST) {
            *span = Span::seconds(seconds);
        }
    }
    if errors.0.is_empty() { Ok(policy) } else { Err(errors) }
}

/// A policy as it is shown: spans in seconds.
pub(crate) fn shown(policy: &Policy) -> Value {
    let Policy {
        name,
        nodes_at_once,
        drain_limit,
        run_limit,
        rest,
        silent_after,
        reboot_silent_after,
        stuck_after,
        absent_grace,
        start_limit,
    } = policy;
    json!({
        "name": name,
        "nodes_at_once": nodes_at_once,
        "drain_limit_seconds": seconds(*drain_limit),
        "run_limit_seconds": seconds(*run_limit),
        "rest_seconds": seconds(*rest),
        "silent_after_seconds": seconds(*silent_after),
        "reboot_silent_after_seconds": seconds(*reboot_silent_after),
        "stuck_after_seconds": seconds(*stuck_after),
        "absent_grace_seconds": seconds(*absent_grace),
        "start_limit_seconds": seconds(*start_limit),
    })
}

fn seconds(span: Span) -> u64 {
    span.0 / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(value: Value) -> Result<Policy, FieldErrors> {
        overridden(&Policy::standard(), value.as_object().unwrap())
    }

    #[test]
    fn a_start_overrides_only_what_it_names() {
        assert_eq!(given(json!({})).unwrap(), Policy::standard());
        let policy = given(json!({"nodes_at_once": 3, "drain_limit_seconds": 90, "colour": 1})).unwrap();
        let expected = Policy { nodes_at_once: 3, drain_limit: Span::seconds(90), ..Policy::standard() };
        assert_eq!(policy, expected);
    }

    #[test]
    fn a_policy_that_cannot_be_meant_is_refused_field_by_field() {
        let errors = given(json!({"nodes_at_once": 0, "drain_limit_seconds": "x", "rest_seconds": -1}));
        let named: Vec<_> = errors.unwrap_err().0.into_keys().collect();
        assert_eq!(named, ["drain_limit_seconds", "nodes_at_once", "rest_seconds"]);
        assert!(given(json!({"run_limit_seconds": LONGEST + 1})).is_err());
    }
}
