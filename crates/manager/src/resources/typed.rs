//! The types of the fields in lists: how values of each are read from a query and compared.
//!
//! Pure. A field is shown as JSON text or number; a filter that compared that text would put 34.9 above
//! 34.10, and a time with a zone beside one without. It relies on the resource for the type of each field,
//! and refuses a value of another.

use std::cmp::Ordering;

use fleet::version::{Build, Version};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// The type of a field in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// A text, compared character by character.
    Text,
    /// A whole number or a number with a fraction.
    Number,
    /// True or false, which have no order.
    Boolean,
    /// A time in UTC: ISO 8601, with or without a fraction and a zone.
    Moment,
    /// A version such as `34.10`, perhaps with its build behind it: `34.10 (341000)`.
    Version,
    /// Another object, by its URI or its id. Objects have no order.
    Relation,
    /// Any number of other objects; what is said of one of them.
    Relations,
}

/// A value of one of the types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Typed {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i128),
    /// A number with a fraction; finite.
    Fraction(f64),
    /// True or false.
    Boolean(bool),
    /// A time.
    Moment(Timestamp),
    /// A version, and its build where that is given.
    Version(Version, Option<Build>),
    /// The end of an object's URI: its id.
    Relation(String),
}

impl Type {
    /// Reads a value of a query; none when it is not of this type.
    pub(crate) fn read(self, value: &str) -> Option<Typed> {
        let trimmed = value.trim();
        match self {
            Self::Text => Some(Typed::Text(value.into())),
            Self::Number => number(trimmed),
            Self::Boolean => boolean(trimmed).map(Typed::Boolean),
            Self::Moment => moment(trimmed).map(Typed::Moment),
            Self::Version => version(trimmed),
            Self::Relation | Self::Relations => Some(Typed::Relation(id_of(trimmed).into())),
        }
    }

    /// Reads a field as it is shown; none for null, and for a value of another type.
    pub(crate) fn shown(self, value: &Value) -> Option<Typed> {
        match value {
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            Value::String(text) => self.read(text),
            Value::Bool(_) | Value::Number(_) => self.read(&value.to_string()),
        }
    }

    /// An example of a value, for a refusal.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number such as 7",
            Self::Boolean => "true or false",
            Self::Moment => "a moment in UTC such as 2026-11-23T18:05:27",
            Self::Version => "a version such as 34.1, or one with its build: 34.1 (34100)",
            Self::Relation | Self::Relations => "the URI or the id of an object",
        }
    }

    /// Whether its values have an order.
    pub(crate) fn has_order(self) -> bool {
        match self {
            Self::Text | Self::Number | Self::Moment | Self::Version => true,
            Self::Boolean | Self::Relation | Self::Relations => false,
        }
    }
}

impl Typed {
    /// Compares two values of a list: a total order, in which a version without its build comes before those
    /// with one.
    pub(crate) fn rank(&self, other: &Self) -> Ordering {
        if let (Self::Version(one, build), Self::Version(other, of_other)) = (self, other) {
            return (one, build).cmp(&(other, of_other));
        }
        self.compare(other).unwrap_or(Ordering::Equal)
    }

    /// How this value compares to the one of a query. A version without its build matches every build of it;
    /// values of different types do not compare.
    pub(crate) fn compare(&self, asked: &Self) -> Option<Ordering> {
        match (self, asked) {
            (Self::Text(one), Self::Text(other)) | (Self::Relation(one), Self::Relation(other)) => {
                Some(one.cmp(other))
            }
            (Self::Whole(one), Self::Whole(other)) => Some(one.cmp(other)),
            (Self::Whole(one), Self::Fraction(other)) => (*one as f64).partial_cmp(other),
            (Self::Fraction(one), Self::Whole(other)) => one.partial_cmp(&(*other as f64)),
            (Self::Fraction(one), Self::Fraction(other)) => one.partial_cmp(other),
            (Self::Boolean(one), Self::Boolean(other)) => Some(one.cmp(other)),
            (Self::Moment(one), Self::Moment(other)) => Some(one.cmp(other)),
            (Self::Version(one, build), Self::Version(other, asked)) => {
                let builds = build.zip(*asked).map_or(Ordering::Equal, |(one, other)| one.cmp(&other));
                Some(one.cmp(other).then(builds))
            }
            (
                Self::Text(_)
                | Self::Whole(_)
                | Self::Fraction(_)
                | Self::Boolean(_)
                | Self::Moment(_)
                | Self::Version(..)
                | Self::Relation(_),
                _,
            ) => None,
        }
    }
}

fn number(text: &str) -> Option<Typed> {
    let whole = text.parse().ok().map(Typed::Whole);
    whole.or_else(|| text.parse().ok().filter(|number: &f64| number.is_finite()).map(Typed::Fraction))
}

/// True or false, as the tools of the compatible API write them.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A time with a zone, or without one in UTC; a day alone is its beginning.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let in_utc = || TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    text.parse().ok().or_else(in_utc)
}

fn version(text: &str) -> Option<Typed> {
    let Some((version, build)) = text.split_once(" (") else {
        return text.parse().ok().map(|version| Typed::Version(version, None));
    };
    let build = build.strip_suffix(')')?.parse().ok()?;
    Some(Typed::Version(version.parse().ok()?, Some(Build(build))))
}

fn id_of(text: &str) -> &str {
    match text.contains("/api/admin/") {
        true => text.trim_end_matches('/').rsplit('/').next().unwrap_or(text),
        false => text,
    }
}
