//! Who begins the handshake of DTLS, and with which certificates: `a=setup` (RFC 4145) and `a=fingerprint` (RFC 5763).

use std::fmt::Write as _;

use super::description::Medium;
use super::fingerprint::{self, Fingerprint};

/// The attribute.
const NAME: &str = "setup";

/// What this node is in a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It begins.
    Client,
    /// The far end begins.
    Server,
}

impl Role {
    pub(super) fn write(self, text: &mut String) {
        let value = match self {
            Role::Client => "active",
            Role::Server => "passive",
        };
        let _ = write!(text, "a={NAME}:{value}\r\n");
    }
}

/// A handshake that both ends agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// What this node is in it.
    pub(crate) role: Role,
    /// Those of the far end's certificate, each by another hash; one of them at least.
    pub(crate) theirs: Vec<Fingerprint>,
}

/// What the far end says about the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Far {
    setup: Setup,
    theirs: Vec<Fingerprint>,
}

/// Which part the far end takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    Active,
    Passive,
    /// As this node wants.
    Either,
}

/// What a media line says; `None` without a fingerprint that can be checked, or with a setup that begins nothing.
pub(super) fn of(medium: Medium<'_>) -> Option<Far> {
    let setup = match medium.inherited(NAME).next() {
        // RFC 4145 section 4.1 has this one for an offer that says nothing.
        None => Setup::Active,
        Some(value) if value.eq_ignore_ascii_case("active") => Setup::Active,
        Some(value) if value.eq_ignore_ascii_case("passive") => Setup::Passive,
        Some(value) if value.eq_ignore_ascii_case("actpass") => Setup::Either,
        Some(_) => return None,
    };
    let theirs = fingerprint::known(medium);
    (!theirs.is_empty()).then_some(Far { setup, theirs })
}

impl Far {
    /// The handshake that an answer to this agrees to. A far end that takes either part keeps the one that it has
    /// (RFC 5763 section 5); without one it begins, because it may be behind address translation, and its first packet then
    /// shows where it is.
    pub(super) fn answered(self, before: Option<Role>) -> Handshake {
        let role = match self.setup {
            Setup::Active => Role::Server,
            Setup::Passive => Role::Client,
            Setup::Either => before.unwrap_or(Role::Server),
        };
        Handshake { role, theirs: self.theirs }
    }

    /// The handshake that this, as an answer to our offer with `role`, agrees to; `None` when both would do the same.
    pub(super) fn answers(self, role: Role) -> Option<Handshake> {
        let is_same = match (self.setup, role) {
            (Setup::Active, Role::Client) | (Setup::Passive, Role::Server) => true,
            (Setup::Active, Role::Server) | (Setup::Passive, Role::Client) | (Setup::Either, _) => false,
        };
        (!is_same).then_some(Handshake { role, theirs: self.theirs })
    }
}
