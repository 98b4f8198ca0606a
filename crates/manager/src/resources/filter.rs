//! Filters and orders of lists: `field=value`, `field__op=value`, `field__field__op=value`, `order_by=-field`.
//!
//! Pure: parses them, and applies them to objects as they are shown. `store` applies them to rows. It relies on `typed`
//! for the type of a field and for comparison.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::field::Case;
use super::typed::{Type, Typed, boolean};

/// The operators that may follow the name of a field and two underscores.
pub(crate) const OPERATORS: [&str; 17] = [
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
    "regex",
    "iregex",
    "lt",
    "lte",
    "gt",
    "gte",
    "range",
];

/// How many values the operator `in` may have.
const VALUES: usize = 500;

/// How long a regular expression may be, in characters.
const PATTERN: usize = 250;

/// How much memory a compiled regular expression may take, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// Where the fields of a list are found by their names.
pub(crate) trait Fields {
    /// What names a field, perhaps across relations.
    type Field: Copy;

    /// The field at the end of a path of names and its type, if lists can be filtered by it.
    fn find(&self, path: &[&str]) -> Option<(Self::Field, Type)>;

    /// The names of the fields by which the list can be filtered.
    fn names(&self) -> Vec<&'static str>;
}

/// A field of a list of shown objects: its name and its type.
pub(crate) type Named = (&'static str, Type);

impl Fields for [Named] {
    type Field = &'static str;

    fn find(&self, path: &[&str]) -> Option<(&'static str, Type)> {
        let [name] = path else { return None };
        let numbered = (*name == "id").then_some(("id", Type::Number));
        self.iter().copied().find(|(known, _)| known == name).or(numbered)
    }

    fn names(&self) -> Vec<&'static str> {
        self.iter().map(|(name, _)| *name).collect()
    }
}

/// The condition of a filter.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// It equals one of these values.
    OneOf(Vec<Typed>),
    /// Its text is like another.
    Like(Like),
    /// It compares to this value in one of these ways.
    Compares(&'static [Ordering], Typed),
    /// It lies between these values, which are included.
    Between(Typed, Typed),
    /// It is null, or it is not.
    IsNull(bool),
}

/// What a text has to be like.
#[derive(Clone, Debug)]
pub(crate) enum Like {
    /// It equals this text, whatever its case.
    Equals(String),
    /// It contains this text.
    Contains(Position, Case, String),
    /// It matches this expression.
    Matches(Regex),
}

/// Where in a text another one has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Anywhere,
    Start,
    End,
}

/// One filter of a query.
#[derive(Clone, Debug)]
pub(crate) struct Filter<F> {
    /// The field.
    pub(crate) field: F,
    /// Its type.
    pub(crate) kind: Type,
    /// The condition.
    pub(crate) test: Test,
}

/// Why a filter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadFilter {
    /// The field cannot be filtered by.
    Field(String),
    /// The operator is not known.
    Operator(String),
    /// The values of the field have no order.
    NoOrder(String),
    /// Objects are no texts: a field of them has to be named.
    NoText(String),
    /// There are too many values, or the expression is too long or none.
    Excessive(String, String),
    /// The value is not of the field's kind.
    Value {
        /// The field.
        field: String,
        /// What the value has to look like.
        example: &'static str,
    },
}

impl<F: Copy> Filter<F> {
    /// Reads a path of names, perhaps with an operator at its end, and its value.
    pub(crate) fn parse(
        key: &str,
        value: &str,
        fields: &(impl Fields<Field = F> + ?Sized),
    ) -> Result<Self, BadFilter> {
        let path: Vec<&str> = key.split("__").collect();
        let (last, before) = path.split_last().unwrap_or((&key, &[]));
        if let Some((field, kind)) = fields.find(&path) {
            return Ok(Self { field, kind, test: test_of(key, kind, "exact", value)? });
        }
        let (field, kind) = fields.find(before).ok_or_else(|| match before {
            [] => BadFilter::Field(clip(key)),
            _ if OPERATORS.contains(last) => BadFilter::Field(clip(&before.join("__"))),
            [first, ..] if fields.find(&[first]).is_none() => BadFilter::Field(clip(first)),
            _ => BadFilter::Field(clip(key)),
        })?;
        Ok(Self { field, kind, test: test_of(&before.join("__"), kind, last, value)? })
    }
}

impl Filter<&'static str> {
    /// Whether an object matches the filter.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let shown = &object[self.field];
        let read = || self.kind.shown(shown);
        let compare = |value: &Typed| read().and_then(|shown| shown.compare(value));
        match &self.test {
            Test::IsNull(wanted) => shown.is_null() == *wanted,
            Test::OneOf(values) => values.iter().any(|value| compare(value) == Some(Ordering::Equal)),
            Test::Compares(allowed, value) => {
                compare(value).is_some_and(|ordering| allowed.contains(&ordering))
            }
            Test::Between(from, to) => {
                compare(from).is_some_and(Ordering::is_ge) && compare(to).is_some_and(Ordering::is_le)
            }
            Test::Like(like) => like.matches(&text(shown)),
        }
    }
}

impl Test {
    /// How many values it compares to.
    pub(crate) fn values(&self) -> usize {
        match self {
            Self::OneOf(values) => values.len(),
            Self::Like(_) | Self::Compares(..) | Self::IsNull(_) => 1,
            Self::Between(..) => 2,
        }
    }
}

impl Like {
    /// Whether a text is like this.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equals(value) => text.to_lowercase() == value.to_lowercase(),
            Self::Contains(position, Case::Sensitive, value) => contains(*position, text, value),
            Self::Contains(position, Case::Insensitive, value) => {
                contains(*position, &text.to_lowercase(), &value.to_lowercase())
            }
            Self::Matches(pattern) => pattern.is_match(text),
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

/// The condition for an operator.
fn test_of(name: &str, kind: Type, operator: &str, value: &str) -> Result<Test, BadFilter> {
    let wrong = |example| BadFilter::Value { field: clip(name), example };
    let read = |value: &str| kind.read(value).ok_or_else(|| wrong(kind.example()));
    let contains = |position, case| match kind {
        Type::Relations => Err(BadFilter::NoText(clip(name))),
        Type::Text | Type::Number | Type::Boolean | Type::Moment | Type::Version | Type::Relation => {
            Ok(Test::Like(Like::Contains(position, case, value.into())))
        }
    };
    let compares = |orderings| Ok(Test::Compares(orderings, ordered(name, kind, value)?));
    match operator {
        "exact" => Ok(Test::OneOf(vec![read(value)?])),
        "iexact" if kind == Type::Text => Ok(Test::Like(Like::Equals(value.into()))),
        "iexact" => Ok(Test::OneOf(vec![read(value)?])),
        "in" => {
            values(name, value)?.map(|value| read(value.trim())).collect::<Result<_, _>>().map(Test::OneOf)
        }
        "isnull" => {
            let example = Type::Boolean.example();
            boolean(value.trim()).map(Test::IsNull).ok_or_else(|| wrong(example))
        }
        "contains" => contains(Position::Anywhere, Case::Sensitive),
        "icontains" => contains(Position::Anywhere, Case::Insensitive),
        "startswith" => contains(Position::Start, Case::Sensitive),
        "istartswith" => contains(Position::Start, Case::Insensitive),
        "endswith" => contains(Position::End, Case::Sensitive),
        "iendswith" => contains(Position::End, Case::Insensitive),
        "regex" | "iregex" if kind == Type::Relations => Err(BadFilter::NoText(clip(name))),
        "regex" => pattern(name, value, Case::Sensitive),
        "iregex" => pattern(name, value, Case::Insensitive),
        "lt" => compares(&[Ordering::Less]),
        "lte" => compares(&[Ordering::Less, Ordering::Equal]),
        "gt" => compares(&[Ordering::Greater]),
        "gte" => compares(&[Ordering::Greater, Ordering::Equal]),
        "range" => {
            let (from, to) =
                value.split_once(',').ok_or_else(|| wrong("two values with a comma between them"))?;
            Ok(Test::Between(ordered(name, kind, from)?, ordered(name, kind, to)?))
        }
        _ => Err(BadFilter::Operator(clip(operator))),
    }
}

fn ordered(name: &str, kind: Type, value: &str) -> Result<Typed, BadFilter> {
    if !kind.has_order() {
        return Err(BadFilter::NoOrder(clip(name)));
    }
    kind.read(value).ok_or_else(|| BadFilter::Value { field: clip(name), example: kind.example() })
}

fn values<'v>(name: &str, value: &'v str) -> Result<impl Iterator<Item = &'v str>, BadFilter> {
    match value.split(',').count() <= VALUES {
        true => Ok(value.split(',')),
        false => Err(BadFilter::Excessive(clip(name), format!("at most {VALUES} values"))),
    }
}

/// A regular expression, which matches in linear time whatever it is.
fn pattern(name: &str, value: &str, case: Case) -> Result<Test, BadFilter> {
    let needs = format!("a regular expression of at most {PATTERN} characters");
    let bad = || BadFilter::Excessive(clip(name), needs.clone());
    if value.chars().count() > PATTERN {
        return Err(bad());
    }
    // In the text itself, so that who compiles it again ignores case as well.
    let ignoring = if case == Case::Insensitive { "(?i)" } else { "" };
    let built = RegexBuilder::new(&format!("{ignoring}{value}")).size_limit(PATTERN_BYTES).build();
    built.map(|pattern| Test::Like(Like::Matches(pattern))).map_err(|_| bad())
}

fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// An order in which a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order<F> {
    /// By which field.
    pub(crate) field: F,
    /// Its type.
    pub(crate) kind: Type,
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
pub(crate) fn order(objects: &mut [Value], orders: &[Order<&'static str>]) {
    objects.sort_by(|a, b| {
        orders.iter().fold(Ordering::Equal, |so_far, order| so_far.then_with(|| compared(a, b, *order)))
    });
}

fn compared(a: &Value, b: &Value, Order { field, kind, direction }: Order<&'static str>) -> Ordering {
    let (a, b) = (kind.shown(&a[field]), kind.shown(&b[field]));
    let ordering = match (&a, &b) {
        (Some(a), Some(b)) => a.rank(b),
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    match direction {
        Direction::Ascending => ordering,
        Direction::Descending => ordering.reverse(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALLOWED: &[Named] = &[
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
            let value = if operator == "range" { "a,b" } else { "true" };
            let found = Filter::parse(&format!("name__{operator}"), value, &[("name", Type::Text)][..]);
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
        check("name__regex", "^Node [0-9]$", true);
        check("name__regex", "^node", false);
        check("name__iregex", "^node", true);
        check("calls__range", "8,9", true);
        check("calls__range", "10,20", false);
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
        assert_eq!(refused("on__gt", "true"), BadFilter::NoOrder("on".into()));
        assert_eq!(refused("system_location__lt", "3"), BadFilter::NoOrder("system_location".into()));
        let many = vec!["1"; VALUES + 1].join(",");
        for (key, value) in
            [("calls__in", many.as_str()), ("name__regex", "("), ("name__regex", &"a".repeat(251))]
        {
            assert!(matches!(refused(key, value), BadFilter::Excessive(..)), "{key}");
        }
        assert!(matches!(refused("name__regex", "a{1000}{1000}"), BadFilter::Excessive(..)));
        for (key, value) in [
            ("calls__lt", "x"),
            ("calls__range", "1"),
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
        let check = |field: Named, values: [Value; 4], direction| {
            let mut objects: Vec<Value> = values.iter().rev().map(|value| json!({field.0: value})).collect();
            order(&mut objects, &[Order { field: field.0, kind: field.1, direction }]);
            let ordered: Vec<&Value> = objects.iter().map(|object| &object[field.0]).collect();
            assert_eq!(ordered, values.iter().collect::<Vec<_>>());
        };
        let up = Direction::Ascending;
        check(("n", Type::Number), [Value::Null, json!(9), json!(10), json!(11)], up);
        check(("n", Type::Number), [json!(11), json!(10), json!(9), Value::Null], Direction::Descending);
        check(("v", Type::Version), [json!("34"), json!("34.9"), json!("34.10"), json!("34.10 (2)")], up);
    }
}
