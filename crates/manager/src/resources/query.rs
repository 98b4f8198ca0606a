//! The query of a list: paging, order and filters.

use super::field::{Field, ID};
use super::filter::{BadFilter, Direction, Fields, Filter, OPERATORS, Order};
use super::resource::Resource;
use super::typed::Type;

/// How many objects a page contains by default.
pub(crate) const DEFAULT_LIMIT: usize = 20;

/// How many objects a page contains at most; `limit=0` requests this many. Clients request up to 10,000.
pub(crate) const LARGEST_LIMIT: usize = 10_000;

/// How many parameters a query may have: every field of the widest resource with two filters each.
const PARAMETERS: usize = 100;

/// How many fields a list may be ordered by at once.
const ORDERS: usize = 8;

/// How many relations a filter may cross.
const HOPS: usize = 2;

/// How many filters of one query may cross relations.
const CROSSING: usize = 8;

/// How many values all filters of a query may have together.
const VALUES: usize = 2_000;

/// A query whose every field is known.
#[derive(Clone, Debug)]
pub(crate) struct Query<F> {
    /// How many objects are shown at most.
    pub(crate) limit: usize,
    /// How many are left out before them.
    pub(crate) offset: usize,
    /// The order, the most significant field first.
    pub(crate) orders: Vec<Order<F>>,
    /// What every shown object matches.
    pub(crate) filters: Vec<Filter<F>>,
}

/// Why a query cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadQuery {
    /// What is wrong with it.
    pub(crate) error: String,
    /// What queries of this list look like, because other documentation may not be at hand.
    pub(crate) hint: String,
}

/// A field of a resource, perhaps of one at the far end of relations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// The relations to cross, the nearest first.
    pub(crate) across: [Option<&'static Field>; HOPS],
    /// The field.
    pub(crate) field: &'static Field,
}

impl Fields for Resource {
    type Field = Path;

    fn find(&self, path: &[&str]) -> Option<(Path, Type)> {
        let (last, before) = path.split_last()?;
        let mut across = [None; HOPS];
        let mut at: &Resource = self;
        for (n, name) in before.iter().enumerate() {
            let relation = at.field(name).filter(|field| field.filtered)?;
            *across.get_mut(n)? = Some(relation);
            at = super::configured(relation.related()?);
        }
        let field = at.field(last).filter(|field| field.filtered || field.name == ID.name)?;
        Some((Path { across, field }, field.queried_as()))
    }

    fn names(&self) -> Vec<&'static str> {
        self.fields.iter().filter(|field| field.filtered).map(|field| field.name).chain([ID.name]).collect()
    }
}

/// Reads the parameters of a query.
///
/// # Errors
/// It names a field or an operator that the list does not have, or a value that the field cannot have.
pub(crate) fn read<S: Fields + ?Sized>(
    of: &S,
    query: &[(String, String)],
) -> Result<Query<S::Field>, BadQuery> {
    let bad = |error| BadQuery { error, hint: hint(of) };
    if query.len() > PARAMETERS {
        return Err(bad(format!("the query has more than {PARAMETERS} parameters")));
    }
    let mut asked = Query { limit: DEFAULT_LIMIT, offset: 0, orders: Vec::new(), filters: Vec::new() };
    for (key, value) in query {
        match key.as_str() {
            "limit" => asked.limit = limit(number(key, value).map_err(bad)?),
            "offset" => asked.offset = number(key, value).map_err(bad)?,
            "order_by" => {
                for name in value.split(',') {
                    asked.orders.push(order(of, name.trim()).map_err(bad)?);
                }
            }
            "format" => {}
            _ => asked.filters.push(Filter::parse(key, value, of).map_err(|why| bad(sentence(why)))?),
        }
    }
    let crossing = query.iter().filter(|(key, _)| key.matches("__").count() > 1).count();
    let values: usize = asked.filters.iter().map(|filter| filter.test.values()).sum();
    if crossing > CROSSING || values > VALUES {
        return Err(bad(format!(
            "the query has more than {CROSSING} filters across relations, or more than {VALUES} values"
        )));
    }
    if asked.orders.len() > ORDERS {
        return Err(bad(format!("a list can be ordered by at most {ORDERS} fields")));
    }
    Ok(asked)
}

fn limit(asked: usize) -> usize {
    if asked == 0 { LARGEST_LIMIT } else { asked.min(LARGEST_LIMIT) }
}

fn number(key: &str, value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("{key} must be a whole number of 0 or more"))
}

fn order<S: Fields + ?Sized>(of: &S, value: &str) -> Result<Order<S::Field>, String> {
    let (name, direction) = match value.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (value, Direction::Ascending),
    };
    let found = of.find(&[name]).map(|(field, kind)| Order { field, kind, direction });
    found.ok_or_else(|| {
        format!("the list cannot be ordered by {:?}", name.chars().take(60).collect::<String>())
    })
}

fn sentence(why: BadFilter) -> String {
    match why {
        BadFilter::Field(field) => format!("the '{field}' field does not allow filtering"),
        BadFilter::Operator(operator) => format!("{operator:?} is not an operator of a filter"),
        BadFilter::NoOrder(field) => {
            format!("the values of '{field}' have no order; filter for those that are equal")
        }
        BadFilter::NoText(field) => {
            format!(
                "the values of '{field}' are objects and no texts; filter by a field of theirs: {field}__FIELD__OPERATOR"
            )
        }
        BadFilter::Excessive(field, needs) => format!("the filter of '{field}' needs {needs}"),
        BadFilter::Value { field, example } => format!("the filter of '{field}' needs {example}"),
    }
}

fn hint<S: Fields + ?Sized>(of: &S) -> String {
    format!(
        "use limit, offset, order_by=FIELD or order_by=-FIELD, FIELD=VALUE or FIELD__OPERATOR=VALUE; the fields are {}; \
         the operators are {}",
        of.names().join(", "),
        OPERATORS.join(", ")
    )
}
