//! The conditions and orders of a query as SQL.
//!
//! Names in a statement come from declarations alone; every value is bound.

use std::cmp::Ordering;

use rusqlite::types::Value as Bound;

use super::functions::{EQUALS, MATCHES, number};
use crate::resources::filter::{Direction, Filter, Like, Order, Test};
use crate::resources::query::{Path, Query};
use crate::resources::typed::{Type, Typed};
use crate::resources::{CoreFacts, Field, Initial, Key, Kind, Place, Related, Resource, configured};

/// A statement, or a part of one, with its values.
#[derive(Debug, Default)]
pub(super) struct Sql<'a> {
    /// The text.
    pub(super) text: String,
    /// The values of its parameters, in order.
    pub(super) values: Vec<Bound>,
    /// What the state of the platform says, for fields that are stored there.
    core: Option<&'a CoreFacts>,
}

impl<'a> Sql<'a> {
    pub(super) fn new(core: &'a CoreFacts) -> Self {
        Self { core: Some(core), ..Self::default() }
    }

    /// Adds text without values.
    pub(super) fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a parameter with its value.
    pub(super) fn bind(&mut self, value: impl Into<Bound>) {
        self.values.push(value.into());
        self.add("?");
    }

    /// `WHERE` and what the objects of the query match.
    pub(super) fn matching(&mut self, query: &Query<Path>) {
        for (filter, word) in
            query.filters.iter().zip(std::iter::once(" WHERE ").chain(std::iter::repeat(" AND ")))
        {
            self.add(word);
            self.filter(filter);
        }
    }

    /// `ORDER BY` and the order of the query; objects that are equal in it are in the order of their ids, so that no
    /// page repeats an object of another.
    pub(super) fn ordered(&mut self, of: &Resource, query: &Query<Path>) {
        self.add(" ORDER BY ");
        for Order { field, kind, direction } in &query.orders {
            self.value(field.field, *kind, "t");
            self.add(match direction {
                Direction::Ascending => ", ",
                Direction::Descending => " DESC, ",
            });
        }
        self.add(match of.key {
            // Identifiers that nodes have given have no order; the rows have that in which they were written.
            Key::Text => "t.seq",
            Key::Number | Key::Field(_) => "t.id",
        });
    }

    /// One filter. Relations are crossed from the outermost table inwards.
    fn filter(&mut self, filter: &Filter<Path>) {
        let mut at = "t".to_string();
        let mut open = 0;
        for relation in filter.field.across.iter().flatten() {
            let next = format!("r{open}");
            self.cross(relation, &at, &next);
            (at, open) = (next, open + 1);
        }
        self.condition(filter, &at);
        self.add(&")".repeat(open));
    }

    /// Opens `EXISTS (` over the objects at the far end of a relation.
    fn cross(&mut self, field: &Field, from: &str, to: &str) {
        let Kind::Related(related) = field.kind else { return };
        self.add(&format!("EXISTS (SELECT 1 FROM {} {to} WHERE ", field.related().unwrap_or_default()));
        match related {
            Related::Children(children) => self.add(&format!("{to}.{} = {from}.id", children.by)),
            Related::Many(_) => {
                self.add(&format!("{to}.id IN (SELECT value FROM json_each("));
                self.stored(field, from);
                self.add("))");
            }
            Related::One(_) => {
                self.add(&format!("{to}.id = "));
                self.stored(field, from);
            }
        }
        self.add(" AND ");
    }

    fn condition(&mut self, filter: &Filter<Path>, at: &str) {
        let Filter { field: Path { field, .. }, kind, test } = filter;
        match (field.kind, test) {
            (Kind::Related(Related::Many(_) | Related::Children(_)), test) => self.several(field, test, at),
            (_, Test::OneOf(values)) => {
                self.value(field, *kind, at);
                self.one_of(values);
            }
            (_, Test::Compares(orderings, value)) => {
                self.value(field, *kind, at);
                self.add(operator(orderings));
                self.bind(bound(value));
            }
            (_, Test::Between(from, to)) => {
                self.value(field, *kind, at);
                self.add(" BETWEEN ");
                self.bind(bound(from));
                self.add(" AND ");
                self.bind(bound(to));
            }
            (_, Test::IsNull(wanted)) => {
                self.stored(field, at);
                self.add(if *wanted { " IS NULL" } else { " IS NOT NULL" });
            }
            (_, Test::Like(like)) => self.like(field, *kind, like, at),
        }
    }

    /// A test of a relation with any number of objects: whether one of them matches.
    fn several(&mut self, field: &Field, test: &Test, at: &str) {
        let none = matches!(test, Test::IsNull(true));
        self.add(if none { "NOT EXISTS (" } else { "EXISTS (" });
        if let Kind::Related(Related::Children(children)) = field.kind {
            self.add(&format!("SELECT id AS value FROM {} WHERE {} = {at}.id", children.of, children.by));
        } else {
            self.add("SELECT value FROM json_each(");
            self.stored(field, at);
            self.add(") WHERE true");
        }
        match test {
            Test::OneOf(values) => {
                self.add(" AND value");
                self.one_of(values);
            }
            Test::IsNull(_) | Test::Compares(..) | Test::Between(..) | Test::Like(_) => {}
        }
        self.add(")");
    }

    fn one_of(&mut self, values: &[Typed]) {
        self.add(" IN (");
        for (n, value) in values.iter().enumerate() {
            self.add(if n == 0 { "" } else { ", " });
            self.bind(bound(value));
        }
        self.add(")");
    }

    fn like(&mut self, field: &Field, kind: Type, like: &Like, at: &str) {
        let (code, wanted) = match like {
            Like::Equals(wanted) => (EQUALS, wanted.clone()),
            Like::Contains(position, case, wanted) => (number(*position, *case), wanted.clone()),
            Like::Matches(pattern) => (MATCHES, pattern.as_str().to_string()),
        };
        self.add("is_like(");
        self.bind(code);
        self.add(", ");
        self.bind(wanted);
        self.add(", ");
        self.as_shown(field, kind, at);
        self.add(")");
    }

    /// The value as a text, as it is shown.
    fn as_shown(&mut self, field: &Field, kind: Type, at: &str) {
        let (before, after) = match kind {
            Type::Text | Type::Number | Type::Version => (String::new(), ""),
            Type::Boolean => ("CASE ".to_string(), " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"),
            Type::Moment => ("strftime('%Y-%m-%dT%H:%M:%f000', ".to_string(), " / 1000.0, 'unixepoch')"),
            Type::Relation | Type::Relations => {
                let path = field.related().map_or_else(String::new, |of| configured(of).path());
                (format!("'{path}' || "), " || '/'")
            }
        };
        self.add(&before);
        self.stored(field, at);
        self.add(after);
    }

    /// The value, compared by its bytes if it is a text.
    fn value(&mut self, field: &Field, kind: Type, at: &str) {
        self.stored(field, at);
        if kind == Type::Text {
            self.add(" COLLATE BINARY");
        }
    }

    /// The value as it is stored. A row from before the field has none in its body.
    fn stored(&mut self, field: &Field, at: &str) {
        let name = field.name;
        match field.place {
            Place::Column => self.add(&format!("{at}.{name}")),
            Place::Core => {
                let ids = self.core.map(|core| core.in_maintenance.iter().collect::<Vec<_>>());
                self.add(&format!("({at}.id IN (SELECT value FROM json_each("));
                self.bind(serde_json::to_string(&ids.unwrap_or_default()).unwrap_or_default());
                self.add(")))");
            }
            Place::Nowhere => self.bind(initial(field)),
            Place::Body if initial(field) == Bound::Null => self.add(&format!("({at}.body ->> '{name}')")),
            Place::Body => {
                self.add(&format!("(CASE WHEN json_type({at}.body, '$.{name}') IS NULL THEN "));
                self.bind(initial(field));
                self.add(&format!(" ELSE {at}.body ->> '{name}' END)"));
            }
        }
    }
}

/// The value of a new object that does not say it.
fn initial(field: &Field) -> Bound {
    match field.initial {
        Initial::Required | Initial::Null | Initial::Now => Bound::Null,
        Initial::Text(text) => Bound::Text(text.into()),
        Initial::Whole(number) => Bound::Integer(number),
        Initial::Boolean(value) => Bound::Integer(value.into()),
        Initial::Empty => Bound::Text("[]".into()),
    }
}

fn operator(orderings: &[Ordering]) -> &'static str {
    let equal = orderings.contains(&Ordering::Equal);
    match (orderings.contains(&Ordering::Less), equal) {
        (true, true) => " <= ",
        (true, false) => " < ",
        (false, true) => " >= ",
        (false, false) => " > ",
    }
}

fn bound(value: &Typed) -> Bound {
    match value {
        Typed::Text(text) => Bound::Text(text.clone()),
        // A number that no row can have is greater than, or less than, all of them.
        Typed::Whole(number) => match i64::try_from(*number) {
            Ok(number) => Bound::Integer(number),
            Err(_) => Bound::Real(*number as f64),
        },
        Typed::Fraction(number) => Bound::Real(*number),
        Typed::Boolean(value) => Bound::Integer((*value).into()),
        Typed::Moment(moment) => Bound::Integer(moment.as_millisecond()),
        Typed::Version(version, _) => Bound::Text(version.to_string()),
        // An id that is no number is that of no object.
        Typed::Relation(id) => Bound::Integer(id.parse().unwrap_or(-1)),
    }
}
