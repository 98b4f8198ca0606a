//! The declaration of a field: its type, its default, who may write it, where its value is stored.
//!
//! Pure data with `const` constructors, so that a declaration is a static and a mistake in its form is an error of
//! the compiler.

use super::permission::Permission;
use super::shape::Shape;
use super::typed::Type;

/// A field of a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Its name in requests and answers.
    pub(crate) name: &'static str,
    /// What it means, for the operator: one sentence.
    pub(crate) help: &'static str,
    /// What values it has.
    pub(crate) kind: Kind,
    /// Its value in a new object that does not say it.
    pub(crate) initial: Initial,
    /// Whether it may be null. An explicit null clears it.
    pub(crate) nullable: bool,
    /// Who writes it.
    pub(crate) access: Access,
    /// Where its value is stored.
    pub(crate) place: Place,
    /// Whether two objects may have the same value.
    pub(crate) unique: Option<Unique>,
    /// Whether lists can be filtered and ordered by it.
    pub(crate) filtered: bool,
    /// What Pitlane does with it.
    pub(crate) support: Support,
    /// What whoever gives it another value needs beside what the resource needs.
    pub(crate) needs: Option<Permission>,
}

/// The values of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A text of a shape.
    Text(Shape),
    /// One of several texts.
    Choice(&'static [&'static str]),
    /// A whole number between two limits, which are included.
    Whole(i64, i64),
    /// A number with a fraction.
    Fraction,
    /// True or false.
    Boolean,
    /// A release, such as `34.1 (34100)`.
    Version,
    /// A file in a multipart form.
    File,
    /// An object without a resource of its own, or null; shown as it is.
    Record,
    /// A password, of which a hash is stored.
    Password,
    /// A list that the Management Node makes, shown as it is.
    List,
    /// A list of texts.
    Texts,
    /// A time: stored as milliseconds since 1970-01-01 UTC, shown as text.
    Moment,
    /// Other objects.
    Related(Related),
}

/// The objects at the far end of a relation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Related {
    /// One object, shown as its URI.
    One(Relation),
    /// Any number of objects, shown as they are.
    Many(Relation),
    /// The objects that belong to this one and have no other owner, shown as they are.
    Children(Children),
}

/// The far end of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    /// The name of the resource.
    pub(crate) of: &'static str,
    /// What a deletion of the object there does.
    pub(crate) on_delete: OnDelete,
}

/// What the deletion of an object does to those that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDelete {
    /// It is refused while there are any.
    Refuse,
    /// They are deleted as well.
    Remove,
}

/// The objects that belong to another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Children {
    /// The name of their resource.
    pub(crate) of: &'static str,
    /// Their field that names the owner.
    pub(crate) by: &'static str,
    /// How many one owner may have.
    pub(crate) most: usize,
}

/// The value of a field in a new object that does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initial {
    /// There is none: the field is required.
    Required,
    /// Null.
    Null,
    /// A text.
    Text(&'static str),
    /// A number.
    Whole(i64),
    /// True or false.
    Boolean(bool),
    /// The time of the creation.
    Now,
    /// An empty list.
    Empty,
}

/// Who writes a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Every request that may write the object.
    Written,
    /// The Management Node alone. A value in a request is ignored.
    ReadOnly,
    /// Every request that may write the object. It is never shown.
    Secret,
}

/// Where the value of a field is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a column of its own: relations that the database holds, and what other code queries.
    Column,
    /// In the JSON of the row.
    Body,
    /// In the state of the platform. See [`super::object::CoreFacts`].
    Core,
    /// Nowhere: it has its initial value always.
    Nowhere,
}

/// A field in which all objects differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unique {
    /// Whether texts that differ in case alone are the same.
    pub(crate) case: Case,
    /// The message for an object whose value another one has.
    pub(crate) taken: &'static str,
}

/// Whether upper and lower case are distinguished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// They are.
    Sensitive,
    /// They are not.
    Insensitive,
}

/// What Pitlane does with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// What its help says.
    Acts,
    /// It is kept and given back, for tools that compare what they wrote.
    Kept,
    /// Nothing, so that any value but the initial one is refused with this sentence.
    Refused(&'static str),
}

/// The field that every resource has.
pub(crate) const ID: Field = Field::of("id", Kind::Whole(1, i64::MAX))
    .read_only()
    .column()
    .help("The number of the object.")
    .or(Initial::Null);

/// The same field of resources whose objects are identified by a text.
pub(crate) const TEXT_ID: Field = Field::text("id", Shape::Text(64))
    .read_only()
    .column()
    .help("The identifier of the object.")
    .or(Initial::Null);

/// The sentence that the help of a field has which is only kept.
pub(crate) const KEPT: &str = "Kept and given back; it has no effect in Pitlane.";

impl Field {
    const fn of(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            help: "",
            kind,
            initial: Initial::Required,
            nullable: false,
            access: Access::Written,
            place: Place::Body,
            unique: None,
            filtered: false,
            support: Support::Acts,
            needs: None,
        }
    }

    /// A text of a shape.
    pub(crate) const fn text(name: &'static str, shape: Shape) -> Self {
        Self::of(name, Kind::Text(shape))
    }

    /// One of several texts.
    pub(crate) const fn choice(name: &'static str, choices: &'static [&'static str]) -> Self {
        Self::of(name, Kind::Choice(choices))
    }

    /// A whole number between two limits, which are included.
    pub(crate) const fn whole(name: &'static str, from: i64, to: i64) -> Self {
        Self::of(name, Kind::Whole(from, to))
    }

    /// True or false, with the value of a new object.
    pub(crate) const fn boolean(name: &'static str, initial: bool) -> Self {
        Self::of(name, Kind::Boolean).or(Initial::Boolean(initial))
    }

    /// A password, of which a hash is stored in a column.
    pub(crate) const fn password(name: &'static str) -> Self {
        Self::of(name, Kind::Password).column().secret()
    }

    /// A list of texts, empty unless it is given.
    pub(crate) const fn texts(name: &'static str) -> Self {
        Self::of(name, Kind::Texts).or(Initial::Empty)
    }

    /// A list that the Management Node makes.
    pub(crate) const fn list(name: &'static str) -> Self {
        Self::of(name, Kind::List).or(Initial::Empty)
    }

    /// A number that the Management Node makes.
    pub(crate) const fn count(name: &'static str) -> Self {
        Self::whole(name, 0, i64::MAX).or(Initial::Whole(0)).read_only()
    }

    /// A number with a fraction that the Management Node makes.
    pub(crate) const fn fraction(name: &'static str) -> Self {
        Self::of(name, Kind::Fraction).or_null().read_only()
    }

    /// A release that the Management Node shows.
    pub(crate) const fn version(name: &'static str) -> Self {
        Self::of(name, Kind::Version).or_empty().read_only()
    }

    /// A time that the Management Node shows.
    pub(crate) const fn moment(name: &'static str) -> Self {
        Self::of(name, Kind::Moment).or_null().read_only()
    }

    /// An object without a resource of its own.
    pub(crate) const fn record(name: &'static str) -> Self {
        Self::of(name, Kind::Record).or_null()
    }

    /// A file in a multipart form.
    pub(crate) const fn file(name: &'static str) -> Self {
        Self::of(name, Kind::File).or_null()
    }

    /// The time of the creation.
    pub(crate) const fn created(name: &'static str) -> Self {
        Self::of(name, Kind::Moment).or(Initial::Now).filtered()
    }

    /// Another object, whose deletion is refused while this field names it.
    pub(crate) const fn to_one(name: &'static str, of: &'static str) -> Self {
        Self::of(name, Kind::Related(Related::One(Relation { of, on_delete: OnDelete::Refuse })))
    }

    /// Another object, with which this one is deleted.
    pub(crate) const fn owner(name: &'static str, of: &'static str) -> Self {
        Self::of(name, Kind::Related(Related::One(Relation { of, on_delete: OnDelete::Remove })))
    }

    /// Any number of other objects, whose deletion is refused while this field names them.
    pub(crate) const fn to_many(name: &'static str, of: &'static str) -> Self {
        let relation = Relation { of, on_delete: OnDelete::Refuse };
        Self::of(name, Kind::Related(Related::Many(relation))).or(Initial::Empty)
    }

    /// The objects of another resource whose field `by` names this one.
    pub(crate) const fn children(
        name: &'static str,
        of: &'static str,
        by: &'static str,
        most: usize,
    ) -> Self {
        Self {
            place: Place::Nowhere,
            ..Self::of(name, Kind::Related(Related::Children(Children { of, by, most }))).or(Initial::Empty)
        }
    }

    /// The same with what it means.
    pub(crate) const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// The same with the value of a new object that does not say it.
    pub(crate) const fn or(self, initial: Initial) -> Self {
        Self { initial, ..self }
    }

    /// The same as a text that is empty unless it is given.
    pub(crate) const fn or_empty(self) -> Self {
        self.or(Initial::Text(""))
    }

    /// The same as a field that may be null, and is so in a new object that does not say it.
    pub(crate) const fn or_null(self) -> Self {
        Self { nullable: true, initial: Initial::Null, ..self }
    }

    /// The same as a field that may be null.
    pub(crate) const fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// The same in a column of its own.
    pub(crate) const fn column(self) -> Self {
        Self { place: Place::Column, ..self }
    }

    /// The same in the state of the platform.
    pub(crate) const fn core(self) -> Self {
        Self { place: Place::Core, ..self }
    }

    /// The same as a field that requests cannot write.
    pub(crate) const fn read_only(self) -> Self {
        Self { access: Access::ReadOnly, ..self }
    }

    /// The same as a field that is never shown.
    pub(crate) const fn secret(self) -> Self {
        Self { access: Access::Secret, ..self }
    }

    /// The same as a field that always has its initial value.
    pub(crate) const fn nowhere(self) -> Self {
        Self { place: Place::Nowhere, ..self }
    }

    /// The same as a secret that is accepted and not stored, because nothing here needs it.
    pub(crate) const fn dropped(self) -> Self {
        Self { access: Access::Secret, place: Place::Nowhere, ..self }
    }

    /// The same as a field by which lists can be filtered and ordered.
    pub(crate) const fn filtered(self) -> Self {
        Self { filtered: true, ..self }
    }

    /// The same as a field in which all objects differ.
    pub(crate) const fn unique(self, case: Case, taken: &'static str) -> Self {
        Self { unique: Some(Unique { case, taken }), ..self }
    }

    /// The same as a field whose change needs a permission of its own.
    pub(crate) const fn needing(self, permission: Permission) -> Self {
        Self { needs: Some(permission), ..self }
    }

    /// The same as a field that is kept without effect.
    pub(crate) const fn kept(self) -> Self {
        Self { support: Support::Kept, ..self }
    }

    /// The same as a field with one value, because Pitlane does not have what the others mean.
    pub(crate) const fn refused(self, sentence: &'static str) -> Self {
        Self { support: Support::Refused(sentence), place: Place::Nowhere, ..self }
    }

    /// How its values are read from a query and compared.
    pub(crate) const fn queried_as(&self) -> Type {
        match self.kind {
            Kind::Text(_)
            | Kind::Choice(_)
            | Kind::Password
            | Kind::List
            | Kind::Texts
            | Kind::Record
            | Kind::File => Type::Text,
            Kind::Version => Type::Version,
            Kind::Whole(..) | Kind::Fraction => Type::Number,
            Kind::Boolean => Type::Boolean,
            Kind::Moment => Type::Moment,
            Kind::Related(Related::One(_)) => Type::Relation,
            Kind::Related(Related::Many(_) | Related::Children(_)) => Type::Relations,
        }
    }

    /// The name of the resource at the far end, if the field is a relation.
    pub(crate) const fn related(&self) -> Option<&'static str> {
        let Kind::Related(related) = self.kind else { return None };
        match related {
            Related::One(Relation { of, .. })
            | Related::Many(Relation { of, .. })
            | Related::Children(Children { of, .. }) => Some(of),
        }
    }
}
