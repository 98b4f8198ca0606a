//! What a call is as a participant of its conference: its name, and what its far end says of itself.

use sip::address::Address;
use sip::fields::Fields;
use sip::message::Request;
use sip::name::Name;
use sip::uri::Uri;
use sip::value::Value as _;

use crate::handover::message::ExportedParticipant;
use crate::participants::{CallDirection, ConferenceId, Departure, Lock, ParticipantId, Voice};
use crate::time::Time;

use super::outside::address_of;

/// The most of a text of the far end that is kept, in characters.
const TEXT: usize = 250;

/// A participant, beside what its call knows.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: ParticipantId,
    pub(super) conference: ConferenceId,
    pub(super) direction: CallDirection,
    pub(super) display_name: String,
    pub(super) source_alias: String,
    pub(super) destination_alias: String,
    pub(super) vendor: String,
    pub(super) voice: Voice,
    /// Since when it takes part.
    pub(super) joined: Option<Time>,
    /// What its conference was in the process that it comes from.
    pub(super) before: Option<Before>,
    /// Why its call ends, once that has begun.
    pub(super) departure: Option<Departure>,
}

/// A conference in another process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) began: Time,
    pub(super) lock: Lock,
}

/// The names of a participant and of its conference.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemberIds {
    pub(super) participant: ParticipantId,
    pub(super) conference: ConferenceId,
}

impl Member {
    /// Who sends an INVITE.
    pub(super) fn of_caller(ids: MemberIds, invite: &Request) -> Member {
        let caller = invite.headers().value(Name::From).and_then(|from| Address::whole(from).ok());
        let source_alias = caller.map(|caller| alias_of(caller.uri)).unwrap_or_default();
        Member {
            display_name: caller.map(|caller| name_of(&caller, &source_alias)).unwrap_or_default(),
            source_alias,
            destination_alias: alias_of(invite.uri()),
            vendor: vendor_of(invite.headers()),
            ..Member::new(ids, CallDirection::In)
        }
    }

    /// Whom this node dials by this text, shown under a name if one is given.
    pub(super) fn of_dialled(ids: MemberIds, source_alias: &str, target: &str, name: Option<&str>) -> Member {
        let uri = Uri::new(target.as_bytes()).ok();
        let destination_alias = uri.map_or_else(|| bounded(target), alias_of);
        Member {
            display_name: name.map_or_else(|| destination_alias.clone(), bounded),
            source_alias: bounded(source_alias),
            destination_alias,
            ..Member::new(ids, CallDirection::Out)
        }
    }

    /// As another process has exported it.
    pub(super) fn of_exported(
        ids: MemberIds,
        direction: CallDirection,
        [joined, began]: [Option<Time>; 2],
        exported: &ExportedParticipant,
    ) -> Member {
        Member {
            display_name: bounded(&exported.display_name),
            source_alias: bounded(&exported.source_alias),
            destination_alias: bounded(&exported.destination_alias),
            vendor: bounded(&exported.vendor),
            voice: if exported.muted { Voice::Muted } else { Voice::Heard },
            joined,
            before: began
                .map(|began| Before { began, lock: if exported.locked { Lock::Locked } else { Lock::Open } }),
            ..Member::new(ids, direction)
        }
    }

    /// The far end of a dialog that a release has exported which knew no participants.
    pub(super) fn of_dialog(ids: MemberIds, direction: CallDirection, local: &[u8], remote: &[u8]) -> Member {
        let [ours, theirs] = [local, remote].map(|text| Address::whole(text).ok());
        let alias = |address: Option<Address<'_>>| address.map(|it| alias_of(it.uri)).unwrap_or_default();
        let (here, there) = (alias(ours), alias(theirs));
        let display_name = theirs.map(|address| name_of(&address, &there)).unwrap_or_default();
        let (source_alias, destination_alias) = match direction {
            CallDirection::In => (there, here),
            CallDirection::Out => (here, there),
        };
        Member { display_name, source_alias, destination_alias, ..Member::new(ids, direction) }
    }

    fn new(ids: MemberIds, direction: CallDirection) -> Member {
        Member {
            id: ids.participant,
            conference: ids.conference,
            direction,
            display_name: String::new(),
            source_alias: String::new(),
            destination_alias: String::new(),
            vendor: String::new(),
            voice: Voice::Heard,
            joined: None,
            before: None,
            departure: None,
        }
    }

    /// Its call ends for this reason, unless it had begun to end for another.
    pub(super) fn depart(&mut self, why: Departure) {
        self.departure.get_or_insert(why);
    }
}

/// What a far end says of its product.
pub(super) fn vendor_of(headers: &Fields) -> String {
    let product = headers.value(Name::UserAgent).or_else(|| headers.value(Name::Server));
    product.map(|product| bounded(&String::from_utf8_lossy(product))).unwrap_or_default()
}

/// A URI as `user@host`, or the host alone.
pub(super) fn alias_of(uri: Uri<'_>) -> String {
    match address_of(uri) {
        Some((user, host)) if user.is_empty() => bounded(&host),
        Some((user, host)) if host.is_empty() => bounded(&user),
        Some((user, host)) => bounded(&format!("{user}@{host}")),
        None => String::new(),
    }
}

fn name_of(address: &Address<'_>, alias: &str) -> String {
    let name = bounded(&String::from_utf8_lossy(&address.display_name()));
    if name.is_empty() { alias.to_owned() } else { name }
}

/// The beginning of a text, without control characters.
fn bounded(text: &str) -> String {
    text.trim().chars().filter(|character| !character.is_control()).take(TEXT).collect()
}
