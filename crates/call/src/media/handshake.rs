//! The handshake of DTLS on the media port of one leg, of which the keys of SRTP come (RFC 5763, RFC 5764). Pure: datagrams
//! and time in, datagrams and keys out.
//!
//! Relies on `dimpl` for the protocol, and on the session description for the fingerprint of the far end's certificate:
//! without that certificate there are no keys. Knows no sound, and from which addresses datagrams are taken says the
//! caller.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Error, KeyingMaterial, Output, SrtpProfile, certificate};

use crate::sdp::{self, Fingerprint, Keys, Role};
use crate::srtp::{MasterKey, Suite};
use crate::time::Time;

/// How often a handshake may fail before no other is tried: somebody else at the far end's address may have begun one.
const ATTEMPTS: u8 = 5;

/// How long an answer may take until what was sent is repeated; then twice as long, and so on (RFC 6347 section 4.2.4).
/// Half of what that RFC begins with, for a call waits for it; it is T1 of SIP.
const REPEAT_AFTER: Duration = Duration::from_millis(500);
/// How often it is repeated: for half a minute, twice as long as the call waits.
const REPEATS: usize = 5;

/// The largest record that is written, in bytes: what goes through any network without fragments.
const RECORD: usize = 1150;

/// What a node shows in all its handshakes.
#[derive(Clone)]
pub(crate) struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
    /// When the clock of [`Time`] began.
    started: Instant,
}

impl Identity {
    /// A new certificate, signed by itself. `started` is when the clock of [`Time`] began.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn generate(started: Instant) -> Result<Identity, certificate::CertificateError> {
        let certificate = certificate::generate_self_signed_certificate()?;
        let config =
            Config::builder().mtu(RECORD).flight_start_rto(REPEAT_AFTER).flight_retries(REPEATS).build();
        let config = config.expect("all else is as it comes");
        Ok(Identity { certificate, config: Arc::new(config), started })
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate.certificate)
    }

    fn instant(&self, time: Time) -> Instant {
        self.started + Duration::from_millis(time.0)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fingerprint().fmt(f)
    }
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
    attempts: u8,
    /// Since when the keys are waited for.
    pub(crate) since: Time,
    /// What waits to be sent.
    outgoing: VecDeque<Vec<u8>>,
}

/// One try.
struct Attempt {
    dtls: Dtls,
    /// When it is due to act.
    due: Option<Time>,
    /// The certificate of the far end was seen, and is the one that its description names.
    is_known: bool,
    material: Option<(KeyingMaterial, SrtpProfile)>,
}

impl Handshake {
    /// Begins, or waits for the far end to begin.
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
            outgoing: VecDeque::new(),
        };
        handshake.try_again(now);
        handshake
    }

    /// Whether it is the one that is agreed on, with a far end at this address. One that names none is where it was.
    pub(crate) fn is_for(&self, agreed: &sdp::Handshake, remote: Option<SocketAddr>) -> bool {
        self.agreed == *agreed && (remote.is_none() || remote == self.remote)
    }

    /// Takes in a datagram of the far end, or of somebody at its address. Returns the keys when it is over.
    pub(crate) fn receive(&mut self, now: Time, datagram: &[u8]) -> Option<Keys> {
        let at = self.identity.instant(now);
        let attempt = self.attempt.as_mut()?;
        let taken = attempt.dtls.handle_timeout(at).and_then(|()| attempt.dtls.handle_packet(datagram));
        self.act(now, taken)
    }

    /// Repeats what is due to be repeated. Called in each tick.
    pub(crate) fn pass_time(&mut self, now: Time) {
        let at = self.identity.instant(now);
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.due.is_some_and(|due| due <= now))
        else {
            return;
        };
        let passed = attempt.dtls.handle_timeout(at);
        self.act(now, passed);
    }

    /// The next datagram to be sent.
    pub(crate) fn next_packet(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// Takes what a try gives after something has happened to it. One that has failed is followed by another: it may have
    /// been somebody else's.
    fn act(&mut self, now: Time, happened: Result<(), Error>) -> Option<Keys> {
        let attempt = self.attempt.as_mut()?;
        let drained = attempt.drain(&self.identity, &self.agreed, &mut self.outgoing);
        match happened.ok().and(drained) {
            Some(keys) => keys,
            None => {
                self.try_again(now);
                None
            }
        }
    }

    fn try_again(&mut self, now: Time) {
        self.attempt = None;
        if self.attempts == 0 {
            return;
        }
        self.attempts -= 1;
        let Identity { certificate, config, .. } = &self.identity;
        let at = self.identity.instant(now);
        let mut dtls = Dtls::new_12(Arc::clone(config), certificate.clone(), at);
        dtls.set_active(self.agreed.role == Role::Client);
        let begun = dtls.handle_timeout(at);
        self.attempt = Some(Attempt { dtls, due: None, is_known: false, material: None });
        self.act(now, begun);
    }
}

impl Attempt {
    /// Takes all that is to be done. Returns the keys if it is over; `None` if the certificate of the far end is another
    /// than its description names.
    fn drain(
        &mut self,
        identity: &Identity,
        agreed: &sdp::Handshake,
        outgoing: &mut VecDeque<Vec<u8>>,
    ) -> Option<Option<Keys>> {
        let mut buffer = vec![0; 2 * RECORD];
        let mut keys = None;
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => outgoing.push_back(packet.to_vec()),
                Output::PeerCert(certificate) => {
                    self.is_known = agreed.theirs.iter().any(|theirs| theirs.is_of(certificate));
                    self.is_known.then_some(())?;
                }
                Output::KeyingMaterial(material, profile) => self.material = Some((material, profile)),
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    let after = at.saturating_duration_since(identity.started);
                    self.due = Some(Time::default() + after + Duration::from_millis(1));
                    return Some(keys);
                }
                // The call says when it ends.
                Output::Connected | Output::ApplicationData(_) | Output::CloseNotify => {}
                // There is nothing else yet.
                _ => {}
            }
            if let Some((material, profile)) = self.material.take_if(|_| self.is_known) {
                keys = self::keys(agreed.role, &material, profile);
            }
        }
    }
}

/// The keys in what a handshake gives: those of client and server, then their salts (RFC 5764 section 4.2).
fn keys(role: Role, material: &[u8], profile: SrtpProfile) -> Option<Keys> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128Sha80,
        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Suite::AeadAes256Gcm,
        _ => return None,
    };
    let (keys, salts) = material.split_at_checked(2 * suite.key_bytes())?;
    let (client, server) = keys.split_at(suite.key_bytes());
    let (client_salt, server_salt) = salts.split_at_checked(suite.salt_bytes())?;
    let client = MasterKey::new(suite, &[client, client_salt].concat())?;
    let server = MasterKey::new(suite, &[server, server_salt].concat())?;
    let (ours, theirs) = match role {
        Role::Client => (client, server),
        Role::Server => (server, client),
    };
    Some(Keys { ours, theirs, mki: 0 })
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.agreed.fmt(f)
    }
}
