//! The nonces that were used, each with the highest number of a request that it was used for: a request that is sent
//! again by somebody who has heard it is refused (RFC 7616 section 3.4.5). A nonce has an entry only once it came with
//! the right secret, so that senders without one take no memory.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Time;

use super::nonce::Nonce;

/// How long a nonce is good for. Long enough for a phone that has its user enter the password, and for some refreshes
/// of a registration; a later request costs one more round trip.
const LIFE: Duration = Duration::from_secs(300);
/// The most nonces with an entry: 64 for each of the 500 calls of a usual node, in 2 MB.
pub(super) const NONCES: usize = 32 * 1024;

/// The nonces in use.
#[derive(Debug, Default)]
pub(super) struct Used {
    by_nonce: BTreeMap<Nonce, Use>,
}

#[derive(Debug)]
struct Use {
    username: String,
    count: u32,
}

/// The request has come before, or its nonce is too old: it is to be sent again with another nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stale;

impl Used {
    /// Whether this user has used the nonce before.
    pub(super) fn has(&self, nonce: Nonce, username: &str) -> bool {
        self.by_nonce.get(&nonce).is_some_and(|used| used.username == username)
    }

    /// Takes in request number `count` of a user with a nonce of ours.
    ///
    /// # Errors
    /// The nonce is not good for it.
    pub(super) fn take(&mut self, now: Time, nonce: Nonce, username: &str, count: u32) -> Result<(), Stale> {
        self.forget_old(now);
        if now.since(nonce.issued) > LIFE {
            return Err(Stale);
        }
        match self.by_nonce.get_mut(&nonce) {
            Some(used) if used.username == username && used.count < count => used.count = count,
            Some(_) => return Err(Stale),
            None => self.begin(nonce, Use { username: username.to_owned(), count })?,
        }
        Ok(())
    }

    /// Makes an entry. In a full table the oldest nonce gives its place, and none that is older gets one: so what has
    /// given its place is good no more, until it is too old anyway.
    fn begin(&mut self, nonce: Nonce, used: Use) -> Result<(), Stale> {
        if self.by_nonce.len() >= NONCES
            && let Some(oldest) = self.by_nonce.first_entry()
        {
            if nonce < *oldest.key() {
                return Err(Stale);
            }
            oldest.remove();
        }
        self.by_nonce.insert(nonce, used);
        Ok(())
    }

    /// Nonces that are too old to be used need no entry.
    fn forget_old(&mut self, now: Time) {
        while let Some(oldest) = self.by_nonce.first_entry()
            && now.since(oldest.key().issued) > LIFE
        {
            oldest.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_nonce.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u64 = 300_000;

    fn nonce(issued: u64) -> Nonce {
        Nonce { issued: Time(issued), random: 7 }
    }

    #[test]
    fn each_request_needs_a_higher_number_than_the_one_before() {
        let mut used = Used::default();
        let mut check = |count, expected| {
            assert_eq!(used.take(Time(1), nonce(0), "ann", count), expected, "{count}");
        };
        check(1, Ok(()));
        check(1, Err(Stale));
        check(5, Ok(()));
        check(4, Err(Stale));
        check(6, Ok(()));
    }

    #[test]
    fn nonce_of_one_user_is_none_of_another() {
        let mut used = Used::default();
        used.take(Time(1), nonce(0), "ann", 1).expect("it is new");
        assert_eq!(used.take(Time(1), nonce(0), "bob", 2), Err(Stale));
        assert!(used.has(nonce(0), "ann") && !used.has(nonce(0), "bob") && !used.has(nonce(1), "ann"));
    }

    #[test]
    fn nonce_is_good_for_its_life_and_has_no_entry_afterwards() {
        let mut used = Used::default();
        assert_eq!(used.take(Time(END + 1), nonce(0), "ann", 1), Err(Stale));
        assert_eq!(used.take(Time(END), nonce(0), "ann", 1), Ok(()));
        assert_eq!(used.take(Time(END + 1), nonce(0), "ann", 2), Err(Stale));
        assert_eq!(used.len(), 0);
    }

    #[test]
    fn table_is_bounded_and_what_it_has_forgotten_is_good_no_more() {
        let mut used = Used::default();
        let most = NONCES as u64;
        for issued in 0..most {
            used.take(Time(most), nonce(issued), "ann", 1).expect("there is room");
        }
        assert_eq!(used.take(Time(most), nonce(most), "ann", 1), Ok(()));
        assert_eq!(used.len(), NONCES);
        assert_eq!(used.take(Time(most), nonce(0), "ann", 2), Err(Stale), "it may have been used before");
        assert_eq!(used.take(Time(most), nonce(1), "ann", 2), Ok(()), "the others are as they were");
        let older = Nonce { random: 6, ..nonce(1) };
        assert_eq!(used.take(Time(most), older, "ann", 1), Err(Stale), "there is no place for it");
        assert_eq!(used.take(Time(most), nonce(1), "ann", 3), Ok(()));
    }
}
