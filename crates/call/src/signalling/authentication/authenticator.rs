//! The server's side of digest authentication: challenges, and the judgement of what answers them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sip::draft::quoted;
use sip::method::Method;
use sip::name::Name;

use crate::accounts::Account;
use crate::settings::AuthenticationSettings;
use crate::signalling::headers::Field;
use crate::time::Time;

use super::credentials::Credentials;
use super::nonce::{Nonce, Signer};
use super::used::{Stale, Used};

/// Issues nonces and judges credentials. It keeps nothing of those who have not shown a secret.
pub(in crate::signalling) struct Authenticator {
    signer: Signer,
    used: Used,
}

/// What credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::signalling) enum Judgement {
    /// They are the account's.
    Right,
    /// They show the secret, for a nonce that is good no more: the sender tries again with another one.
    Stale,
    /// There is no such account, or the secret is another one.
    Wrong,
}

/// Why a challenge is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::signalling) enum Reason {
    /// The request has no credentials, or wrong ones.
    NoCredentials,
    /// [`Judgement::Stale`].
    StaleNonce,
}

impl Authenticator {
    /// `key` signs the nonces; it differs from that of every other process.
    pub(in crate::signalling) fn new(key: [u8; 32]) -> Authenticator {
        Authenticator { signer: Signer::new(key), used: Used::default() }
    }

    /// The challenges of a 401: one for each algorithm, the preferred one first (RFC 8760 section 2.3).
    pub(in crate::signalling) fn challenges(
        &self,
        now: Time,
        random: u64,
        settings: &AuthenticationSettings,
        reason: Reason,
    ) -> Vec<Field> {
        let nonce = self.signer.written(Nonce { issued: now, random });
        let realm = quoted(&settings.realm);
        let stale = match reason {
            Reason::NoCredentials => "",
            Reason::StaleNonce => ", stale=true",
        };
        let challenge = |algorithm| {
            format!("Digest realm={realm}, nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
        };
        let algorithms = settings.algorithms.iter();
        algorithms.map(|algorithm| (Name::WwwAuthenticate, challenge(algorithm))).collect()
    }

    /// Whether the user of these credentials has shown its secret with their nonce before.
    pub(in crate::signalling) fn knows(&self, credentials: &Credentials<'_>) -> bool {
        let nonce = self.signer.read(&credentials.nonce);
        nonce.is_some_and(|nonce| self.used.has(nonce, &credentials.username))
    }

    /// Judges the credentials of a request. `account` is the one that they name, if there is one.
    pub(in crate::signalling) fn judge(
        &mut self,
        now: Time,
        credentials: &Credentials<'_>,
        method: Method<'_>,
        account: Option<&Account>,
        realm: &str,
    ) -> Judgement {
        let ha1 =
            account.and_then(|account| account.secret.ha1(credentials.algorithm, &account.username, realm));
        // The same hashes are made without an account, so that the response time does not reveal which accounts exist.
        let expected = credentials.expected(ha1.as_deref().unwrap_or_default(), method);
        let is_equal = verify_slices_are_equal(expected.as_bytes(), &credentials.response).is_ok();
        if ha1.is_none() || !is_equal {
            return Judgement::Wrong;
        }
        let nonce = self.signer.read(&credentials.nonce).ok_or(Stale);
        let taken =
            nonce.and_then(|nonce| self.used.take(now, nonce, &credentials.username, credentials.count));
        match taken {
            Ok(()) => Judgement::Right,
            Err(Stale) => Judgement::Stale,
        }
    }

    /// How many nonces it keeps.
    #[cfg(test)]
    pub(in crate::signalling) fn kept(&self) -> usize {
        self.used.len()
    }
}
