//! How many datagrams are read in a tick, so that a flood of one leg neither silences it nor delays the others. Pure:
//! reads nothing itself.
//!
//! A leg that is flooded has its own packets among those of the flood, so all of them are read as long as its
//! thread has time for that. What is not read fills the small buffer of its socket, and the system drops the rest.

/// The datagrams that every leg may have in every tick: ten times what a caller sends.
const ALWAYS: usize = 10;

/// The most datagrams of one leg in one tick: more than the buffer of its socket holds.
const AT_MOST: usize = 400;

/// The datagrams above [`ALWAYS`] that all legs of a thread together may have in one tick. Each takes some two
/// microseconds, if it is no handshake, so they take a fifth of the tick.
const SHARED: usize = 2000;

/// What may still be read in this tick.
#[derive(Debug)]
pub(crate) struct Budget {
    shared: usize,
}

impl Budget {
    /// The budget of a new tick.
    pub(crate) fn new() -> Budget {
        Budget { shared: SHARED }
    }

    /// Whether one more datagram of a leg may be read, of which `read` were read in this tick.
    pub(crate) fn allows(&mut self, read: usize) -> bool {
        if read < ALWAYS {
            return true;
        }
        let allowed = read < AT_MOST && self.shared > 0;
        self.shared -= usize::from(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many datagrams of a leg are read when more than that wait.
    fn read(budget: &mut Budget) -> usize {
        (0..).take_while(|read| budget.allows(*read)).count()
    }

    #[test]
    fn flooded_leg_is_read_on_and_the_others_have_their_share_however_many_are_flooded() {
        let mut budget = Budget::new();
        let legs: Vec<usize> = (0..500).map(|_| read(&mut budget)).collect();
        assert_eq!(legs[0], AT_MOST);
        assert_eq!(legs[499], ALWAYS);
        assert_eq!(legs.iter().sum::<usize>(), 500 * ALWAYS + SHARED);
    }
}
