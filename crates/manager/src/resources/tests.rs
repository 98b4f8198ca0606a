//! What has to hold of every declaration.

use std::collections::BTreeSet;

use super::field::{Access, Children, Initial, Kind, Place, Related};
use super::{ALL, Area, Field, Resource, find};

fn fields() -> impl Iterator<Item = (&'static Resource, &'static Field)> {
    ALL.iter().flat_map(|of| of.fields.iter().map(move |field| (*of, field)))
}

#[test]
fn every_resource_and_every_field_has_a_name_of_its_own_and_says_what_it_is() {
    let names: BTreeSet<_> = ALL.iter().map(|of| (of.area.path(), of.name)).collect();
    assert_eq!(names.len(), ALL.len());
    for of in ALL {
        let fields: BTreeSet<_> = of.fields.iter().map(|field| field.name).collect();
        assert_eq!(fields.len(), of.fields.len(), "{}", of.name);
        assert!(!of.called.is_empty() && !of.plural.is_empty() && of.help.ends_with('.'), "{}", of.name);
    }
    for (of, field) in fields() {
        assert!(field.help.ends_with('.'), "{}.{}", of.name, field.name);
    }
}

/// Tools that make a command line of a schema have options of these names.
#[test]
fn no_field_has_a_name_that_means_something_else_in_a_query() {
    let reserved = [
        "id",
        "resource_uri",
        "limit",
        "offset",
        "page_size",
        "stream",
        "object_id",
        "format",
        "order_by",
        "help",
    ];
    for (of, field) in fields() {
        let is_option = field.filtered || field.access != Access::ReadOnly;
        let is_reserved = reserved.contains(&field.name) && is_option;
        assert!(!is_reserved && !field.name.contains("__"), "{}.{}", of.name, field.name);
    }
}

#[test]
fn every_relation_ends_at_a_resource() {
    for (of, field) in fields() {
        if let Some(related) = field.related() {
            let far = find(Area::Configuration, related);
            assert!(far.is_some(), "{}.{}: no {related}", of.name, field.name);
        }
        if let Kind::Related(Related::Children(Children { of: child, by, .. })) = field.kind {
            let child = find(Area::Configuration, child).unwrap();
            assert!(child.natural.is_some_and(|name| child.field(name).is_some()), "{}", child.name);
            let owner = child.field(by).unwrap();
            assert!(owner.related() == Some(of.name) && owner.place == Place::Column, "{}", child.name);
        }
        if of.natural == Some(field.name) {
            assert!(field.unique.is_some(), "{}.{}", of.name, field.name);
        }
    }
}

#[test]
fn every_field_that_needs_a_value_can_be_given_one() {
    for (of, field) in fields() {
        let required = field.initial == Initial::Required;
        assert!(!(required && field.access == Access::ReadOnly), "{}.{}", of.name, field.name);
        assert!(!(required && field.place == Place::Nowhere), "{}.{}", of.name, field.name);
        if let (Initial::Text(text), Kind::Choice(choices)) = (field.initial, field.kind) {
            assert!(choices.contains(&text), "{}.{}", of.name, field.name);
        }
    }
}
