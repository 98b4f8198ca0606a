//! Filters and orders of lists: `field=value`, `field__op=value`, `order_by=-field`.
//!
//! Pure functions over the objects as they are shown. It relies on `typed` for the type of a field and for
//! comparison.

use std::cmp::Ordering;

use serde_json::Value;

use super::typed::{Type, Typed, boolean};

/// The operators that may follow the name of a field and two underscores.
pub(crate) const OPERATORS: [&str; 14] = [
    "exact",
    "iexact",
    "in",
    "isnull",
    "contains",
    "icontains",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
    "lt",
    "lte",
    "gt",
    "gte",
];

/// A field of a list that may be filtered and ordered by.
pub(crate) type Field = (&'static str, Type);

/// The condition of a filter.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// It equals one of these values.
    OneOf(Vec<Typed>),
    /// It equals this text, whatever its case.
    EqualIgnoringCase(String),
    /// Its text contains this text.
    Contains(Position, Case, String),
    /// It compares to this value in one of these ways.
    Compares(&'static [Ordering], Typed),
    /// It is null, or it is not.
    IsNull(bool),
}

/// Position in a text something is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Anywhere,
    Start,
    End,
}

/// Whether upper and lower case are distinguished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Sensitive,
    Insensitive,
}

/// One filter of a query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    field: Field,
    test: Test,
}

/// Why a filter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadFilter {
    /// The field cannot be filtered by.
    Field(String),
    /// The operator is not known.
    Operator(String),
    /// The values of the field have no order.
    NoOrder(&'static str),
    /// The value is not of the field's kind.
    Value {
        /// The field.
        field: &'static str,
        /// What the value has to look like.
        example: &'static str,
    },
}

impl Filter {
    /// Reads `field` or `field__op` and its value.
    pub(crate) fn parse(key: &str, value: &str, allowed: &[Field]) -> Result<Self, BadFilter> {
        let (name, operator) = key.split_once("__").unwrap_or((key, "exact"));
        let clip = |text: &str| text.chars().take(60).collect::<String>();
        let field = allowed.iter().find(|(known, _)| *known == name);
        let field = *field.ok_or_else(|| BadFilter::Field(clip(name)))?;
        let test = test_of(field, operator, value)?.ok_or_else(|| BadFilter::Operator(clip(operator)))?;
        Ok(Self { field, test })
    }

    /// Whether an object matches the filter.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let (name, kind) = self.field;
        let shown = &object[name];
        let compare = |value: &Typed| kind.shown(shown).and_then(|shown| shown.compare(value));
        match &self.test {
            Test::IsNull(wanted) => shown.is_null() == *wanted,
            Test::OneOf(values) => values.iter().any(|value| compare(value) == Some(Ordering::Equal)),
            Test::Compares(allowed, value) => {
                compare(value).is_some_and(|ordering| allowed.contains(&ordering))
            }
            Test::EqualIgnoringCase(value) => text(shown).to_lowercase() == value.to_lowercase(),
            Test::Contains(position, Case::Sensitive, value) => contains(*position, &text(shown), value),
            Test::Contains(position, Case::Insensitive, value) => {
                contains(*position, &text(shown).to_lowercase(), &value.to_lowercase())
            }
        }
    }
}

fn contains(position: Position, text: &str, value: &str) -> bool {
    match position {
        Position::Anywhere => text.contains(value),
        Position::Start => text.starts_with(value),
        Position::End => text.ends_with(value),
    }
}

/// The condition for an operator; none when there is no such operator.
fn test_of(field: Field, operator: &str, value: &str) -> Result<Option<Test>, BadFilter> {
    let (name, kind) = field;
    let wrong = || BadFilter::Value { field: name, example: kind.example() };
    let read = |value: &str| kind.read(value).ok_or_else(wrong);
    let contains = |position, case| Ok(Some(Test::Contains(position, case, value.into())));
    let compares = |orderings| match kind.has_order() {
        true => Ok(Some(Test::Compares(orderings, read(value)?))),
        false => Err(BadFilter::NoOrder(name)),
    };
    match operator {
        "exact" => Ok(Some(Test::OneOf(vec![read(value)?]))),
        "iexact" if kind == Type::Text => Ok(Some(Test::EqualIgnoringCase(value.into()))),
        "iexact" => Ok(Some(Test::OneOf(vec![read(value)?]))),
        "in" => {
            let values = value.split(',').map(|value| read(value.trim()));
            Ok(Some(Test::OneOf(values.collect::<Result<_, _>>()?)))
        }
        "isnull" => {
            let example = Type::Boolean.example();
            let wanted = boolean(value.trim()).ok_or(BadFilter::Value { field: name, example })?;
            Ok(Some(Test::IsNull(wanted)))
        }
        "contains" => contains(Position::Anywhere, Case::Sensitive),
        "icontains" => contains(Position::Anywhere, Case::Insensitive),
        "startswith" => contains(Position::Start, Case::Sensitive),
        "istartswith" => contains(Position::Start, Case::Insensitive),
        "endswith" => contains(Position::End, Case::Sensitive),
        "iendswith" => contains(Position::End, Case::Insensitive),
        "lt" => compares(&[Ordering::Less]),
        "lte" => compares(&[Ordering::Less, Ordering::Equal]),
        "gt" => compares(&[Ordering::Greater]),
        "gte" => compares(&[Ordering::Greater, Ordering::Equal]),
        _ => Ok(None),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// The order in which a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// AuthenticatedUser this field.
    pub(crate) field: Field,
    /// The direction.
    pub(crate) direction: Direction,
}

/// The direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The least value first.
    Ascending,
    /// The greatest value first.
    Descending,
}

/// Sorts objects. Equal ones keep their order, and those without a value come before all others.
pub(crate) fn order(objects: &mut [Value], order: Order) {
    let (name, kind) = order.field;
    objects.sort_by(|a, b| {
        let (a, b) = (kind.shown(&a[name]), kind.shown(&b[name]));
        let ordering = match (&a, &b) {
            (Some(a), Some(b)) => a.rank(b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        match order.direction {
            Direction::Ascending => ordering,
            Direction::Descending => ordering.reverse(),
        }
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALLOWED: &[Field] = &[
        ("name", Type::Text),
        ("calls", Type::Number),
        ("on", Type::Boolean),
        ("at", Type::Moment),
        ("version", Type::Version),
        ("system_location", Type::Relation),
    ];

    fn object() -> Value {
        json!({
            "name": "Node 7", "calls": 9, "on": true, "at": "2026-11-23T18:05:27.000000",
            "version": "34.9 (34900)",
            "system_location": "/api/admin/configuration/v1/system_location/3/"
        })
    }

    fn check(key: &str, value: &str, expected: bool) {
        let filter = Filter::parse(key, value, ALLOWED).unwrap();
        assert_eq!(filter.matches(&object()), expected, "{key}={value}");
    }

    #[test]
    fn every_operator_that_is_named_is_one() {
        for operator in OPERATORS {
            let found = Filter::parse(&format!("name__{operator}"), "true", &[("name", Type::Text)]);
            assert!(found.is_ok(), "{operator}: {found:?}");
        }
    }

    #[test]
    fn filter_compares_as_its_operator_says() {
        check("name", "Node 7", true);
        check("name", "node 7", false);
        check("name__iexact", "node 7", true);
        check("name__contains", "ode", true);
        check("name__icontains", "NODE", true);
        check("name__startswith", "Node", true);
        check("name__iendswith", " 7", true);
        check("name__in", "Node 6,Node 7", true);
        check("name__gt", "Node 6", true);
    }

    #[test]
    fn numbers_and_booleans_are_compared_as_such() {
        check("calls__lt", "10", true);
        check("calls__gte", "10", false);
        check("calls", "09", true);
        check("calls__lt", "9.5", true);
        check("calls__in", "8, 9", true);
        check("on", "True", true);
        check("on", "0", false);
        check("on__iexact", "TRUE", true);
    }

    #[test]
    fn moments_are_compared_in_utc_with_or_without_fraction_and_zone() {
        check("at", "2026-11-23T18:05:27", true);
        check("at", "2026-11-23T18:05:27Z", true);
        check("at", "2026-11-23T19:05:27+01:00", true);
        check("at__lte", "2026-11-23T18:05:27", true);
        check("at__lt", "2026-11-23T18:05:27", false);
        check("at__gte", "2026-11-23", true);
        check("at__lt", "2026-11-23T19:00:00+02:00", false);
        check("at__startswith", "2026-11", true);
        check("at__isnull", "false", true);
    }

    #[test]
    fn versions_are_compared_as_versions() {
        check("version__gt", "34.10", false);
        check("version__lt", "34.10", true);
        check("version", "34.9", true);
        check("version", "34.9 (34900)", true);
        check("version", "34.9 (34901)", false);
        check("version__gt", "34.9", false);
        check("version__gte", "34.9", true);
        check("version__gt", "34.9 (34899)", true);
        check("version__in", "34,34.9", true);
        check("version__startswith", "34.", true);
    }

    #[test]
    fn relation_is_named_by_its_uri_or_its_id() {
        check("system_location", "3", true);
        check("system_location", "/api/admin/configuration/v1/system_location/3/", true);
        check("system_location", "13", false);
    }

    #[test]
    fn nothing_compares_to_a_field_without_a_value() {
        for (key, value) in
            [("calls__lt", "10"), ("version__gt", "1"), ("at__lte", "2030-01-01"), ("on", "true")]
        {
            let filter = Filter::parse(key, value, ALLOWED).unwrap();
            assert!(!filter.matches(&json!({"calls": null, "version": "", "at": null, "on": null})), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_filtered_by_is_refused() {
        let refused = |key: &str, value: &str| Filter::parse(key, value, ALLOWED).unwrap_err();
        assert_eq!(refused("password", "x"), BadFilter::Field("password".into()));
        assert_eq!(refused("name__like", "x"), BadFilter::Operator("like".into()));
        assert_eq!(refused("on__gt", "true"), BadFilter::NoOrder("on"));
        assert_eq!(refused("system_location__lt", "3"), BadFilter::NoOrder("system_location"));
        for (key, value) in [
            ("calls__lt", "x"),
            ("calls", "nan"),
            ("calls__in", "1,two"),
            ("on", "maybe"),
            ("at__gt", "yesterday"),
            ("version__gt", "34.x"),
            ("version", "34.1 (new)"),
            ("at__isnull", "perhaps"),
        ] {
            assert!(matches!(refused(key, value), BadFilter::Value { .. }), "{key}={value}");
        }
    }

    #[test]
    fn values_are_ordered_by_their_kind() {
        let check = |field: Field, values: [Value; 4], direction| {
            let mut objects: Vec<Value> = values.iter().rev().map(|value| json!({field.0: value})).collect();
            order(&mut objects, Order { field, direction });
            let ordered: Vec<&Value> = objects.iter().map(|object| &object[field.0]).collect();
            assert_eq!(ordered, values.iter().collect::<Vec<_>>());
        };
        let up = Direction::Ascending;
        check(("n", Type::Number), [Value::Null, json!(9), json!(10), json!(11)], up);
        check(("n", Type::Number), [json!(11), json!(10), json!(9), Value::Null], Direction::Descending);
        check(("v", Type::Version), [json!("34"), json!("34.9"), json!("34.10"), json!("34.10 (2)")], up);
    }
}
