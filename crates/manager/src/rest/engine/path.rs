//! What a path names. Pure.

use crate::resources::{self, Action, Area, Resource, Served, Verb};

/// What the path of a request names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'p> {
    /// The resources of a part of the API.
    Directory(Area),
    /// The objects of a resource.
    List(&'static Resource),
    /// One object, by the text in the path.
    Detail(&'static Resource, &'p str),
    /// What can be asked of one object.
    Action(&'static Resource, &'p str, Action),
    /// The description of a resource.
    Schema(&'static Resource),
}

/// What a path names; none when there is no such thing. The slash at its end is optional.
pub(crate) fn target(path: &str) -> Option<Target<'_>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let within = |area: Area| path.strip_prefix(area.path().trim_end_matches('/')).map(|rest| (area, rest));
    let (area, rest) = Area::ALL.into_iter().find_map(within)?;
    let mut segments = match rest.strip_prefix('/') {
        Some(rest) => rest.split('/'),
        None => return rest.is_empty().then_some(Target::Directory(area)),
    };
    let of = resources::find(area, segments.next()?)?;
    match (segments.next(), segments.next(), segments.next()) {
        (Some("schema"), None, _) => Some(Target::Schema(of)),
        _ if of.served == Served::Own => None,
        (None, ..) => Some(Target::List(of)),
        (Some(""), ..) => None,
        (Some(id), None, _) => Some(Target::Detail(of, id)),
        (Some(id), Some(name), None) => {
            let action = of.actions.iter().copied().find(|action| action.name() == name);
            action.map(|action| Target::Action(of, id, action))
        }
        (Some(_), Some(_), Some(_)) => None,
    }
}

impl Target<'_> {
    /// The methods that it knows.
    pub(super) fn verbs(self) -> &'static [Verb] {
        match self {
            Self::List(of) => of.list,
            Self::Detail(of, _) => of.detail,
            Self::Action(..) => &[Verb::Post],
            Self::Schema(_) | Self::Directory(_) => &[Verb::Get],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_names_a_directory_a_list_an_object_or_what_is_asked_of_it() {
        let check = |path: &str, expected: &str| {
            let found = match target(path) {
                None => "nothing".to_string(),
                Some(Target::Directory(area)) => format!("directory {area:?}"),
                Some(Target::List(of)) => format!("list {}", of.name),
                Some(Target::Detail(of, id)) => format!("{} {id}", of.name),
                Some(Target::Action(of, id, action)) => format!("{action:?} of {} {id}", of.name),
                Some(Target::Schema(of)) => format!("schema {}", of.name),
            };
            assert_eq!(found, expected, "{path}");
        };
        check("/api/admin/configuration/v1/", "directory Configuration");
        check("/api/admin/configuration/v1", "directory Configuration");
        check("/api/admin/configuration/v1/worker_vm/", "list worker_vm");
        check("/api/admin/configuration/v1/worker_vm", "list worker_vm");
        check("/api/admin/configuration/v1/worker_vm/schema/", "schema worker_vm");
        check("/api/admin/configuration/v1/worker_vm/7/", "worker_vm 7");
        check("/api/admin/configuration/v1/worker_vm/7/enrolment/", "Enrolment of worker_vm 7");
        check("/api/admin/configuration/v1/conference/7/enrolment/", "nothing");
        check("/api/admin/configuration/v1/worker_vm/7/enrolment/8/", "nothing");
        check("/api/admin/configuration/v1/worker_vm//", "nothing");
        check("/api/admin/configuration/v1/unicorn/", "nothing");
        check("/api/admin/configuration/v1x/worker_vm/", "nothing");
        check("/api/admin/configuration/", "nothing");
        check("/", "nothing");
    }
}
