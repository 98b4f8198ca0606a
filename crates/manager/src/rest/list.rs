//! Lists: the envelope with `meta` and `objects`, and paging.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use super::error::{Kind, Refusal};
use crate::resources::filter::{Named, order};
use crate::resources::query::{self, BadQuery};
use crate::resources::typed::Type;
use crate::resources::{Key, Resource};

/// Everything but the unreserved characters of RFC 3986 section 2.3. A form would write a space as `+`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The answer to a GET of a list of shown objects.
///
/// # Errors
/// The query names a field or an operator that the resource does not have.
pub(crate) fn page(of: &Resource, pairs: &[(String, String)], objects: Vec<Value>) -> Result<Value, Refusal> {
    selected(&of.path(), &named(of), pairs, objects)
}

/// How many objects are shown at most and how many are left out before them, by a query without filters and without an order; none for
/// another.
///
/// # Errors
/// As [`page`].
pub(crate) fn plain(of: &Resource, pairs: &[(String, String)]) -> Result<Option<(usize, usize)>, Refusal> {
    let asked = query::read(named(of).as_slice(), pairs)?;
    let is_plain = asked.filters.is_empty() && asked.orders.is_empty();
    Ok(is_plain.then_some((asked.limit, asked.offset)))
}

/// The fields of a resource by which a query may filter.
fn named(of: &Resource) -> Vec<Named> {
    let filtered = of.fields.iter().filter(|field| field.filtered);
    let id = (of.key == Key::Text).then_some(("id", Type::Text));
    filtered.map(|field| (field.name, field.queried_as())).chain(id).collect()
}

/// The same for objects without a declaration: those below an object.
///
/// # Errors
/// The query names a field or an operator that they do not have.
pub(crate) fn selected(
    path: &str,
    fields: &[Named],
    pairs: &[(String, String)],
    mut objects: Vec<Value>,
) -> Result<Value, Refusal> {
    let asked = query::read(fields, pairs)?;
    objects.retain(|object| asked.filters.iter().all(|filter| filter.matches(object)));
    order(&mut objects, &asked.orders);
    let total = objects.len();
    let shown = objects.into_iter().skip(asked.offset).take(asked.limit).collect();
    Ok(envelope(path, pairs, (asked.limit, asked.offset), total, shown))
}

/// The envelope of a page: `limit` objects behind the first `offset` of `total`.
pub(crate) fn envelope(
    path: &str,
    query: &[(String, String)],
    window: (usize, usize),
    total: usize,
    objects: Vec<Value>,
) -> Value {
    json!({"meta": meta(path, query, window, total), "objects": objects})
}

/// The same for rows that are not looked into any more: their values need not be made first.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    pub(crate) meta: Value,
    pub(crate) objects: Vec<T>,
}

/// What the envelope says of a page: `limit` objects behind the first `offset` of `total`.
pub(crate) fn meta(
    path: &str,
    query: &[(String, String)],
    (limit, offset): (usize, usize),
    total: usize,
) -> Value {
    let uri = |offset| uri(path, query, limit, offset);
    let next = offset.checked_add(limit).filter(|next| *next < total).map(uri);
    let previous = (offset > 0).then(|| uri(offset.saturating_sub(limit)));
    json!({"limit": limit, "next": next, "offset": offset, "previous": previous, "total_count": total})
}

impl From<BadQuery> for Refusal {
    fn from(BadQuery { error, hint }: BadQuery) -> Self {
        Self::new(Kind::Malformed, error, hint)
    }
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
    use crate::resources::query::LARGEST_LIMIT;

    const FIELDS: &[Named] = &[("name", Type::Text), ("size", Type::Number)];

    fn ask(query: &[(&str, &str)]) -> Result<Value, Refusal> {
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
        let objects =
            (0..45).map(|n| json!({"id": n, "name": format!("thing {n}"), "size": n % 3})).collect();
        selected("/things/", FIELDS, &query, objects)
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
