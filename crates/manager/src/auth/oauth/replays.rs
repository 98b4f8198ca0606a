//! The assertions that were used and have not expired: each counts once (RFC 7523 section 5). Bounded for each client, so
//! that none fills the table for another.

use std::collections::BTreeMap;

use fleet::time::Wall;
use sha2::Digest as _;

use super::assertion::Verified;
use super::refusal::{Refusal, Why};

/// Most assertions of one client that are remembered: one every four seconds for an hour. A client needs one an hour.
const MAX_OF_CLIENT: usize = 1_000;

/// The SHA-256 of the id of an assertion: ids are of any length and of a client's choice.
type Id = [u8; 32];

/// The used assertions of all clients, each with its expiry.
#[derive(Clone, Debug, Default)]
pub struct Replays(BTreeMap<String, BTreeMap<Id, Wall>>);

impl Replays {
    /// Takes note of a verified assertion, which is used now.
    ///
    /// # Errors
    /// It was used before, or [`Refusal::Busy`].
    pub fn admit(&mut self, verified: &Verified, now: Wall) -> Result<(), Refusal> {
        self.forget_expired(now);
        let used = self.0.entry(verified.client.clone()).or_default();
        let id: Id = sha2::Sha256::digest(verified.id.as_bytes()).into();
        if used.contains_key(&id) {
            return Err(Why::Used.refusal());
        }
        if used.len() >= MAX_OF_CLIENT {
            return Err(Refusal::Busy);
        }
        used.insert(id, verified.expires);
        Ok(())
    }

    /// Forgets a client that is gone.
    pub fn forget(&mut self, client: &str) {
        self.0.remove(client);
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn forget_expired(&mut self, now: Wall) {
        self.0.retain(|_, used| {
            used.retain(|_, expires| *expires > now);
            !used.is_empty()
        });
    }
}
