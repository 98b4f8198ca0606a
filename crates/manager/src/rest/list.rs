//! Lists: the envelope with `meta` and `objects`, paging, and which parameters a query may have.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::{Value, json};

use super::error::{Kind, Refusal};
use super::filter::{BadFilter, Direction, Field, Filter, OPERATORS, Order, order};
use super::typed::Type;

/// How many objects a page contains by default.
const DEFAULT_LIMIT: usize = 20;

/// How many objects a page contains at most; `limit=0` requests this many. Clients request up to 10,000.
const LARGEST_LIMIT: usize = 10_000;

/// How many parameters a query may have: every field of the widest resource with two filters each.
const PARAMETERS: usize = 100;

/// Everything but the unreserved characters of RFC 3986 section 2.3. A form would write a space as `+`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The part of a resource that its list needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    /// The path of the list, with the trailing slash.
    pub(crate) path: &'static str,
    /// The fields that may be filtered and ordered by, each with its type.
    pub(crate) filters: &'static [Field],
}

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
struct ListQuery {
    limit: usize,
    offset: usize,
    order_by: Option<Order>,
    filters: Vec<Filter>,
}

/// The answer to a GET of a list.
///
/// # Errors
/// The query names a field or an operator that the resource does not have.
pub(crate) fn page(
    listed: Listed,
    query: &[(String, String)],
    mut objects: Vec<Value>,
) -> Result<Value, Refusal> {
    let asked = read(listed, query)?;
    objects.retain(|object| asked.filters.iter().all(|filter| filter.matches(object)));
    if let Some(by) = asked.order_by {
        order(&mut objects, by);
    }
    let total_count = objects.len();
    let shown: Vec<Value> = objects.into_iter().skip(asked.offset).take(asked.limit).collect();
    let uri = |offset| uri(listed.path, query, asked.limit, offset);
    let next = asked.offset.checked_add(asked.limit).filter(|next| *next < total_count).map(uri);
    let previous = (asked.offset > 0).then(|| uri(asked.offset.saturating_sub(asked.limit)));
    Ok(json!({
        "meta": {
            "limit": asked.limit, "next": next, "offset": asked.offset, "previous": previous,
            "total_count": total_count,
        },
        "objects": shown,
    }))
}

fn read(listed: Listed, query: &[(String, String)]) -> Result<ListQuery, Refusal> {
    if query.len() > PARAMETERS {
        return Err(bad(listed, format!("the query has more than {PARAMETERS} parameters")));
    }
    let mut asked = ListQuery { limit: DEFAULT_LIMIT, offset: 0, order_by: None, filters: Vec::new() };
    for (key, value) in query {
        match key.as_str() {
            "limit" => asked.limit = limit(number(listed, key, value)?),
            "offset" => asked.offset = number(listed, key, value)?,
            "order_by" => asked.order_by = Some(ordering(listed, value)?),
            "format" => {}
            _ => asked.filters.push(filter(listed, key, value)?),
        }
    }
    Ok(asked)
}

fn limit(asked: usize) -> usize {
    if asked == 0 { LARGEST_LIMIT } else { asked.min(LARGEST_LIMIT) }
}

fn number(listed: Listed, key: &str, value: &str) -> Result<usize, Refusal> {
    value.parse().map_err(|_| bad(listed, format!("{key} must be a whole number of 0 or more")))
}

fn ordering(listed: Listed, value: &str) -> Result<Order, Refusal> {
    let (name, direction) = match value.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (value, Direction::Ascending),
    };
    let fields = listed.filters.iter().chain(&[("id", Type::Number)]);
    if let Some(field) = fields.copied().find(|(known, _)| *known == name) {
        return Ok(Order { field, direction });
    }
    let name: String = name.chars().take(60).collect();
    Err(bad(listed, format!("the list cannot be ordered by {name:?}")))
}

fn filter(listed: Listed, key: &str, value: &str) -> Result<Filter, Refusal> {
    let error = |why| match why {
        BadFilter::Field(field) => format!("the '{field}' field does not allow filtering"),
        BadFilter::Operator(operator) => format!("{operator:?} is not an operator of a filter"),
        BadFilter::NoOrder(field) => {
            format!("the values of '{field}' have no order; filter for those that are equal")
        }
        BadFilter::Value { field, example } => format!("the filter of '{field}' needs {example}"),
    };
    Filter::parse(key, value, listed.filters).map_err(|why| bad(listed, error(why)))
}

/// The hint lists the parameters of this list, because other documentation may not be at hand.
fn bad(listed: Listed, error: String) -> Refusal {
    let fields: Vec<&str> = listed.filters.iter().map(|(name, _)| *name).collect();
    let hint = format!(
        "use limit, offset, order_by=FIELD or order_by=-FIELD, FIELD=VALUE or FIELD__OPERATOR=VALUE; the fields are {}; \
         the operators are {}",
        fields.join(", "),
        OPERATORS.join(", ")
    );
    Refusal::new(Kind::Malformed, error, hint)
}

/// A relative URI with every parameter of the query, and another offset.
fn uri(path: &str, query: &[(String, String)], limit: usize, offset: usize) -> String {
    let kept = query.iter().filter(|(key, _)| key != "limit" && key != "offset");
    let kept: String = kept.map(|(key, value)| format!("&{}={}", escaped(key), escaped(value))).collect();
    format!("{path}?limit={limit}&offset={offset}{kept}")
}

fn escaped(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: Listed =
        Listed { path: "/things/", filters: &[("name", Type::Text), ("size", Type::Number)] };

    fn ask(query: &[(&str, &str)]) -> Result<Value, Refusal> {
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
        let objects =
            (0..45).map(|n| json!({"id": n, "name": format!("thing {n}"), "size": n % 3})).collect();
        page(LISTED, &query, objects)
    }

    #[test]
    fn list_comes_in_pages_with_all_five_keys() {
        let page = ask(&[]).unwrap();
        assert_eq!(
            page["meta"],
            json!({
                "limit": 20, "offset": 0, "total_count": 45, "previous": null,
                "next": "/things/?limit=20&offset=20"
            })
        );
        assert_eq!(page["objects"].as_array().unwrap().len(), 20);
        let last = ask(&[("offset", "40"), ("limit", "20")]).unwrap();
        assert_eq!(last["meta"]["next"], Value::Null);
        assert_eq!(last["meta"]["previous"], "/things/?limit=20&offset=20");
        assert_eq!(last["objects"].as_array().unwrap().len(), 5);
    }

    #[test]
    fn limit_of_zero_asks_for_as_many_as_possible() {
        assert_eq!(ask(&[("limit", "0")]).unwrap()["objects"].as_array().unwrap().len(), 45);
        assert_eq!(ask(&[("limit", "99999999")]).unwrap()["meta"]["limit"], LARGEST_LIMIT);
    }

    #[test]
    fn filters_are_repeated_in_the_next_page() {
        let page = ask(&[("name__contains", "thing "), ("size", "1"), ("limit", "2")]).unwrap();
        assert_eq!(page["meta"]["total_count"], 15);
        assert_eq!(page["meta"]["next"], "/things/?limit=2&offset=2&name__contains=thing%20&size=1");
        assert_eq!(page["objects"][1]["id"], 4);
    }

    #[test]
    fn order_is_the_one_asked_for() {
        assert_eq!(ask(&[("order_by", "-id")]).unwrap()["objects"][0]["id"], 44);
        assert_eq!(ask(&[("order_by", "size")]).unwrap()["objects"][1]["id"], 3);
    }

    #[test]
    fn query_that_makes_no_sense_is_refused() {
        for query in [
            ("limit", "-1"),
            ("offset", "x"),
            ("colour", "red"),
            ("order_by", "-colour"),
            ("name__is", "x"),
            ("size__gt", "large"),
        ] {
            let refusal = ask(&[query]).unwrap_err();
            assert_eq!(refusal.kind, Kind::Malformed, "{query:?}");
        }
        assert!(
            ask(&[("offset", "18446744073709551615")]).unwrap()["objects"].as_array().unwrap().is_empty()
        );
    }
}
