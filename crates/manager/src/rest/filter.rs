//! Filters and orders of lists: `field=value`, `field__op=value`, `order_by=-field`. Pure functions
//! over the objects as they are shown.

use std::cmp::Ordering;

use serde_json::Value;

/// What a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Is,
    Contains,
    StartsWith,
    EndsWith,
    Less,
    AtMost,
    Greater,
    AtLeast,
    OneOf,
    IsNull,
}

/// Whether upper and lower case are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Told,
    Folded,
}

/// One filter of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    field: String,
    test: Test,
    case: Case,
    value: String,
}

/// Why a filter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadFilter {
    /// The field cannot be filtered by.
    Field(String),
    /// The operator is not known.
    Operator(String),
}

impl Filter {
    /// Reads `field` or `field__op` and its value.
    pub(crate) fn parse(key: &str, value: &str, allowed: &[&str]) -> Result<Self, BadFilter> {
        let (field, operator) = key.split_once("__").unwrap_or((key, "exact"));
        let clip = |text: &str| text.chars().take(60).collect::<String>();
        if !allowed.contains(&field) {
            return Err(BadFilter::Field(clip(field)));
        }
        let (test, case) = operator_of(operator).ok_or_else(|| BadFilter::Operator(clip(operator)))?;
        Ok(Self { field: field.into(), test, case, value: value.into() })
    }

    /// Whether an object passes.
    pub(crate) fn admits(&self, object: &Value) -> bool {
        let shown = &object[&self.field];
        match self.test {
            Test::IsNull => shown.is_null() == truth(&self.value).unwrap_or(true),
            Test::OneOf => self.value.split(',').any(|value| self.is(shown, value.trim())),
            Test::Is => self.is(shown, &self.value),
            Test::Contains => self.folded(&text(shown)).contains(&self.folded(&self.value)),
            Test::StartsWith => self.folded(&text(shown)).starts_with(&self.folded(&self.value)),
            Test::EndsWith => self.folded(&text(shown)).ends_with(&self.folded(&self.value)),
            Test::Less => compare(shown, &self.value) == Some(Ordering::Less),
            Test::AtMost => matches!(compare(shown, &self.value), Some(Ordering::Less | Ordering::Equal)),
            Test::Greater => compare(shown, &self.value) == Some(Ordering::Greater),
            Test::AtLeast => matches!(compare(shown, &self.value), Some(Ordering::Greater | Ordering::Equal)),
        }
    }

    /// A relation is named by its URI or by its id alone.
    fn is(&self, shown: &Value, value: &str) -> bool {
        match shown {
            Value::Bool(shown) => truth(value) == Some(*shown),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                let shown = text(shown);
                let related = shown.starts_with("/api/admin/")
                    && shown.trim_end_matches('/').rsplit('/').next() == Some(value);
                related || self.folded(&shown) == self.folded(value)
            }
        }
    }

    fn folded(&self, text: &str) -> String {
        match self.case {
            Case::Told => text.into(),
            Case::Folded => text.to_lowercase(),
        }
    }
}

fn operator_of(operator: &str) -> Option<(Test, Case)> {
    Some(match operator {
        "exact" => (Test::Is, Case::Told),
        "iexact" => (Test::Is, Case::Folded),
        "contains" => (Test::Contains, Case::Told),
        "icontains" => (Test::Contains, Case::Folded),
        "startswith" => (Test::StartsWith, Case::Told),
        "istartswith" => (Test::StartsWith, Case::Folded),
        "endswith" => (Test::EndsWith, Case::Told),
        "iendswith" => (Test::EndsWith, Case::Folded),
        "lt" => (Test::Less, Case::Told),
        "lte" => (Test::AtMost, Case::Told),
        "gt" => (Test::Greater, Case::Told),
        "gte" => (Test::AtLeast, Case::Told),
        "in" => (Test::OneOf, Case::Told),
        "isnull" => (Test::IsNull, Case::Told),
        _ => return None,
    })
}

fn truth(value: &str) -> Option<bool> {
    match value {
        "true" | "True" | "1" => Some(true),
        "false" | "False" | "0" => Some(false),
        _ => None,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Numbers as numbers, texts as texts; times in ISO 8601 order as texts do. Nothing compares to null.
fn compare(shown: &Value, value: &str) -> Option<Ordering> {
    match shown {
        Value::Null => None,
        Value::Number(number) => number.as_f64()?.partial_cmp(&value.parse().ok()?),
        Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Some(text(shown).as_str().cmp(value))
        }
    }
}

/// Puts objects into the order that `order_by` asks for. Equal ones keep the order they have.
pub(crate) fn order(objects: &mut [Value], field: &str) {
    let (field, descending) = match field.strip_prefix('-') {
        Some(field) => (field, true),
        None => (field, false),
    };
    objects.sort_by(|a, b| {
        let ordering = rank(&a[field], &b[field]);
        if descending { ordering.reverse() } else { ordering }
    });
}

fn rank(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (None, _) | (_, None) => text(a).cmp(&text(b)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALLOWED: &[&str] = &["name", "calls", "on", "at", "system_location"];

    fn object() -> Value {
        json!({
            "name": "Node 7", "calls": 9, "on": true, "at": "2026-11-23T18:05:27.000000",
            "system_location": "/api/admin/configuration/v1/system_location/3/"
        })
    }

    fn check(key: &str, value: &str, expected: bool) {
        let filter = Filter::parse(key, value, ALLOWED).unwrap();
        assert_eq!(filter.admits(&object()), expected, "{key}={value}");
    }

    #[test]
    fn a_filter_compares_as_its_operator_says() {
        check("name", "Node 7", true);
        check("name", "node 7", false);
        check("name__iexact", "node 7", true);
        check("name__contains", "ode", true);
        check("name__icontains", "NODE", true);
        check("name__startswith", "Node", true);
        check("name__iendswith", " 7", true);
        check("name__in", "Node 6,Node 7", true);
        check("calls__lt", "10", true);
        check("calls__gte", "10", false);
        check("calls__lte", "x", false);
        check("on", "True", true);
        check("on", "false", false);
        check("at__gte", "2026-11-23T18:05:27", true);
        check("at__lt", "2026-11-23T18:05:27", false);
        check("at__isnull", "false", true);
    }

    #[test]
    fn a_relation_is_named_by_its_uri_or_its_id() {
        check("system_location", "3", true);
        check("system_location", "/api/admin/configuration/v1/system_location/3/", true);
        check("system_location", "13", false);
    }

    #[test]
    fn what_cannot_be_filtered_by_is_refused() {
        assert_eq!(Filter::parse("password", "x", ALLOWED), Err(BadFilter::Field("password".into())));
        assert_eq!(Filter::parse("name__like", "x", ALLOWED), Err(BadFilter::Operator("like".into())));
    }

    #[test]
    fn numbers_are_ordered_as_numbers() {
        let mut objects = vec![json!({"n": 10}), json!({"n": 9}), json!({"n": 11})];
        order(&mut objects, "-n");
        assert_eq!(objects, [json!({"n": 11}), json!({"n": 10}), json!({"n": 9})]);
    }
}
