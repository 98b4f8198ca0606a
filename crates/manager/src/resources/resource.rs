//! The declaration of a resource.

use super::errors::FieldErrors;
use super::field::{Field, ID, TEXT_ID};
use super::object::Object;
use super::permission::Permission;

/// A resource of the management API: one declaration from which lists, details, filters, validation, schema and
/// documentation follow.
#[derive(Debug)]
pub(crate) struct Resource {
    /// The part of the API.
    pub(crate) area: Area,
    /// Its name in paths and errors.
    pub(crate) name: &'static str,
    /// The table of its objects in the store.
    pub(crate) table: &'static str,
    /// The operator's word for one of its objects.
    pub(crate) called: &'static str,
    /// The operator's word for several of them.
    pub(crate) plural: &'static str,
    /// What it is: one sentence.
    pub(crate) help: &'static str,
    /// What identifies an object in its path.
    pub(crate) key: Key,
    /// Where its objects come from.
    pub(crate) served: Served,
    /// Its fields without `id` and `resource_uri`, which every resource has, in the order in which they are shown.
    pub(crate) fields: &'static [Field],
    /// The field by which an object may be named beside its URI, if there is one.
    pub(crate) natural: Option<&'static str>,
    /// The methods of its list.
    pub(crate) list: &'static [Verb],
    /// The methods of each object.
    pub(crate) detail: &'static [Verb],
    /// How many objects there may be.
    pub(crate) most: i64,
    /// What has to follow from a change in the same transaction.
    pub(crate) affects: Affects,
    /// What an account needs to see its objects.
    pub(crate) view: Permission,
    /// What an account needs to change them.
    pub(crate) change: Permission,
    /// What the answer to a creation contains.
    pub(crate) created: Created,
    /// What can be asked of an object beside reading and writing it.
    pub(crate) actions: &'static [Action],
    /// Checks what has to hold between its fields, each of which is valid by itself before, and fills in what follows
    /// from them.
    pub(crate) check: fn(&mut Object, &mut FieldErrors),
}

/// What identifies an object in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A number, which is its field `id`.
    Number,
    /// A text without a meaning, which is its field `id`.
    Text,
    /// The text in one of its fields.
    Field(&'static str),
}

/// Where the objects of a resource come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// Its table in the store.
    Table,
    /// The state of the platform.
    Rows(Rows),
    /// Requests have handlers of their own. Only its description is made from the declaration.
    Own,
}

/// Which objects are made from the state of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The use of the licences.
    Licensing,
    /// The Management Node.
    ManagementVm,
    /// The Management Node as its machine is set up.
    OwnMachine,
    /// The system locations.
    SystemLocation,
}

/// A part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    /// What the operator configures.
    Configuration,
    /// The present state.
    Status,
    /// What has happened.
    History,
    /// What can be asked for one's own account.
    CommandAccount,
    /// What can be asked of conferences.
    CommandConference,
    /// What can be asked of participants.
    CommandParticipant,
    /// What can be asked of the platform.
    CommandPlatform,
}

/// A method of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Reads. HEAD is served as well.
    Get,
    /// Creates, or runs an action.
    Post,
    /// Changes. What is not said keeps its value.
    Put,
    /// Changes; in a list several objects at once.
    Patch,
    /// Deletes.
    Delete,
}

/// What has to follow from a change of an object in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affects {
    /// Nothing.
    Store,
    /// The Conferencing Nodes of the platform.
    Fleet,
    /// The Virtual Meeting Rooms that the nodes have.
    Rooms,
    /// Who may log in, and what he may do.
    Accounts,
    /// The certificates that are shown.
    Certificates,
}

/// What the answer to a creation contains beside the address of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// Nothing.
    Empty,
    /// The enrolment file of a Conferencing Node.
    EnrolmentFile,
    /// The client with its private key, which is given only this once.
    OAuthClient,
}

/// What can be asked of an object with a POST to a path below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A new enrolment file for a Conferencing Node.
    Enrolment,
}

/// The usual methods of a list.
const LIST: &[Verb] = &[Verb::Get, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete];

/// The usual methods of an object.
const DETAIL: &[Verb] = &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete];

/// How many objects of one kind there may be: ten times the largest platform that is planned for, so that a
/// faulty tool in a loop does not fill the store.
const OBJECTS: i64 = 100_000;

impl Resource {
    /// A resource of the configuration with the usual methods. `fields` and the words follow in the declaration.
    pub(crate) const fn configuration(name: &'static str) -> Self {
        Self {
            area: Area::Configuration,
            name,
            table: name,
            called: "",
            plural: "",
            help: "",
            key: Key::Number,
            served: Served::Table,
            fields: &[],
            natural: None,
            list: LIST,
            detail: DETAIL,
            most: OBJECTS,
            affects: Affects::Store,
            view: Permission::ViewPlatform,
            change: Permission::ChangePlatform,
            created: Created::Empty,
            actions: &[],
            check: |_, _| (),
        }
    }

    /// A resource of the configuration with one object, number 1, which a migration makes and nobody deletes.
    pub(crate) const fn singleton(name: &'static str) -> Self {
        Self {
            list: &[Verb::Get],
            detail: &[Verb::Get, Verb::Put, Verb::Patch],
            most: 1,
            ..Self::configuration(name)
        }
    }

    /// The path of its list.
    pub(crate) fn path(&self) -> String {
        format!("{}{}/", self.area.path(), self.name)
    }

    /// The URI of an object.
    pub(crate) fn uri(&self, id: i64) -> String {
        format!("{}{id}/", self.path())
    }

    /// The field of this name, `id` among them.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        if name == ID.name {
            return Some(match self.key {
                Key::Number | Key::Field(_) => const { &ID },
                Key::Text => const { &TEXT_ID },
            });
        }
        self.fields.iter().find(|field| field.name == name)
    }

    /// The position of a field.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

impl Area {
    /// Every part.
    pub(crate) const ALL: [Self; 7] = [
        Self::Configuration,
        Self::Status,
        Self::History,
        Self::CommandAccount,
        Self::CommandConference,
        Self::CommandParticipant,
        Self::CommandPlatform,
    ];

    /// The path of its directory.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Configuration => "/api/admin/configuration/v1/",
            Self::Status => "/api/admin/status/v1/",
            Self::History => "/api/admin/history/v1/",
            Self::CommandAccount => "/api/admin/command/v1/account/",
            Self::CommandConference => "/api/admin/command/v1/conference/",
            Self::CommandParticipant => "/api/admin/command/v1/participant/",
            Self::CommandPlatform => "/api/admin/command/v1/platform/",
        }
    }
}

impl Verb {
    /// Its name in HTTP.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Action {
    /// The last segment of its path.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
        }
    }
}
