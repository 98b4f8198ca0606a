//! Reads and validates the fields of an object in a request: lengths, addresses, names. Every invalid field
//! is noted, so that all are answered at once. Unknown fields are ignored.

use std::net::{IpAddr, Ipv4Addr};

use edge::text::is_hidden;
use serde_json::{Map, Value};

use super::error::FieldErrors;

/// The allowed form of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Text of at most so many characters; it may be empty.
    Text(usize),
    /// Text of one to so many visible characters, on one line.
    Name(usize),
    /// A name that is also part of a file name: without a slash, and not `.` or `..`.
    FileName(usize),
    /// A label of the domain name system (RFC 1123 section 2.1): letters, digits, hyphens.
    Hostname,
    /// Labels joined with dots, at most 192 characters.
    Domain,
    /// An IP address, not necessarily of this platform's network.
    Address,
    /// An IPv4 netmask: ones, then zeros.
    Netmask,
}

/// The longest domain, in characters, as in the compatible API.
const DOMAIN_LENGTH: usize = 192;

/// The longest label of a name, in characters (RFC 1035 section 2.3.4).
const LABEL_LENGTH: usize = 63;

/// The message for a name with invisible characters, which may look like another.
const UNSEEN: &str = "Leave characters out that cannot be seen.";

/// The fields of a request, and the errors found so far.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    body: &'a Map<String, Value>,
    /// The errors.
    pub(crate) errors: FieldErrors,
}

impl<'a> Draft<'a> {
    /// Reads from this body.
    pub(crate) fn of(body: &'a Map<String, Value>) -> Self {
        Self { body, errors: FieldErrors::default() }
    }

    /// The value of a field; null counts as not given.
    pub(crate) fn given(&self, field: &str) -> Option<&'a Value> {
        self.body.get(field).filter(|value| !value.is_null())
    }

    /// A text. `kept` is the default when the request does not give it; without a default the field is
    /// required.
    pub(crate) fn text(&mut self, field: &'static str, shape: Shape, kept: Option<&str>) -> String {
        match (self.given(field), kept) {
            (Some(Value::String(text)), _) => {
                let text = text.trim();
                // An earlier release accepted more, and its stored values may be sent back unchanged.
                if kept != Some(text)
                    && let Err(message) = validate(text, shape)
                {
                    self.errors.add(field, message);
                }
                text.into()
            }
            (Some(_), _) => self.refuse(field, "Enter a text."),
            (None, Some(kept)) => kept.into(),
            (None, None) => self.refuse(field, "This field is required."),
        }
    }

    /// One of several fixed texts.
    pub(crate) fn choice(&mut self, field: &'static str, choices: &[&str], kept: &str) -> String {
        let text = self.text(field, Shape::Text(40), Some(kept));
        if !choices.contains(&text.as_str()) {
            self.errors.add(field, format!("Choose one of {}.", choices.join(", ")));
        }
        text
    }

    /// True or false.
    pub(crate) fn boolean(&mut self, field: &'static str, kept: bool) -> bool {
        match self.given(field) {
            None => kept,
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                self.errors.add(field, "Enter true or false.");
                kept
            }
        }
    }

    /// The id of a related object, given as its URI or as the number alone.
    pub(crate) fn relation(&mut self, field: &'static str, list: &str, kept: Option<i64>) -> i64 {
        let id = match self.given(field) {
            None if kept.is_some() => kept,
            None => {
                self.refuse(field, "This field is required.");
                return 0;
            }
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(uri)) => related(uri, list),
            Some(Value::Object(object)) => {
                object.get("resource_uri").and_then(Value::as_str).and_then(|uri| related(uri, list))
            }
            Some(Value::Null | Value::Bool(_) | Value::Array(_)) => None,
        };
        // 0 stands for a refused relation, since ids begin at 1.
        id.filter(|id| *id > 0).unwrap_or_else(|| {
            self.refuse(field, &format!("Enter the URI of an object, such as {list}1/."));
            0
        })
    }

    fn refuse(&mut self, field: &'static str, message: &str) -> String {
        self.errors.add(field, message);
        String::new()
    }
}

/// The id at the end of a URI of this list, with or without scheme and host.
fn related(uri: &str, list: &str) -> Option<i64> {
    let id = match uri.find(list) {
        Some(at) => uri.get(at + list.len()..)?,
        None => uri,
    };
    let id = id.strip_suffix('/').unwrap_or(id);
    id.bytes().all(|byte| byte.is_ascii_digit()).then(|| id.parse().ok()).flatten()
}

/// Checks that a text has this shape; the error is the message for its field.
pub(crate) fn validate(text: &str, shape: Shape) -> Result<(), String> {
    let longest = match shape {
        Shape::Text(longest) | Shape::Name(longest) | Shape::FileName(longest) => longest,
        Shape::Hostname => LABEL_LENGTH,
        Shape::Domain => DOMAIN_LENGTH,
        Shape::Address | Shape::Netmask => 45,
    };
    let length = text.chars().count();
    if length > longest {
        return Err(format!("Ensure this value has at most {longest} characters (it has {length})."));
    }
    if text.chars().any(char::is_control) {
        return Err("Leave line breaks and control characters out.".into());
    }
    let refuse = |good: bool, message: &str| if good { Ok(()) } else { Err(message.to_string()) };
    if let Shape::Text(_) = shape {
        return Ok(());
    }
    if text.is_empty() {
        return Err("This field may not be blank.".into());
    }
    match shape {
        Shape::Text(_) => Ok(()),
        Shape::Name(_) => refuse(!text.contains(is_hidden), UNSEEN),
        Shape::FileName(_) if text.contains(is_hidden) => Err(UNSEEN.into()),
        Shape::FileName(_) => refuse(
            !text.contains('/') && text != "." && text != "..",
            "Leave slashes out, and enter another name than . or ..; the enrolment file is named after the node.",
        ),
        Shape::Hostname => refuse(is_label(text), "Enter a host name of letters, digits and hyphens."),
        Shape::Domain => refuse(text.split('.').all(is_label), "Enter a domain such as example.com."),
        Shape::Address => refuse(is_host_address(text), "Enter the IP address of one machine."),
        Shape::Netmask => refuse(is_netmask(text), "Enter a netmask such as 255.255.255.0."),
    }
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LABEL_LENGTH).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_host_address(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(address)) => {
            !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast()
        }
        Ok(IpAddr::V6(address)) => !address.is_unspecified() && !address.is_multicast(),
        Err(_) => false,
    }
}

fn is_netmask(text: &str) -> bool {
    let mask = text.parse().map(|mask: Ipv4Addr| u32::from_be_bytes(mask.octets()));
    mask.is_ok_and(|mask| mask != 0 && mask.leading_ones() + mask.trailing_zeros() == 32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn field_has_the_shape_it_should() {
        let check =
            |text: &str, shape, expected| assert_eq!(validate(text, shape).is_ok(), expected, "{text:?}");
        check("", Shape::Text(250), true);
        check("", Shape::Name(32), false);
        check(&"n".repeat(32), Shape::Name(32), true);
        check(&"ü".repeat(32), Shape::Name(32), true);
        check(&"n".repeat(33), Shape::Name(32), false);
        check("one\ntwo", Shape::Name(32), false);
        check("one\u{202e}two", Shape::Name(32), false);
        check("3rd floor/left", Shape::Name(32), true);
        check("lon-1", Shape::FileName(32), true);
        check("London, rack 3", Shape::FileName(32), true);
        check("lon/1", Shape::FileName(32), false);
        check("../lon-1", Shape::FileName(32), false);
        check(".", Shape::FileName(32), false);
        check("..", Shape::FileName(32), false);
        check("", Shape::FileName(32), false);
        check(&"n".repeat(33), Shape::FileName(32), false);
        check("lon\u{1b}1", Shape::FileName(32), false);
        check("lon\u{202e}1", Shape::FileName(32), false);
        check("node-1", Shape::Hostname, true);
        check("node_1", Shape::Hostname, false);
        check("-node", Shape::Hostname, false);
        check("example.com", Shape::Domain, true);
        check("example..com", Shape::Domain, false);
        check("10.0.0.1", Shape::Address, true);
        check("2001:db8::1", Shape::Address, true);
        check("0.0.0.0", Shape::Address, false);
        check("224.0.0.1", Shape::Address, false);
        check("10.0.0.256", Shape::Address, false);
        check("255.255.254.0", Shape::Netmask, true);
        check("255.255.255.255", Shape::Netmask, true);
        check("255.0.255.0", Shape::Netmask, false);
    }

    #[test]
    fn relation_is_read_from_a_uri_or_a_number() {
        const LIST: &str = "/api/admin/configuration/v1/system_location/";
        let check = |value: Value, expected: Option<i64>| {
            let body = json!({"system_location": value});
            let mut draft = Draft::of(body.as_object().unwrap());
            let id = draft.relation("system_location", LIST, None);
            assert_eq!(draft.errors == FieldErrors::default(), expected.is_some(), "{value}");
            assert_eq!(id, expected.unwrap_or(0));
        };
        check(json!("/api/admin/configuration/v1/system_location/7/"), Some(7));
        check(json!("https://manager.example/api/admin/configuration/v1/system_location/7/"), Some(7));
        check(json!("7"), Some(7));
        check(json!(7), Some(7));
        check(json!({"resource_uri": "/api/admin/configuration/v1/system_location/7/"}), Some(7));
        check(json!("/api/admin/configuration/v1/worker_vm/7/"), None);
        check(json!("/api/admin/configuration/v1/system_location/0/"), None);
        check(json!(0), None);
        check(json!(-7), None);
        check(json!(true), None);
        check(json!(null), None);
    }

    #[test]
    fn what_is_not_given_keeps_its_value_or_is_required() {
        let body = json!({"description": null, "on": "True", "kind": "X"});
        let mut draft = Draft::of(body.as_object().unwrap());
        assert_eq!(draft.text("description", Shape::Text(9), Some("kept")), "kept");
        assert_eq!(draft.text("name", Shape::Name(9), None), "");
        assert!(draft.boolean("on", false));
        assert_eq!(draft.choice("kind", &["A", "B"], "A"), "X");
        let errors: Vec<_> = draft.errors.0.into_iter().collect();
        assert_eq!(
            errors,
            [
                ("kind".into(), vec!["Choose one of A, B.".to_string()]),
                ("name".into(), vec!["This field is required.".to_string()])
            ]
        );
    }
}
