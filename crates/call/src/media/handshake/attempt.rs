//! One try at a handshake, by OpenSSL.
//!
//! OpenSSL reads the clock of the process to know when to repeat what may be lost, first after a second; it repeats when
//! it is called, so whoever has an attempt calls [`Attempt::act`] several times in a second. What it holds of a far end
//! that is not known yet is limited by `records`.

use std::collections::VecDeque;

use openssl::srtp::SrtpProfileId;
use openssl::ssl::{Error, ErrorCode, Ssl, SslStream};

use crate::sdp::{self, Keys, Role};
use crate::srtp::{MasterKey, Suite};

use super::NoKeys;
use super::identity::Identity;
use super::records::Intake;
use super::wire::Wire;

/// The largest datagram that is written, in bytes: what goes through any network without fragments.
const MTU: u32 = 1150;

/// What the keys are derived for (RFC 5764 section 4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";

pub(super) struct Attempt {
    stream: SslStream<Wire>,
    intake: Intake,
    is_over: bool,
}

impl Attempt {
    /// Prepares one, which begins when it acts first; `None` if there is no memory for it.
    pub(super) fn begin(identity: &Identity, role: Role) -> Option<Attempt> {
        let mut ssl = Ssl::new(&identity.context).ok()?;
        ssl.set_mtu(MTU).ok()?;
        match role {
            Role::Client => ssl.set_connect_state(),
            Role::Server => ssl.set_accept_state(),
        }
        let stream = SslStream::new(ssl, Wire::default()).ok()?;
        Some(Attempt { stream, intake: Intake::default(), is_over: false })
    }

    /// Whether it has given its keys.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Goes on, with a datagram if one came. Returns the keys when it is over.
    ///
    /// # Errors
    /// It has failed.
    pub(super) fn act(
        &mut self,
        agreed: &sdp::Handshake,
        datagram: Option<&[u8]>,
    ) -> Result<Option<Keys>, NoKeys> {
        if !self.is_over {
            datagram.map_or(Ok(()), |datagram| self.intake.take(datagram))?;
        }
        datagram.into_iter().for_each(|datagram| self.stream.get_mut().put(datagram));
        if self.is_over {
            self.read_late();
            return Ok(None);
        }
        match self.stream.do_handshake() {
            Ok(()) => {
                let keys = self.keys(agreed)?;
                self.is_over = true;
                Ok(Some(keys))
            }
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(None),
            Err(error) => Err(NoKeys::Failed(reason(&error))),
        }
    }

    /// Moves what it wants sent to `outgoing`.
    pub(super) fn take_outgoing(&mut self, outgoing: &mut VecDeque<Vec<u8>>) {
        self.stream.get_mut().take_outgoing(outgoing);
    }

    /// Has OpenSSL answer a far end that has missed the end of the handshake. Nothing else of what comes then matters: the
    /// signalling says when a call ends.
    fn read_late(&mut self) {
        // Each turn reads a record of the one datagram that there is.
        while self.stream.ssl_read(&mut [0; 64]).is_ok() {}
    }

    fn keys(&self, agreed: &sdp::Handshake) -> Result<Keys, NoKeys> {
        let ssl = self.stream.ssl();
        let certificate = ssl.peer_certificate().and_then(|certificate| certificate.to_der().ok());
        let is_known = certificate
            .is_some_and(|certificate| agreed.theirs.iter().any(|theirs| theirs.is_of(&certificate)));
        if !is_known {
            return Err(NoKeys::OtherCertificate);
        }
        let suite = ssl.selected_srtp_profile().and_then(|profile| suite(profile.id()));
        let suite = suite.ok_or(NoKeys::NoSuite)?;
        let mut material = vec![0; 2 * (suite.key_bytes() + suite.salt_bytes())];
        let exported = ssl.export_keying_material(&mut material, LABEL, None);
        let keys = exported.ok().and_then(|()| keys(agreed.role, suite, &material));
        keys.ok_or(NoKeys::Failed("it has no keys"))
    }
}

/// What the library says about an error, which may be an alert of the far end.
fn reason(error: &Error) -> &'static str {
    let first = error.ssl_error().and_then(|stack| stack.errors().first());
    first.and_then(|error| error.reason()).unwrap_or("it was closed")
}

/// The suite of a profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
fn suite(profile: SrtpProfileId) -> Option<Suite> {
    let profiles = [
        (SrtpProfileId::SRTP_AES128_CM_SHA1_80, Suite::AesCm128Sha80),
        (SrtpProfileId::SRTP_AES128_CM_SHA1_32, Suite::AesCm128Sha32),
        (SrtpProfileId::SRTP_AEAD_AES_128_GCM, Suite::AeadAes128Gcm),
        (SrtpProfileId::SRTP_AEAD_AES_256_GCM, Suite::AeadAes256Gcm),
    ];
    profiles.into_iter().find(|(id, _)| *id == profile).map(|(_, suite)| suite)
}

/// The keys in what a handshake gives: those of client and server, then their salts (RFC 5764 section 4.2).
fn keys(role: Role, suite: Suite, material: &[u8]) -> Option<Keys> {
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
