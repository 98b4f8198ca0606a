//! How the packets of a media line are protected: by its transport and the keys that it names (RFC 3711, RFC 4568,
//! RFC 8643).

use std::net::SocketAddr;

use rand::Rng;

use crate::srtp::{MasterKey, Suite};

use super::crypto::{self, Crypto, Named};
use super::description::Medium;
use super::negotiation::Agreed;
use super::ours::Path;
use super::unacceptable::Unacceptable;

/// How the packets of a call are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Not at all.
    Plain,
    /// By SRTP under keys that the descriptions name.
    Keys(Keys),
}

/// The keys of both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Of what this node sends.
    pub(crate) ours: MasterKey,
    /// Of what the far end sends.
    pub(crate) theirs: MasterKey,
    /// How many bytes of each packet of the far end identify its key.
    pub(crate) mki: u8,
}

/// What a media line of the far end offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Plain,
    Key(Crypto),
}

/// What the transport of a media line demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// RTP, which may be protected all the same if both ends name keys (RFC 8643).
    Optional,
    /// SRTP.
    Required,
}

impl Profile {
    fn named(transport: &str) -> Option<Profile> {
        let is_one_of = |names: [&str; 2]| names.iter().any(|name| transport.eq_ignore_ascii_case(name));
        match transport {
            _ if is_one_of(["RTP/AVP", "RTP/AVPF"]) => Some(Profile::Optional),
            _ if is_one_of(["RTP/SAVP", "RTP/SAVPF"]) => Some(Profile::Required),
            _ => None,
        }
    }

    fn of(medium: Medium<'_>) -> Result<Profile, Unacceptable> {
        let transport = &medium.media.proto;
        Profile::named(transport).ok_or_else(|| Unacceptable::Transport(transport.clone()))
    }
}

/// What a media line of the far end offers: its first key that can be used.
///
/// # Errors
/// Its transport is none of ours, or wants SRTP and names no key that can be used.
pub(super) fn offered(medium: Medium<'_>) -> Result<Means, Unacceptable> {
    match (Profile::of(medium)?, crypto::usable(medium).next()) {
        (Profile::Optional | Profile::Required, Some(crypto)) => Ok(Means::Key(crypto)),
        (Profile::Optional, None) => Ok(Means::Plain),
        (Profile::Required, None) => Err(no_suite(medium)),
    }
}

/// What the answer of the far end makes of our line, whose transport and keys these are. The tag of the answer adds
/// nothing: each suite is offered once.
///
/// # Errors
/// The line or its answer wants SRTP, and the answer names no key for a suite that was offered.
pub(super) fn answered(
    medium: Medium<'_>,
    transport: &str,
    named: &[Named],
) -> Result<Security, Unacceptable> {
    let agreed = crypto::usable(medium).find_map(|Crypto { key: theirs, mki, .. }| {
        let ours = named.iter().find(|ours| ours.key.suite() == theirs.suite())?.key;
        Some(Security::Keys(Keys { ours, theirs, mki }))
    });
    match (Profile::of(medium)?, agreed) {
        (Profile::Optional | Profile::Required, Some(agreed)) => Ok(agreed),
        (Profile::Required, None) => Err(no_suite(medium)),
        (Profile::Optional, None) => match Profile::named(transport) {
            Some(Profile::Required) => Err(Unacceptable::Transport(medium.media.proto.clone())),
            Some(Profile::Optional) | None => Ok(Security::Plain),
        },
    }
}

fn no_suite(medium: Medium<'_>) -> Unacceptable {
    Unacceptable::NoSuite { offered: crypto::names(medium) }
}

/// What this node agrees to, and the keys that its answer names. `before` is what was agreed before, and `remote` where the
/// far end is now.
pub(super) fn answer(
    means: Means,
    before: Option<&Agreed>,
    remote: Option<SocketAddr>,
    random: &mut dyn Rng,
) -> (Security, Vec<Named>) {
    match means {
        Means::Plain => (Security::Plain, Vec::new()),
        Means::Key(Crypto { tag, key: theirs, mki }) => {
            let kept = before.and_then(|before| kept_key(before, remote, &theirs));
            let ours = kept.unwrap_or_else(|| MasterKey::random(theirs.suite(), random));
            (Security::Keys(Keys { ours, theirs, mki }), vec![Named { tag, key: ours }])
        }
    }
}

/// Our key stays as it is, unless the suite is another one, or the far end has another key at another address: that may be
/// another device, which does not know how often our sequence numbers have wrapped (RFC 4568 section 7.1.4).
fn kept_key(before: &Agreed, remote: Option<SocketAddr>, theirs: &MasterKey) -> Option<MasterKey> {
    match before.security {
        Security::Keys(keys) => {
            let is_same_device = keys.theirs == *theirs || before.remote == remote;
            (is_same_device && keys.ours.suite() == theirs.suite()).then_some(keys.ours)
        }
        Security::Plain => None,
    }
}

/// The keys that a new offer of ours names: where there is SRTP, one for its suite; else one for each suite, if nobody
/// but the far end can read them. They are new ones, because whoever asks for an offer within a call may have another
/// device answer it.
pub(super) fn keys_to_offer(before: Option<&Agreed>, path: Path, random: &mut dyn Rng) -> Vec<Named> {
    let security = before.map_or(Security::Plain, |before| before.security);
    let suites = match (security, path) {
        (Security::Keys(keys), _) => vec![keys.ours.suite()],
        (Security::Plain, Path::Secure) => Suite::ALL.to_vec(),
        (Security::Plain, Path::Open) => Vec::new(),
    };
    (1..).zip(suites).map(|(tag, suite)| Named { tag, key: MasterKey::random(suite, random) }).collect()
}
