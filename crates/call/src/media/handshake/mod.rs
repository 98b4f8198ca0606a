//! The handshake of DTLS on the media port of one leg, of which the keys of SRTP come (RFC 5763, RFC 5764). Datagrams and
//! time in, datagrams and keys out; but what is lost is repeated by the clock of the process (see [`attempt`]).
//!
//! Relies on OpenSSL for the protocol, and on the session description for the fingerprint of the far end's certificate:
//! without that certificate there are no keys. Knows no sound, and from which addresses datagrams are taken says the
//! caller.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::sdp::{self, Keys};
use crate::time::Time;

use attempt::Attempt;

mod attempt;
mod identity;
mod records;
mod wire;

pub(crate) use identity::Identity;
pub use identity::IdentityError;

/// How often a handshake may fail before no other is tried: somebody else at the far end's address may have begun one.
const ATTEMPTS: u8 = 5;

/// How long the keys are waited for, from the confirmation of the call or the agreement on another handshake. What is lost
/// is repeated after 1, 2, 4 and 8 seconds (RFC 6347 section 4.2.4.1).
const KEYS_WITHIN: Duration = Duration::from_secs(15);

/// How often it is asked whether something is due to be repeated.
const POLL: Duration = Duration::from_millis(100);

/// Why a handshake has given no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoKeys {
    /// Nothing of the far end came.
    #[error("nothing of a DTLS handshake came from the far end")]
    Unanswered,
    /// Something came, and its rest did not.
    #[error("the far end has not finished the DTLS handshake")]
    Unfinished,
    /// The far end, or somebody at its address, has another certificate.
    #[error("the certificate of the far end is not the one that its session description names")]
    OtherCertificate,
    /// No suite of SRTP was agreed on.
    #[error("the far end has no suite of SRTP that this node has")]
    NoSuite,
    /// One of its limits was exceeded.
    #[error("the far end has sent more than a DTLS handshake needs")]
    TooMuch,
    /// An error of the protocol, in the words of the library.
    #[error("the DTLS handshake failed: {0}")]
    Failed(&'static str),
}

/// Whether a datagram that came to a media port belongs to a handshake (RFC 7983 section 7).
pub(crate) fn is_handshake(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|kind| (20..=63).contains(kind))
}

/// One handshake. It is kept when it is over, because the far end may have missed its end.
pub(crate) struct Handshake {
    identity: Identity,
    agreed: sdp::Handshake,
    /// Where the description says that the far end is.
    remote: Option<SocketAddr>,
    attempt: Option<Attempt>,
    /// How many may follow it.
    attempts: u8,
    /// Since when the keys are waited for.
    since: Time,
    /// When it is asked next whether something is to be repeated.
    due: Time,
    /// Why there are no keys so far.
    why: NoKeys,
    /// What waits to be sent.
    outgoing: VecDeque<Vec<u8>>,
}

impl Handshake {
    /// Begins with [`Handshake::pass_time`], or waits for the far end to begin.
    pub(crate) fn new(
        now: Time,
        identity: &Identity,
        agreed: &sdp::Handshake,
        remote: Option<SocketAddr>,
    ) -> Handshake {
        let mut handshake = Handshake {
            identity: identity.clone(),
            agreed: agreed.clone(),
            remote,
            attempt: None,
            attempts: ATTEMPTS,
            since: now,
            due: now,
            why: NoKeys::Unanswered,
            outgoing: VecDeque::new(),
        };
        handshake.try_again(now);
        handshake
    }

    /// Whether it is the one that is agreed on, with a far end at this address. One that names none is where it was.
    pub(crate) fn is_for(&self, agreed: &sdp::Handshake, remote: Option<SocketAddr>) -> bool {
        self.agreed == *agreed && (remote.is_none() || remote == self.remote)
    }

    /// The keys are waited for from now on: the call was confirmed.
    pub(crate) fn wait_from(&mut self, now: Time) {
        self.since = now;
    }

    /// Takes in a datagram of the far end, or of somebody at its address. Returns the keys when it is over.
    pub(crate) fn receive(&mut self, now: Time, datagram: &[u8]) -> Option<Keys> {
        self.act(now, Some(datagram))
    }

    /// Begins, or repeats what is due to be repeated. Called in each tick.
    pub(crate) fn pass_time(&mut self, now: Time) -> Option<Keys> {
        if self.due > now || self.attempt.as_ref().is_none_or(Attempt::is_over) {
            return None;
        }
        self.due = now + POLL;
        self.act(now, None)
    }

    /// The next datagram to be sent.
    pub(crate) fn next_packet(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// Says why there are no keys when they were waited for long enough, and again after as long; no others are tried.
    pub(crate) fn expire(&mut self, now: Time) -> Option<NoKeys> {
        if self.attempt.as_ref().is_some_and(Attempt::is_over) || now.since(self.since) < KEYS_WITHIN {
            return None;
        }
        self.since = now;
        self.attempts = 0;
        self.attempt = None;
        Some(self.why)
    }

    /// Lets the attempt act. One that has failed is followed by another: it may have been somebody else's.
    fn act(&mut self, now: Time, datagram: Option<&[u8]>) -> Option<Keys> {
        let attempt = self.attempt.as_mut()?;
        let acted = attempt.act(&self.agreed, datagram);
        attempt.take_outgoing(&mut self.outgoing);
        match acted {
            Ok(keys) => {
                if datagram.is_some() && self.why == NoKeys::Unanswered {
                    self.why = NoKeys::Unfinished;
                }
                keys
            }
            Err(why) => {
                self.why = why;
                self.try_again(now);
                None
            }
        }
    }

    fn try_again(&mut self, now: Time) {
        self.due = now;
        let left = self.attempts.checked_sub(1);
        self.attempt = left.and_then(|_| Attempt::begin(&self.identity, self.agreed.role));
        self.attempts = left.unwrap_or(0);
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.agreed.fmt(f)
    }
}

#[cfg(test)]
mod tests;
