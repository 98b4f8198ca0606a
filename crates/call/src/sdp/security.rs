//! How the packets of a media line are protected: by its transport, and by the keys (RFC 4568, RFC 8643) or the
//! certificates (RFC 5763) that it names.

use std::net::SocketAddr;

use rand::Rng;

use crate::srtp::{MasterKey, Suite};

use super::crypto::{self, Crypto, Named};
use super::description::Medium;
use super::fingerprint::Fingerprint;
use super::handshake::{self, Handshake, Role};
use super::negotiation::Agreed;
use super::ours::Path;
use super::unacceptable::Unacceptable;

/// How the packets of a call are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Not at all.
    Plain,
    /// By SRTP under keys that the descriptions name.
    Keys(Keys),
    /// By SRTP under keys that come of a handshake of DTLS.
    Handshake(Handshake),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Plain,
    Key(Crypto),
    Handshake(handshake::Far),
}

/// What a media line of ours names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OurMeans {
    Plain,
    /// One for each suite.
    Keys(Vec<Named>),
    Handshake(Role),
}

impl OurMeans {
    /// Writes the attributes; `certificate` is ours.
    pub(super) fn write(&self, certificate: &Fingerprint, text: &mut String) {
        match self {
            OurMeans::Plain => {}
            OurMeans::Keys(keys) => keys.iter().for_each(|key| key.write(text)),
            OurMeans::Handshake(role) => {
                role.write(text);
                certificate.write(text);
            }
        }
    }
}

/// What the transport of a media line demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// RTP, which may be protected all the same if both ends name keys (RFC 8643).
    Optional,
    /// SRTP, whose keys come from anywhere.
    Required,
    /// SRTP, whose keys come of a handshake.
    Handshake,
}

impl Profile {
    fn named(transport: &str) -> Option<Profile> {
        let is_one_of = |names: [&str; 2]| names.iter().any(|name| transport.eq_ignore_ascii_case(name));
        match transport {
            _ if is_one_of(["RTP/AVP", "RTP/AVPF"]) => Some(Profile::Optional),
            _ if is_one_of(["RTP/SAVP", "RTP/SAVPF"]) => Some(Profile::Required),
            _ if is_one_of(["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"]) => Some(Profile::Handshake),
            _ => None,
        }
    }

    fn of(medium: Medium<'_>) -> Result<Profile, Unacceptable> {
        let transport = &medium.media.proto;
        Profile::named(transport).ok_or_else(|| Unacceptable::Transport(transport.clone()))
    }
}

/// What a media line of the far end offers: its first key that can be used, else its certificate.
///
/// # Errors
/// Its transport is none of ours, or wants SRTP and names neither a key nor a certificate that can be used.
pub(super) fn offered(medium: Medium<'_>) -> Result<Means, Unacceptable> {
    let key = || crypto::usable(medium).next().map(Means::Key);
    let certificate = || handshake::of(medium).map(Means::Handshake);
    match Profile::of(medium)? {
        Profile::Optional => Ok(key().unwrap_or(Means::Plain)),
        Profile::Required => key().or_else(certificate).ok_or_else(|| no_suite(medium)),
        Profile::Handshake => certificate().ok_or(Unacceptable::NoFingerprint),
    }
}

/// What the answer of the far end makes of our line, whose transport and means these are. `before` is what was agreed
/// before. The tag of a key adds nothing: each suite is offered once.
///
/// # Errors
/// The line or its answer wants SRTP, and the answer names nothing that answers what was offered. Or there are keys, and
/// the answer names none: the next answer with one would take the same key of ours into use again, from its first index.
pub(super) fn answered(
    medium: Medium<'_>,
    transport: &str,
    means: &OurMeans,
    before: Option<&Agreed>,
) -> Result<Security, Unacceptable> {
    let is_optional = Profile::of(medium)? == Profile::Optional;
    let had_keys = before.is_some_and(|before| matches!(before.security, Security::Keys(_)));
    match means {
        OurMeans::Plain if is_optional => Ok(Security::Plain),
        OurMeans::Plain => Err(no_suite(medium)),
        OurMeans::Keys(named) => match answered_key(medium, named) {
            Some(keys) => Ok(Security::Keys(keys)),
            None if !is_optional || had_keys => Err(no_suite(medium)),
            None if Profile::named(transport) == Some(Profile::Optional) => Ok(Security::Plain),
            None => Err(Unacceptable::Transport(medium.media.proto.clone())),
        },
        OurMeans::Handshake(role) => {
            let agreed = handshake::of(medium).and_then(|far| far.answers(*role));
            agreed.map(Security::Handshake).ok_or(Unacceptable::NoFingerprint)
        }
    }
}

fn answered_key(medium: Medium<'_>, named: &[Named]) -> Option<Keys> {
    crypto::usable(medium).find_map(|Crypto { key: theirs, mki, .. }| {
        let ours = named.iter().find(|ours| ours.key.suite() == theirs.suite())?.key;
        Some(Keys { ours, theirs, mki })
    })
}

fn no_suite(medium: Medium<'_>) -> Unacceptable {
    Unacceptable::NoSuite { offered: crypto::names(medium) }
}

/// What this node agrees to, and what its answer names. `before` is what was agreed before, and `remote` where the far end
/// is now.
pub(super) fn answer(
    means: Means,
    before: Option<&Agreed>,
    remote: Option<SocketAddr>,
    random: &mut dyn Rng,
) -> (Security, OurMeans) {
    match means {
        Means::Plain => (Security::Plain, OurMeans::Plain),
        Means::Key(Crypto { tag, key: theirs, mki }) => {
            let kept = before.and_then(|before| kept_key(before, remote, &theirs));
            let ours = kept.unwrap_or_else(|| MasterKey::random(theirs.suite(), random));
            let named = OurMeans::Keys(vec![Named { tag, key: ours }]);
            (Security::Keys(Keys { ours, theirs, mki }), named)
        }
        Means::Handshake(far) => {
            let agreed = far.answered(before.and_then(role));
            let means = OurMeans::Handshake(agreed.role);
            (Security::Handshake(agreed), means)
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
        Security::Plain | Security::Handshake(_) => None,
    }
}

/// What this node was in the handshake before.
fn role(before: &Agreed) -> Option<Role> {
    match &before.security {
        Security::Handshake(handshake) => Some(handshake.role),
        Security::Plain | Security::Keys(_) => None,
    }
}

/// What a new offer of ours names: what the line has already; else a key for each suite, if nobody but the far end can read
/// them. Keys are new ones, because whoever asks for an offer within a call may have another device answer it.
pub(super) fn offer(before: Option<&Agreed>, path: Path, random: &mut dyn Rng) -> OurMeans {
    let mut keys = |suites: &[Suite]| {
        let named = |(tag, suite): (u32, &Suite)| Named { tag, key: MasterKey::random(*suite, random) };
        OurMeans::Keys((1..).zip(suites).map(named).collect())
    };
    match (before.map(|before| &before.security), path) {
        (Some(Security::Handshake(handshake)), _) => OurMeans::Handshake(handshake.role),
        (Some(Security::Keys(before)), _) => keys(&[before.ours.suite()]),
        (Some(Security::Plain) | None, Path::Secure) => keys(&Suite::ALL),
        (Some(Security::Plain) | None, Path::Open) => OurMeans::Plain,
    }
}
