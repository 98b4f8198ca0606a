//! Reads the fields of an object from a request: types, shapes, choices, limits. Every invalid field is noted, so that
//! all are answered at once. Unknown fields are ignored.
//!
//! Pure. That a value is unique and that a related object exists is for the caller to check.

use serde_json::{Map, Value};

use super::errors::FieldErrors;
use super::field::{Access, Children, Field, Initial, Kind, Related, Support};
use super::object::Object;
use super::resource::Resource;
use super::shape::{Shape, canonical, validate};
use super::typed::moment;

/// What a secret is shown as, and what keeps it when it is sent back.
pub(crate) const HIDDEN: &str = "********";

const REQUIRED: &str = "This field is required.";

/// Reads an object. What the request does not give keeps its value, or has the one of a new object, whose time of
/// creation is `now`, in milliseconds.
pub(crate) fn draft(
    of: &'static Resource,
    body: &Map<String, Value>,
    kept: Option<&Object>,
    now: i64,
) -> (Object, FieldErrors) {
    let mut errors = FieldErrors::default();
    let read = |field: &Field| {
        let kept = kept.map(|kept| kept.get(field));
        let value = value(field, body.get(field.name), kept, now);
        value.unwrap_or_else(|message| {
            errors.add(field.name, message);
            Value::Null
        })
    };
    let values = of.fields.iter().map(read).collect();
    (Object { of, id: kept.map_or(0, |kept| kept.id), values }, errors)
}

fn value(field: &Field, given: Option<&Value>, kept: Option<&Value>, now: i64) -> Result<Value, String> {
    let otherwise = || match kept {
        Some(kept) => Ok(kept.clone()),
        None => initial(field, now).ok_or_else(|| REQUIRED.to_string()),
    };
    match given {
        _ if field.access == Access::ReadOnly => otherwise(),
        None => otherwise(),
        Some(Value::Null) if field.access == Access::Secret && field.initial != Initial::Required => {
            Ok(Value::from(""))
        }
        Some(Value::Null) => cleared(field).map_or_else(otherwise, Ok),
        Some(Value::String(text)) if is_unsaid(field, text) => otherwise(),
        Some(Value::String(text)) if text.is_empty() && field.nullable => Ok(Value::Null),
        Some(given) => {
            let read = read(field, given, kept)?;
            match field.support {
                Support::Refused(sentence) if Some(&read) != initial(field, now).as_ref() => {
                    Err(sentence.into())
                }
                Support::Refused(_) | Support::Acts | Support::Kept => Ok(read),
            }
        }
    }
}

/// The value of a field in a new object; none when it is required.
pub(crate) fn initial(field: &Field, now: i64) -> Option<Value> {
    match field.initial {
        Initial::Required => None,
        Initial::Null => Some(Value::Null),
        Initial::Text(text) => Some(text.into()),
        Initial::Whole(number) => Some(number.into()),
        Initial::Boolean(value) => Some(value.into()),
        Initial::Now => Some(now.into()),
        Initial::Empty => Some(Value::Array(Vec::new())),
    }
}

/// The value after an explicit null, if null is a value of this field. Clients send null for a list without entries.
fn cleared(field: &Field) -> Option<Value> {
    if let Kind::Related(Related::Many(_)) | Kind::Texts = field.kind {
        return Some(Value::Array(Vec::new()));
    }
    // Children stay: an owner that loses them because a client does not know them would be a trap.
    field.nullable.then_some(Value::Null)
}

/// A value of a request that is true or false, and false when it is not given.
///
/// # Errors
/// The message for a value that is neither.
pub(crate) fn flag(body: &Map<String, Value>, name: &str) -> Result<bool, String> {
    let given = body.get(name).filter(|value| !value.is_null());
    given.map_or(Ok(false), |given| boolean(given).map(|value| value == Value::Bool(true)))
}

/// Whether a text says nothing: the mark of a secret that stays, or an empty choice, which clients send for what they
/// do not know.
fn is_unsaid(field: &Field, text: &str) -> bool {
    let unknown_choice =
        matches!(field.kind, Kind::Choice(choices) if text.is_empty() && !choices.contains(&""));
    unknown_choice || (field.access == Access::Secret && text == HIDDEN)
}

fn read(field: &Field, given: &Value, kept: Option<&Value>) -> Result<Value, String> {
    match field.kind {
        Kind::Text(shape) => {
            let text = given.as_str().ok_or("Enter a text.")?;
            let text = if field.access == Access::Secret { text } else { text.trim() };
            // An earlier release accepted more, and its stored values may be sent back unchanged.
            if kept.and_then(Value::as_str) != Some(text) && !(text.is_empty() && is_optional(field)) {
                validate(text, shape)?;
            }
            let cleared = text.is_empty() && field.nullable;
            Ok(if cleared { Value::Null } else { canonical(text, shape).into() })
        }
        Kind::Choice(choices) => choice(given, choices),
        Kind::Whole(from, to) => whole(given, from, to),
        Kind::Boolean => boolean(given),
        // It was hashed before it came here.
        Kind::Password => given.as_str().map(Value::from).ok_or_else(|| "Enter a text.".into()),
        Kind::Fraction | Kind::Version | Kind::File | Kind::Record | Kind::List => {
            Err("This field cannot be written here.".into())
        }
        Kind::Texts => texts(given),
        Kind::Moment => time(given),
        Kind::Related(Related::One(relation)) => related(given, relation.of).map(Value::from),
        Kind::Related(Related::Many(relation)) => many(given, relation.of),
        Kind::Related(Related::Children(children)) => raw_children(given, children),
    }
}

/// Whether a text may be empty although its shape has no empty text.
fn is_optional(field: &Field) -> bool {
    field.nullable || field.initial == Initial::Text("")
}

fn choice(given: &Value, choices: &[&str]) -> Result<Value, String> {
    let text = given.as_str().ok_or("Enter a text.")?.trim();
    match choices.contains(&text) {
        true => Ok(text.into()),
        false if choices.contains(&"") => {
            Err(format!("Choose one of {}, or leave it empty.", names(choices)))
        }
        false => Err(format!("Choose one of {}.", names(choices))),
    }
}

fn names(choices: &[&str]) -> String {
    choices.iter().filter(|choice| !choice.is_empty()).copied().collect::<Vec<_>>().join(", ")
}

/// A whole number; forms and some clients send it as a text.
fn whole(given: &Value, from: i64, to: i64) -> Result<Value, String> {
    let number = match given {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(without_fraction)),
        Value::String(text) => {
            let text = text.trim();
            text.strip_suffix(".0").unwrap_or(text).parse().ok()
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let number = number.filter(|number| (from..=to).contains(number));
    number.map(Value::from).ok_or_else(|| format!("Enter a whole number from {from} to {to}."))
}

/// A number that is whole although it is written with a fraction.
fn without_fraction(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() < i64::MAX as f64;
    is_whole.then_some(number as i64)
}

fn boolean(given: &Value) -> Result<Value, String> {
    match given {
        Value::Bool(value) => Ok((*value).into()),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true.into()),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false.into()),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Err("Enter true or false.".into())
        }
    }
}

fn time(given: &Value) -> Result<Value, String> {
    let moment = given.as_str().and_then(|text| moment(text.trim()));
    let moment = moment.filter(|moment| moment.as_millisecond() >= 0);
    let message = "Enter a moment in UTC such as 2026-11-23T18:05:27.";
    moment.map(|moment| moment.as_millisecond().into()).ok_or_else(|| message.into())
}

/// The id of a related object, given as its URI, as the number alone, or as the object itself.
fn related(given: &Value, of: &'static str) -> Result<i64, String> {
    let list = super::configured(of).path();
    let id = match given {
        Value::Number(number) => number.as_i64(),
        Value::String(uri) => id_of(uri, &list),
        Value::Object(object) => {
            object.get("resource_uri").and_then(Value::as_str).and_then(|uri| id_of(uri, &list))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    };
    id.filter(|id| *id > 0).ok_or_else(|| format!("Enter the URI of an object, such as {list}1/."))
}

/// The id at the end of a URI of this list, with or without scheme and host.
pub(crate) fn id_of(uri: &str, list: &str) -> Option<i64> {
    let id = match uri.find(list) {
        Some(at) => uri.get(at + list.len()..)?,
        None => uri,
    };
    let id = id.strip_suffix('/').unwrap_or(id);
    id.bytes().all(|byte| byte.is_ascii_digit()).then(|| id.parse().ok()).flatten()
}

/// How many objects one relation may name.
const RELATED: usize = 250;

fn many(given: &Value, of: &'static str) -> Result<Value, String> {
    let given = given.as_array().filter(|given| given.len() <= RELATED);
    let given = given.ok_or_else(|| format!("Enter a list of at most {RELATED} URIs."))?;
    let mut ids = Vec::new();
    for id in given {
        let id = related(id, of)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids.into())
}

/// How many texts a list has, and how long each is, in characters.
const TEXTS: (usize, usize) = (250, 255);

fn texts(given: &Value) -> Result<Value, String> {
    let (most, longest) = TEXTS;
    let all = given.as_array().filter(|all| all.len() <= most);
    let all = all.and_then(|all| all.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let all = all.ok_or_else(|| format!("Enter a list of at most {most} texts."))?;
    for text in &all {
        validate(text.trim(), Shape::Name(longest))?;
    }
    Ok(all.iter().map(|text| text.trim()).collect())
}

/// The children as they are given; each is read as an object of its own resource when they are written.
fn raw_children(given: &Value, children: Children) -> Result<Value, String> {
    let fits = given.as_array().is_some_and(|given| given.len() <= children.most);
    let plural = super::configured(children.of).plural;
    if fits { Ok(given.clone()) } else { Err(format!("Enter a list of at most {} {plural}.", children.most)) }
}
